"""Private tags of images that are not in use yet. No two builds share one, so no run moves another run's."""

import datetime as dt
import re
from typing import Final

from isol8_tasks.images.observed import Observed, ObservedImage, private_repository

_TIME: Final = "%Y%m%dT%H%M%SZ"
_STAMPED: Final = r"-(\d{8}T\d{6}Z)-[0-9a-f]+-candidate"
_LONGEST_NAME: Final = 128 - len("-20261129T050000Z-0123456789abcdef-candidate")
_LONGEST_BUILD: Final = dt.timedelta(days=1)
_LONGEST_RELABELLING: Final = dt.timedelta(minutes=10)


def candidate_tag(repository: str, name: str, build: str, now: dt.datetime) -> str:
    """Return the tag of one build of an image; it names the build's id, and when the build began."""
    stamp = now.astimezone(dt.UTC).strftime(_TIME)
    return f"{private_repository(repository)}:{name[:_LONGEST_NAME]}-{stamp}-{build}-candidate"


def abandoned(observed: Observed, now: dt.datetime) -> tuple[str, ...]:
    """Return the candidate tags that no run uses any more, by their age.

    Another run may be building beside this one without a lock that both see, so a younger one stays.
    """
    prefix = f"{private_repository(observed.repository)}:"
    return tuple(
        tag
        for image in observed.images
        for tag in image.tags
        if tag.endswith("-candidate") and tag.startswith(prefix) and _is_over(observed, image, tag, now)
    )


def _is_over(observed: Observed, image: ObservedImage, tag: str, now: dt.datetime) -> bool:
    record = observed.read(image)
    # With the labels of an image in use, clients could pick it; a promotion sets them in its last second.
    is_build = record is None or record.role == "candidate"
    return now - _since(image, tag) >= (_LONGEST_BUILD if is_build else _LONGEST_RELABELLING)


def _since(image: ObservedImage, tag: str) -> dt.datetime:
    found = re.search(_STAMPED, tag)
    try:
        return dt.datetime.strptime(found[1], _TIME).replace(tzinfo=dt.UTC) if found else image.built
    except ValueError:
        return image.built
