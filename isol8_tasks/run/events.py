"""What a run has to tell while it works and when it is done."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.observed import Observed
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.graph import Graph
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.images.pushed import Pushed
    from isol8_tasks.lifecycle.build import Outcome


Watching = Callable[[str, str], AbstractContextManager[None]]
"""Is open as long as something is done with an image, by its name, that is no build: `verifying`."""


def unwatched(_image: str, _what: str) -> AbstractContextManager[None]:
    """Show nothing of what is done."""
    return nullcontext()


class Listener(Protocol):
    """Hears of what happens while images build; its methods are called from several threads."""

    def building(self, image: str) -> None:
        """Hear that work on an image begins."""

    def event(self, image: str, event: "BuildEvent") -> None:
        """Hear what a build has to tell."""

    def done(self, outcome: "Outcome", seconds: float) -> None:
        """Hear that an image took its tag."""

    def failed(self, image: str, error: Isol8Error) -> None:
        """Hear at once that an image could not be made."""

    def settled(self, image: str) -> None:
        """Hear that another run brought an image up to date in the meantime."""

    def pushed(self, image: str, where: "Pushed", tags: Sequence[str], seconds: float) -> None:
        """Hear that an image is in the registry, and which tags lead to it since then."""

    def waiting(self, holder: str) -> None:
        """Hear that another run has to end first."""


@frozen(kw_only=True, eq=False, repr=False)
class Failure(ByValue):
    """An image, or the engine, that something is wrong with."""

    subject: str
    """The image's full tag, or the task's name where it is no image's."""
    error: Isol8Error
    image: str = ""
    """The image's name; empty where it is no image's."""
    kept: str = ""
    """What is still in use in its place, for people; empty where there is nothing."""
    hint: str = ""
    log: str = ""
    """Where the whole output lies."""


def not_pushed(names: Sequence[str]) -> tuple[str, ...]:
    """Say which images stay here although there is a registry for them; nothing where none does."""
    if not names:
        return ()
    reason = "because based on stand-ins of the lab"
    return (f"not pushed, {reason}: {', '.join(names)}; [registry] standins = true pushes them",)


def only_read(names: Sequence[str], repository: str, *, has_login: bool) -> tuple[str, ...]:
    """Say which images stay here since who runs this may only read there; nothing where none does."""
    if not names:
        return ()
    host = Reference(repository).registry
    why = f"docker's login at {host} may only read" if has_login else f"nobody is logged in at {host}"
    return (f"not pushed, because {why}: {', '.join(names)} (docker login {host})",)


def remembered_flags(graph: Graph, observed: Observed, config: Config) -> tuple[str, ...]:
    """Say of each package that a flag asked for, and deps.toml does not, where it comes from."""
    lines: list[str] = []
    for spec in graph.images:
        # Not what this run asks for: that of a build that failed is not remembered.
        record = observed.last_record(spec.name)
        lines.extend(
            f"{package}: from --{spec.runtime} on {date}, not in {config.source}"
            for package, date in (record.flags if record else ())
            if package not in config.dependencies[spec.runtime]
        )
    return tuple(lines)
