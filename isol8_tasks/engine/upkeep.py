"""What an engine is asked to be kept tidy: images without a tag, images in use, and room on the disk."""

import contextlib
import json
from typing import Any, Final, Protocol

from attrs import frozen

from isol8_tasks.engine import ImageEngine, ObservedImage
from isol8_tasks.engine.connection import Connection
from isol8_tasks.plan.labels import PREFIX


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
        """Let the builder's cache be no larger than `keep` bytes; what was used last stays."""


def nameless(connection: Connection) -> tuple[ObservedImage, ...]:
    """Do what UpkeepEngine.nameless promises."""
    filters = json.dumps({"dangling": ["true"], "label": [_LABEL]})
    found = connection.call("GET", "/images/json", "a list of images without a tag", {"filters": filters})
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
    found = connection.call("GET", "/containers/json", "a list of containers", {"all": "1"})
    return frozenset(str(entry["ImageID"]) for entry in found)


def disk(connection: Connection) -> Disk:
    """Do what UpkeepEngine.disk promises."""
    found = connection.call("GET", "/system/df", "how much room it takes")
    return Disk(
        images=int(found.get("LayersSize") or 0),
        cache=sum(_size(entry) for entry in found.get("BuildCache") or () if not entry.get("Shared")),
    )


def forget_builds(connection: Connection, keep: int) -> None:
    """Do what UpkeepEngine.forget_builds promises."""
    # The older name for engines before API 1.48; an engine passes over the one that it does not know.
    params = {"all": "1", "keep-storage": str(keep), "reserved-space": str(keep)}
    # It answers when all is done, and takes a good part of a second for each record: no time is too long.
    with contextlib.closing(connection.read("/build/prune", "forgetting builds", params)) as chunks:
        for _ in chunks:
            pass


def _size(entry: Any) -> int:  # noqa: ANN401 - JSON
    return int(entry.get("Size") or 0)


_LABEL: Final = f"{PREFIX}schema"
