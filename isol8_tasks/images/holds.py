"""Images that were rolled back and are held: what the tags on an engine say about it.

A hold is a tag, `isol8:<name>-held-<UTC>`, on the image that was rolled back to. It lives beside the images, so
that every checkout and every job sees it.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.references import Reference
from isol8_tasks.values import ByValue

_INFIX: Final = "-held-"
_TIME: Final = "%Y%m%dT%H%M%SZ"


@frozen(kw_only=True, eq=False, repr=False)
class Hold(ByValue):
    """An image that stays as it was rolled back to."""

    tag: str
    since: dt.datetime
    image: ObservedImage
    """What was rolled back to."""


def hold_tag(repository: str, name: str, since: dt.datetime) -> str:
    """Return the tag that holds the image of that name from a moment on."""
    return str(Reference(repository, f"{name}{_INFIX}{since.strftime(_TIME)}"))


def hold_tags(observed: Observed) -> Mapping[str, tuple[Hold, ...]]:
    """Return every hold tag by the name that it holds, the newest first; one that we did not write is none."""
    prefix = f"{observed.repository}:"
    found: dict[str, list[Hold]] = {}
    for image in observed.images:
        for tag in image.tags:
            # Asked first, since nearly every tag is none of these.
            if _INFIX in tag and tag.startswith(prefix):
                name, _, moment = tag.removeprefix(prefix).rpartition(_INFIX)
                since = _time(moment)
                if since is not None:
                    found.setdefault(name, []).append(Hold(tag=tag, since=since, image=image))
    return {
        name: tuple(sorted(holds, key=lambda hold: hold.since, reverse=True)) for name, holds in found.items()
    }


def holds(observed: Observed, now: dt.datetime, longest: dt.timedelta) -> Mapping[str, Hold]:
    """Return the holds that are in effect, by name: neither over, nor of a rollback that did not come to its end."""
    return {
        name: newest
        for name, (newest, *_) in hold_tags(observed).items()
        if now - newest.since < longest and takes_effect(observed, name, newest)
    }


def are_settled(observed: Observed, now: dt.datetime, longest: dt.timedelta) -> bool:
    """Tell whether no hold is over, none has an older one beside it, and no rollback waits to be finished."""
    return all(
        not older and now - newest.since < longest and has_public_tag(observed, name, newest)
        for name, (newest, *older) in hold_tags(observed).items()
    )


def takes_effect(observed: Observed, name: str, hold: Hold) -> bool:
    """Tell whether a rollback that was perhaps cut off has to be counted as done.

    Before it moves the public tag, a rollback lets `-previous` be the image that has it. From then on it can only
    be finished, as nothing but the hold keeps what was there before; until then nothing has happened yet.
    """
    if has_public_tag(observed, name, hold):
        return True
    public, previous = observed.public(name), observed.public(f"{name}-previous")
    current = observed.read(public) if public is not None else None
    kept = observed.read(previous) if previous is not None else None
    return current is not None and kept is not None and current.build == kept.build


def has_public_tag(observed: Observed, name: str, hold: Hold) -> bool:
    """Tell whether the public tag is where the hold wants it; one that somebody took away is not missed here."""
    public = observed.public(name)
    return public is None or public.id == hold.image.id


def _time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, _TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
