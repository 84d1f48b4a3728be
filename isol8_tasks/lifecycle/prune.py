"""What nothing uses any more, of all that was made here; and its removal."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from attrs import frozen

from isol8_tasks.engine import ImageEngine
from isol8_tasks.engine.upkeep import UpkeepEngine
from isol8_tasks.errors import EngineError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import Observed, ObservedImage, private_repository
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.promotion import has_layers, is_tag_of

RemovalReason = Literal["superseded", "rejected", "undeclared", "previous"]


@frozen(kw_only=True)
class Removal:
    """An image that may go."""

    image: ObservedImage
    name: str
    """Which image of ours it is, or was: `python-custom`."""
    why: RemovalReason
    tags: tuple[str, ...] = ()
    """The tags to be taken away; none for an image that has lost them all."""
    in_use: bool = False
    """A container was made of it, so it stays."""


def removals(  # noqa: PLR0913 - each of them decides what may go
    observed: Observed,
    nameless: Sequence[ObservedImage],
    *,
    used: Collection[str],
    undeclared: Collection[str],
    held: Collection[str],
    now: dt.datetime,
    previous_age: dt.timedelta,
) -> tuple[Removal, ...]:
    """Return what nothing uses: of our images those that are superseded, rejected, undeclared or long replaced.

    `nameless` are images without a tag that are known to be ours; `used` are the ids of those that a container,
    running or not, was made of. What is held stays, with what waits to take its place.
    """
    found = (
        *_nameless(nameless),
        *_rejected(observed),
        *_undeclared(observed, [name for name in undeclared if name not in held]),
        *_previous(observed, {*undeclared, *held}, now, previous_age),
    )
    return tuple(
        Removal(image=each.image, name=each.name, why=each.why, tags=each.tags, in_use=each.image.id in used)
        for each in found
    )


def ours_without_a_name(engine: UpkeepEngine) -> tuple[ObservedImage, ...]:
    """Return the images without a tag that we made, and nobody else.

    A `docker commit` of an image of ours carries all its labels, but never exactly its layers and its history.
    """
    return tuple(image for image in engine.nameless() if made_here(engine, image))


def made_here(engine: UpkeepEngine, image: ObservedImage) -> bool:
    """Tell whether we made an image that carries our labels, and not somebody who began with one of ours."""
    record = read_record(image.labels)
    if record is None:
        return False
    if record.role == "candidate":
        # It never had a name that anybody could have built on.
        return True
    return has_layers(engine, image.id, record.layers)


def remove(engine: UpkeepEngine, removal: Removal) -> str:
    """Remove an image with the tags that are named; return why that failed, nothing where it is gone.

    What another run has given such a tag in the meantime stays.
    """
    try:
        # The marker last: what is cut off here is seen as ours until the end.
        for tag in removal.tags:
            found = engine.inspect(tag)
            if found is not None and found.id == removal.image.id:
                engine.untag(tag)
        if not removal.tags:
            engine.untag(removal.image.id)
    except EngineError as error:
        return str(error)
    return ""


def forget_strays(repositories: Collection[str], observed: Observed, engine: ImageEngine) -> None:
    """Take names by digest in these repositories from our images, as a pull that was cut off leaves them.

    Some stores count them as tags, and clients would go on to find by them what is out of use.
    """
    for image in observed.images:
        # Where ids are digests, every tag makes a digest in its repository, which is no name of its own.
        digests = [each for each in image.digests if not each.endswith(f"@{image.id}")]
        for name in dict.fromkeys((*image.tags, *digests)):
            reference = Reference.parse(name)
            if reference.digest and reference.repository in repositories and observed.read(image) is not None:
                engine.untag(name)


def _nameless(images: Sequence[ObservedImage]) -> Iterator[Removal]:
    for image in images:
        record = read_record(image.labels)
        yield Removal(image=image, name=record.image if record else "", why="superseded")


def _rejected(observed: Observed) -> Iterator[Removal]:
    for image in observed.images:
        for tag in image.tags:
            name = tag.removeprefix(f"{observed.repository}:")
            record = observed.read(image) if name != tag and name.endswith("-rejected") else None
            # What somebody built on one of ours has its labels, whatever he calls it.
            if record and record.role == "candidate" and name == f"{record.image}-rejected":
                yield Removal(image=image, name=record.image, why="rejected", tags=(tag,))


def _undeclared(observed: Observed, names: Collection[str]) -> Iterator[Removal]:
    tags = _tags_by_name(observed) if names else {}
    for name in names:
        for image, found in tags.get(name, ()):
            yield Removal(image=image, name=name, why="undeclared", tags=found)


def _tags_by_name(observed: Observed) -> Mapping[str, list[tuple[ObservedImage, tuple[str, ...]]]]:
    """Return by the names of our images which images carry their tags, the marker's last of all."""
    private = f"{private_repository(observed.repository)}:"
    found: dict[str, list[tuple[ObservedImage, tuple[str, ...]]]] = {}
    # By their tags, as an engine lists images in any order, and the one in use is told before the one of before it.
    for image in sorted(observed.images, key=lambda image: image.tags):
        record = observed.read(image)
        if record is None:
            continue
        tags = [
            tag
            for tag in image.tags
            if is_tag_of(tag, record.image, observed.repository) and not tag.endswith("-rejected")
        ]
        if tags:
            ordered = sorted(tags, key=lambda tag: tag.startswith(private))
            found.setdefault(record.image, []).append((image, tuple(ordered)))
    return found


def _previous(
    observed: Observed, kept: Collection[str], now: dt.datetime, age: dt.timedelta
) -> Iterator[Removal]:
    suffix = "-previous"
    for name in observed.promoted:
        image = observed.public(name + suffix)
        if image is None or name in kept or observed.read(image) is None:
            continue
        current = observed.public(name)
        # It is as old as what took its place.
        if current is not None and now - current.built >= age:
            yield Removal(
                image=image, name=name, why="previous", tags=(f"{observed.public_tag(name)}{suffix}",)
            )


def remove_image(name: str, observed: Observed, engine: ImageEngine) -> bool:
    """Take an image away, with all the tags that we gave it; tell whether there was one."""
    tags = tags_of(name, observed)
    # The markers last: what is cut off here is seen as ours until the end.
    for tag in sorted(tags, key=lambda tag: tag.startswith(private_repository(observed.repository))):
        engine.untag(tag)
    return bool(tags)


def tags_of(name: str, observed: Observed) -> list[str]:
    """Return all tags of an image: those that we gave it, and the public one whoever gave it."""
    tags = [
        tag
        for image in observed.images
        for tag in image.tags
        if is_tag_of(tag, name, observed.repository)
        and (
            ((record := observed.read(image)) is not None and record.image == name)
            or tag in observed.unreadable
        )
    ]
    public = observed.public_tag(name)
    if observed.public(name) is not None and public not in tags:
        tags.append(public)
    return tags
