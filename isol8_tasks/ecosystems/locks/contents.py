"""What every lock file has, read by grammars of our own: what doit lock writes, nothing else.

Their tools take much more than that: options, addresses, packages without a hash. Whoever can change a lock can't ask
for any of it.
"""

import importlib
from collections.abc import Mapping
from typing import Final, Protocol, cast

from attrs import evolve, field, frozen

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.shapes import refuse
from isol8_tasks.ecosystems.runtimes import RUNTIMES


@frozen(kw_only=True)
class Contents:
    """What a lock file installs."""

    hashes: Mapping[Package, str]
    """Of every package its hash; empty for one that comes inside of another's archive."""
    elsewhere: frozenset[Package] = field(default=frozenset())
    """Those of them that are for some machines only."""
    redirects: frozenset[str] = field(default=frozenset())
    """Addresses of modules that lead to others, and are nothing by themselves."""

    def entry(self, package: Package) -> Package | None:
        """Return a package as it is in here: one by its address has no version."""
        bare = evolve(package, version="")
        return package if package in self.hashes else bare if bare in self.hashes else None


class LockFile(Protocol):
    """A kind of lock file; a module is one."""

    FILE: str
    """Its name, by which the tool looks for it."""
    MAY_BE_EMPTY: bool
    """Without a word in it, it locks an image that adds no package to its parent."""

    def contents(self, text: str, asked: tuple[str, ...], /) -> Contents:
        """Return what it installs for the packages that are asked for.

        Raises:
            NotUnderstoodError: it is not as doit lock writes it, is for other packages, or has one without its hash.

        """

    def files(self, text: str, /) -> dict[str, str]:
        """Return what the tool reads beside it, by the names that it looks for."""

    def script(self, text: str, specs: tuple[str, ...], /) -> str:
        """Return the shell commands that install from it and from these files, in the folder where they are."""


def lock_file(runtime: str) -> LockFile | None:
    """Return the kind of lock file that packages on a runtime are installed from, if any."""
    name = RUNTIMES[runtime].lock
    return cast("LockFile", importlib.import_module(name)) if name else None


def add(hashes: dict[Package, str], package: Package, integrity: str, where: str) -> None:
    """Note the hash of a package, which has one only."""
    if hashes.get(package, integrity) != integrity:
        refuse(where, f"{package.name} {package.version} has two hashes")
    hashes[package] = integrity


LIMITS: Final = frozenset({"os", "cpu", "libc"})
"""Keys of a package that is for some machines only."""
