"""One suite of steps, as users type them, on every engine that Debian's suites offer: `./doitw test --engines all`.

kinds     the engines that can be asked for, and how each is started
private   an engine's own programs and network
podman    Podman of a suite
rootless  Docker without root's rights
suite     a checkout on an engine, and what its steps type
steps     the steps, in order
turns     those of two machines
faults    those in which an engine stops answering, or runs are killed
table     what came of them, as Markdown
run       runs the suite on the engines that were asked for
"""
