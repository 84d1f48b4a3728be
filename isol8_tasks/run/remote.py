"""What the registry of deps.toml has of the images of a run."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from attrs import define, field

from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.images.pushed import Pushed, immutable_tags, key_tag
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
    """Under the tag of its name first, which is what others have in use."""
    _asked: set[str] = field(factory=set, init=False)
    problem: str = field(default="", init=False)
    """Why the registry could not be asked; nothing in it then counts."""

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

    def place_of(self, name: str, pulled_by: str) -> tuple[ObservedImage, Pushed]:
        """Return an image, and where it stays to be found: its tag that never moves, or its name if there is none."""
        digest = pulled_by.partition("@")[2]
        image = self.image(name, pulled_by)
        record = read_record(image.labels)
        tag = name
        for each in immutable_tags(image, record) if record else ():
            found = self.engine.remote_images(self.repository, [each]).get(each)
            if found is None or found.digest == digest:
                tag = each if found else name
                break
        return image, Pushed(repository=self.repository, tag=tag, digest=digest)

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
            known = self.found.setdefault(names_by_tag[tag], [])
            if all(remote.image.digests != each.digests for each in known):
                known.append(remote.image)
