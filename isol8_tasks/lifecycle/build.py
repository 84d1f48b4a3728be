"""One image from decision to promotion: build under a private tag, verify, and only then promote."""

import contextlib
from collections.abc import Mapping
from typing import Literal, Protocol

from attrs import evolve, frozen

from isol8_tasks.ecosystems.inventory import decode_notes
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import Build, BuildRequest, FileContent, ImageEngine, OnEvent
from isol8_tasks.errors import EngineError, ReplacedError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed, short_digest
from isol8_tasks.images.triggers import Triggers, rememberable
from isol8_tasks.lifecycle.ahead import labelled_ahead
from isol8_tasks.lifecycle.promotion import (
    kept_candidate,
    promote,
    reject,
    relabel,
)
from isol8_tasks.lifecycle.sameness import compare
from isol8_tasks.lifecycle.tidying import tidied
from isol8_tasks.plan.current import relabelled_inputs
from isol8_tasks.plan.description import Description, Provenance, describe
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.safety.redact import redact
from isol8_tasks.verify.verifications import Verify


@frozen(kw_only=True)
class Outcome:
    """What came of an image's task."""

    image: str
    result: Literal["built", "promoted", "same", "relabelled", "pulled"]
    """`promoted`: it was a candidate already. `same`: it came to what was in use, and that stays, under the new key."""
    image_id: str
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    """The tags that now point to it."""
    left_out: tuple[str, ...] = ()
    """Packages that the label for isol8's clients can't hold, as they have a comma."""
    notes: tuple[str, ...] = ()
    """What its verification found that users should know, a sentence each."""


class Accept(Protocol):
    """Lets what was built be in use, wherever that is."""

    def __call__(  # noqa: PLR0913 - as accept_candidate
        self,
        spec: ImageSpec,
        described: Description,
        observed: Observed,
        engine: ImageEngine,
        *,
        candidate: str,
        image_id: str,
        verify: Verify,
        saves: bool,
    ) -> Outcome:
        """Do what accept_candidate promises."""


def build_image(  # noqa: PLR0913 - all but three are named by the caller
    spec: ImageSpec,
    observed: Observed,
    engine: ImageEngine,
    *,
    provenance: Provenance,
    context: Mapping[str, FileContent],
    on_event: OnEvent,
    verify: Verify,
    force: bool = False,
    resolution: Resolution | None = None,
    download_cache: bool = False,
    saves: bool = True,
    accept: Accept | None = None,
) -> Outcome:
    """Build, check and promote the image; whatever had its tag stays as `-previous`.

    Where that came to the same as the image in use, this one stays, and is said to be built from the new inputs. Files
    are read for that only where it `saves` something.

    With a resolution its packages are installed in exactly these versions; `download_cache` lets the installer keep
    what it downloads. `accept` takes the place of check and promotion.

    Until the last step the public tag is as it was, so a failure or a kill anywhere loses nothing. An image that
    does not pass its check is kept as `-rejected`, for inspection. What was built is checked and promoted by id, and
    ReplacedError says that another run moved the tag, or that of the parent, in the meantime. Where a run is aborted
    after its build, the candidate stays for the next one.
    """
    described = describe(spec, observed, provenance)
    request = request_of(spec, described, observed, engine, context, force=force)
    with kept_candidate(engine, observed.repository, spec.name, described.record.build) as candidate:
        _ensure_in_place(spec, described, observed, engine)
        request = evolve(request, tag=candidate)
        build = _way_to_build(spec, engine, download_cache=download_cache)
        image_id = build_packages(spec, resolution, request, build, on_event)
        # A builder finds what an image is built on by its tag, and says nothing of what that was.
        _ensure_in_place(spec, described, observed, engine, image_id)
        return (accept or accept_candidate)(
            spec,
            described,
            observed,
            engine,
            candidate=candidate,
            image_id=image_id,
            verify=verify,
            saves=saves,
        )


def request_of(  # noqa: PLR0913 - what it is made of
    spec: ImageSpec,
    described: Description,
    observed: Observed,
    engine: ImageEngine,
    context: Mapping[str, FileContent],
    *,
    force: bool = False,
    handed_on: str | None = None,
) -> BuildRequest:
    """Return what is built of an image, but for its tag and the versions of its packages.

    `handed_on` are its ONBUILD steps, where the parent is not on the engine that would know them.
    """
    steps = passed_on(spec, observed, engine) if handed_on is None else handed_on
    return BuildRequest(
        tag="",
        dockerfile=spec.dockerfile + _tidy(spec) + steps,
        target=spec.target,
        context=context if spec.kind == "base" else {},
        args=dict(spec.args),
        labels=described.candidate(),
        no_cache=force,
        built_on=described.built_on,
        image=spec.name,
    )


def accept_candidate(  # noqa: PLR0913 - all but four are named by the caller
    spec: ImageSpec,
    described: Description,
    observed: Observed,
    engine: ImageEngine,
    *,
    candidate: str,
    image_id: str,
    verify: Verify,
    saves: bool,
) -> Outcome:
    """Verify the image of that id, and let it be in use with the labels described; whoever built it, wherever.

    `candidate` is a tag of it that nobody else takes away; `saves` as for `build_image`. VerifyFailedError: it is kept
    as `-rejected`.
    """
    with labelled_ahead(
        spec, described, observed, engine, candidate=candidate, image_id=image_id, stays=saves
    ) as labelled:
        inventory = _verified(spec, observed, engine, image_id, verify=verify, candidate=candidate)
        found = compare(
            spec.name,
            observed,
            engine,
            built=image_id,
            inventory=inventory,
            promoted=described.promoted(inventory),
            reads=saves,
        )
        if found.same:
            promoted_id, tags = relabel(spec.name, observed, engine, found.same, found.labels)
        else:
            promoted_id, tags = promote(
                spec.name,
                observed,
                engine,
                candidate=candidate,
                verified=image_id,
                promoted=found.labels,
                labelled=labelled,
            )
    return Outcome(
        image=spec.name,
        result="same" if found.same else "built",
        image_id=promoted_id,
        labels=found.labels,
        tags=tags,
        left_out=described.left_out,
        notes=decode_notes(inventory) or _unverified(spec, inventory),
    )


def _unverified(spec: ImageSpec, inventory: str) -> tuple[str, ...]:
    """Say of an image without an inventory, for a platform of its own, that nobody looked into it."""
    why = f"not verified: the engine can't run {spec.inputs.platform}"
    return () if inventory or not spec.inputs.platform else (why,)


def _verified(  # noqa: PLR0913 - as accept_candidate
    spec: ImageSpec, observed: Observed, engine: ImageEngine, image_id: str, *, verify: Verify, candidate: str
) -> str:
    """Return the inventory of an image that passes."""
    try:
        return verify(spec, image_id)
    except VerifyFailedError:
        reject(spec.name, observed, engine, image_id)
        raise
    except EngineError as error:
        # A run that sees no lock of this one may have promoted it, and taken its tag away.
        if _is_gone(engine, image_id):
            raise ReplacedError(f"{candidate} was removed by another run or by hand; run again") from error
        raise


def _is_gone(engine: ImageEngine, image_id: str) -> bool:
    with contextlib.suppress(EngineError):
        return engine.inspect(image_id) is None
    return False


def _way_to_build(spec: ImageSpec, engine: ImageEngine, *, download_cache: bool) -> Build:
    # Here, as few files ask for either.
    build: Build = engine.build
    if spec.secrets:
        from isol8_tasks.lifecycle.secretly import secret_build  # noqa: PLC0415

        build = secret_build(build, spec)
    if download_cache and spec.inputs.packages:
        from isol8_tasks.lifecycle.caching import cached_build  # noqa: PLC0415

        build = cached_build(build, engine, spec)
    return tidied(build, spec)


def build_packages(
    spec: ImageSpec, resolution: Resolution | None, request: BuildRequest, build: Build, on_event: OnEvent
) -> str:
    """Build an image with the versions, or the hashes, that its packages have to have; return its id."""
    if resolution or spec.hashes:
        # Here, as a run with nothing to do pins nothing.
        from isol8_tasks.lifecycle.pinned import build_hashed, build_pinned  # noqa: PLC0415

        if resolution:
            return build_pinned(spec, resolution, request, build, on_event)
        return build_hashed(spec, request, build, on_event)
    if spec.inputs.packages:
        patient = RUNTIMES[spec.runtime].patiently(request.dockerfile)
        return build(evolve(request, dockerfile=patient), on_event)
    return build(request, on_event)


def relabel_image(spec: ImageSpec, observed: Observed, engine: ImageEngine) -> Outcome:
    """Let the image under the public tag have the flags and the build hash of `spec`, in the labels of this version.

    All else stays as it is.
    """
    record = observed.record(spec.name)
    public = observed.public(spec.name)
    if record is None or public is None:
        raise EngineError(f"{observed.public_tag(spec.name)} was removed during the run; run again")
    shown = {labels.BUILD_HASH: spec.build_hash} if spec.build_hash else {}
    written = evolve(record, flags=spec.flags, schema=labels.LABELS_SCHEMA)
    if record.schema != written.schema and spec.inputs.upstream:
        inputs = relabelled_inputs(spec.inputs, record)
        written = evolve(written, key=key(inputs), inputs=encode_inputs(inputs))
    ours = {**dict(public.labels), **labels.write(written), **shown}
    image_id, tags = relabel(spec.name, observed, engine, public, ours)
    return Outcome(image=spec.name, result="relabelled", image_id=image_id, labels=ours, tags=tags)


def upstream_triggers(spec: ImageSpec, engine: ImageEngine) -> tuple[Triggers, ...]:
    """Return the ONBUILD triggers of a base's upstream images, as its label is to remember them."""
    details = [(reference, engine.inspect(reference)) for reference, _ in spec.inputs.upstream]
    return rememberable(
        tuple(
            Triggers(reference=redact(reference), image=short_digest(detail.id), steps=detail.onbuild)
            for reference, detail in details
            if detail is not None and detail.onbuild
        )
    )


def passed_on(spec: ImageSpec, observed: Observed, engine: ImageEngine) -> str:
    """Return the ONBUILD steps by which a named image hands the index variables of its base on to its children.

    A build gets them from its parent, and an engine leaves them out of what comes of it.
    """
    detail = (
        engine.inspect(observed.public_tag(spec.parent)) if spec.parent and spec.kind == "named" else None
    )
    triggers = detail.onbuild if detail else ()
    return "".join(f"ONBUILD {each}\n" for each in triggers if each.upper().startswith("ARG "))


def _ensure_in_place(
    spec: ImageSpec, described: Description, observed: Observed, engine: ImageEngine, image_id: str = ""
) -> None:
    """Raise ReplacedError where a tag that an image is built on names another image than its labels do."""
    for reference, known in described.built_on.items():
        found = engine.inspect(reference)
        same = found is not None and found.id == known
        if found and image_id and spec.parent:
            made = engine.inspect(image_id)
            same = same and made is not None and made.layers[: len(found.layers)] == found.layers
        if not same:
            raise ReplacedError(
                f"{reference} was replaced while {observed.public_tag(spec.name)} was being built on it; run again"
            )


def _tidy(spec: ImageSpec) -> str:
    """Return the step behind the packages of a runtime that needs one; clients' own images do without."""
    step = RUNTIMES[spec.runtime].tidy if spec.inputs.packages else ""
    return f"{step}\n" if step else ""
