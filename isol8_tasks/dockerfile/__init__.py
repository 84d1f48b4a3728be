"""A Dockerfile as BuildKit reads it, and what a target is built from.

lexer          words of an instruction: quotes, escapes, variables, flags
flags          the flags that each instruction has
substitution   what patterns in a variable take away or replace
heredocs       here-documents of an instruction
checks         what BuildKit refuses in a well-formed instruction
syntax         the text as instructions, and how many words each may have
builder        what builds: its platform, and what it writes
variables      build arguments and environment at a point of the file
mounts         the mounts of a RUN, as they are read and as they count
stages         stages, and what each is based on and copies from (`FROM`, `COPY --from`)
misnamed       what it names that can't be pulled: where, and what is meant
environment    what a step finds set in a stage that only files are copied from
workdirs       the folder that such a stage works in, and where files go
canonical      an instruction in the form in which it counts
globs          path patterns, as moby matches them
ignore         what .dockerignore leaves of a build context
copying        what COPY, ADD and mounts take, and how a COPY counts
context_files  the files of the build context that COPY, ADD and mounts take
inputs         what a target is built from, as a value; reads nothing
closure        reads the steps of a target, COPY and RUN among them, into that value
fallback       that value where something can't be read: everything counts
slicing        the part of a Dockerfile that one target needs
"""
