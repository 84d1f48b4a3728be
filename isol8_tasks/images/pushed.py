"""Which images a manifest says are in a registry, which have yet to go there, and what is one that comes back."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images.labels import BUILD, CLIENTS, Record, read_record
from isol8_tasks.images.observed import Observed, ObservedImage, private_repository
from isol8_tasks.images.references import Reference, tag_of
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.values import ByValue

_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_REPOSITORY: Final = r"[a-zA-Z0-9][a-zA-Z0-9.:_/-]*/[a-z0-9][a-z0-9._/-]*"
_TAG: Final = r"\w[\w.-]{0,127}"
_PLATFORM: Final = r"[a-z0-9]+/[a-z0-9]+"
_KEY_DIGITS: Final = 12
_LONGEST_NAME: Final = 128 - len("-20261125-0123456789ab-999")
_MARK: Final = "-pushing"


@frozen(kw_only=True, eq=False, repr=False)
class Pushed(ByValue):
    """Where an image is in a registry."""

    repository: str
    """With its registry: `registry.example/isol8`."""
    tag: str
    """The one that never moves."""
    digest: str
    """`sha256:…`, of the manifest."""
    key: str = ""
    """Of the image there, where the one here is the same but for a newer key; empty where both have one."""
    others: tuple[tuple[str, str, str], ...] = ()
    """What is for other platforms in the same index: platform, digest and key."""

    @property
    def by_digest(self) -> str:
        """What pulls exactly this image."""
        return str(Reference(self.repository).at(self.digest))


@frozen(kw_only=True, eq=False, repr=False)
class Listed(ByValue):
    """An image as a manifest lists it."""

    name: str
    id: str
    """On the engine that the manifest is of."""
    kind: str
    key: str
    """Empty for an image that something else made."""
    standin: str
    """Recipe hash of the stand-in that it is based on; empty on a real upstream image."""
    pushed: Pushed | None
    """None where it is in no registry."""

    def for_platform(self, platform: str) -> "Listed":
        """Return what an engine of that platform pulls: that of the index, if there is one for it."""
        found = {name: rest for name, *rest in self.pushed.others} if self.pushed else {}
        if self.pushed and platform in found:
            digest, key = found[platform]
            return evolve(self, id="", key=key, pushed=evolve(self.pushed, digest=digest, key="", others=()))
        return self


def read_manifest(text: str, source: str) -> tuple[Listed, ...]:
    """Return the images of a manifest, those before the others that may be based on them.

    Raises:
        ConfigError: it is none, or not one that this version understands.

    """
    try:
        document = loads(text)
        if document["schema"] != 1:
            raise ConfigError(
                f"{source}: expected a manifest of schema 1, found {document['schema']!r}: another version wrote it"
            )
        found = [_listed(entry) for entry in document["images"].values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = (
            f" ({error})"
            if isinstance(error, ValueError)
            else f" (no {error})"
            if isinstance(error, KeyError)
            else ""
        )
        raise ConfigError(
            f"{source}: not a manifest that {COMMAND} resolve wrote{what}; copy resolved-images.json from the "
            "machine that pushed"
        ) from None
    return tuple(sorted(found, key=lambda each: _KINDS.index(each.kind)))


def as_one_manifest(manifests: Mapping[str, Iterable[Listed]]) -> tuple[Listed, ...]:
    """Return the images of several manifests, by the files' names, each image once and in the order of one manifest.

    Raises:
        ConfigError: two of them list different builds of an image, so that the order of files would decide.

    """
    found: dict[str, tuple[str, Listed]] = {}
    for source, listed in manifests.items():
        for each in listed:
            first, known = found.setdefault(each.name, (source, each))
            if known.pushed is None:
                # Which is in no registry, so the other one is all that can be pulled.
                found[each.name] = (source, each)
            elif each.pushed and each.pushed.digest != known.pushed.digest:
                raise ConfigError(
                    f"{source}: expected the image {each.name} of {first} ({known.pushed.digest[:19]}…), found another "
                    f"build of it ({each.pushed.digest[:19]}…); for that of {source} pull one after the other: "
                    f"{COMMAND} pull {first} && {COMMAND} pull {source}"
                )
    return tuple(sorted((each for _, each in found.values()), key=lambda each: _KINDS.index(each.kind)))


def recorded_pushes(text: str | None) -> Mapping[str, tuple[str, Pushed]]:
    """Return which images, by their ids, a manifest knows to be in a registry; nothing of one that can't be read."""
    try:
        images = read_manifest(text or "", "")
    except ConfigError:
        return {}
    return {each.name: (each.id, each.pushed) for each in images if each.pushed}


def pushed_data(pushed: Pushed) -> Mapping[str, Any]:
    """Return what a manifest holds of it."""
    return {
        "repository": pushed.repository,
        "tag": pushed.tag,
        "digest": pushed.digest,
        **({"key": pushed.key} if pushed.key else {}),
        **(
            {"others": {name: {"digest": digest, "key": key} for name, digest, key in pushed.others}}
            if pushed.others
            else {}
        ),
    }


def waiting(
    observed: Observed, known: Mapping[str, tuple[str, Pushed]], repository: str, *, standins: bool
) -> tuple[str, ...]:
    """Return the names of the images in use that are not known to be in that repository, and belong there."""
    return tuple(
        name
        for name in in_use(observed, standins=standins)
        if (found := known.get(name)) is None
        or found[0] != _id(observed, name)
        or found[1].repository != repository
    )


def in_use(observed: Observed, *, standins: bool) -> tuple[str, ...]:
    """Return the names of our images in use, those on a stand-in only where `standins` says so."""
    return tuple(
        name
        for name in observed.promoted
        if (record := observed.record(name)) is not None and (standins or not record.standin)
    )


def immutable_tags(image: ObservedImage, record: Record) -> Iterator[str]:
    """Yield the tag that an image gets once and for all, and what to take where another image has that."""
    tag = f"{record.image[:_LONGEST_NAME]}-{image.built:%Y%m%d}-{record.key[:_KEY_DIGITS]}"
    yield tag
    yield from map(f"{tag}-{{}}".format, itertools.count(2))


def key_tag(name: str, key: str) -> str:
    """Return the tag of the last build of an image from these inputs, by which any branch finds its own."""
    return f"{name[:_LONGEST_NAME]}-{key[:_KEY_DIGITS]}"


def is_same_build(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Tell by their labels whether two images come of one build, and clients find them alike.

    Such are an image in use and what a rebuild with the same result left of it, under a newer key or of a later day.
    """
    return bool(one.get(BUILD)) and all(one.get(label) == other.get(label) for label in (BUILD, *CLIENTS))


def place_of(image: ObservedImage, of: Pushed, key: str, digest_of: Callable[[str], str]) -> Pushed:
    """Return where an image stays to be found that was found in a registry: by its tag that never moves, if it has one.

    `key` is that of the image here, and `digest_of` returns the digest of a tag there, empty for none.
    """
    record = read_record(image.labels)
    if record is None:
        return of
    asked = ((tag, digest_of(tag)) for tag in immutable_tags(image, record))
    tag, there = next(each for each in asked if each[1] in {"", of.digest})
    return evolve(of, tag=tag if there else of.tag, key=record.key if record.key != key else "")


def mark(repository: str, name: str) -> str:
    """Return the private tag that an image has as long as it is being pushed."""
    return f"{private_repository(repository)}:{name}{_MARK}"


def strays(observed: Observed, repository: str) -> tuple[str, ...]:
    """Return the tags that a push which was cut off left on its image, the one that tells of it last."""
    found: list[str] = []
    for image in observed.images:
        # Asked first, since nearly every tag is none of these.
        if not any(tag.endswith(_MARK) for tag in image.tags):
            continue
        record = observed.read(image)
        if record is not None and (marked := mark(observed.repository, record.image)) in image.tags:
            immutable = str(Reference(repository, next(immutable_tags(image, record))))
            found += [
                tag
                for tag in image.tags
                if tag != observed.public_tag(record.image)
                and (tag == str(Reference(repository, record.image)) or tag.startswith(immutable))
            ]
            found.append(marked)
    return tuple(found)


def mismatches(listed: Listed, image: ObservedImage) -> tuple[str, ...]:
    """Say in what an image that was pulled is not the one that the manifest lists."""
    pushed = listed.pushed
    record = read_record(image.labels)
    found = []
    if pushed and pushed.by_digest not in image.digests and image.id != pushed.digest:
        found.append(f"its digest is not {pushed.digest}")
    if record is None:
        return (*found, "it has no labels of this project")
    if record.role != "current":
        found.append(f"it is a {record.role} image, and was never in use")
    for what, there, here in (
        ("image", listed.name, record.image),
        ("key", (pushed and pushed.key) or listed.key, record.key),
        ("stand-in", listed.standin, record.standin),
    ):
        if there != here:
            found.append(f"its {what} is {here or 'none'}, where the manifest says {there or 'none'}")
    return tuple(found)


def _id(observed: Observed, name: str) -> str:
    image = observed.public(name)
    return image.id if image else ""


def _listed(entry: Mapping[str, Any]) -> Listed:
    pushed = entry.get("pushed")
    return Listed(
        name=_matching(_TAG, tag_of(str(entry["reference"]))),
        id=_matching(_DIGEST, entry["id"]),
        kind=_matching("|".join(_KINDS), entry["kind"]),
        key=_matching(r"[0-9a-f]{64}|", entry["key"] or ""),
        standin=_matching(r"\w*", (entry["upstream"] or {}).get("standin") or ""),
        pushed=None
        if pushed is None
        else Pushed(
            repository=_matching(_REPOSITORY, pushed["repository"]),
            tag=_matching(_TAG, pushed["tag"]),
            digest=_matching(_DIGEST, pushed["digest"]),
            key=_matching(r"[0-9a-f]{64}|", pushed.get("key") or ""),
            others=tuple(
                (
                    _matching(_PLATFORM, name),
                    _matching(_DIGEST, other["digest"]),
                    _matching(r"[0-9a-f]{64}", other["key"]),
                )
                for name, other in pushed.get("others", {}).items()
            ),
        ),
    )


def _matching(pattern: str, value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a text that has to match the pattern as a whole."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{value!r} is not valid there")
    return value


_KINDS: Final = ("base", "custom", "named")
