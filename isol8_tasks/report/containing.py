"""Which images contain a package, and who asked for it: as lines and as data."""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve, frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.ecosystems.inventory import versions
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.errors import ConfigError
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.model import ImageSpec

_ALPINE = "bash"
"""The runtime whose packages are Alpine's."""
PART_OF: Final = {"libssl3": "openssl", "libcrypto3": "openssl"}
"""Packages of Alpine's that people look for by the name of what they are a part of."""


@frozen(kw_only=True)
class Contained:
    """A package in an image."""

    image: str
    """Its name."""
    ecosystem: str
    name: str
    version: str
    why: str
    """Who asked for it, as a phrase."""
    newer: tuple[str, ...] = ()
    """What its sources have, as phrases; nothing where they were not asked."""


def containing(
    word: str, specs: Iterable[ImageSpec], observed: Observed, config: Config
) -> tuple[Contained, ...]:
    """Return the images in use that contain a package of that name, or a part of it, in the order of the graph.

    The word may have a version, which counts for nothing.
    """
    found, names = [], {word, *names_in(word)}
    for spec in specs:
        _, packages = observed.inventory(spec.name) or ("", ())
        there = versions(packages)
        _, below = observed.inventory(spec.parent or "") or ("", ())
        parents = versions(below)
        found += [
            Contained(
                image=spec.name,
                ecosystem=ecosystem,
                name=name,
                version=version,
                why=_why(spec, name, config, inherited=parents.get((ecosystem, name)) == version),
            )
            for (ecosystem, name), version in there.items()
            if _plain(ecosystem, name) in {_plain(ecosystem, each) for each in names}
            or (ecosystem == "apk" and PART_OF.get(name) in names)
        ]
    return tuple(found)


def names_in(word: str) -> Mapping[str, str]:
    """Return which packages a word may name, each with the version that it has there, as the ecosystems read it."""
    found: dict[str, str] = {}
    for runtime in RUNTIMES.values():
        with contextlib.suppress(ConfigError):
            spec = parse_spec(runtime.ecosystem, word)
            found.setdefault(_inventory_name(spec.name), spec.constraint)
    # Alpine also has names for what packages provide, as `so:libz.so.1`, which stand in no inventory.
    return {name: version for name, version in found.items() if ":" not in name.replace("://", "")}


def with_news(found: Iterable[Contained], fresh: Iterable[Freshness]) -> tuple[Contained, ...]:
    """Return the same with what the sources of the images have that is newer."""
    news = {each.image: each for each in fresh}
    return tuple(
        evolve(each, newer=tuple(_newer(each, news[each.image]))) for each in found if each.image in news
    )


def containing_lines(found: Sequence[Contained], repository: str) -> tuple[str, ...]:
    """Return a line for each image."""
    images = [str(Reference(repository, each.image)) for each in found]
    packages = [f"{each.ecosystem} {each.name} {each.version}" for each in found]
    width, columns = (max(map(len, texts), default=0) for texts in (images, packages))
    return tuple(
        f"{image.ljust(width)}  {package.ljust(columns)}  {'; '.join((each.why, *each.newer))}"
        for image, package, each in zip(images, packages, found, strict=True)
    )


def containing_json(found: Iterable[Contained], repository: str) -> str:
    """Return the same as data."""
    images = [
        {
            "image": str(Reference(repository, each.image)),
            "ecosystem": each.ecosystem,
            "name": each.name,
            "version": each.version,
            "why": each.why,
            "newer": list(each.newer),
        }
        for each in found
    ]
    return json.dumps({"images": images}, indent=2, ensure_ascii=False)


def _why(spec: ImageSpec, name: str, config: Config, *, inherited: bool) -> str:
    for key, runtime, texts in (
        ("packages", spec.runtime, spec.inputs.packages),
        ("system", _ALPINE, spec.inputs.system),
    ):
        for text in texts:
            ecosystem = RUNTIMES[runtime].ecosystem
            if _plain(ecosystem, _name(ecosystem, text)) == _plain(ecosystem, name):
                flags: Mapping[str, str] = dict(spec.flags)
                if text in flags and not config.place_of(spec.name, key, text):
                    return f"{text} was given by --{spec.runtime} on {flags[text]}"
                return f"{text} is declared in {config.place_of(spec.name, key, text)}"
    if inherited:
        return f"from its parent {Reference(config.build.repository, spec.parent or '')}"
    if spec.parent is None:
        return f"of the base image: docker/Dockerfile, or {spec.upstream or 'scratch'}"
    asked = ", ".join((*spec.inputs.packages, *spec.inputs.system))
    return f"not declared: needed by {asked}" if asked else "not declared"


def _name(ecosystem: str, text: str) -> str:
    """Return the name of a package as an inventory has it."""
    try:
        return _inventory_name(parse_spec(ecosystem, text).name)
    except ConfigError:
        return text


def _inventory_name(name: str) -> str:
    return re.sub(r"^(?:npm|jsr):/?", "", name)


def _plain(ecosystem: str, name: str) -> str:
    """Return a name as its ecosystem compares names."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "pypi" else name


def _newer(each: Contained, fresh: Freshness) -> Iterator[str]:
    kinds = (("newer", "updates"), ("too new", "young"), ("waits for the upstream image", "waiting"))
    for words, field in kinds:
        for update in getattr(fresh.packages, field):
            if (update.ecosystem, update.name) == (each.ecosystem, each.name) and update.new:
                yield f"{words}: {update.new}"
    if fresh.problems:
        yield f"newer versions are undetermined: {fresh.problems[0]}"
