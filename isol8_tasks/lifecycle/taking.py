"""A candidate that somebody else built takes the place of a build: it is examined, verified and promoted."""

import contextlib
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from isol8_tasks.engine import ImageEngine
from isol8_tasks.errors import EngineError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.lifecycle.build import Accept, Outcome, accept_candidate, passed_on
from isol8_tasks.lifecycle.promotion import private_tag
from isol8_tasks.plan.description import Description, Provenance, describe
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.rendering import layers
from isol8_tasks.verify.verifications import Verify

_PICKED_BY: Final = (*labels.CLIENTS, labels.DEPENDENCY_HASH)


def take_candidate(  # noqa: PLR0913 - all but three are named by the caller
    spec: ImageSpec,
    observed: Observed,
    engine: ImageEngine,
    image: ObservedImage,
    *,
    provenance: Provenance,
    verify: Verify,
    saves: bool,
    accept: Accept = accept_candidate,
) -> Outcome | str:
    """Verify a candidate and promote it, or say in words why it can't be this image, so that it is built.

    It keeps its build, by which what was built on it knows it. What fails verification is kept as `-rejected`.
    """
    described = _described(spec, observed, image, provenance)
    if problem := next(_problems(spec, described, observed, engine, image), ""):
        return problem
    # Whoever built it may still be at work, and takes its own tag away when it is done.
    with private_tag(engine, observed.repository, spec.name) as own:
        engine.tag(image.id, own)
        try:
            outcome = accept(
                spec,
                described,
                observed,
                engine,
                candidate=own,
                image_id=image.id,
                verify=verify,
                saves=saves,
            )
        except VerifyFailedError:
            _forget(engine, image)
            raise
        _forget(engine, image)
    return outcome if outcome.result == "same" else evolve(outcome, result="promoted")


def _described(
    spec: ImageSpec, observed: Observed, image: ObservedImage, provenance: Provenance
) -> Description:
    # As old as it is, and from where it is, for whoever asks.
    own = observed.read(image)
    built = evolve(
        provenance,
        created=f"{image.built:%Y-%m-%dT%H:%M:%SZ}",
        checkout=(own and own.checkout) or provenance.checkout,
    )
    described = describe(spec, observed, built)
    return evolve(described, record=evolve(described.record, build=image.labels[labels.BUILD]))


def _problems(
    spec: ImageSpec, described: Description, observed: Observed, engine: ImageEngine, image: ObservedImage
) -> Iterator[str]:
    """Say what a look at the image itself shows to be other than its labels have it."""
    detail, platform = engine.inspect(image.id), engine.platform()
    if detail is None:
        yield "it was removed during the run"
        return
    if detail.platform and detail.platform != "/".join(platform.split("/")[:2]):
        yield f"it is for {detail.platform}, and this engine for {platform}"
    promoted = described.promoted("")
    # These would stay on it, as an image is promoted by adding labels.
    for label in _PICKED_BY:
        if image.labels.get(label) and label not in promoted:
            yield f"it has the label {label}, which this image has not"
    for reference in described.built_on:
        ground = engine.inspect(reference) if reference == spec.upstream or spec.parent else None
        if ground and detail.layers[: len(ground.layers)] != ground.layers:
            yield f"it is not based on the {reference} of this engine"
        # Of images that add nothing to the same parent, one is verified for all.
        if ground and spec.parent and not layers(spec.inputs) and detail.layers != ground.layers:
            yield f"it has layers of its own, and this image has those of {reference} alone"
    for line in passed_on(spec, observed, engine).splitlines():
        if line.removeprefix("ONBUILD ") not in detail.onbuild:
            yield f"it has no {line}, as its parent has"


def _forget(engine: ImageEngine, image: ObservedImage) -> None:
    """Take the tags away that it had as a candidate, where they are still its own."""
    # What came of it is what is told.
    with contextlib.suppress(EngineError):
        for tag in image.tags:
            found = engine.inspect(tag) if tag.endswith("-candidate") else None
            if found and found.id == image.id:
                engine.untag(tag)
