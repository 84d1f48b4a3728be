"""What an engine is asked to be kept tidy: images without a tag, images in use, and room on the disk."""

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from attrs import frozen

from isol8_tasks.engine import ImageEngine, ObservedImage
from isol8_tasks.engine.connection import Connection
from isol8_tasks.images.labels import PREFIX


@frozen(kw_only=True)
class Disk:
    """How much room an engine takes, in bytes."""

    images: int
    """All layers of all images, each once."""
    cache: int
    """What its builder remembers beyond those."""


class UpkeepEngine(ImageEngine, Protocol):
    """An engine that is also asked to be kept tidy."""

    def nameless(self) -> tuple[ObservedImage, ...]:
        """List the images with our labels that have no tag; what others made of ours carries them too."""

    def used(self) -> frozenset[str]:
        """Return the ids of the images that a container, running or not, was made of."""

    def disk(self) -> Disk:
        """Tell how much room the engine takes."""

    def forget_builds(self, keep: int) -> None:
        """Let the build cache be no larger than `keep` bytes: what was used last stays, and what images have.

        What is based on an image that is gone is forgotten in any case.
        """


def nameless(connection: Connection) -> tuple[ObservedImage, ...]:
    """Do what UpkeepEngine.nameless promises."""
    filters = json.dumps({"dangling": ["true"], "label": [_LABEL]})
    found = connection.list("/images/json", "list its images without a tag", {"filters": filters})
    return tuple(
        ObservedImage(
            id=entry["Id"],
            labels=entry.get("Labels") or {},
            created=entry.get("Created") or 0,
            size=entry.get("Size") or 0,
        )
        for entry in found
    )


def used(connection: Connection) -> frozenset[str]:
    """Do what UpkeepEngine.used promises."""
    found = connection.list("/containers/json", "list its containers", {"all": "1"})
    return frozenset(str(entry["ImageID"]) for entry in found)


def disk(connection: Connection) -> Disk:
    """Do what UpkeepEngine.disk promises."""
    found = connection.list("/system/df", "report its disk usage")
    return Disk(
        images=int(found.get("LayersSize") or 0),
        cache=sum(_size(entry) for entry in found.get("BuildCache") or () if not entry.get("Shared")),
    )


def forget_builds(connection: Connection, keep: int) -> None:
    """Do what UpkeepEngine.forget_builds promises."""
    found = connection.list("/system/df", "list its build cache", {"type": "build-cache"})
    ids = stranded(found.get("BuildCache") or ())
    for start in range(0, len(ids), _AT_ONCE):
        _prune(connection, {"id": [f"^({'|'.join(ids[start : start + _AT_ONCE])})$"]})
    # The older name for engines before API 1.48; an engine ignores the one that it does not know. Only what no
    # image has: the rest frees nothing, and Docker 20.10 would take it for room that was gained.
    _prune(connection, {"private": []}, {"keep-storage": str(keep), "reserved-space": str(keep)})


def stranded(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the ids of a builder's records that are based on an image that is gone, children before their parents.

    The layers of an image that was built on are records of no size, and stay on the disk with these. Docker 28.5 with
    overlay2 says only of an image with a single layer that it is still there.
    """
    children: dict[str, list[str]] = {}
    private: set[str] = set()
    level: list[str] = []
    for record in records:
        if record.get("Shared"):
            continue
        name = str(record["ID"])
        private.add(name)
        for parent in _parents(record):
            children.setdefault(parent, []).append(name)
        if not _size(record) and str(record.get("Description")).startswith(_OF_AN_IMAGE):
            level.append(name)
    levels: list[str] = []
    while level:
        levels += level
        level = [child for name in level for child in children.get(name, ()) if child in private]
    # A record that is reached in several ways counts where it is deepest.
    return tuple(dict.fromkeys(reversed(levels)))


def _prune(
    connection: Connection, filters: Mapping[str, Collection[str]], params: Mapping[str, str] | None = None
) -> None:
    # It answers when all is done, and takes a good part of a second for each record: no time is too long.
    whole = {"all": "1", "filters": json.dumps(filters), **(params or {})}
    with contextlib.closing(connection.read("/build/prune", "pruning the build cache", whole)) as chunks:
        for _ in chunks:
            pass


def _parents(record: Mapping[str, Any]) -> Sequence[str]:
    """Return what a record is based on; engines before API 1.42 name one."""
    # The blank is Docker's own.
    found = record.get("Parents") or record.get(" Parents") or record.get("Parent") or []
    return [found] if isinstance(found, str) else found


def _size(entry: Any) -> int:  # noqa: ANN401 - JSON
    return int(entry.get("Size") or 0)


_LABEL: Final = f"{PREFIX}schema"
_OF_AN_IMAGE: Final = "from local "
"""How the builder describes a layer of an image on the engine."""
_AT_ONCE: Final = 200
"""An address has an end."""
