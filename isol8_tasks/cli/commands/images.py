"""What the commands that look into images share."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.selection import is_pattern
from isol8_tasks.cli.tasks import session
from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.plan.model import ImageSpec, task_of
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View


class ImagesCommand(OwnCommand):
    """A command about the images that are named, or all that deps.toml and the flags ask for."""

    doc_usage = "[NAME ...] (as python, python-custom)"
    cmd_options: tuple[Mapping[str, Any], ...] = (JSON_FLAG,)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Find the images, and do what the command is for."""
        current = session()
        try:
            return self.show(current, _chosen(current, args), params)
        finally:
            current.close()

    def show(
        self, current: Session, images: Sequence[tuple[ImageSpec, ObservedImage]], params: Mapping[str, Any]
    ) -> int:
        """Do what the command is for, and return the exit code."""
        raise NotImplementedError


def _chosen(current: Session, words: Sequence[str]) -> tuple[tuple[ImageSpec, ObservedImage], ...]:
    """Return the images that are meant and are there; an Isol8Error names the first that is not."""
    there = {
        spec.name: (spec, image)
        for spec in current.view.graph.images
        if (image := current.view.observed.public(spec.name)) is not None
    }
    if not there:
        raise Isol8Error(f"there is no image yet; {COMMAND} up builds them")
    names = [name for word in words for name in image_names(current.view, word)] or [*there]
    for name in names:
        if name not in there:
            raise _absent(current, name, there)
    return tuple(there[name] for name in names)


def _absent(current: Session, name: str, there: Iterable[str]) -> Isol8Error:
    image = current.view.public_tag(name)
    for spec in current.view.graph.images:
        if spec.name == name:
            return Isol8Error(f"{image}: not built; {COMMAND} {spec.task} builds it")
    return no_such_image(image, name, there)


def image_name(view: View, word: str) -> str:
    """Return the name of the image that is meant, by its name, tag or task; ConfigError for what is none of these."""
    prefix = f"{view.repository}:"
    kind, colon, rest = word.partition(":")
    if word.startswith(prefix) or not colon:
        return word.removeprefix(prefix)
    name = f"{rest}-custom" if kind == "custom" else rest
    if task_of(name) == word:
        return name
    names = [spec.name for spec in view.graph.images]
    if word in {spec.upstream for spec in view.graph.images}:
        raise ConfigError(
            unknown(f"{word}: an upstream image, and none of {view.repository}", "", names, "there are")
        )
    raise no_such_image(word, rest, names)


def image_names(view: View, word: str) -> list[str]:
    """Return the names of the images that are meant by a word, or by a pattern of names or tasks as `custom:*`."""
    if not is_pattern(word):
        return [image_name(view, word)]
    pattern = word.removeprefix(f"{view.repository}:")
    specs = view.graph.images
    found = [each.name for each in specs if fnmatchcase(each.task if ":" in pattern else each.name, pattern)]
    if not found:
        raise no_such_image(word, word, [each.name for each in specs])
    return found


def no_such_image(image: str, name: str, there: Iterable[str]) -> ConfigError:
    """Return the error about a name that none of the images has, with the one that was probably meant."""
    return ConfigError(unknown(f"{image}: no such image", name, sorted(there), "there are"))


def inventory_of(current: Session, name: str) -> tuple[str, tuple[Package, ...]]:
    """Return Alpine's release and the packages; an Isol8Error tells of an image that was never checked."""
    found = current.view.observed.inventory(name)
    if found is None:
        raise Isol8Error(
            f"{current.view.public_tag(name)}: no inventory; only images that this project built and verified "
            f"have one: {COMMAND} {current.view.graph.image(name).task} --force"
        )
    return found
