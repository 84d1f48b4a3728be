"""A candidate that somebody else built takes the place of a build: it is examined, verified and promoted."""

import contextlib
from typing import Final

from attrs import evolve

from isol8_tasks.engine import ImageEngine
from isol8_tasks.errors import EngineError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.lifecycle.build import Outcome, accept_candidate, passed_on
from isol8_tasks.lifecycle.promotion import private_tag
from isol8_tasks.plan.description import Description, Provenance, describe
from isol8_tasks.plan.model import ImageSpec
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
) -> Outcome | str:
    """Verify a candidate and promote it, or say in words why it can't be this image, so that it is built.

    It keeps its build, by which what was built on it knows it. What fails verification is kept as `-rejected`.
    """
    described = _described(spec, observed, image, provenance)
    if problem := _problem(spec, described, observed, engine, image):
        return problem
    # Whoever built it may still be at work, and takes its own tag away when it is done.
    with private_tag(engine, observed.repository, spec.name) as own:
        engine.tag(image.id, own)
        try:
            outcome = accept_candidate(
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


def _problem(
    spec: ImageSpec, described: Description, observed: Observed, engine: ImageEngine, image: ObservedImage
) -> str:
    """Say what a look at the image itself shows to be other than its labels have it."""
    detail, platform = engine.inspect(image.id), engine.platform()
    if detail is None:
        return "it was removed during the run"
    if detail.platform and detail.platform != "/".join(platform.split("/")[:2]):
        return f"it is for {detail.platform}, and this engine for {platform}"
    promoted = described.promoted("")
    # These would stay on it, as an image is promoted by adding labels.
    if foreign := next((each for each in _PICKED_BY if image.labels.get(each) and each not in promoted), ""):
        return f"it has the label {foreign}, which this image has not"
    for reference in described.built_on:
        ground = engine.inspect(reference) if reference == spec.upstream or spec.parent else None
        if ground and detail.layers[: len(ground.layers)] != ground.layers:
            return f"it is not based on the {reference} of this engine"
    for line in passed_on(spec, observed, engine).splitlines():
        if line.removeprefix("ONBUILD ") not in detail.onbuild:
            return f"it has no {line}, as its parent has"
    return ""


def _forget(engine: ImageEngine, image: ObservedImage) -> None:
    """Take the tags away that it had as a candidate, where they are still its own."""
    # What came of it is what is told.
    with contextlib.suppress(EngineError):
        for tag in image.tags:
            found = engine.inspect(tag) if tag.endswith("-candidate") else None
            if found and found.id == image.id:
                engine.untag(tag)
