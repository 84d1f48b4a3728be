"""Which tags an image has, and how it gets or loses them: every step leaves what clients find whole."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from isol8_tasks.engine import BuildRequest, ImageEngine
from isol8_tasks.errors import EngineError
from isol8_tasks.plan import labels
from isol8_tasks.plan.holds import hold_tags
from isol8_tasks.plan.observed import Observed, ObservedImage, private_repository

_CUSTOM: Final = "-custom"
_SUFFIX_DIGITS: Final = 12
"""As isol8's clients have it."""


def promote(
    name: str, observed: Observed, engine: ImageEngine, candidate: str, promoted: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Let the image under the tag `candidate` be the one of that name; return its id and the tags that it got.

    `promoted` are all of its labels, those for isol8's clients among them. What had the public tag stays as
    `-previous`.
    """
    marker = marker_tag(name, observed.repository)
    image_id = child(engine, candidate, marker, promoted)
    outdated = _keep_previous(name, observed, engine)
    tags = client_tags(observed.repository, name, promoted)
    switch(name, observed, engine, marker, tags)
    engine.untag(candidate)
    drop(engine, outdated - {image_id})
    return image_id, (marker, *tags)


def adopt(name: str, observed: Observed, engine: ImageEngine, image: ObservedImage) -> None:
    """Let an image that was promoted on another engine be the one of that name here, just as it is."""
    marker = marker_tag(name, observed.repository)
    engine.tag(image.id, marker)
    current = observed.public(name)
    outdated = set() if current and current.id == image.id else _keep_previous(name, observed, engine)
    switch(name, observed, engine, marker, client_tags(observed.repository, name, image.labels))
    drop(engine, outdated - {image.id})


def reject(name: str, observed: Observed, engine: ImageEngine, candidate: str) -> None:
    """Keep a candidate for a look, instead of the last that was; no label of it is one that a client picks it by."""
    rejected = f"{observed.repository}:{name}-rejected"
    older = observed.tagged(rejected)
    engine.tag(candidate, rejected)
    engine.untag(candidate)
    drop(engine, [older.id] if older else [])


def switch(name: str, observed: Observed, engine: ImageEngine, source: str, tags: tuple[str, ...]) -> None:
    """Give the image under the tag `source` all tags that clients find it by, and take what is outdated away."""
    # The plain tag last: with it the promotion is seen as done, and nothing of it may be missing then.
    plain, *aliases = tags
    for tag in aliases:
        engine.tag(source, tag)
    for tag in _outdated_tags(name, observed, tags):
        engine.untag(tag)
    engine.tag(source, plain)
    # A hold that was in effect would have kept the image from being built; clients would still find it by this tag.
    for hold in hold_tags(observed).get(name, ()):
        if hold.tag != source:
            engine.untag(hold.tag)


def keep_as_previous(name: str, image: ObservedImage, repository: str, engine: ImageEngine) -> bool:
    """Let the image under the public tag be `-previous` too; tell whether that is a copy, which no client picks."""
    public, previous = f"{repository}:{name}", f"{repository}:{name}-previous"
    if can_stay_as_it_is(image):
        engine.tag(public, previous)
        return False
    child(engine, public, previous, labels.previous(image.labels))
    return True


def can_stay_as_it_is(image: ObservedImage) -> bool:
    """Tell whether no client picks an image by its labels, in use or out of it."""
    record = labels.read(image.labels)
    return not labels.hidden(image.labels) and not (record and record.clients)


def child(engine: ImageEngine, parent: str, tag: str, new_labels: Mapping[str, str]) -> str:
    """Make an image that differs from its parent by labels alone, and return its id.

    Its ONBUILD triggers are said again: a build takes them off, and the index variables of a company reach the
    children of a base by them.
    """
    detail = engine.inspect(parent)
    if detail is None:
        raise EngineError(f"{parent} went away while it was worked on; run again")
    fingerprint = labels.layers_fingerprint(detail.layers, engine.steps(parent), detail.onbuild)
    triggers = "".join(f"ONBUILD {trigger}\n" for trigger in detail.onbuild)
    request = BuildRequest(
        tag=tag,
        dockerfile=f"FROM {parent}\n{triggers}",
        labels={**new_labels, labels.LAYERS: fingerprint},
    )
    return engine.build(request, lambda _event: None)


def drop(engine: ImageEngine, image_ids: Iterable[str]) -> None:
    """Remove images that no tag names any more; where a container still uses one, it stays."""
    for image_id in image_ids:
        try:
            detail = engine.inspect(image_id)
            # An id with a single tag would lose that one, and it may be somebody's own.
            if detail is not None and not detail.tags:
                engine.untag(image_id)
        except EngineError:
            continue


def marker_tag(name: str, repository: str) -> str:
    """Return the tag of what was promoted last as that name."""
    return f"{private_repository(repository)}:{name}"


def client_tags(repository: str, name: str, image_labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the public tags of an image with these labels, the plain one first."""
    plain = f"{repository}:{name}"
    digits = image_labels.get(labels.DEPENDENCY_HASH, "")[:_SUFFIX_DIGITS]
    return (plain, f"{plain}-{digits}") if name.endswith(_CUSTOM) and digits else (plain,)


def is_tag_of(tag: str, name: str, repository: str) -> bool:
    """Tell whether a tag is one that the image of that name gets here, in use or out of it."""
    private = f"{private_repository(repository)}:"
    if tag.startswith(private):
        return tag.removeprefix(private) in {name, f"{name}-candidate"}
    plain = f"{repository}:{name}"
    if not tag.startswith(plain):
        return False
    rest = tag.removeprefix(plain)
    return (
        rest in {"", "-previous", "-rejected"}
        or rest.startswith("-held-")
        or (name.endswith(_CUSTOM) and rest.startswith("-") and _is_client_suffix(rest[1:]))
    )


def _keep_previous(name: str, observed: Observed, engine: ImageEngine) -> set[str]:
    """Let what has the public tag stay as `-previous`, and return the ids that will then have no tag any more."""
    old, older = observed.public(name), observed.public(f"{name}-previous")
    if old is None:
        return set()
    outdated = {older.id} - {old.id} if older else set()
    return outdated | {old.id} if keep_as_previous(name, old, observed.repository, engine) else outdated


def _outdated_tags(name: str, observed: Observed, tags: Collection[str]) -> tuple[str, ...]:
    """Return the hash tags by which clients would still find what this image was before."""
    if not name.endswith(_CUSTOM):
        return ()
    prefix = f"{observed.repository}:{name}-"
    return tuple(
        tag
        for image in observed.images
        for tag in image.tags
        if tag.startswith(prefix)
        and tag not in tags
        and _is_client_suffix(tag.removeprefix(prefix))
        and (record := observed.read(image)) is not None
        and record.image == name
    )


def _is_client_suffix(text: str) -> bool:
    return len(text) == _SUFFIX_DIGITS and all(digit in "0123456789abcdef" for digit in text)
