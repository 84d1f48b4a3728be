"""deps.lock.toml: exactly what is in every image, for whoever wants to build just that again."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Final

from attrs import Factory, evolve, field, frozen

from isol8_tasks.config.agreement import Parts, disagreements, is_release
from isol8_tasks.config.positions import line_of
from isol8_tasks.config.strict import (
    NO_KEY,
    InvalidError,
    Problem,
    gather,
    load_toml,
    report,
    string,
    structured,
    table,
    unknown,
    unless,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.runtimes import RUNTIMES, inventory_names
from isol8_tasks.ecosystems.updates import Pin, Resolution
from isol8_tasks.errors import COMMAND, ConfigError

VERSION: Final = 2
"""Of the file's form; another one is not read."""


def _digests(value: object) -> Mapping[str, str]:
    def read(_: str, found: object) -> str:
        digest = string(found)
        if not re.fullmatch(_DIGEST, digest):
            raise InvalidError(f"{digest!r} is not a digest, as sha256:… with 64 hex digits")
        return digest

    return gather(table(value).items(), read)


def _pin(value: object) -> Pin:
    words = string(value)
    parts = words.split(" ")
    if len(parts) not in _PARTS or not re.fullmatch(_NAME, parts[1]) or not re.fullmatch(_PLAIN, words):
        raise InvalidError(f"{words!r} is not a package, as pypi numpy 2.3.1 sha256:…")
    ecosystem, name, version, integrity = (*parts, "", "")[:4]
    if ecosystem not in inventory_names():
        raise InvalidError(unknown(f"{ecosystem!r} is not an ecosystem", ecosystem, inventory_names()))
    return Pin(ecosystem=ecosystem, name=name, version=version, integrity=integrity)


def _package(value: object) -> Package:
    pin = _pin(value)
    return evolve(pin.package, checksum=pin.integrity)


@frozen(kw_only=True)
class LockedImage:
    """What one image is made of."""

    PLACE: ClassVar = "a key of an image"
    parent: str = ""
    """The image of ours that it is based on; empty for a base."""
    upstream: Annotated[Mapping[str, str], _digests] = Factory(dict)
    """Digests of the upstream images of a base, by their references."""
    asked: tuple[str, ...] = ()
    """The packages that were asked for, as they were written; sorted."""
    system: tuple[str, ...] = ()
    """The Alpine packages that were asked for beside them."""
    build: tuple[str, ...] = ()
    """Those that are there while packages are compiled; none is in the image, so no version of them is locked."""
    packages: tuple[Annotated[Pin, _pin], ...] = ()
    """All that it has and its parent does not; sorted."""
    gone: tuple[Annotated[Package, _package], ...] = ()
    """What its parent has, and it does not."""
    platform: str = ""
    """What it was built for, where deps.toml said that."""
    lockfile: str = field(default="", metadata={"key": "lock"})
    """The lock of the ecosystem's own tool."""

    @property
    def resolution(self) -> Resolution:
        """What a build has to install for it."""
        return Resolution(pins=self.packages, lockfile=self.lockfile)


@frozen(kw_only=True)
class Lock:
    """A lock of several images."""

    PLACE: ClassVar = "a key of a lock"
    version: int = VERSION
    images: Mapping[str, LockedImage] = Factory(dict)
    source: str = field(default="deps.lock.toml", eq=False, metadata=NO_KEY)
    """The file's name, for messages."""
    text: str = field(default="", eq=False, repr=False, metadata=NO_KEY)

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
        values: Mapping[str, str | Mapping[str, str] | list[str]] = {
            "parent": image.parent,
            "platform": image.platform,
            "upstream": dict(sorted(image.upstream.items())),
            "asked": sorted(image.asked),
            "system": sorted(image.system),
            "build": sorted(image.build),
            "packages": [_words(each, each.integrity) for each in sorted(image.packages)],
            "gone": [_words(each) for each in sorted(image.gone)],
            "lock": image.lockfile,
        }
        lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def parse_lock(text: str, source: str) -> Lock:
    """Read the text of a lock; a ConfigError names every problem in it, one on a line."""
    try:
        lock = _read(text, source)
    except InvalidError as error:
        lines = report(error.problems, source, functools.partial(line_of, text)).splitlines()
        more = [f"{source}: {len(lines) - _SHOWN} problems more"] if len(lines) > _SHOWN else []
        raise ConfigError("\n".join([*lines[:_SHOWN], *more, f"Rewrite the lock: {COMMAND} lock"])) from None
    # Until here in the order of the file, by which their lines are told.
    images = {
        name: evolve(each, packages=tuple(sorted(each.packages)), gone=tuple(sorted(each.gone)))
        for name, each in lock.images.items()
    }
    return evolve(lock, images=images)


def refusal(text: str) -> str:
    """Say why a lock that is about to be written could not be read, a line each by image; empty where it could be."""
    try:
        _read(text, "")
    except InvalidError as error:
        return report([(path[1:] or path, what) for path, what in error.problems[:_SHOWN]])
    return ""


def lacks_checksums(images: Iterable[LockedImage]) -> bool:
    """Tell whether a package has no checksum that a lock has to have of it."""
    return any(_is_checked(pin.package) and not pin.integrity for each in images for pin in each.packages)


def _read(text: str, source: str) -> Lock:
    # As in deps.toml.
    text = text.removeprefix("\ufeff")
    found = load_toml(text, source, _REWRITE, f"; {_REWRITE}")
    # 2.0 and true are equal to integers, and no lock that we wrote has them.
    if found.get("version") != VERSION or type(found["version"]) is not int:
        raise ConfigError(
            f"{source}: version: expected {VERSION}, found {found.get('version')!r}; {_REWRITE}"
        )
    lock = evolve(structured(found, Lock), source=source, text=text)
    unless([*_stray_parents(lock.images)], None)
    return unless([*_disagreements(lock)], lock)


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


def _disagreements(lock: Lock) -> Iterable[Problem]:
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
            system=image.system,
            packages=image.packages,
            gone=image.gone,
            lockfile=image.lockfile,
            below=lock.there(image.parent) if image.parent else frozenset(),
        )
        yield from ((("images", name, *path), what) for path, what in disagreements(parts))


def _is_checked(package: Package) -> bool:
    """Tell whether a package has a checksum that is looked up in the image, rather than held against a download."""
    return package.ecosystem == "apk" or is_release(package)


def _words(package: Pin | Package, integrity: str = "") -> str:
    return f"{package.ecosystem} {package.name} {package.version} {integrity}".rstrip(" ")


def _toml(value: str | Mapping[str, str] | list[str]) -> str:
    """Return a value; an array with a line for each of its elements, so that a change is a line of a diff."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "\n".join(["[", *(f"    {_string(each)}," for each in value), "]"])
    return "{ " + ", ".join(f"{_key(key)} = {_string(each)}" for key, each in value.items()) + " }"


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
