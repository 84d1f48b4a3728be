"""One image from decision to promotion: build under a private tag, check, and only then let it take the public one."""

import secrets
from collections.abc import Callable, Mapping
from typing import Literal

from attrs import evolve, frozen

from isol8_tasks.engine import BuildRequest, FileContent, ImageEngine, OnEvent
from isol8_tasks.errors import EngineError
from isol8_tasks.packages import client_label
from isol8_tasks.plan import labels
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.graph import standin_args, upstream_id
from isol8_tasks.plan.labels import Record
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.observed import Observed, ObservedImage, private_repository

Check = Callable[[ImageSpec, str], None]
"""Stands between build and promotion: gets the image and its candidate's tag, and raises to keep the old image."""


@frozen(kw_only=True)
class Origin:
    """Where and when a build is made, for the labels."""

    checkout: str
    revision: str
    """The commit of the checkout; empty where there is none."""
    created: str
    """ISO 8601, UTC."""


@frozen(kw_only=True)
class Outcome:
    """What came of an image's task."""

    image: str
    result: Literal["built", "relabelled"]
    image_id: str
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    """The tags that now point to it."""
    left_out: tuple[str, ...] = ()
    """Packages that the label for isol8's clients can't hold, as they have a comma."""


def no_check(_spec: ImageSpec, _candidate: str) -> None:
    """Accept every candidate."""


def build_image(  # noqa: PLR0913 - all but three are named by the caller
    spec: ImageSpec,
    observed: Observed,
    engine: ImageEngine,
    *,
    origin: Origin,
    context: Mapping[str, FileContent],
    on_event: OnEvent,
    force: bool = False,
    check: Check = no_check,
) -> Outcome:
    """Build, check and promote the image; whatever had its tag stays as `-previous`.

    Until the last step the public tag is as it was, so a failure or a kill anywhere loses nothing.
    """
    candidate = f"{private_repository(observed.repository)}:{spec.name}-candidate"
    record = _record(spec, observed, origin)
    ours = {**labels.write(evolve(record, role="candidate")), **_annotations(spec, observed, origin, record)}
    inherited = _parent_labels(spec, observed)
    engine.build(
        BuildRequest(
            tag=candidate,
            dockerfile=spec.dockerfile,
            target=spec.target,
            context=context if spec.kind == "base" else {},
            args=dict(spec.args),
            labels={**labels.hidden(inherited), **ours},
            no_cache=force,
        ),
        on_event,
    )
    check(spec, candidate)
    return _promote(spec, observed, engine, candidate, {**ours, **labels.write(record)})


def relabel_image(spec: ImageSpec, observed: Observed, engine: ImageEngine) -> Outcome:
    """Let the image under the public tag remember the flags of `spec`, and leave the rest of it as it is."""
    record = observed.record(spec.name)
    public = observed.public(spec.name)
    if record is None or public is None:
        raise EngineError(f"{observed.repository}:{spec.name} went away while it was worked on; run again")
    ours = {**dict(public.labels), **labels.write(evolve(record, flags=spec.flags))}
    marker = f"{private_repository(observed.repository)}:{spec.name}"
    image_id = _child(engine, f"{observed.repository}:{spec.name}", marker, ours)
    tags = _public_tags(spec, observed.repository)
    for tag in reversed(tags):
        engine.tag(marker, tag)
    _drop(engine, public.id)
    return Outcome(image=spec.name, result="relabelled", image_id=image_id, labels=ours, tags=(marker, *tags))


def ensure_upstream(spec: ImageSpec, observed: Observed, engine: ImageEngine) -> bool:
    """Pull the upstream images of a base that are not here, and tell whether there were any."""
    missing = [reference for reference, _ in spec.inputs.upstream if observed.tagged(reference) is None]
    for reference in missing:
        engine.pull(reference)
    return bool(missing)


def _promote(
    spec: ImageSpec, observed: Observed, engine: ImageEngine, candidate: str, ours: Mapping[str, str]
) -> Outcome:
    marker = f"{private_repository(observed.repository)}:{spec.name}"
    dependencies, left_out = client_label(spec.inputs.packages)
    promoted = {
        **ours,
        **labels.for_clients(
            spec.runtime,
            ours[labels.PREFIX + "key"],
            packages=None if spec.kind == "base" else spec.inputs.packages,
            dependencies=dependencies,
            setup=spec.inputs.setup,
        ),
    }
    image_id = _child(engine, candidate, marker, promoted)
    outdated = _keep_previous(spec, observed, engine)
    tags = _public_tags(spec, observed.repository)
    # The plain tag last: with it the promotion is seen as done, and nothing of it may be missing then.
    plain, *aliases = tags
    for tag in aliases:
        engine.tag(marker, tag)
    for tag in _outdated_tags(spec, observed, tags):
        engine.untag(tag)
    engine.tag(marker, plain)
    engine.untag(candidate)
    for old in outdated - {image_id}:
        _drop(engine, old)
    return Outcome(
        image=spec.name,
        result="built",
        image_id=image_id,
        labels=promoted,
        tags=(marker, *tags),
        left_out=left_out,
    )


def _keep_previous(spec: ImageSpec, observed: Observed, engine: ImageEngine) -> set[str]:
    """Let what has the public tag stay as `-previous`, and return the ids that will then have no tag any more."""
    public, previous = f"{observed.repository}:{spec.name}", f"{observed.repository}:{spec.name}-previous"
    old, older = observed.public(spec.name), observed.public(f"{spec.name}-previous")
    if old is None:
        return set()
    outdated = {older.id} - {old.id} if older else set()
    if labels.hidden(old.labels).keys() <= {labels.BUILD_HASH}:
        # No client picks it by its labels, so the image can stay as it is.
        engine.tag(public, previous)
        return outdated
    _child(engine, public, previous, labels.previous(old.labels))
    return outdated | {old.id}


def _child(engine: ImageEngine, parent: str, tag: str, new_labels: Mapping[str, str]) -> str:
    """Make an image that differs from its parent by labels alone.

    Its ONBUILD triggers are said again: a build takes them off, and the index variables of a company reach the
    children of a base by them.
    """
    detail = engine.inspect(parent)
    if detail is None:
        raise EngineError(f"{parent} went away while it was worked on; run again")
    triggers = "".join(f"ONBUILD {trigger}\n" for trigger in detail.onbuild)
    request = BuildRequest(tag=tag, dockerfile=f"FROM {parent}\n{triggers}", labels=new_labels)
    return engine.build(request, lambda _event: None)


def _public_tags(spec: ImageSpec, repository: str) -> tuple[str, ...]:
    tags: tuple[str, ...] = (f"{repository}:{spec.name}",)
    if spec.kind == "custom":
        suffix = labels.client_tag_suffix(spec.runtime, spec.inputs.packages, spec.inputs.setup)
        tags = (*tags, f"{repository}:{spec.name}-{suffix}")
    return tags


def _outdated_tags(spec: ImageSpec, observed: Observed, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hash tags by which clients would still find what this image was before."""
    if spec.kind == "base":
        return ()
    prefix = f"{observed.repository}:{spec.name}-"
    return tuple(
        tag
        for image in observed.images
        for tag in image.tags
        if tag.startswith(prefix)
        and tag not in tags
        and _is_client_suffix(tag.removeprefix(prefix))
        and (record := labels.read(image.labels)) is not None
        and record.image == spec.name
    )


def _is_client_suffix(text: str) -> bool:
    return len(text) == 12 and all(digit in "0123456789abcdef" for digit in text)  # noqa: PLR2004 - the clients' length


def _drop(engine: ImageEngine, image_id: str) -> None:
    """Remove an image that no tag names any more; where a container still uses it, it stays."""
    try:
        detail = engine.inspect(image_id)
        # An id with a single tag would lose that one, and it may be somebody's own.
        if detail is not None and not detail.tags:
            engine.untag(image_id)
    except EngineError:
        return


def _record(spec: ImageSpec, observed: Observed, origin: Origin) -> Record:
    inputs = evolve(
        spec.inputs,
        upstream=tuple((name, upstream_id(observed, name)) for name, _ in spec.inputs.upstream),
    )
    parent = observed.record(spec.parent) if spec.parent else None
    upstream, digest, standin = _upstream(spec, observed, parent)
    wanted = standin_args((reference for reference, _ in spec.inputs.upstream), observed)
    return Record(
        image=spec.name,
        role="current",
        key=key(inputs),
        inputs=encode_inputs(inputs),
        build=secrets.token_hex(8),
        parent=parent.build if parent else "",
        checkout=origin.checkout,
        standin=standin,
        standin_args=tuple(sorted((wanted or {}).items())),
        upstream=upstream,
        upstream_digest=digest,
        flags=spec.flags,
        packages=spec.inputs.packages,
        recipe=spec.inputs.recipe,
    )


def _upstream(spec: ImageSpec, observed: Observed, parent: Record | None) -> tuple[str, str, str]:
    """Return reference, digest and stand-in hash of the upstream image that an image stands on."""
    if parent is not None:
        return parent.upstream, parent.upstream_digest, parent.standin
    for reference, _ in spec.inputs.upstream:
        image = observed.tagged(reference)
        if image is not None:
            return reference, _digest(reference, image), image.labels.get(labels.STANDIN, "")
    return "", "", ""


def _digest(reference: str, image: ObservedImage) -> str:
    """Return the digest in the repository that the reference names; an image may have been pulled from several."""
    repository = reference.rpartition(":")[0] or reference
    for each in image.digests:
        name, _, digest = each.partition("@")
        if repository.endswith(name):
            return digest
    return ""


def _parent_labels(spec: ImageSpec, observed: Observed) -> Mapping[str, str]:
    parents = [spec.parent] if spec.parent else []
    images = [observed.public(name) for name in parents]
    images += [observed.tagged(reference) for reference, _ in spec.inputs.upstream]
    return {key: value for image in images if image for key, value in image.labels.items()}


def _annotations(spec: ImageSpec, observed: Observed, origin: Origin, record: Record) -> dict[str, str]:
    """Return OCI's own annotations (https://specs.opencontainers.org/image-spec/annotations/)."""
    if spec.parent is not None:
        name, digest = f"{observed.repository}:{spec.parent}", ""
    else:
        name, digest = record.upstream, record.upstream_digest
    return {
        "org.opencontainers.image.created": origin.created,
        "org.opencontainers.image.revision": origin.revision,
        "org.opencontainers.image.base.name": name,
        "org.opencontainers.image.base.digest": digest,
    }
