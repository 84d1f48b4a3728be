"""Whether packages, hashes and lock file agree, by which an image is locked."""

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from isol8_tasks.config.strict import Problem
from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.contents import Contents, lock_file
from isol8_tasks.ecosystems.runtimes import (
    RUNTIMES,
    ecosystem_of,
    has_one_version,
    release_args,
)
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.ecosystems.updates import Pin
from isol8_tasks.errors import ConfigError


@frozen(kw_only=True)
class Parts:
    """What a lock says of one image."""

    runtime: str
    is_base: bool
    asked: tuple[str, ...]
    system: tuple[str, ...] = ()
    packages: tuple[Pin, ...]
    """In the order of the file."""
    gone: tuple[Package, ...]
    lockfile: str
    below: frozenset[Package]
    """All that the image has on which it stands."""


def disagreements(parts: Parts) -> Iterator[Problem]:
    """Give what does not fit together, or could be installed without being held against a hash."""
    yield from _twice(parts)
    for number, each in enumerate(parts.gone):
        if each.checksum or each not in parts.below:
            yield ("gone", number), f"{each.name} {each.version} is not in its parent image"
    if parts.asked and (problem := _not_asked(parts)):
        yield ("asked",), problem
        return
    yield from _checksums(parts)
    kind = lock_file(parts.runtime)
    if not parts.asked or parts.is_base or kind is None:
        if parts.lockfile:
            yield ("lock",), "no package of this image is installed from it"
        yield from _without_hashes(parts, ())
        return
    own = ecosystem_of(parts.runtime).inventory
    yield from _without_hashes(parts, own)
    if not parts.lockfile:
        if not kind.MAY_BE_EMPTY or any(pin.ecosystem in own for pin in parts.packages):
            yield (), "lock is missing; without it, packages would be installed unpinned"
        return
    try:
        contents = kind.contents(parts.lockfile, parts.asked)
    except NotUnderstoodError as error:
        yield ("lock",), str(error)
        return
    yield from _held_together(parts, own, contents)


def is_release(package: Package) -> bool:
    """Tell whether a package is a runtime that a base fetches by itself, as Bun is."""
    return release_args(package.ecosystem, package.name) is not None


def _not_asked(parts: Parts) -> str:
    """Tell of packages that are asked for and that nothing of the image, or of those below it, is."""
    ecosystem = RUNTIMES[parts.runtime].ecosystem
    for spec in parts.asked:
        try:
            name = parse_spec(ecosystem, spec).name
        except ConfigError as error:
            return str(error)
        there = {each.name for each in parts.below} | {pin.name for pin in parts.packages}
        # What Alpine's packages bring is listed by their names.
        if ecosystem == "pypi" and not parts.system and there.isdisjoint({name, f"py3-{name}"}):
            return f"{name} is in no image of the lock"
    return ""


def _twice(parts: Parts) -> Iterator[Problem]:
    seen: set[Package] = set()
    names: set[tuple[str, str]] = set()
    for number, pin in enumerate(parts.packages):
        alone = has_one_version(pin.ecosystem) and (pin.ecosystem, pin.name) in names
        if pin.package in seen or alone:
            yield ("packages", number), f"{pin.ecosystem} {pin.name} is listed twice"
        elif pin.package in parts.below:
            yield ("packages", number), f"{pin.name} {pin.version} is already in its parent image"
        seen.add(pin.package)
        names.add((pin.ecosystem, pin.name))


def _checksums(parts: Parts) -> Iterator[Problem]:
    """Give what is held against the image that was built, and has nothing to be held against."""
    for number, pin in enumerate(parts.packages):
        if pin.ecosystem == "apk" and not re.fullmatch(APK_CHECKSUM, pin.integrity):
            yield (
                ("packages", number),
                f"apk {pin.name}: expected apk's Q1…, found {pin.integrity or 'no hash'}",
            )
        if is_release(pin.package) and not re.fullmatch(r"sha256:[0-9a-f]{64}", pin.integrity):
            yield ("packages", number), f"{pin.name}: expected sha256:…, found {pin.integrity or 'no hash'}"


def _without_hashes(parts: Parts, own: tuple[str, ...]) -> Iterator[Problem]:
    """Give hashes of what nobody holds against them: it came with another package, or with the upstream image."""
    for number, pin in enumerate(parts.packages):
        if pin.ecosystem not in {*own, "apk"} and pin.integrity and not is_release(pin.package):
            yield ("packages", number), f"{pin.ecosystem} {pin.name}: its hash would never be compared"


def _held_together(parts: Parts, own: tuple[str, ...], contents: Contents) -> Iterator[Problem]:
    """Give where packages and lock file are not of the same: either has exactly what the other one has."""
    named = set()
    for number, pin in enumerate(parts.packages):
        if pin.ecosystem not in own:
            continue
        there = contents.entry(pin.package)
        where = ("packages", number)
        words = f"{pin.ecosystem} {pin.name} {pin.version}".rstrip()
        if there is None:
            if pin.name not in contents.redirects or pin.integrity:
                yield where, f"{words} is not in lock"
            continue
        named.add(there)
        if contents.hashes[there] != pin.integrity:
            yield (
                where,
                f"{words}: {pin.integrity or 'no hash'}, where lock has {contents.hashes[there] or 'none'}",
            )
    for package in sorted(contents.hashes.keys() - named - contents.elsewhere - parts.below):
        yield ("lock",), f"{package.name} {package.version}".rstrip() + " is not among packages"


APK_CHECKSUM: Final = r"Q1[A-Za-z0-9+/]{27}=|Q2[A-Za-z0-9+/]{43}="
"""Of a package's control part, which has the hash of its files: SHA-1, or SHA-256."""
