"""Whether a rebuild came to what is in use: the same files, and the same configuration but for our own labels.

What looks different at first sight is not read, and what can't be read counts as different.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from attrs import frozen

from isol8_tasks.ecosystems.inventory import decode
from isol8_tasks.engine import ImageDetail, ImageEngine
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.lifecycle.promotion import has_layers, layers_of


@frozen
class Comparison:
    """What came of comparing a build with the image in use."""

    labels: Mapping[str, str]
    """Those for whichever of both is in use from now on."""
    same: ObservedImage | None = None
    """The image in use, where it is the same."""


def compare(  # noqa: PLR0913 - what is compared, and by what
    name: str,
    observed: Observed,
    engine: ImageEngine,
    *,
    built: str,
    inventory: str,
    promoted: Mapping[str, str],
    reads: bool = True,
) -> Comparison:
    """Compare a build, which has that inventory and gets the labels `promoted`, with the image in use.

    Unless it `reads`, only what needs no file to be read is the same.
    """
    image, record = observed.public(name), observed.record(name)
    if image is None or record is None or decode(record.inventory) != decode(inventory):
        return Comparison(promoted)
    new, old = engine.inspect(built), engine.inspect(image.id)
    if (
        new is None
        or old is None
        or not may_be_same(new, old, promoted, engine)
        # What somebody else gave our labels does not stay for what they say.
        or not has_layers(engine, image.id, record.layers)
    ):
        return Comparison(promoted)
    # With its build, by which what is based on it knows it.
    kept = {**promoted, labels.BUILD: record.build, labels.LAYERS: record.layers}
    if _filled(new.layers) == _filled(old.layers):
        return Comparison({**kept, labels.FILES_LABEL: record.files}, image)
    here, there = _read(engine, built, image.id, record) if reads else ("", "")
    if not here:
        # It is promoted as if it were another one, since nobody knows.
        return Comparison(promoted)
    if here == there:
        return Comparison({**kept, labels.FILES_LABEL: f"{record.layers}-{here}"}, image)
    return Comparison({**promoted, labels.FILES_LABEL: f"{layers_of(engine, built)}-{here}"})


def _read(engine: ImageEngine, built: str, in_use: str, record: Record) -> tuple[str, str]:
    """Return the digests of the files of both, of which the one in use may have its in a label."""
    layers, _, known = record.files.partition("-")
    if known and layers == record.layers:
        return engine.files(built), known
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(engine.files, in_use)
        return engine.files(built), there.result()


def may_be_same(new: ImageDetail, old: ImageDetail, promoted: Mapping[str, str], engine: ImageEngine) -> bool:
    """Tell whether two images run in the same way, and may have the same files, as far as no file was read."""
    if _said(new, promoted) != _said(old, promoted):
        return False
    # Only as many layers can be compared by what they hold, as one may hold again what is in another. containerd's
    # store counts compressed layers as well, which have other sizes for other times.
    return (
        0 <= old.size - new.size <= _LINKS
        or len(_filled(new.layers)) != len(_filled(old.layers))
        or engine.info().store.startswith("containerd")
    )


def _said(image: ImageDetail, ours: Mapping[str, str]) -> Mapping[str, object]:
    """Return the configuration of an image without the labels that it gets or inherits from us."""
    found = image.configuration.get("Labels")
    foreign = {
        name: value
        for name, value in (found.items() if isinstance(found, Mapping) else ())
        if name not in ours and not name.startswith(_OURS)
    }
    return {**image.configuration, "Labels": foreign}


def _filled(layers: Sequence[str]) -> list[str]:
    """Return layers without those that hold nothing, which a step that changes nothing adds."""
    return [layer for layer in layers if layer != _EMPTY]


_LINKS: Final = 1 << 18
"""Bytes. Of a layer that was pulled, an engine counts the targets of symbolic links as well: Docker 20.10 and 28."""
_OURS: Final = (labels.PREFIX, labels.LAB)
_EMPTY: Final = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""A tar archive of no files."""
