"""Libraries of Debian's that load into a process of musl's: what Python's extension modules need."""

from pathlib import Path

from lab.packages import Stage, debian_file
from lab.tools import run

# musl has the same structures on x86-64, and answers for libc.so.6 itself. What it lacks are functions by which
# glibc checks sizes; a library of ours has them, and is named in the place of glibc's, by a name as long.
_FORTIFY = "labc.so.6"
_TERMINAL = "labti.so.6"
_RENAMED = {
    b"libc.so.6": _FORTIFY,
    b"ld-linux-x86-64.so.2": _FORTIFY,
    # Of Alpine's ncurses it is no library by itself.
    b"libtinfo.so.6": _TERMINAL,
}
_LIBRARIES = {
    "libbz2": (("libbz2.so.1.0", "libbz2.so.1"),),
    "sqlite-libs": (("libsqlite3.so.0", "libsqlite3.so.0"),),
    "gdbm": (("libgdbm.so.6", "libgdbm.so.6"), ("libgdbm_compat.so.4", "libgdbm_compat.so.4")),
    "readline": (("libreadline.so.8", "libreadline.so.8"),),
    "libpanelw": (("libpanelw.so.6", "libpanelw.so.6"),),
}
"""By package: the file at Debian, and its name at Alpine."""


def stage_libraries(stage: Stage) -> None:
    """Fill the packages of the libraries, and that of what they need in the place of glibc."""
    for package, libraries in _LIBRARIES.items():
        for source, name in libraries:
            target = stage.at(package, f"usr/lib/{name}")
            target.write_bytes(_renamed(debian_file(stage.debian, source).read_bytes()))
            target.chmod(0o755)
    _compile(stage)
    stage.link("lab-fortify", f"usr/lib/{_TERMINAL}", "libncursesw.so.6")


def _renamed(library: bytes) -> bytes:
    for old, new in _RENAMED.items():
        library = library.replace(b"\0" + old + b"\0", b"\0" + new.encode().ljust(len(old), b"\0") + b"\0")
    return library


def _compile(stage: Stage) -> None:
    """Compile our library by the smallest compiler of Debian's, which needs neither headers nor a linker."""
    target = stage.at("lab-fortify", f"usr/lib/{_FORTIFY}")
    source = Path(__file__).with_name("fortify.c")
    options = ("-nostdinc", "-nostdlib", "-shared", f"-Wl,-soname={_FORTIFY}")
    run([str(stage.debian / "usr/bin/tcc"), *options, "-o", str(target), str(source)])
    target.chmod(0o755)
