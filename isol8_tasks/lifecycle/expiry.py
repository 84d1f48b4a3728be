"""Which images of ours in a registry nothing needs any more."""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from attrs import frozen

from isol8_tasks.images.labels import Record, read_record
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.images.pushed import key_tag

_GENERATED: Final = re.compile(r"-(?:\d{8}-)?[0-9a-f]{12}(?:-\d+)?")

_GENERATED_END: Final = re.compile(f"{_GENERATED.pattern}$")


@frozen(kw_only=True)
class Expired:
    """An image in a registry that may go."""

    digest: str
    name: str
    """Which image of ours it was: `python-custom`."""
    tags: tuple[str, ...]
    """All that it has there."""
    built: dt.datetime


def likely_ours(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the digests with a tag as a push makes one, or with the name that such a tag begins with."""
    names = {tag: _GENERATED_END.sub("", tag) for tag in tags}
    known = {name for tag, name in names.items() if name != tag}
    return tuple(sorted({digest for tag, digest in tags.items() if names[tag] in known}))


def expired(
    tags: Mapping[str, str],
    images: Mapping[str, ObservedImage],
    *,
    kept: Collection[str],
    builds: Iterable[str],
    since: dt.datetime,
) -> tuple[Expired, ...]:
    """Return what no name, no other tag and nobody else needs, by name and time.

    `tags` are all of a repository, each with its digest, and `images` what those digests name. `kept` are digests that
    stay, `builds` the build ids of images that do, and so does what was built after `since`, and what anything that
    stays is based on.
    """
    records = {
        digest: record
        for digest, image in images.items()
        if (record := read_record(image.labels)) is not None
    }
    named: dict[str, list[str]] = {}
    for tag, digest in tags.items():
        named.setdefault(digest, []).append(tag)
    left = {
        digest: record
        for digest, record in records.items()
        if digest not in kept
        and images[digest].built < since
        and all(_is_generated(tag, record) for tag in named[digest])
    }
    # One build may be there with the labels of several inputs, which had the same result.
    needed = {*builds, *_builds(record for digest, record in records.items() if digest not in left)}
    while staying := {digest: record for digest, record in left.items() if record.build in needed}:
        needed.update(_builds(staying.values()))
        left = {digest: record for digest, record in left.items() if digest not in staying}
    found = (
        Expired(
            digest=digest, name=record.image, tags=tuple(sorted(named[digest])), built=images[digest].built
        )
        for digest, record in left.items()
    )
    return tuple(sorted(found, key=lambda each: (each.name, each.built, each.digest)))


def _builds(records: Iterable[Record]) -> set[str]:
    """Return the builds of images and of their parents."""
    return {build for record in records for build in (record.build, record.parent)}


def _is_generated(tag: str, record: Record) -> bool:
    """Tell whether a tag is one that a push of the image makes, and not the name that others have in use."""
    prefix = key_tag(record.image, record.key).rpartition("-")[0]
    return tag.startswith(prefix) and _GENERATED.fullmatch(tag, len(prefix)) is not None
