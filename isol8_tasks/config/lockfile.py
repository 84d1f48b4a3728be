"""deps.lock.toml: exactly what is in every image, for whoever wants to build just that again."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from attrs import Factory, field, frozen

from isol8_tasks.config.agreement import Parts, disagreements, is_bun
from isol8_tasks.config.positions import line_of
from isol8_tasks.config.strict import (
    InvalidError,
    Problem,
    array,
    load_toml,
    report,
    string,
    table,
    unknown,
    unless,
    wrong_type,
)
from isol8_tasks.ecosystems.inventory import Ecosystem, Package
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.updates import Pin, Resolution
from isol8_tasks.errors import COMMAND, ConfigError

VERSION: Final = 2
"""Of the file's form; another one is not read."""


@frozen(kw_only=True)
class LockedImage:
    """What one image is made of."""

    parent: str = ""
    """The image of ours that it is based on; empty for a base."""
    upstream: Mapping[str, str] = Factory(dict)
    """Digests of the upstream images of a base, by their references."""
    asked: tuple[str, ...] = ()
    """The packages that were asked for, as they were written; sorted."""
    packages: tuple[Pin, ...] = ()
    """All that it has and its parent does not; sorted."""
    gone: tuple[Package, ...] = ()
    """What its parent has, and it does not."""
    lockfile: str = ""
    """The lock of the ecosystem's own tool."""

    @property
    def resolution(self) -> Resolution:
        """What a build has to install for it."""
        return Resolution(pins=self.packages, lockfile=self.lockfile)


@frozen(kw_only=True)
class Lock:
    """A lock of several images."""

    images: Mapping[str, LockedImage]
    source: str = field(default="deps.lock.toml", eq=False)
    """The file's name, for messages."""
    text: str = field(default="", eq=False, repr=False)

    def there(self, name: str) -> frozenset[Package]:
        """Return all that is in an image, with what it has of those that it is based on."""
        image = self.images[name]
        below = self.there(image.parent) if image.parent else frozenset[Package]()
        return (below - set(image.gone)) | {pin.package for pin in image.packages}

    def checksums(self, name: str) -> Mapping[Package, str]:
        """Return what an image has to have in it for a checksum of apk's packages and of Bun, those below included."""
        image = self.images[name]
        own = {pin.package: pin.integrity for pin in image.packages if _is_checked(pin.package)}
        return {**(self.checksums(image.parent) if image.parent else {}), **own}

    def place(self, name: str) -> str:
        """Tell where an image stands, as `deps.lock.toml:4`."""
        return f"{self.source}:{line_of(self.text, ('images', name))}"


def render_lock(images: Mapping[str, LockedImage]) -> str:
    """Return the text of the file; the same images give the same bytes."""
    parts = [_HEAD]
    for name, image in sorted(images.items()):
        lines = [f"[images.{_key(name)}]"]
        if image.parent:
            lines.append(f"parent = {_string(image.parent)}")
        if image.upstream:
            pairs = ", ".join(
                f"{_key(ref)} = {_string(digest)}" for ref, digest in sorted(image.upstream.items())
            )
            lines.append(f"upstream = {{ {pairs} }}")
        lines += _array("asked", sorted(image.asked))
        lines += _array("packages", map(_pin_words, sorted(image.packages)))
        lines += _array(
            "gone", (_words(each.ecosystem, each.name, each.version) for each in sorted(image.gone))
        )
        if image.lockfile:
            lines.append(f"lock = {_text(image.lockfile)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def parse_lock(text: str, source: str) -> Lock:
    """Read the text of a lock; a ConfigError names every problem in it, one on a line."""
    found = load_toml(text, source, _REWRITE, f"; {_REWRITE}")
    # 2.0 and true are equal to integers, and no lock that we wrote has them.
    if found.get("version") != VERSION or type(found["version"]) is not int:
        raise ConfigError(
            f"{source}: version: expected {VERSION}, found {found.get('version')!r}; {_REWRITE}"
        )
    problems: list[Problem] = [
        ((key,), unknown("not a key of a lock", key, ("version", "images")))
        for key in found
        if key not in {"version", "images"}
    ]
    images: dict[str, LockedImage] = {}
    try:
        for name, value in table(found.get("images", {})).items():
            try:
                images[name] = _read_image(value)
            except InvalidError as error:
                problems += [(("images", name, *path), what) for path, what in error.problems]
    except InvalidError as error:
        problems += error.at("images")
    problems += _stray_parents(images) if not problems else ()
    lock = Lock(images=images, source=source, text=text)
    problems += _disagreements(lock, found["images"]) if images and not problems else ()
    if problems:
        lines = report(problems, source, functools.partial(line_of, text)).splitlines()
        more = [f"{source}: {len(lines) - _SHOWN} problems more"] if len(lines) > _SHOWN else []
        raise ConfigError("\n".join([*lines[:_SHOWN], *more, f"Rewrite the lock: {COMMAND} lock"]))
    return lock


def _read_image(value: object) -> LockedImage:
    readers = {
        "parent": string,
        "upstream": _read_upstream,
        "asked": lambda found: array(found, string),
        "packages": lambda found: tuple(sorted(_read_packages(found))),
        "gone": lambda found: tuple(sorted(pin.package for pin in _read_packages(found))),
        "lock": string,
    }
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for key, item in table(value).items():
        if key not in readers:
            problems.append(((key,), unknown("not a key of an image", key, readers)))
            continue
        try:
            read["lockfile" if key == "lock" else key] = readers[key](item)
        except InvalidError as error:
            problems.extend(error.at(key))
    return LockedImage(**unless(problems, read))


def _read_upstream(value: object) -> Mapping[str, str]:
    problems: list[Problem] = []
    for reference, digest in table(value).items():
        if not isinstance(digest, str):
            problems.append(((reference,), wrong_type(digest, "a string")))
        elif not re.fullmatch(_DIGEST, digest):
            problems.append(((reference,), f"{digest!r} is not a digest, as sha256:… with 64 hex digits"))
    return unless(problems, dict(table(value)))


def _read_packages(value: object) -> tuple[Pin, ...]:
    pins = []
    for words in array(value, _package_words):
        ecosystem, name, version, integrity = (*words.split(" "), "", "")[:4]
        pins.append(Pin(ecosystem=ecosystem, name=name, version=version, integrity=integrity))  # type: ignore[arg-type]  # it was looked at
    return tuple(pins)


def _package_words(value: object) -> str:
    words = string(value)
    parts = words.split(" ")
    if len(parts) not in _PARTS or not re.fullmatch(_NAME, parts[1]) or not re.fullmatch(_PLAIN, words):
        raise InvalidError(f"{words!r} is not a package, as pypi numpy 2.3.1 sha256:…")
    if parts[0] not in get_args(Ecosystem):
        raise InvalidError(unknown(f"{parts[0]!r} is not an ecosystem", parts[0], get_args(Ecosystem)))
    return words


def _stray_parents(images: Mapping[str, LockedImage]) -> Iterable[Problem]:
    """Tell of images that are based on one that is not there, or on themselves."""
    for name, image in images.items():
        seen = {name}
        while image.parent:
            if image.parent not in images:
                yield ("images", name, "parent"), unknown("there is no such image", image.parent, images)
                break
            if image.parent in seen:
                yield ("images", name, "parent"), f"{name} is its own parent"
                break
            seen.add(image.parent)
            image = images[image.parent]  # noqa: PLW2901 - the next one down


def _disagreements(lock: Lock, written: Mapping[str, Any]) -> Iterable[Problem]:
    """Tell of images that nothing could be built from, or something that nothing in the lock has a hash of."""
    for name, image in lock.images.items():
        base = name
        while lock.images[base].parent:
            base = lock.images[base].parent
        if base not in RUNTIMES:
            yield (
                ("images", base),
                unknown("has no parent, and is not a base image", base, RUNTIMES),
            )
            continue
        parts = Parts(
            runtime=base,
            is_base=base == name,
            asked=image.asked,
            # In the order of the file, by which their lines are told.
            packages=_read_packages(written[name].get("packages", [])),
            gone=_read_packages(written[name].get("gone", [])),
            lockfile=image.lockfile,
            below=lock.there(image.parent) if image.parent else frozenset(),
        )
        yield from ((("images", name, *path), what) for path, what in disagreements(parts))


def _is_checked(package: Package) -> bool:
    """Tell whether a package has a checksum that is looked up in the image, rather than held against a download."""
    return package.ecosystem == "apk" or is_bun(package)


def _array(key: str, words: Iterable[str]) -> list[str]:
    """Return an array, a line for each of its elements, so that a change is a line of a diff."""
    found = list(words)
    return [f"{key} = [", *(f"    {_string(each)}," for each in found), "]"] if found else []


def _pin_words(pin: Pin) -> str:
    return _words(pin.ecosystem, pin.name, pin.version, pin.integrity)


def _words(*parts: str) -> str:
    return " ".join(parts).rstrip(" ")


def _text(text: str) -> str:
    """Write a text of several lines, word for word where TOML lets it be."""
    if "'''" in text or re.search(_CONTROL, text) or not text.endswith("\n"):
        return _string(text)
    return f"'''\n{text}'''"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


_HEAD: Final = f"""\
# What is in every image, exactly. Written by {COMMAND} lock; {COMMAND} setup --locked builds just this again.
version = {VERSION}
"""
_REWRITE: Final = f"rewrite the lock: {COMMAND} lock"
_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_SHOWN: Final = 20
"""How many problems are named before they are counted."""
_PARTS: Final = (2, 3, 4)
"""Ecosystem and name; version; hash."""
_PLAIN: Final = r"[ -~]*"
_NAME: Final = r"[!-,.-~][!-~]*"
_CONTROL: Final = r"[\x00-\x08\x0b-\x1f\x7f]"
