"""What is in an image: packages read from the files of their own databases."""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from attrs import astuple, field, frozen

from isol8_tasks.safety.jsontext import loads

_LARGEST: Final = 4 << 20
"""Bytes that a label may grow to. Ten thousand packages are 1 MB; a hostile label of 4 kB could be gigabytes."""


@frozen(kw_only=True, order=True)
class Package:
    """A package that is installed."""

    ecosystem: str
    """`deno` is a module by its URL or one of JSR; what Deno has from npm is `npm`. `generic` is a runtime that no
    package manager brought."""
    name: str
    version: str
    checksum: str = field(default="", eq=False, order=False)
    """Of its content: as apk's database has it, and of Bun's program; empty for others, and in images of before."""


def encode(release: str, packages: Iterable[Package], notes: Sequence[str] = ()) -> str:
    """Return Alpine's release, the packages and notes on them in short, for a label: JSON, compressed, in base 64."""
    grouped: dict[str, list[list[str]]] = {}
    for package in packages:
        grouped.setdefault(package.ecosystem, []).append(
            [package.name, package.version, *([package.checksum] if package.checksum else [])]
        )
    found = [release, grouped, *([list(notes)] if notes else [])]
    text = json.dumps(found, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def decode(text: str) -> tuple[str, tuple[Package, ...]] | None:
    """Return what `encode` was given; None for a text that is not its own."""
    try:
        release, grouped, *_ = _read(text)
        packages = (
            Package(ecosystem=ecosystem, name=name, version=version, checksum="".join(checksum))
            for ecosystem, found in grouped.items()
            for name, version, *checksum in found
        )
        found = str(release), sorted_once(packages)
    except (ValueError, zlib.error, TypeError, AttributeError, RecursionError):
        return None
    shown = (found[0], *(text for each in found[1] for text in astuple(each)))
    return found if all(isinstance(text, str) and text.isprintable() for text in shown) else None


def decode_notes(text: str) -> tuple[str, ...]:
    """Return the notes that `encode` was given; none of a text that is not its own."""
    try:
        _, _, *more = _read(text)
        notes = tuple(more[0]) if more else ()
    except (ValueError, zlib.error, TypeError, RecursionError):
        return ()
    return notes if all(isinstance(note, str) and note.isprintable() for note in notes) else ()


def _read(text: str) -> Sequence[Any]:
    found: Sequence[Any] = loads(_decompressed(base64.b64decode(text, validate=True)))
    return found


def _decompressed(data: bytes) -> bytes:
    """Return what was compressed, no matter who says what it grows to."""
    work = zlib.decompressobj()
    found = work.decompress(data, _LARGEST)
    if work.unconsumed_tail:
        raise ValueError(f"more than {_LARGEST} bytes")
    return found + work.flush()


def apk_packages(installed: str) -> tuple[Package, ...]:
    """Read /lib/apk/db/installed."""
    found = []
    for entry in re.split(r"\n{2,}", installed):
        fields = dict(
            line.split(":", 1) for line in entry.splitlines() if line[1:2] == ":" and line[0] in "CPV"
        )
        if "P" in fields and "V" in fields:
            checksum = fields.get("C", "")
            found.append(Package(ecosystem="apk", name=fields["P"], version=fields["V"], checksum=checksum))
    return sorted_once(found)


def runtime_package(name: str, version: str, checksum: str = "") -> Package:
    """Return a runtime that was not installed as a package."""
    return Package(ecosystem="generic", name=name, version=version, checksum=checksum)


def versions(packages: Iterable[Package]) -> Mapping[tuple[str, str], str]:
    """Return the version of each package by ecosystem and name.

    npm may have several of one package, each in the folder of who asked for it: they stand side by side.
    """
    found: dict[tuple[str, str], str] = {}
    for package in packages:
        key = (package.ecosystem, package.name)
        found[key] = ", ".join(filter(None, (found.get(key), package.version)))
    return found


def sorted_once(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Gather packages, each once, by ecosystem, name and version."""
    # By a key, as comparing whole packages takes four times as long.
    return tuple(sorted(set(packages), key=attrgetter("ecosystem", "name", "version")))
