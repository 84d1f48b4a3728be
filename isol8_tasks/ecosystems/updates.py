"""What an image would get if it were rebuilt: newer packages, and exactly which ones."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from isol8_tasks.ecosystems.inventory import Package


@frozen(kw_only=True, order=True)
class Update:
    """A package of which another version is to be had than the image has."""

    ecosystem: str
    name: str
    old: str
    """Empty for one that the image does not have."""
    new: str
    """Empty for one that it would no longer have."""
    published: dt.datetime | None = None
    """When `new` was published, where its source tells."""

    @property
    def words(self) -> str:
        """The update in the form in which people read it."""
        if not self.old:
            return f"+ {self.name} {self.new}"
        if not self.new:
            return f"{_MINUS} {self.name} {self.old}"
        return f"{self.name} {self.old} → {self.new}"


def updates_in_words(updates: Sequence[Update]) -> str:
    """Name the first few updates, and count the rest."""
    shown = [each.words for each in updates[:_SHOWN]]
    more = len(updates) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])


@frozen(kw_only=True, order=True)
class Pin:
    """One package in exactly one version."""

    ecosystem: str
    name: str
    version: str
    integrity: str = ""
    """Hash of what is fetched, as its ecosystem writes it (`sha256:…`, `sha512-…`); empty where it has none."""

    @property
    def package(self) -> Package:
        """What is there once it is installed."""
        return Package(ecosystem=self.ecosystem, name=self.name, version=self.version)


@frozen(kw_only=True)
class Resolution:
    """What the packages of an image come to at one moment, everything that they pull in included."""

    pins: tuple[Pin, ...]
    """Sorted; none of what its parent has already."""
    lockfile: str = ""
    """The same in the form that the ecosystem's own tool installs from: requirements with hashes, package-lock.json,
    bun.lock, deno.lock. Empty for apk, which has none."""


@frozen(kw_only=True)
class PackageNews:
    """What the package sources have to say of one image."""

    updates: tuple[Update, ...] = ()
    """What a build would bring, and that is old enough to be accepted; sorted."""
    young: tuple[Update, ...] = ()
    """What is too new."""
    least_age: dt.timedelta = dt.timedelta()
    """How long a version has to be out for the runtime's own tool, whatever deps.toml says."""
    waiting: tuple[Update, ...] = ()
    """What is newer of the upstream image's own packages: a build leaves these as they are until that image moves."""
    resolution: Resolution | None = None
    """What a build has to install for exactly these updates; None where the image has no packages of its own, and
    where nothing is newer."""


_MINUS: Final = "\N{MINUS SIGN}"
_SHOWN: Final = 3
