"""Running images: what is asked of an engine that runs one as isol8's clients do, and what comes of it."""

from collections.abc import Mapping
from typing import Protocol

from attrs import Factory, frozen

from isol8_tasks.errors import EngineError


@frozen(kw_only=True)
class RunRequest:
    """One command in a container of its own."""

    image: str
    """A tag or an id."""
    command: tuple[str, ...]
    user: str = "sandbox"
    entrypoint: tuple[str, ...] | None = None
    """None for the image's own."""
    environment: Mapping[str, str] = Factory(dict)
    """Besides the image's own."""
    tmpfs: Mapping[str, str] | None = None
    """Mount options by folder; None for a locked-down container's own."""
    seccomp: str = ""
    """A profile as JSON, in the place of the engine's."""
    capabilities: tuple[str, ...] | None = None
    """Added to the engine's usual ones; None takes those away, too."""
    seconds: float
    """How long it may take, counted from its start; with `clock`, how much CPU time it may use."""
    clock: float = 0
    """How long it may take by the clock, which is for what sleeps; 0 if `seconds` are by the clock."""
    online: bool = False
    """Give it a network and a root file system that can be written to, gone with it: for package tools that ask
    their sources, with `user` root. Whatever it runs may do what a build may do, and no more."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that it finds as files of SECRETS_FOLDER; only if `online`."""
    folders: tuple[str, ...] = ()
    """What to list while it runs, as `modes` does; one that is not there, or not listed in time, is passed over."""


@frozen(kw_only=True)
class Finished:
    """How a command ended, and what it printed."""

    exit: int | None
    """None if it was ended since its time was over."""
    stdout: bytes
    stderr: bytes
    output: bytes
    """Both, as they came. Of each no more than the first 16 MiB is kept."""
    modes: Mapping[str, tuple[tuple[str, int], ...]] = Factory(dict)
    """By folder that was asked for: what lies in it."""


class NotStartedError(EngineError):
    """The engine could not start the container: the image has no such user or command, or is broken otherwise."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """The engine's own words."""


class NoSuchImageError(EngineError):
    """The image is not on the engine."""


class SandboxEngine(Protocol):
    """What is asked of an engine that runs images. Every method raises EngineError (or a subclass)."""

    def own_platform(self) -> str:
        """Return what it runs on: `linux/amd64`."""

    def run(self, request: RunRequest) -> Finished:
        """Run a command in a new container that is gone when this returns or raises.

        NotStartedError and NoSuchImageError say that the image is what is wrong.
        """

    def modes(self, image: str, folder: str) -> tuple[tuple[str, int], ...]:
        """List all that is in a folder of the image, itself included, whoever may open it: path and st_mode."""

    def entrypoint(self, image: str) -> tuple[str, ...]:
        """Return the ENTRYPOINT of an image; empty where there is none, or no such image."""

    def sweep(self) -> None:
        """Remove containers that a killed run left behind before they were started, or after they ended."""
