"""What became different in an image from one build to the next, by the inventories that the images carry."""

import datetime as dt
from collections.abc import Mapping

from attrs import frozen

from isol8_tasks.ecosystems.inventory import versions
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.images.observed import Observed


@frozen(kw_only=True)
class Change:
    """An image that was rebuilt."""

    image: str
    why: tuple[str, ...] = ()
    """What it was built for, as phrases."""
    release: tuple[str, str] | None = None
    """Alpine's release before and after, where it is another one and not for its parent."""
    packages: tuple[Update, ...] = ()
    """By ecosystem and name; none that its parent got as well."""
    like_parent: bool = False
    """What changed in it is what changed in its parent, and nothing else."""
    size: tuple[int, int | None] = (0, 0)
    """Bytes before and after; 0 before for one that was not there, None after where the engine could not be asked."""
    same: bool = False
    """The build came to the same, and what was there before is still in use."""
    compared: bool = True
    """What is in it now is known, and what was before."""
    seconds: float = 0
    built: dt.datetime | None = None
    """When the build before it was made; None for one that was not there."""


@frozen(kw_only=True)
class Built:
    """An image that this run built."""

    image: str
    parent: str | None
    why: tuple[str, ...]
    seconds: float
    same: bool = False
    """It came to what was in use, which stays."""


def changes(before: Observed, after: Observed, built: tuple[Built, ...]) -> tuple[Change, ...]:
    """Return what changed in each image that was built, in the same order."""
    updates = {each.image: _updates(before, after, each.image) for each in built}
    releases = {each.image: _release(before, after, each.image) for each in built}
    found = []
    for each in built:
        theirs = updates.get(each.parent, ()) if each.parent else ()
        own = tuple(update for update in updates[each.image] if update not in theirs)
        release = releases[each.image]
        old, new = before.public(each.image), after.public(each.image)
        found.append(
            Change(
                image=each.image,
                why=each.why,
                release=release if each.parent not in updates or release != releases[each.parent] else None,
                packages=own,
                like_parent=bool(theirs) and not own,
                # No image is empty: one that was just built has no size before the engine is asked again.
                size=(old.size if old else 0, (new.size if new else 0) or None),
                same=each.same,
                compared=None not in (before.inventory(each.image), after.inventory(each.image)),
                seconds=each.seconds,
                built=old.built if old else None,
            )
        )
    return tuple(found)


def _updates(before: Observed, after: Observed, name: str) -> tuple[Update, ...]:
    old, new = _versions(before, name), _versions(after, name)
    if old is None or new is None:
        # Of an image that was not there, or that nobody looked into, everything would be news.
        return ()
    return tuple(
        Update(ecosystem=key[0], name=key[1], old=old.get(key, ""), new=new.get(key, ""))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )


def _versions(observed: Observed, name: str) -> Mapping[tuple[str, str], str] | None:
    found = observed.inventory(name)
    return versions(found[1]) if found else None


def _release(before: Observed, after: Observed, name: str) -> tuple[str, str] | None:
    old, new = before.inventory(name), after.inventory(name)
    if old is None or new is None or old[0] == new[0]:
        return None
    return old[0], new[0]
