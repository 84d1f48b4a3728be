"""The history of images: what each became with every change, and what of it stays or has to be added."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import Factory, evolve, frozen

from isol8_tasks.ecosystems.inventory import decode, versions
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.images.labels import BASE_NAME, Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.references import tag_of

Versions = Mapping[tuple[str, str], str]
"""Of packages, by ecosystem and name."""
FAILED: Final = "failed"
"""How an entry says that an image could not be made."""
REFRESHED: Final = "refreshed"
"""How an entry tells of a whole refresh, whose image is empty."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""An image that is not younger was built at an unknown time: its builder wrote none, which engines give as year 1."""


@frozen(kw_only=True)
class PastBuild:
    """What an image was at one moment."""

    id: str
    key: str = ""
    """Empty for an image that something else made."""
    build: str = ""
    digest: str = ""
    """In a registry, as far as it is known: `sha256:…`."""
    size: int = 0
    """Bytes; 0 where the engine did not tell."""
    built: str = ""
    """ISO 8601; empty where it is not known."""
    alpine: str = ""
    packages: Versions | None = None
    """None where they are not known."""
    inputs: str = ""
    """As a label has them (fingerprint.encode_inputs); empty where they are not known."""
    configuration: Mapping[str, str] | None = None
    """How containers of it run, by what is set; None where it is not known."""


@frozen(kw_only=True)
class HistoryEntry:
    """One change of an image, or what else a run came to, as a line of the history has it."""

    at: dt.datetime
    image: str
    """Its name: `python-custom`."""
    repository: str
    """Of its public tag."""
    engine: str
    """The address of the engine."""
    how: str
    """`built`, `promoted`, `same`, `relabelled`, `pulled`, `rolled back`, `removed`; `found` for what is not from a run
    that wrote here. `failed` and `refreshed` are no changes. A newer version may have written another word."""
    why: tuple[str, ...] = ()
    """Reasons, in words."""
    old: PastBuild | None = None
    """None where there was no such image."""
    new: PastBuild | None = None
    """None where it was removed."""
    parent: str = ""
    seconds: float = 0
    verified: bool = False
    """In that run."""
    checkout: str = ""
    """Which built it."""
    problem: str = ""
    """What went wrong, on one line; of `failed` alone."""
    counts: Mapping[str, int] = Factory(dict)
    """Of `refreshed` alone: how many images were `behind`, `changed`, `failed` and so on; none that is 0."""
    transferred: Mapping[str, int] = Factory(dict)
    """Bytes that were `pulled` and `pushed` for it, and `built` on top of its parent, as far as they are known."""

    @property
    def is_change(self) -> bool:
        """Whether it led from `old` to `new`; anything else leaves the image as it was."""
        return self.how not in {FAILED, REFRESHED} and (self.old, self.new) != (None, None)

    def repeats(self, before: "HistoryEntry | None") -> bool:
        """Tell whether it says what another entry of the same day said before."""
        return before is not None and (self.how, self.problem, self.counts, self.at.date()) == (
            before.how,
            before.problem,
            before.counts,
            before.at.date(),
        )

    @property
    def place(self) -> tuple[str, str, str]:
        """What the changes of one image have in common."""
        return self.engine, self.repository, self.image

    @property
    def updates(self) -> tuple[Update, ...]:
        """The packages that differ; none where one of both is not known."""
        if self.old is None or self.new is None:
            return ()
        return updates_between(self.old.packages, self.new.packages)


def updates_between(old: Versions | None, new: Versions | None) -> tuple[Update, ...]:
    """Return the packages that differ, by ecosystem and name; none where one of both is not known."""
    if old is None or new is None:
        return ()
    return tuple(
        Update(ecosystem=key[0], name=key[1], old=old.get(key, ""), new=new.get(key, ""))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )


def past_build(
    image: ObservedImage,
    record: Record | None,
    *,
    digest: str = "",
    configuration: Mapping[str, str] | None = None,
) -> PastBuild:
    """Return what an image is now, by its labels."""
    found = decode(record.inventory) if record else None
    return PastBuild(
        id=image.id,
        key=record.key if record else "",
        build=record.build if record else "",
        digest=digest,
        size=image.size,
        built=image.built.strftime("%Y-%m-%dT%H:%M:%SZ") if image.built > _EPOCH else "",
        alpine=found[0] if found else "",
        packages=versions(found[1]) if found else None,
        inputs=record.inputs if record else "",
        configuration=configuration,
    )


def found_entry(
    name: str, image: ObservedImage, record: Record | None, last: HistoryEntry | None, place: tuple[str, str]
) -> HistoryEntry:
    """Return the change that led to an image of which no line tells: what another run, or one that was killed, made.

    `last` is the line before about the image, and `place` the engine and the repository.
    """
    engine, repository = place
    return HistoryEntry(
        at=max(image.built, last.at if last else _EPOCH),
        image=name,
        repository=repository,
        engine=engine,
        how="found",
        old=last.new if last else None,
        new=past_build(image, record),
        parent=parent_of(image, repository),
        checkout=record.checkout if record else "",
    )


def parent_of(image: ObservedImage, repository: str) -> str:
    """Return the name of the image of ours that an image says it is based on; empty for a base."""
    base = image.labels.get(BASE_NAME, "")
    return tag_of(base) if base.startswith(f"{repository}:") else ""


def with_images_in_use(
    entries: Sequence[HistoryEntry], observed: Observed, engine: str
) -> tuple[HistoryEntry, ...]:
    """Return the changes, with those of which no line tells: to images in use, and to the builds before them."""
    last = {each.image: each for each in entries if each.is_change}
    found = []
    place = engine, observed.repository
    for name in observed.promoted:
        image, previous = observed.public(name), observed.public(f"{name}-previous")
        before = last.get(name)
        if image is None or (before and before.new and before.new.id == image.id):
            continue
        if before is None and previous is not None and (record := observed.read(previous)) is not None:
            before = found_entry(name, previous, record, None, place)
            found.append(before)
        found.append(found_entry(name, image, observed.record(name), before, place))
    return (*entries, *found)


def joined_history(entries: Iterable[HistoryEntry], more: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """Return changes in the order of time, each that was only found behind what was there before."""
    last: dict[tuple[str, str, str], HistoryEntry] = {}
    found = []
    for each in sorted([*entries, *more], key=lambda entry: entry.at):
        if not each.is_change:
            found.append(each)
            continue
        before = last.get(each.place)
        follows = before and each.how == "found" and each.old is None
        last[each.place] = evolve(each, old=before.new) if before and follows else each
        found.append(last[each.place])
    return tuple(found)


def outlived(entries: Sequence[HistoryEntry], since: dt.datetime) -> tuple[HistoryEntry, ...]:
    """Return the changes that stay: what is not older, and the last one of each image that is still there."""
    last = {each.place: each for each in entries if each.is_change}
    return tuple(each for each in entries if each.at >= since or (each.new and last.get(each.place) is each))
