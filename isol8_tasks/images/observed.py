"""What an engine holds, as it was seen at one moment."""

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self

from attrs import Factory, evolve, field, frozen

from isol8_tasks.images.labels import PREFIX, Record, problem, read_record
from isol8_tasks.images.references import Reference
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.inventory import Package


@frozen(kw_only=True, eq=False, repr=False)
class ObservedImage(ByValue):
    """An image as the engine lists it."""

    id: str
    tags: tuple[str, ...] = ()
    """`isol8:bun`, …; sorted."""
    digests: tuple[str, ...] = ()
    """`alpine@sha256:…`, …; sorted; empty for an image that was never pulled or pushed."""
    labels: Mapping[str, str] = Factory(dict)
    created: int = 0
    """Seconds since the epoch, of the image's configuration."""
    size: int = 0
    """Bytes, as the engine counts them."""

    @property
    def built(self) -> dt.datetime:
        """When it was built: as we wrote it, since a build of cached layers keeps their time."""
        try:
            written = dt.datetime.fromisoformat(self.labels["org.opencontainers.image.created"])
            # Anybody's label may lack its zone, or be at the end of time.
            return written.astimezone(dt.UTC) if written.tzinfo else _moment(self.created)
        except (KeyError, ValueError, OverflowError):
            return _moment(self.created)

    def digest(self, reference: str) -> str:
        """Return its digest in the repository that a reference names; it may have been pulled from several."""
        known = dict(each.split("@", 1) for each in self.digests)
        return known.get(Reference.parse(reference).short, "")

    def mark(self, reference: str) -> str:
        """Return how it counts where something is built on it: by its registry digest, then by its id on this engine.

        12 digits of each. The digest is equal on every engine, and an id on those with the same kind of store.
        """
        return ".".join(dict.fromkeys(map(short_digest, filter(None, (self.digest(reference), self.id)))))


@frozen(kw_only=True, eq=False, repr=False)
class Observed(ByValue):
    """Every image of an engine that has a name, from one listing."""

    repository: str
    """The repository of the public tags: `isol8`."""
    images: tuple[ObservedImage, ...] = ()
    _by_tag: Mapping[str, ObservedImage] = field(init=False, repr=False, eq=False)
    _ids: frozenset[str] = field(init=False, repr=False, eq=False)
    _records: dict[str, Record | None] = field(init=False, repr=False, eq=False)
    """What was read on images so far, by their ids: each is asked for several times a run."""

    def __attrs_post_init__(self) -> None:
        by_tag = {tag: image for image in self.images for tag in image.tags}
        object.__setattr__(self, "_by_tag", by_tag)
        object.__setattr__(self, "_ids", frozenset(image.id for image in self.images))
        object.__setattr__(self, "_records", {})

    def tagged(self, reference: str) -> ObservedImage | None:
        """Return the image that a reference (`alpine:3.21`, `alpine@sha256:…`) names here, if any."""
        try:
            wanted = Reference.parse(reference)
        except ValueError:
            return None
        return (self._by_digest if wanted.digest else self._by_tag).get(wanted.name)

    @cached_property
    def _by_digest(self) -> Mapping[str, ObservedImage]:
        return {digest: image for image in self.images for digest in image.digests}

    def public_tag(self, name: str) -> str:
        """Return the public tag of `name`: `isol8:bun-custom`."""
        return str(Reference(self.repository, name))

    def public(self, name: str) -> ObservedImage | None:
        """Return the image under the public tag of `name` (`bun-custom`)."""
        return self._by_tag.get(self.public_tag(name))

    def marker(self, name: str) -> ObservedImage | None:
        """Return the image that was promoted last as `name`."""
        return self._by_tag.get(marker_tag(name, self.repository))

    def record(self, name: str) -> Record | None:
        """Return what we wrote on the image under the public tag of `name`; None if it isn't the one we promoted.

        A `docker commit` and a `FROM isol8:bun` inherit every label, but never the marker tag. Who tags
        an image of another name, or one that was never promoted, with both does not promote it.
        """
        image, marker = self.public(name), self.marker(name)
        if image is None or marker is None or image.id != marker.id:
            return None
        record = self.read(image)
        return record if record is not None and (record.image, record.role) == (name, "current") else None

    def inventory(self, name: str) -> tuple[str, tuple["Package", ...]] | None:
        """Return Alpine's release and the packages of an image that was looked into; None for any other."""
        # Here and below, as what is in an image is read only where it is told.
        from isol8_tasks.ecosystems.inventory import decode  # noqa: PLC0415

        record = self.record(name)
        return decode(record.inventory) if record else None

    def notes(self, name: str) -> tuple[str, ...]:
        """Return what users should know of the packages of an image, found at its verification."""
        from isol8_tasks.ecosystems.inventory import decode_notes  # noqa: PLC0415 - as above

        record = self.record(name)
        return decode_notes(record.inventory) if record else ()

    def last_record(self, name: str) -> Record | None:
        """Return what we wrote on the image that was promoted last as `name`, whatever has the public tag now."""
        marker = self.marker(name)
        return self.read(marker) if marker else None

    def read(self, image: ObservedImage) -> Record | None:
        """Return what we wrote on one of the images, whatever its tags; copies by others carry it too."""
        if image.id not in self._records:
            self._records[image.id] = read_record(image.labels)
        return self._records[image.id]

    def id_of(self, tag: str) -> str:
        """Return the id of the image under a tag that is here."""
        return self._by_tag[tag].id

    def without(self, name: str) -> Self:
        """Return what is held but for the image under the public tag of `name`."""
        gone = self.public(name)
        return evolve(self, images=tuple(image for image in self.images if image is not gone))

    @cached_property
    def unreadable(self) -> Mapping[str, str]:
        """Tags of ours on images that carry our labels, of which one can't be read, and which and why."""
        ours = (f"{self.repository}:", f"{private_repository(self.repository)}:")
        return {
            tag: problem(image.labels)
            for image in self.images
            if image.labels.get(f"{PREFIX}schema")
            and (tags := [tag for tag in image.tags if tag.startswith(ours)])
            and self.read(image) is None
            for tag in tags
        }

    @cached_property
    def promoted(self) -> tuple[str, ...]:
        """Names of the images that were promoted here, sorted; whether they have their public tag still or not."""
        prefix = f"{private_repository(self.repository)}:"
        # What else has a private tag, a candidate for one, is a copy that keeps the image's name.
        return tuple(
            sorted(
                name
                for tag, image in self._by_tag.items()
                if tag.startswith(prefix)
                and (record := self.read(image)) is not None
                and record.image == (name := tag.removeprefix(prefix))
            )
        )

    def moved(self, image_id: str, labels: Mapping[str, str], *tags: str) -> Self:
        """Return what is held once `tags` point to the image `image_id` that was just made."""
        taken = set(tags)
        if taken.isdisjoint(self._by_tag) and image_id not in self._ids:
            return self._and(ObservedImage(id=image_id, labels=labels, tags=tuple(sorted(taken))))
        rest = tuple(
            each
            if taken.isdisjoint(each.tags)
            else evolve(each, tags=tuple(tag for tag in each.tags if tag not in taken))
            for each in self.images
        )
        same = next((each for each in rest if each.id == image_id), ObservedImage(id=image_id, labels=labels))
        new = evolve(same, tags=tuple(sorted({*same.tags, *tags})), labels=labels)
        return evolve(self, images=(*(each for each in rest if each.tags and each.id != image_id), new))

    def _and(self, added: ObservedImage) -> Self:
        """Return what is held with one image more.

        A plan has as many steps as a registry has images: in each, what is known is copied and not looked at again.
        """
        known = {
            "repository": self.repository,
            "images": (*self.images, added),
            "_by_tag": {**self._by_tag, **dict.fromkeys(added.tags, added)},
            "_ids": self._ids | {added.id},
            "_records": self._records.copy(),
        }
        more = object.__new__(type(self))
        for name, value in known.items():
            object.__setattr__(more, name, value)
        return more


def short_digest(digest: str) -> str:
    """Return the digits of a digest, or of an image's id, that count."""
    return digest.removeprefix("sha256:")[:12]


def _moment(seconds: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    except (ValueError, OverflowError, OSError):
        return dt.datetime.fromtimestamp(0, tz=dt.UTC)


def marker_tag(name: str, repository: str) -> str:
    """Return the tag of what was promoted last as that name."""
    return str(Reference(private_repository(repository), name))


def private_repository(repository: str) -> str:
    """Return the repository of the private tags, which sorts behind the public one.

    Clients take the first tag of an image that they find by its labels, so the public tag has to stand first.
    """
    return f"{repository}_build"
