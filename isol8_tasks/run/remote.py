"""What the registry of deps.toml has of the images of a run."""

import contextlib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from attrs import define, field

from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.images.pushed import Pushed, is_same_build, key_tag, place_of
from isol8_tasks.plan.current import effective_inputs
from isol8_tasks.plan.fingerprint import key
from isol8_tasks.plan.model import ImageSpec

if TYPE_CHECKING:
    from isol8_tasks.engine.registry import RegistryEngine


@define(eq=False)
class RemoteImages:
    """The images that a registry has for those of a run, by the name of each: what is asked is remembered."""

    repository: str
    engine: "RegistryEngine"
    found: dict[str, list[ObservedImage]] = field(factory=dict, init=False)
    """Of what others have in use first, and of that what was written last."""
    _asked: set[str] = field(factory=set, init=False)
    _in_use: dict[str, ObservedImage] = field(factory=dict, init=False)
    """What has the tag of each name."""
    _tags: dict[tuple[str, ...], str] = field(factory=dict, init=False)
    """By which tag each image was found first, by its digest."""
    _refused: set[tuple[str, ...]] = field(factory=set, init=False)
    """Of what could not be pulled, the digests."""
    problem: str = field(default="", init=False)
    """Why the registry could not be asked; nothing in it then counts."""
    unreadable: dict[str, str] = field(factory=dict, init=False)
    """Why what some tags have does not count, by the tag."""

    def ask(self, names: Iterable[str]) -> None:
        """Find what is in use: the images under the tags of these names."""
        self._add({name: name for name in names})

    def ask_by_key(self, specs: Collection[ImageSpec]) -> None:
        """Find what was built from the inputs of these images, whatever is in use."""
        wanted = {}
        for spec in specs:
            known = [
                record for image in self.found.get(spec.name, ()) if (record := read_record(image.labels))
            ]
            inputs = effective_inputs(spec.inputs, known[0]) if known else spec.inputs
            # Without an upstream image, or one that knows it, nobody knows the key of a base.
            if all(short for _, short in inputs.upstream):
                wanted[key_tag(spec.name, key(inputs))] = spec.name
        self._add(wanted)

    def image(self, name: str, pulled_by: str) -> ObservedImage:
        """Return the image that a decision to pull names, by its digest."""
        return next(each for each in self.found[name] if pulled_by in each.digests)

    def refuse(self, name: str, pulled_by: str, why: str) -> None:
        """Let an image count no more, as it can't be pulled."""
        image = self.image(name, pulled_by)
        self.found[name].remove(image)
        self._refused.add(image.digests)
        self.unreadable[self._tags[image.digests]] = why

    def place_of(self, name: str, pulled_by: str) -> tuple[ObservedImage, Pushed]:
        """Return an image, and where it stays to be found.

        That is what the name has, where a rebuild with the same result came to that: others follow its digest.
        """
        image = self.image(name, pulled_by)
        record, in_use = read_record(image.labels), self._in_use.get(name)
        stays = in_use if in_use and is_same_build(in_use.labels, image.labels) else image
        found = Pushed(
            repository=self.repository,
            tag=self._tags[stays.digests],
            digest=stays.digests[0].partition("@")[2],
        )
        return image, place_of(stays, found, record.key if record else "", self._digest)

    def _digest(self, tag: str) -> str:
        """Return the digest of a tag; empty where it has none, or that can't be found out."""
        with contextlib.suppress(SourceUnavailableError):
            found = self.engine.remote_images(self.repository, [tag]).get(tag)
            return found.digest if found else ""
        return ""

    def _add(self, names_by_tag: dict[str, str]) -> None:
        new = [tag for tag in names_by_tag if tag not in self._asked]
        if self.problem or not new:
            return
        self._asked.update(new)
        try:
            found = self.engine.remote_images(self.repository, new)
        except SourceUnavailableError as error:
            self.problem, self.found = str(error), {}
            return
        for tag, remote in found.items():
            if remote.problem:
                self.unreadable[tag] = remote.problem
            else:
                self.add(names_by_tag[tag], tag, remote.image)

    def add(self, name: str, tag: str, image: ObservedImage) -> bool:
        """Let an image count that a tag has for a name; tell whether it does, and was not refused before."""
        if image.digests in self._refused:
            return False
        if tag == name:
            self._in_use[name] = image
        if image.digests in self._tags:
            return True
        self._tags[image.digests] = tag
        known = self.found.setdefault(name, [])
        if known and is_same_build(known[0].labels, image.labels) and image.built >= known[0].built:
            # What a rebuild with the same result left: of one build, what was written last is true.
            known.insert(0, image)
        else:
            known.append(image)
        return True
