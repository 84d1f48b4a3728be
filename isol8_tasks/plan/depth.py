"""How deep images are based on one another, and what an engine runs of that."""

from collections.abc import Iterable, Mapping
from typing import Final

from isol8_tasks.config.deps import Config
from isol8_tasks.config.images import chain
from isol8_tasks.errors import PlanError
from isol8_tasks.plan.model import ImageSpec, Inputs
from isol8_tasks.plan.rendering import layers

MOST_LAYERS: Final = 127
"""Of an image that a container can be made of, with overlay2; one more is built, and fails to start."""
_LAYER: Final = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
"""The instructions that make a layer, whether or not they change a file."""


def check_depth(images: Iterable[ImageSpec], config: Config) -> None:
    """Raise PlanError for every chain of images, parents first, that would have too many layers to run."""
    depths: dict[str, int] = {}
    specs: dict[str, ImageSpec] = {}
    problems = []
    for spec in images:
        specs[spec.name] = spec
        below = depths[spec.parent] if spec.parent else 0
        depths[spec.name] = below + _own_layers(spec)
        # What is based on an image that is too deep is too deep as well, and told with it.
        if spec.kind == "named" and below <= MOST_LAYERS < depths[spec.name]:
            problems.append(
                f"{config.declaration(spec.name)}: images.{spec.name}: {depths[spec.name]} layers at least, but "
                f"an engine runs at most {MOST_LAYERS}: {chain(_line(spec, specs))}; merge the packages "
                "of several images "
                "into one"
            )
    if problems:
        raise PlanError("\n".join(problems))


def _own_layers(spec: ImageSpec) -> int:
    if spec.kind != "base":
        return layers(spec.inputs)
    return _base_layers(spec.inputs)


def _base_layers(inputs: Inputs) -> int:
    """Count the steps that make layers, from the target down to an upstream image, which has one at least."""
    total = 0
    number = len(inputs.stages)
    while number:
        steps = [step.text.partition(" ") for step in inputs.stages[number - 1].steps]
        total += sum(keyword in _LAYER for keyword, _, _ in steps)
        origin = next((words.split()[-1] for keyword, _, words in steps if keyword == "FROM"), "")
        kind, _, place = origin.partition(":")
        total += kind == "upstream"
        number = int(place) if kind == "stage" else 0
    return total


def _line(spec: ImageSpec, specs: Mapping[str, ImageSpec]) -> list[str]:
    names = [spec.name]
    while (parent := specs[names[-1]].parent) is not None:
        names.append(parent)
    return names
