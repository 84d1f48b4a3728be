"""The engines that can be asked for, each out of a Debian suite."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from attrs import frozen

from lab.updown import bring_up, take_down
from tests.engines.podman import podman
from tests.engines.rootless import rootless
from tests.newer_engine import newer

Say = Callable[[str], None]


class Start(Protocol):
    """Starts an engine in a checkout; it ends with the context."""

    def __call__(self, checkout: Path, *, registry: str, say: Say) -> AbstractContextManager[str]:
        """Give its DOCKER_HOST; `registry` is an address that it may speak to without TLS. LabError says why not."""


@frozen
class Kind:
    """An engine that can be asked for."""

    name: str
    """As it is typed: the version is what the suite had in November 2026."""
    what: str
    """As the table has it, before the version that the engine tells."""
    start: Start
    after: str = ""
    """And after it."""


@contextmanager
def docker(checkout: Path, suite: str, store: str, *, registry: str, say: Say) -> Iterator[str]:
    """Start a Docker Engine, which speaks to all of loopback without TLS."""
    del registry
    lab = newer(checkout, suite, containerd_store=store == "containerd", owner="-steps")
    try:
        yield bring_up(lab, say)
    finally:
        take_down(lab, lambda _: None)


def _docker(suite: str, store: str) -> Start:
    return partial(docker, suite=suite, store=store)


def _podman(suite: str) -> Start:
    return partial(podman, suite=suite)


KINDS: Final = (
    # First, as the others pull what it pushed.
    Kind("docker-28.5-overlay2", "Docker", _docker("sid", "overlay2"), "overlay2"),
    Kind("docker-28.5-containerd", "Docker", _docker("sid", "containerd"), "containerd"),
    Kind("docker-26.1", "Docker", _docker("trixie", "overlay2")),
    Kind("docker-20.10", "Docker", _docker("bookworm", "overlay2")),
    Kind("rootless-28.5", "rootless Docker", partial(rootless, suite="sid"), "overlay2"),
    Kind("podman-5.8", "Podman", _podman("sid")),
    Kind("podman-5.4", "Podman", _podman("trixie")),
    Kind("podman-4.3", "Podman", _podman("bookworm")),
)
