"""How isol8's own clients choose an image, one function for each generation, on what an engine lists.

After the sources of isol8 (packages/core/src/engine): they know nothing of this project, and neither do these.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol


class Listed(Protocol):
    """An image as an engine lists it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, in the engine's order."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""


def by_tag(images: Sequence[Listed], repository: str, runtime: str, _packages: Sequence[str]) -> str | None:
    """Choose as v0.1 to v0.11.0 do: the custom image if its tag exists, else the base."""
    tags = {tag: image.id for image in images for tag in image.tags}
    return tags.get(f"{repository}:{runtime}-custom", tags.get(f"{repository}:{runtime}"))


def by_hash(images: Sequence[Listed], repository: str, runtime: str, packages: Sequence[str]) -> str | None:
    """Choose as v0.11.1 to v0.17 do: the custom image of exactly these packages, else as before."""
    tags = {tag: image.id for image in images for tag in image.tags}
    digest = hashlib.sha256((runtime + "".join(sorted(packages))).encode()).hexdigest()[:12]
    found = tags.get(f"{repository}:{runtime}-custom-{digest}") if packages else None
    return found or by_tag(images, repository, runtime, packages)


def by_label(images: Sequence[Listed], repository: str, runtime: str, packages: Sequence[str]) -> str | None:
    """Choose as v0.18 and later do: an exact match of the labels, else the last superset, else the base."""
    tags = {tag: image.id for image in images for tag in image.tags}
    wanted, superset = sorted({name.strip() for name in packages if name.strip()}), None
    for image in images if wanted else ():
        found = image.labels.get("org.isol8.dependencies", "")
        if image.labels.get("org.isol8.runtime") != runtime or not found or not image.tags:
            continue
        # They then start it by its first tag, whichever it is.
        if found == ",".join(wanted):
            return tags[image.tags[0]]
        if set(wanted) <= set(found.split(",")):
            superset = tags[image.tags[0]]
    return superset or tags.get(f"{repository}:{runtime}")


def list_custom(images: Sequence[Listed]) -> dict[str, tuple[str | None, str | None]]:
    """Return what `isol8 list-custom` prints since v0.18: by the first tag, runtime and dependencies."""
    return {
        image.tags[0]: (image.labels["org.isol8.runtime"], image.labels.get("org.isol8.dependencies"))
        for image in images
        if "org.isol8.runtime" in image.labels and image.tags and image.tags[0].startswith("isol8")
    }


Client = Callable[[Sequence[Listed], str, str, Sequence[str]], str | None]
CLIENTS: Final[Mapping[str, Client]] = {"v0.1": by_tag, "v0.11.1": by_hash, "v0.18": by_label}
