"""Which tags an image has, and how it gets or loses them: every step leaves what clients find whole.

An image is named by its id throughout, since another run may move any tag that two runs know.
"""

import contextlib
import datetime as dt
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from isol8_tasks.engine import BuildRequest, ImageEngine
from isol8_tasks.errors import EngineError, ReplacedError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.images.candidates import candidate_tag
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.images.labels import layers_fingerprint
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag, private_repository
from isol8_tasks.images.references import Reference

_CUSTOM: Final = "-custom"
_SUFFIX_DIGITS: Final = 12
"""As isol8's clients have it."""


@contextlib.contextmanager
def private_tag(engine: ImageEngine, repository: str, name: str) -> Iterator[str]:
    """Give a tag that no other run uses, and remove it at the end."""
    tag = candidate_tag(repository, name, secrets.token_hex(8), dt.datetime.now(dt.UTC))
    try:
        yield tag
    finally:
        _forget(engine, tag)


@contextlib.contextmanager
def kept_candidate(engine: ImageEngine, repository: str, name: str, build: str) -> Iterator[str]:
    """Give the tag of a build; it stays, for another run to go on with, where the way to promotion was cut off."""
    tag = candidate_tag(repository, name, build, dt.datetime.now(dt.UTC))
    try:
        yield tag
    except (ReplacedError, VerifyFailedError):
        _forget(engine, tag)
        raise
    _forget(engine, tag)


def _forget(engine: ImageEngine, tag: str) -> None:
    # What went wrong before is what is told.
    with contextlib.suppress(EngineError):
        engine.untag(tag)


def promote(  # noqa: PLR0913 - all of them say what is promoted
    name: str,
    observed: Observed,
    engine: ImageEngine,
    *,
    candidate: str,
    verified: str,
    promoted: Mapping[str, str],
    labelled: Callable[[Mapping[str, str]], str] = lambda _wanted: "",
) -> tuple[str, tuple[str, ...]]:
    """Let the image of the id `verified` be the one of that name; return its new id and the tags that it got.

    `promoted` are all of its labels, those for isol8's clients among them; `candidate` is a tag of it that nobody
    else takes away, and that stays.
    `labelled` returns the id of an image that is made of it with given labels already; empty for none.
    What had the public tag stays as `-previous`. ReplacedError: another run gave the tag to another image.
    """
    marker = marker_tag(name, observed.repository)
    record = {**promoted, labels.LAYERS: layers_of(engine, verified)}
    with private_tag(engine, observed.repository, name) as work:
        image_id = labelled(record) or relabelled(engine, verified, work, record, source=candidate)
        ensure_in_place(engine, tagged_as_seen(name, observed))
        engine.tag(image_id, marker)
    outdated = _keep_previous(name, observed, engine)
    tags = client_tags(observed.repository, name, promoted)
    switch(name, observed, engine, image_id, tags)
    ensure_in_place(engine, {marker: image_id, tags[0]: image_id})
    drop(engine, outdated - {image_id})
    return image_id, (marker, *tags)


def relabel(
    name: str, observed: Observed, engine: ImageEngine, image: ObservedImage, new_labels: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Let the image in use have other labels, and the tags that they give it; return its new id and its tags."""
    marker = marker_tag(name, observed.repository)
    tags = client_tags(observed.repository, name, new_labels)
    with private_tag(engine, observed.repository, name) as work:
        image_id = relabelled(engine, image.id, work, new_labels, source=observed.public_tag(name))
        ensure_in_place(engine, tagged_as_seen(name, observed))
        engine.tag(image_id, marker)
        switch(name, observed, engine, image_id, tags)
    ensure_in_place(engine, {marker: image_id, tags[0]: image_id})
    drop(engine, [image.id])
    return image_id, (marker, *tags)


def adopt(name: str, observed: Observed, engine: ImageEngine, image: ObservedImage) -> None:
    """Let an image that was promoted on another engine be the one of that name here, just as it is."""
    ensure_in_place(engine, tagged_as_seen(name, observed))
    engine.tag(image.id, marker_tag(name, observed.repository))
    current = observed.public(name)
    outdated = set() if current and current.id == image.id else _keep_previous(name, observed, engine)
    switch(name, observed, engine, image.id, client_tags(observed.repository, name, image.labels))
    drop(engine, outdated - {image.id})


def tagged_as_seen(name: str, observed: Observed) -> dict[str, str]:
    """Return which ids the marker and the public tag of an image had when it was decided what becomes of it."""
    seen = {
        observed.public_tag(name): observed.public(name),
        marker_tag(name, observed.repository): observed.marker(name),
    }
    return {tag: image.id if image else "" for tag, image in seen.items()}


def ensure_in_place(engine: ImageEngine, expected: Mapping[str, str]) -> None:
    """Raise ReplacedError where a tag does not name the id that is expected of it; empty for a tag that is not here.

    An engine moves no tag on a condition, so two runs may both pass: each looks again when it is done.
    """
    for tag, image_id in expected.items():
        found = engine.inspect(tag)
        if (found.id if found else "") != image_id:
            raise ReplacedError(
                f"{tag} was {'replaced' if found else 'removed'} by another run or by hand during "
                "this run, and is left untouched; run again"
            )


def reject(name: str, observed: Observed, engine: ImageEngine, image_id: str) -> None:
    """Keep an image for inspection, instead of the last that was; no label of it is one that a client picks it by."""
    rejected = f"{observed.public_tag(name)}-rejected"
    older = observed.tagged(rejected)
    engine.tag(image_id, rejected)
    drop(engine, [older.id] if older else [])


def switch(  # noqa: PLR0913 - as promote
    name: str,
    observed: Observed,
    engine: ImageEngine,
    image_id: str,
    tags: tuple[str, ...],
    *,
    hold: str = "",
) -> None:
    """Give the image of that id all tags that clients find it by, and take what is outdated away.

    `hold` is the tag that holds it there.
    """
    # The plain tag last: with it the promotion is seen as done, and nothing of it may be missing then.
    plain, *aliases = tags
    for tag in aliases:
        engine.tag(image_id, tag)
    for tag in _outdated_tags(name, observed, tags):
        engine.untag(tag)
    engine.tag(image_id, plain)
    # A hold that was in effect would have kept the image from being built; clients would still find it by this tag.
    for each in hold_tags(observed).get(name, ()):
        if each.tag != hold:
            engine.untag(each.tag)


def keep_as_previous(name: str, image: ObservedImage, repository: str, engine: ImageEngine) -> bool:
    """Let the image that has the public tag be `-previous` too; tell whether that is a copy, which no client picks."""
    public, previous = (str(Reference(repository, each)) for each in (name, f"{name}-previous"))
    if can_stay_as_it_is(image):
        engine.tag(image.id, previous)
        return False
    with private_tag(engine, repository, name) as work:
        hidden = labels.previous(image.labels)
        engine.tag(relabelled(engine, image.id, work, hidden, source=public), previous)
    return True


def can_stay_as_it_is(image: ObservedImage) -> bool:
    """Tell whether no client picks an image by its labels, in use or out of it."""
    record = labels.read_record(image.labels)
    return not (labels.hidden(image.labels) or (record and record.clients) or labels.problem(image.labels))


def relabelled(
    engine: ImageEngine, image_id: str, tag: str, new_labels: Mapping[str, str], *, source: str
) -> str:
    """Make an image under `tag` that differs from the one of that id by labels alone, and return its id.

    `source` is a tag of the image, since builders take none by its id; ReplacedError says that it moved.

    Its ONBUILD triggers are said again: a build takes them off, and the index variables of a company reach the
    children of a base by them.
    """
    ensure_in_place(engine, {source: image_id})
    detail = engine.inspect(image_id)
    if detail is None:
        raise EngineError(f"{source} was removed during the run; run again")
    triggers = "".join(f"ONBUILD {trigger}\n" for trigger in detail.onbuild)
    request = BuildRequest(
        tag=tag,
        dockerfile=f"FROM {source}\n{triggers}",
        labels=new_labels,
        only_labels=True,
        # One that goes out of use may be for another platform than images are built for now.
        platform=detail.platform,
    )
    new_id = engine.build(request, lambda _event: None)
    if source != tag:
        ensure_in_place(engine, {source: image_id})
    made = engine.inspect(new_id)
    if made is None or made.layers != detail.layers:
        raise EngineError(
            f"{tag} gained layers when it was labelled, so it is not promoted; "
            "an ONBUILD trigger of docker/Dockerfile other than ONBUILD ARG adds some"
        )
    return new_id


def layers_of(engine: ImageEngine, image_id: str) -> str:
    """Return the label `layers` that is true of an image; empty where its layers are unknown."""
    detail = engine.inspect(image_id)
    return layers_fingerprint(detail.layers, engine.steps(image_id), detail.onbuild) if detail else ""


def has_layers(engine: ImageEngine, image_id: str, recorded: str) -> bool:
    """Tell whether the label `layers` is true of an image; it is not where its layers are unknown."""
    return bool(recorded) and layers_of(engine, image_id) == recorded


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


def client_tags(repository: str, name: str, image_labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the public tags of an image with these labels, the plain one first."""
    plain = str(Reference(repository, name))
    digits = image_labels.get(labels.DEPENDENCY_HASH, "")[:_SUFFIX_DIGITS]
    return (plain, f"{plain}-{digits}") if name.endswith(_CUSTOM) and _is_client_suffix(digits) else (plain,)


def is_tag_of(tag: str, name: str, repository: str) -> bool:
    """Tell whether a tag is one that the image of that name gets here, in use or out of it.

    Not that of a candidate, which belongs to the run that builds it.
    """
    private = f"{private_repository(repository)}:"
    if tag.startswith(private):
        return tag.removeprefix(private) == name
    plain = str(Reference(repository, name))
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
    prefix = f"{observed.public_tag(name)}-"
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
