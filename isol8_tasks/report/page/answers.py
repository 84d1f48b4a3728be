"""What people ask of a page first, answered from its data."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

GROWTH_DAYS: Final = 30
SAME_RESULT: Final = "rebuilt, same result"
"""A change after which clients run what they ran before, and that was built."""
NO_BUILD: Final = frozenset({"found", "relabelled", "pushed", "removed"})
"""Changes that say nothing of a build."""


def answers(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of states, the oldest image, the one that grew most, and what was rebuilt last.

    An answer is None where nothing is known that could give it.
    """
    images = [each for each in document["images"] if each["kind"] != "upstream"]
    found = document["freshness"]
    built = [each for each in images if each["built"]]
    return {
        "states": dict(Counter(each["state"] for each in images).most_common()),
        "images": len(images),
        "oldest": min(built, key=lambda each: each["built"], default=None),
        "grew": _grew(images, _parsed(document["at"]) - dt.timedelta(days=GROWTH_DAYS)),
        "rebuilt": _rebuilt(images),
        "behind": None if found is None else sum(each["state"] == "behind" for each in found),
        "undetermined": None if found is None else sum(bool(each["problems"]) for each in found),
        "young": 0 if found is None else sum(bool(each["young"]) for each in found),
    }


def _grew(images: Sequence[Mapping[str, Any]], since: dt.datetime) -> Mapping[str, Any] | None:
    """Return which image takes most more than at the begin of the time; None where none does."""
    most: Mapping[str, Any] | None = None
    for image in images:
        sizes = sizes_since(image["builds"], since)
        by = sizes[-1] - sizes[0] if sizes else 0
        if by > (most["by"] if most else 0):
            most = {"name": image["name"], "by": by, "was": sizes[0], "size": sizes[-1]}
    return most


def sizes_since(builds: Sequence[Mapping[str, Any]], since: dt.datetime) -> list[int]:
    """Return the known sizes of an image from a moment on, the one that it had then first."""
    sizes: list[int] = []
    for build in builds:
        if _parsed(build["at"]) < since:
            sizes = [build["size"]] if build.get("size") else sizes
        else:
            sizes += [each for each in (*([] if sizes else [build["was"]]), build.get("size")) if each]
    return sizes


def last_change(builds: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the newest change that a run made by a build, a pull or a rollback; None where none is known."""
    return next((each for each in reversed(builds) if each["how"] not in NO_BUILD), None)


def _rebuilt(images: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the newest such change after which clients run something else."""
    changes = [
        {**each["last"], "name": each["name"], "order": each["order"]}
        for each in images
        if each["last"] and each["last"]["how"] != SAME_RESULT
    ]
    # Several may have been in the same second.
    return max(changes, key=lambda each: each["order"], default=None)


def _parsed(moment: str) -> dt.datetime:
    return dt.datetime.fromisoformat(moment)
