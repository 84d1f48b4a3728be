"""The Docker Engine, seen through the few questions and orders that this project has for it.

Its list of images is asked for once in a run: `run/view.py` keeps it. Who the engine is, `connection` asks once.

endpoint       which engine is in use, and why it does not answer
configuration  docker's own configuration, and its contexts
listing        the list of images and the platform, asked for without docker's client where that will do
daemon         the ImageEngine that is a real engine
connection     requests to it, repeated and aborted; greets it once
client         docker's Python client for an endpoint
wire           requests and answers as bytes
pool           connections that can be shut while others wait for them
watch          notices an engine that hangs
lease          keeps the runs of all machines apart that change an engine
jobs           builds and pulls under way, so that another thread can abort them
builders/      the ways to build an image
containers     what running an image takes and gives, as values
sandboxes      runs an image once, in a throw-away container
output         what that prints, until its time is over
files          all files of an image as one digest
upkeep         images without a tag, images in use, room on the disk
registry       the registries behind the engine
whole          images that were pulled in part
podman         what Podman does otherwise
transfers      how far a pull is, and why it failed
owner          names of processes, by which leftovers are told from what is in use
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from attrs import Factory, frozen

from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.values import ByValue

__all__ = [
    "Build",
    "BuildEvent",
    "BuildRequest",
    "EngineInfo",
    "FileContent",
    "ImageDetail",
    "ImageEngine",
    "Lease",
    "ObservedImage",
    "OnBytes",
    "OnEvent",
    "SecretSource",
]


@frozen(kw_only=True, eq=False, repr=False)
class EngineInfo(ByValue):
    """Which engine answers."""

    endpoint: str
    """Its address, as `unix:///var/run/docker.sock`."""
    id: str
    """The engine's own id, the same for every client and checkout."""
    version: str
    api: str
    store: str
    """`overlay2`, `containerd (overlayfs)`, …"""
    builder: str
    """Which of `buildkit`, `buildx` and `classic` this run builds with; `buildx NAME` for one elsewhere."""
    root: str = ""
    """The folder in which it keeps everything, on its own machine."""


@frozen(kw_only=True, eq=False, repr=False)
class ImageDetail(ByValue):
    """What the engine knows of one image beyond its line in the list."""

    id: str
    created: str
    """ISO 8601."""
    size: int
    tags: tuple[str, ...] = ()
    """Sorted; empty for an image that lost its last one."""
    platform: str = ""
    """`linux/amd64`; empty where the engine does not tell."""
    onbuild: tuple[str, ...] = ()
    """What its children's builds begin with: `ARG PIP_INDEX_URL`; Podman tells of arguments alone."""
    layers: tuple[str, ...] = ()
    """Digests, lowest first."""
    environment: tuple[str, ...] = ()
    """What containers of it find in their environment: `NAME=value`."""
    entrypoint: tuple[str, ...] = ()
    """What starts the command of its containers."""
    configuration: Mapping[str, object] = Factory(dict)
    """All that the engine says of how containers of it run, `Labels` among it; without what is empty."""


@frozen(kw_only=True, eq=False, repr=False)
class FileContent(ByValue):
    """A file of the build context, ready to be sent."""

    data: bytes
    executable: bool = False
    problem: str = ""
    """Why it could not be read; it is not sent then. A path with a / behind is a folder that nobody can look into."""
    outside: str = ""
    """Where it comes from, for a link that leads out of the context."""


@frozen(kw_only=True, eq=False, repr=False)
class BuildRequest(ByValue):
    """One build: a Dockerfile, what it copies, and the tag it ends under."""

    tag: str
    """The private tag that the result gets; it is set only when the whole build succeeded."""
    dockerfile: str
    target: str | None = None
    context: Mapping[str, FileContent] = Factory(dict)
    """By path relative to the context's root, with forward slashes."""
    args: Mapping[str, str] = Factory(dict)
    labels: Mapping[str, str] = Factory(dict)
    secrets: tuple[str, ...] = ()
    """Names of the secrets that its steps may mount; whoever builds is given them beside all this."""
    no_cache: bool = False
    built_on: Mapping[str, str] = Factory(dict)
    """The engine's images that FROM and COPY --from name: ids by reference, for builders that don't see them."""
    image: str = ""
    """The name of the image, under which its build cache is kept in a registry."""
    only_labels: bool = False
    """Nothing but labels is new, so the engine itself builds it, whatever else does."""
    platform: str = ""
    """What it is built for; empty for what the engine's `platform` tells."""


@frozen(kw_only=True, eq=False, repr=False)
class BuildEvent(ByValue):
    """Something a build has to tell while it runs."""

    kind: Literal["step", "cached", "log", "waiting", "doing", "pulled", "sent"]
    """A step began; a step was taken from the cache; a step printed a line; something else is waited for; something
    is done that is no build; more bytes of an image came, or went to a registry."""
    step: str
    """The builder's name for the step without its counter: `RUN pip install …`."""
    number: int = 0
    """The step's number in its stage, from 1; 0 where the builder does not say."""
    total: int = 0
    """Number of steps of that stage; 0 where the builder does not say."""
    line: str = ""
    """For `log`: the line, without its end and without credentials."""
    transfer: tuple[int, int] = (0, 0)
    """For `pulled` and `sent`: how many bytes came or went, and of how many that are known."""


OnEvent = Callable[[BuildEvent], None]
OnBytes = Callable[[int, int], None]
"""Hears how many bytes of a pull came, or of a push went, and of how many that are known."""
Build = Callable[[BuildRequest, OnEvent], str]
"""What ImageEngine.build does."""


class Lease(Protocol):
    """What one run at a time has of an engine, from whichever machine, to change it."""

    def take(self) -> str:
        """Take it if it is free, and return who has it; empty if this run has it now."""

    def confirm(self) -> None:
        """Raise LeaseLostError where another run has had the engine since it was taken."""

    def release(self) -> None:
        """Let the next run have it; nothing happens where it was not taken."""


class SecretSource(Protocol):
    """Where an engine gets secrets from, by their names; ConfigError says why one can't be had."""

    def value(self, name: str) -> bytes:
        """Return what a secret is."""

    def option(self, name: str) -> str:
        """Return how docker's buildx is told where it is, as `id=pip,env=PIP_INDEX_URL`; never what it is."""


class ImageEngine(Protocol):
    """What is asked of an engine. Every method raises EngineError (or a subclass), nothing of Docker's."""

    def ping(self) -> None:
        """Return when the engine answers; raise EngineUnreachableError when not."""

    def info(self) -> EngineInfo:
        """Tell which engine this is."""

    def version(self) -> str:
        """Return the version that the engine told; empty when it was not asked anything yet."""

    def product(self) -> str:
        """Return whose engine it is, as far as it was asked: `Docker` or `Podman`."""

    def platform(self) -> str:
        """Return what it pulls and builds for where nothing else is asked for: `linux/amd64`."""

    def own_platform(self) -> str:
        """Return what it runs on: `linux/amd64`."""

    def images(self) -> tuple[ObservedImage, ...]:
        """List every image that has a tag, in one call to the engine."""

    def inspect(self, reference: str) -> ImageDetail | None:
        """Return what is known of an image (a tag or an id); None when it isn't here."""

    def steps(self, reference: str) -> tuple[str, ...]:
        """Return what an image's history says of its steps, oldest first; nothing where it isn't here."""

    def files(self, reference: str) -> str:
        """Return a digest of all files of an image, without their times; empty where they can't be read.

        Nothing of it runs.
        """

    def lease(self, folder: str) -> Lease:
        """Return the lease of a run that works in that folder; once taken, tags move only while that run has it."""

    def pull(self, reference: str, on_bytes: OnBytes | None = None) -> None:
        """Fetch and tag an image, with the credentials of docker's own configuration."""

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, tag, and return the image's id; else raise BuildFailedError and leave the tag as it was."""

    def tag(self, source: str, target: str) -> None:
        """Let the tag `target` point to the image `source` (a tag or an id)."""

    def untag(self, reference: str) -> None:
        """Take a tag (or an id) away, and the image with its last one; nothing there is no error."""

    def cancel(self, *, for_good: bool = False) -> None:
        """Abort what is under way, from another thread or a signal; it raises EngineError.

        `for_good` lets no other build, transfer or container begin.
        """

    def close(self) -> None:
        """Close the connections."""
