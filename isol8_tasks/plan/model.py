"""The values that planning is about: the inputs of an image, and the image that they specify."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from attrs import Factory, frozen

from isol8_tasks.dockerfile.inputs import StageInputs
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.images.triggers import Triggers
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.config.secret_list import Secret


@frozen(kw_only=True, eq=False, repr=False)
class ContextFile(ByValue):
    """A file of the build context, by what counts of it: its content and its executable bit."""

    digest: str
    """sha256 of the content, 64 hex digits."""
    executable: bool = False
    problem: str = ""
    """Why nobody knows what is in it; the rest then means nothing."""
    outside: str = ""
    """Where it comes from, for a link that leads out of the context; for people."""


@frozen(kw_only=True, eq=False, repr=False)
class Inputs(ByValue):
    """Everything that decides what comes out of a build, and nothing else."""

    recipe: int
    runtime: str
    stages: tuple[StageInputs, ...] = ()
    """In the order in which they stand upon one another, the target last; empty for all but a base."""
    files: tuple[tuple[str, ContextFile], ...] = ()
    """The context files that the stages copy, by path, sorted; of a custom image the list that has hashes."""
    args: tuple[tuple[str, str], ...] = ()
    """Effective values of the build arguments that the stages use, sorted; none that only say where to fetch."""
    upstream: tuple[tuple[str, str | None], ...] = ()
    """Each upstream image by its FROM reference, with its mark (`ObservedImage.mark`; None: not on this engine). The
    reference is for people, as it says where the image comes from; of the mark the first digits count."""
    packages: tuple[str, ...] = ()
    """What its own step installs; sorted and unique."""
    setup: str = ""
    """The script that isol8's clients run before each execution."""
    system: tuple[str, ...] = ()
    """Alpine packages that it installs before its own; sorted and unique."""
    build: tuple[str, ...] = ()
    """Alpine packages that are there while its own are compiled, and not in the image; sorted and unique."""
    platform: str = ""
    """What it is built for, as `linux/arm64`; empty for the engine's own platform."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that its installers are given; sorted. Those of a base are in its steps."""


@frozen(kw_only=True, eq=False, repr=False)
class ImageSpec(ByValue):
    """An image that should exist."""

    name: str
    """The public tag without the repository: `bun`, `bun-custom`, `ml`."""
    task: str
    """The doit task that builds it: `base:bun`, `custom:bun`, `image:ml`."""
    kind: Literal["base", "custom", "named"]
    runtime: str
    parent: str | None
    """Name of the image of ours that it is built on; None for a base."""
    inputs: Inputs
    dockerfile: str
    """The text that is built."""
    target: str | None
    """The stage to build; None for the last."""
    args: tuple[tuple[str, str], ...] = ()
    """Every build argument that is passed on, those that say where to fetch among them; sorted."""
    upstream: str = ""
    """The upstream image that a base is based on, by its reference; others may be copied from."""
    build_hash: str = ""
    """What isol8's own setup looks for in the label of a base; empty on others. No input: it decides no content."""
    triggers: tuple[Triggers, ...] = ()
    """The ONBUILD triggers of its upstream images, as far as they are known; the inputs have what comes of them."""
    inherited: tuple[str, ...] = ()
    """Packages of the named images that it is based on."""
    inherited_system: tuple[str, ...] = ()
    """Alpine packages of the named images that it is based on."""
    hashes: Mapping[str, tuple[str, ...]] = Factory(dict)
    """Of each package the hashes of its files, one of which it must have; empty where any file will do."""
    secrets: "Mapping[str, Secret]" = Factory(dict)
    """What its build is given that no image keeps, by name."""
    flags: tuple[tuple[str, str], ...] = ()
    """Packages that came from the command line, each with the date (ISO 8601) on which it was asked for."""
    withdrawn: bool = False
    """Its packages came from flags alone, and these were dropped: the image stays, and forgets them."""
    problem: str = ""
    """Why nobody knows what it would be made of; its inputs then mean nothing."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Every package in it, as isol8's clients look for it; sorted and unique."""
        return tuple(sorted({*self.inherited, *self.inputs.packages}))

    @property
    def system(self) -> tuple[str, ...]:
        """Every Alpine package in it that was asked for beside its packages; sorted and unique."""
        return tuple(sorted({*self.inherited_system, *self.inputs.system}))


@frozen(kw_only=True, eq=False, repr=False)
class FlagRequest(ByValue):
    """What the command line asks for, beside deps.toml."""

    packages: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Packages by runtime."""
    only_file: bool = False
    """Drop what earlier flags asked for."""
    only: tuple[str, ...] = ()
    """The runtimes whose images alone this run is about; empty for all."""
    today: str = ""
    """The date (ISO 8601) that newly asked packages are remembered with."""


def task_of(name: str) -> str:
    """Return the task of the image of that name, whether or not anything asks for it: `custom:bun`, `image:ml`."""
    if name in RUNTIMES:
        return f"base:{name}"
    runtime = name.removesuffix("-custom")
    # No named image has -custom in its name.
    return f"image:{name}" if runtime == name else f"custom:{runtime}"
