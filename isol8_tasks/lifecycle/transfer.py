"""Images go to a registry, and come from it: nothing moves there or here before all of it is in place."""

import datetime as dt
import time
from collections.abc import Callable, Collection
from typing import Final, TypeVar

from attrs import frozen

from isol8_tasks.engine import ObservedImage, OnBytes
from isol8_tasks.engine.registry import RegistryEngine, is_refusal
from isol8_tasks.errors import (
    COMMAND,
    NotInRegistryError,
    RegistryError,
    ReplacedError,
    SourceUnavailableError,
)
from isol8_tasks.images.labels import LAYERS, Record, read_record
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.pushed import (
    Listed,
    Pushed,
    immutable_tags,
    is_same_build,
    key_tag,
    mark,
    mismatches,
    place_of,
)
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.promotion import adopt, ensure_in_place, has_layers

_T = TypeVar("_T")

PAUSES: Final = (1.0, 4.0)
"""Seconds before another try; the engine itself has tried again by then what it could."""


_SKEW: Final = dt.timedelta(hours=1)
"""By how much clocks of machines may differ."""


@frozen(kw_only=True)
class Push:
    """One image on its way to a repository."""

    name: str
    image: ObservedImage
    record: Record
    public: str
    """The tag that it has here."""
    mark: str
    """The tag that tells of it while it is under way."""
    repository: str
    moves_back: bool = False
    """It takes its name there even from a newer build, as it was rolled back to."""
    too_old: dt.datetime | None = None
    """What was built before is built again for its age, so its labels there are not left as they are."""
    on_bytes: OnBytes | None = None
    """Hears how far it is."""

    @classmethod
    def of(
        cls,
        name: str,
        observed: Observed,
        repository: str,
        *,
        moves_back: bool = False,
        too_old: dt.datetime | None = None,
    ) -> "Push":
        """Return the push of the image that is in use under that name, and has to be ours."""
        image, record = observed.public(name), observed.record(name)
        if image is None or record is None:
            raise RegistryError(f"{observed.public_tag(name)} was removed during the run; run again")
        return cls(
            name=name,
            image=image,
            record=record,
            public=observed.public_tag(name),
            mark=mark(observed.repository, name),
            repository=repository,
            moves_back=moves_back,
            too_old=too_old,
        )


def push_image(
    work: Push,
    engine: RegistryEngine,
    known: Pushed | None = None,
    overtaken: Callable[[], bool] = lambda: False,
) -> tuple[Pushed, bool]:
    """Bring an image under its immutable tag and then under its name; tell where it is, and whether it was not there.

    If its build is there under its name, with labels of older inputs, that stays, and so does the digest that others
    follow: only the new labels are sent, under the tag of the new key.

    `known` is where the image was found to be before; without it nobody has asked yet. RegistryError says that it could
    not be done after several tries: the name in the registry then is as it was. ReplacedError says the same where
    another machine has `overtaken` this one before a tag moves.
    """
    try:
        return _patiently(lambda: _push(work, engine, known, overtaken))
    except RegistryError as error:
        raise RegistryError(
            f"{work.public} could not be pushed: {error}\n"
            f"It is still in use on this engine. {_advice(error)}, and run again: {COMMAND} push"
        ) from error


def pull_image(
    listed: Listed,
    observed: Observed,
    engine: RegistryEngine,
    accept: Callable[[str], object] | None = None,
    on_bytes: OnBytes | None = None,
) -> ObservedImage | None:
    """Let the image that a manifest lists be the one of its name here, as if it had been promoted here.

    Returns what was pulled, None where that was in use already. RegistryError says what is wrong with it, and so may
    `accept`, which gets its id; what is in use then stays.
    """
    public, pushed = observed.public_tag(listed.name), listed.pushed
    current, record = observed.public(listed.name), observed.record(listed.name)
    if current is not None and record is not None and current.id == listed.id:
        return None
    if not listed.key:
        raise RegistryError(
            f"{public} was not built by this project on the machine that wrote the manifest, so it was not pushed\n"
            f"Build it and push it there: {COMMAND} up, then {COMMAND} push"
        )
    if pushed is None:
        raise RegistryError(
            f"{public} has no registry digest in this manifest\nPush it on the machine that wrote the "
            f"manifest: {COMMAND} push"
        )
    if listed.standin and record is not None and not record.standin:
        raise RegistryError(
            f"{public} is based on a stand-in of the lab in this manifest, and on a real upstream image "
            "here, so it is kept\n"
            f"To replace it anyway, remove it first: {COMMAND} clean"
        )
    by_digest = pushed.by_digest
    image = _patiently(lambda: engine.fetch(pushed.repository, pushed.digest, on_bytes))
    try:
        if found := mismatches(listed, image):
            raise RegistryError(f"{by_digest} is not {public}: {'; '.join(found)}")
        if not has_layers(engine, image.id, image.labels.get(LAYERS, "")):
            raise RegistryError(
                f"{by_digest} is not {public}: its layers are not those that its labels record"
            )
        if current is not None and record is not None and current.id == image.id:
            return None
        if accept:
            accept(image.id)
        adopt(listed.name, observed, engine, image)
    finally:
        # Nothing may have it for a name that no later run takes away again.
        engine.untag(by_digest)
    return image


def forget_strays(repositories: Collection[str], observed: Observed, engine: RegistryEngine) -> None:
    """Take names by digest in these repositories from our images, as a pull that was cut off leaves them.

    Some stores count them as tags, and clients would go on to find by them what is out of use.
    """
    for image in observed.images:
        # Where ids are digests, every tag makes a digest in its repository, which is no name of its own.
        digests = [each for each in image.digests if not each.endswith(f"@{image.id}")]
        for name in dict.fromkeys((*image.tags, *digests)):
            reference = Reference.parse(name)
            if reference.digest and reference.repository in repositories and observed.read(image) is not None:
                engine.untag(name)


def _push(
    work: Push, engine: RegistryEngine, known: Pushed | None, overtaken: Callable[[], bool]
) -> tuple[Pushed, bool]:
    if (
        known is not None
        and _digest_there(engine, str(Reference(work.repository, work.name))) == known.digest
    ):
        return known, False
    try:
        if known is None and (stays := _in_use_there(work, engine)):
            _push_labels(work, engine)
            return stays, False
        tag, digest = _push_immutable(work, engine, known)
        # Sending layers takes its time.
        if overtaken():
            raise ReplacedError(f"another machine pushed {work.public} first; run again")
        for name in (key_tag(work.name, work.record.key), work.name):
            _push_moving(work, engine, name, digest)
    finally:
        engine.untag(work.mark)
    return Pushed(repository=work.repository, tag=tag, digest=digest), True


def _in_use_there(work: Push, engine: RegistryEngine) -> Pushed | None:
    """Return where an image is that has its name in the registry, maybe with the labels of older inputs."""
    there = None if work.moves_back else _there(work, engine, work.name)
    if there is None or not is_same_build(there.labels, work.image.labels):
        return None
    found = Pushed(repository=work.repository, tag=work.name, digest=there.digests[0].partition("@")[2])
    return place_of(
        there, found, work.record.key, lambda tag: _digest_there(engine, str(Reference(work.repository, tag)))
    )


def _push_labels(work: Push, engine: RegistryEngine) -> None:
    """Let the tag of its inputs have the labels that the image has here, unless it has them or newer ones."""
    tag = key_tag(work.name, work.record.key)
    there = _there(work, engine, tag)
    if there is None or not _says_the_same(work, there):
        _push_as(work, engine, str(Reference(work.repository, tag)))


def _says_the_same(work: Push, there: ObservedImage) -> bool:
    """Tell whether labels in the registry say of an image what is true here, and not that it is too old."""
    record = read_record(there.labels)
    return (
        record is not None
        and is_same_build(there.labels, work.image.labels)
        and (record.schema, record.flags) == (work.record.schema, work.record.flags)
        and (work.too_old is None or there.built > work.too_old or there.built >= work.image.built)
    )


def _push_moving(work: Push, engine: RegistryEngine, tag: str, digest: str) -> None:
    """Let a tag of the registry point to what was pushed there under that digest, unless that would set it back."""
    reference = str(Reference(work.repository, tag))
    there = _digest_there(engine, reference)
    if there == digest or (there and _stays(work, engine, tag)):
        return
    if (now := _push_as(work, engine, reference)) != digest:
        raise RegistryError(
            f"the registry has one image under two digests: {now} as {reference}, "
            f"{digest} as its tag that never moves"
        )


def _stays(work: Push, engine: RegistryEngine, tag: str) -> bool:
    """Tell whether a tag stays: another machine has pushed a newer build, or the same one, whose rebuild came to it.

    A registry moves no tag on a condition, so of two machines that both look first and then move it, the later one wins
    all the same.
    """
    there = None if work.moves_back else _there(work, engine, tag)
    if there is None or read_record(there.labels) is None:
        return False
    # What says to be of the future was built by a wrong clock, and would stay until then.
    is_newer = work.image.built < there.built <= dt.datetime.now(dt.UTC) + _SKEW
    return is_newer or (tag == work.name and is_same_build(there.labels, work.image.labels))


def _there(work: Push, engine: RegistryEngine, tag: str) -> ObservedImage | None:
    """Return the image that a tag has in the registry; None where nobody may look."""
    try:
        found = engine.remote_images(work.repository, [tag]).get(tag)
    except SourceUnavailableError:
        return None
    return found.image if found else None


def _push_immutable(work: Push, engine: RegistryEngine, known: Pushed | None) -> tuple[str, str]:
    """Push under the first tag that no other image has; return tag and digest."""
    for tag in immutable_tags(work.image, work.record):
        reference = str(Reference(work.repository, tag))
        there = _digest_there(engine, reference)
        if not there:
            return tag, _push_as(work, engine, reference)
        if (known is not None and there == known.digest) or _is(work, there, engine):
            return tag, there
    raise AssertionError  # the tags have no end


def _is(work: Push, digest: str, engine: RegistryEngine) -> bool:
    """Tell whether what has a digest there is the image, without sending or getting any of its layers."""
    if work.image.id == digest or engine.info().store.startswith("containerd"):
        return work.image.id == digest
    found = _there(work, engine, digest)
    return found is not None and found.id.removeprefix("sha256:") == work.image.id.removeprefix("sha256:")


def _push_as(work: Push, engine: RegistryEngine, reference: str) -> str:
    if reference == work.public:
        return _push_exactly(work, engine, reference)
    before = engine.inspect(reference)
    # An engine pushes what has a tag of the registry, by which clients would find the image when it is out of use.
    engine.tag(work.image.id, work.mark)
    engine.tag(work.image.id, reference)
    try:
        return _push_exactly(work, engine, reference)
    finally:
        if before is None:
            engine.untag(reference)
        else:
            engine.tag(before.id, reference)


def _push_exactly(work: Push, engine: RegistryEngine, reference: str) -> str:
    """Push a tag and return its digest; RegistryError where it was not the image's all the time."""
    expected = {reference: work.image.id}
    try:
        ensure_in_place(engine, expected)
        digest = engine.push(reference, work.on_bytes)
        ensure_in_place(engine, expected)
    except ReplacedError as error:
        raise RegistryError(str(error), lasting=True) from error
    return digest


def _digest_there(engine: RegistryEngine, reference: str) -> str:
    """Return the digest that a reference has in its registry; empty where it has none, or nobody may ask."""
    try:
        return engine.remote_digest(reference)
    except NotInRegistryError:
        return ""
    except SourceUnavailableError as error:
        # Some registries say so of every repository that is not there yet; what may not be done a push will tell.
        if is_refusal(str(error)):
            return ""
        raise RegistryError(str(error)) from error


def _patiently(work: Callable[[], _T]) -> _T:
    """Return what comes of it, trying again after a while where that may help."""
    for pause in PAUSES:
        try:
            return work()
        except RegistryError as error:
            if error.lasting:
                raise
            time.sleep(pause)
    return work()


def _advice(error: RegistryError) -> str:
    return "Check docker login" if error.lasting else "Check that the registry answers"
