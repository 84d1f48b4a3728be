"""The way back: an image swaps tags with the one before it, and is held until somebody ends the hold.

Every step leaves what clients find whole; one cut off between two is brought to its end, or undone, by the next run.
"""

import datetime as dt

from isol8_tasks.engine import ImageEngine
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images import labels
from isol8_tasks.images.holds import Hold, has_public_tag, hold_tag, hold_tags, takes_effect
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.lifecycle.promotion import (
    can_stay_as_it_is,
    client_tags,
    drop,
    ensure_in_place,
    has_layers,
    keep_as_previous,
    relabelled,
    switch,
    tagged_as_seen,
)
from isol8_tasks.plan.model import task_of


def roll_back(name: str, observed: Observed, engine: ImageEngine, *, now: dt.datetime) -> str:
    """Let `-previous` have the public tag, what has it become `-previous`, and hold that; return the hold's tag.

    Raises:
        ConfigError: there is no such image, or none before it that was made here.
        ReplacedError: another run moved the tag in the meantime.

    """
    public, previous, layers = way_back(name, observed)
    last = observed.public_tag(f"{name}-previous")
    ensure_in_place(engine, tagged_as_seen(name, observed))
    if not has_layers(engine, previous.id, layers):
        raise ConfigError(
            f"{last}: its layers are not those that its labels record, so something "
            "else made it; "
            "remove it with docker rmi"
        )
    tag = hold_tag(observed.repository, name, now)
    if can_stay_as_it_is(previous):
        engine.tag(previous.id, tag)
        restored = ObservedImage(id=previous.id, labels=previous.labels)
    else:
        restored_labels = {**previous.labels, **labels.restored(previous.labels)}
        restored_id = relabelled(engine, previous.id, tag, restored_labels, source=last)
        restored = ObservedImage(id=restored_id, labels=restored_labels)
    keep_as_previous(name, public, observed.repository, engine)
    _switch(name, observed, engine, Hold(tag=tag, since=now, image=restored))
    drop(engine, {public.id, previous.id} - {restored.id})
    return tag


def way_back(name: str, observed: Observed) -> tuple[ObservedImage, ObservedImage, str]:
    """Return the image in use, the one before it, and the layers that its labels record.

    ConfigError says that there is no such image, or none before it that was made here.
    """
    public, previous = observed.public(name), observed.public(f"{name}-previous")
    image, last = observed.public_tag(name), observed.public_tag(f"{name}-previous")
    if public is None:
        raise ConfigError(f"{image}: no such image to roll back; {COMMAND} plan lists them")
    if observed.record(name) is None:
        raise ConfigError(
            f"{image}: was tagged by another program, so no build of it is in use; "
            f"{COMMAND} {task_of(name)} builds it again"
        )
    record = observed.read(previous) if previous else None
    if previous is None or record is None:
        raise ConfigError(
            f"{image}: there is no {last} to roll back to; an image has one from its second build on"
        )
    if record.image != name or record.role == "candidate":
        what = f"of {record.image}" if record.image != name else "that was never promoted"
        raise ConfigError(
            f"{last}: its labels record a build {what}, so something else tagged it; "
            f"remove the tag with docker rmi {last}"
        )
    return public, previous, record.layers


def release_hold(name: str, observed: Observed, engine: ImageEngine) -> bool:
    """End the hold of an image, and tell whether it was held."""
    found = hold_tags(observed).get(name, ())
    for hold in found:
        engine.untag(hold.tag)
    return bool(found)


def finish_rollbacks(
    observed: Observed, engine: ImageEngine, *, now: dt.datetime, longest: dt.timedelta
) -> bool:
    """Finish or undo rollbacks that were cut off, take holds away that are over; tell whether anything was done."""
    done = False
    for name, (newest, *older) in hold_tags(observed).items():
        unfinished = not has_public_tag(observed, name, newest)
        over = list(older)
        if unfinished and takes_effect(observed, name, newest):
            _switch(name, observed, engine, newest)
            done = True
        elif unfinished or now - newest.since >= longest:
            over.append(newest)
        for hold in over:
            engine.untag(hold.tag)
            done = True
    return done


def _switch(name: str, observed: Observed, engine: ImageEngine, hold: Hold) -> None:
    engine.tag(hold.image.id, marker_tag(name, observed.repository))
    tags = client_tags(observed.repository, name, hold.image.labels)
    switch(name, observed, engine, hold.image.id, tags, hold=hold.tag)
