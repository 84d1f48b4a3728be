"""What the registry of deps.toml has of the images of a run."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import Factory, evolve, frozen

from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import Observed, ObservedImage, private_repository
from isol8_tasks.images.pushed import Pushed, immutable_tags
from isol8_tasks.images.references import Reference

if TYPE_CHECKING:
    from isol8_tasks.engine.registry import RegistryEngine


@frozen(kw_only=True)
class Remote:
    """The images of a run that are in the registry."""

    observed: Observed
    """As if they were here: each under its public tag and its private one."""
    digests: Mapping[str, str] = Factory(dict)
    """By name, what each is pulled by."""
    problem: str = ""
    """Why the registry could not be asked; nothing in it then counts."""


def ask_registry(names: Iterable[str], registry: str, engine: "RegistryEngine", repository: str) -> Remote:
    """Ask for images under the tags of their names; `repository` is that of the public tags here."""
    try:
        found = engine.remote_images(registry, names)
    except SourceUnavailableError as error:
        return Remote(observed=Observed(repository=repository), problem=str(error))
    images = tuple(_as_here(repository, name, each.image) for name, each in found.items())
    return Remote(
        observed=Observed(repository=repository, images=images),
        digests={name: each.digest for name, each in found.items()},
    )


def place_of(name: str, image: ObservedImage, digest: str, registry: str, engine: "RegistryEngine") -> Pushed:
    """Return where an image stays to be found: under the tag that never moves, or its name if there is none."""
    record = read_record(image.labels)
    tag = name
    for each in immutable_tags(image, record) if record else ():
        found = engine.remote_images(registry, [each]).get(each)
        if found is None or found.digest == digest:
            tag = each if found else name
            break
    return Pushed(repository=registry, tag=tag, digest=digest)


def _as_here(repository: str, name: str, image: ObservedImage) -> ObservedImage:
    private = str(Reference(private_repository(repository), name))
    return evolve(image, tags=(str(Reference(repository, name)), private))
