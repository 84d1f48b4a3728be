"""The labels of a promotion, built while the image is verified: a verification mostly finds what it found before.

What comes of it has a private tag alone until then, and a base has no label by which a client picks an image.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from isol8_tasks.engine import ImageEngine
from isol8_tasks.errors import EngineError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed
from isol8_tasks.lifecycle.promotion import layers_of, private_tag, relabelled
from isol8_tasks.lifecycle.sameness import may_be_same
from isol8_tasks.plan.description import Description
from isol8_tasks.plan.model import ImageSpec

Labelled = Callable[[Mapping[str, str]], str]
"""Gets the labels that an image is to have, and returns the id of one that has them; empty if there is none."""


@contextlib.contextmanager
def labelled_ahead(  # noqa: PLR0913 - all but four are named by the caller
    spec: ImageSpec,
    described: Description,
    observed: Observed,
    engine: ImageEngine,
    *,
    candidate: str,
    image_id: str,
    stays: bool,
) -> Iterator[Labelled]:
    """Begin to label a base as if it had what the one in use has; what comes of it stays only if it gets a tag.

    `stays`: the one in use stays if the new one is the same.
    """
    record = observed.record(spec.name)
    if spec.parent or record is None or not record.inventory:
        yield lambda _wanted: ""
        return
    expected = described.promoted(record.inventory)
    with private_tag(engine, observed.repository, spec.name) as tag, ThreadPoolExecutor(1) as pool:

        def label() -> tuple[Mapping[str, str], str]:
            # A classic builder makes a step of each label.
            if engine.info().builder != "buildkit" or (
                stays and _may_stay(spec, observed, engine, image_id, expected)
            ):
                return {}, ""
            wanted = {**expected, labels.LAYERS: layers_of(engine, image_id)}
            return wanted, relabelled(engine, image_id, tag, wanted, source=candidate)

        made = pool.submit(label)

        def labelled(wanted: Mapping[str, str]) -> str:
            try:
                known, found = made.result()
            except EngineError:
                # It is made again, which tells what is wrong.
                return ""
            # A run that sees no lock of this one removes it after some minutes, and a verification may take longer.
            return found if known == wanted and engine.inspect(found) else ""

        yield labelled


def _may_stay(
    spec: ImageSpec, observed: Observed, engine: ImageEngine, image_id: str, promoted: Mapping[str, str]
) -> bool:
    in_use = observed.public(spec.name)
    old, new = engine.inspect(in_use.id) if in_use else None, engine.inspect(image_id)
    return old is not None and new is not None and may_be_same(new, old, promoted, engine)
