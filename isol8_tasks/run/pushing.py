"""Pushes what a run has in use and the registry of deps.toml has not."""

import functools
from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from isol8_tasks.engine.registry import is_refusal
from isol8_tasks.errors import RegistryError, ReplacedError
from isol8_tasks.plan.decision import Decision
from isol8_tasks.run.publication import Publication
from isol8_tasks.run.races import built_elsewhere, give_way
from isol8_tasks.run.view import View


class PushImage(Protocol):
    """Brings an image into the registry; ReplacedError if it is overtaken before its name moves."""

    def __call__(self, name: str, /, *, overtaken: Callable[[], bool]) -> object:
        """Do it."""


@frozen(kw_only=True, eq=False, repr=False)
class Pushing:
    """What is pushed at the end of a run, and what gives way to what another machine pushed first."""

    view: View
    publication: Publication
    contested: set[str]
    """Names of the images built in this run that another machine may have built as well, from the same inputs."""
    has_to_push: bool
    """It fails where the registry lets this login, or nobody, push; others then only read."""
    push: PushImage
    pull: Callable[[Decision], None]
    """Takes the image of the registry in place of one that was built here."""

    def push_all(self) -> None:
        """Push every image that waits for it, parents first.

        RegistryError says what could not be pushed.
        """
        names = self.publication.waiting
        order = {spec.name: place for place, spec in enumerate(self.view.graph.images)}
        try:
            for name in sorted(names, key=lambda name: order.get(name, -1)):
                self._push(name)
        except RegistryError as error:
            if self.has_to_push or not is_refusal(str(error)):
                raise
            self.publication.unpushed = names
        finally:
            self.publication.write_manifest()

    def _push(self, name: str) -> None:
        if self._gives_way(name):
            return
        try:
            self.push(name, overtaken=functools.partial(self._is_overtaken, name))
        except ReplacedError:
            if not self._gives_way(name):
                raise

    def _gives_way(self, name: str) -> bool:
        """Tell whether an image is not pushed, as another machine pushed the same first: that one is then in use here.

        Nor is what is based on such an image: the next run makes that on the other's.
        """
        decision = self._built_elsewhere(name)
        if decision is None:
            return name in self.contested and not self.view.is_current(name)
        give_way(decision, self.view, self.pull)
        self.view.look()
        return True

    def _built_elsewhere(self, name: str) -> Decision | None:
        if name not in self.contested or not self.view.asks_registry:
            return None
        return built_elsewhere(name, self.view)

    def _is_overtaken(self, name: str) -> bool:
        return self._built_elsewhere(name) is not None
