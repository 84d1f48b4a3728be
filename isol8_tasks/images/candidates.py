"""Images that are not in use yet, and their private tags. No two builds share one, so no run moves another run's."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

from isol8_tasks.images.labels import LABELS_SCHEMA, Record, hidden
from isol8_tasks.images.observed import Observed, ObservedImage, private_repository

_TIME: Final = "%Y%m%dT%H%M%SZ"
_STAMPED: Final = r"-(\d{8}T\d{6}Z)-[0-9a-f]+-candidate"
_LONGEST_NAME: Final = 128 - len("-20261129T050000Z-0123456789abcdef-candidate")
_LONGEST_BUILD: Final = dt.timedelta(days=1)
_LONGEST_RELABELLING: Final = dt.timedelta(minutes=10)
LONGEST_TAKEN: Final = dt.timedelta(days=7)
"""For so long a candidate is verified and promoted instead of a build; what it has of packages grows old, too."""
_SUFFIX: Final = "-candidate"


def candidate_tag(repository: str, name: str, build: str, now: dt.datetime) -> str:
    """Return the tag of one build of an image; it names the build's id, and when the build began."""
    stamp = now.astimezone(dt.UTC).strftime(_TIME)
    return f"{private_repository(repository)}:{name[:_LONGEST_NAME]}-{stamp}-{build}{_SUFFIX}"


def abandoned(observed: Observed, now: dt.datetime) -> tuple[str, ...]:
    """Return the candidate tags that no run uses any more, by their age.

    Another run may be building beside this one without a lock that both see, so a younger one stays.
    """
    return tuple(
        tag
        for image in observed.images
        for tag in _tags(image, observed.repository)
        if _is_over(observed, image, tag, now)
    )


def offered(observed: Observed, now: dt.datetime, longest: dt.timedelta) -> Mapping[str, list[ObservedImage]]:
    """Return by the names of images the candidates no older than `longest`, the newest first.

    Only what anybody can read on them is judged here. What they were built from is the plan's to judge, and what is in
    them their verification's, without which nothing is promoted.
    """
    found: dict[str, list[tuple[dt.timedelta, str, ObservedImage]]] = {}
    for image in observed.images:
        tags = _tags(image, observed.repository)
        record = observed.read(image) if tags else None
        if record is None or (record.role, record.schema) != ("candidate", LABELS_SCHEMA):
            continue
        # Of a run that began with another's candidate and was cut off it has a second tag, which makes it no newer.
        age = max(now - _since(image, tag) for tag in tags)
        named = any(f":{record.image[:_LONGEST_NAME]}-" in tag for tag in tags)
        # Clients would pick it already; and by a build that is in use what is based on that would be based on this.
        if named and abs(age) < longest and not hidden(image.labels) and _is_new(observed, record):
            found.setdefault(record.image, []).append((age, image.id, image))
    return {
        name: [image for *_, image in sorted(ages, key=lambda each: each[:2])] for name, ages in found.items()
    }


def _tags(image: ObservedImage, repository: str) -> list[str]:
    prefix = f"{private_repository(repository)}:"
    return [tag for tag in image.tags if tag.endswith(_SUFFIX) and tag.startswith(prefix)]


def _is_new(observed: Observed, record: Record) -> bool:
    """Tell whether a candidate says of itself that it is a build of its own."""
    known = (observed.public(name) for name in (record.image, f"{record.image}-previous"))
    builds = {found.build for image in known if image and (found := observed.read(image))}
    return bool(re.fullmatch(r"[0-9a-f]{16}", record.build)) and record.build not in builds


def _is_over(observed: Observed, image: ObservedImage, tag: str, now: dt.datetime) -> bool:
    record = observed.read(image)
    in_use = observed.record(record.image) if record else None
    if record and in_use and record.role == "candidate" and record.build == in_use.build:
        # It was promoted, and only its tag was not taken away.
        return True
    # With the labels of an image in use, clients could pick it; a promotion sets them in its last second.
    is_build = record is None or record.role == "candidate"
    return now - _since(image, tag) >= (_LONGEST_BUILD if is_build else _LONGEST_RELABELLING)


def _since(image: ObservedImage, tag: str) -> dt.datetime:
    found = re.search(_STAMPED, tag)
    try:
        return dt.datetime.strptime(found[1], _TIME).replace(tzinfo=dt.UTC) if found else image.built
    except ValueError:
        return image.built
