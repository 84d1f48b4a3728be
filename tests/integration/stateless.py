"""The nights of a machine that is new every night: a fresh checkout on an engine without images, and a registry."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import docker
from attrs import Factory, define, evolve

from tests.integration.checkouts import Checkout
from tests.integration.drift import Drift, Due, Evening, due
from tests.integration.refreshing import EVERY
from tests.integration.registries import Registry
from tests.integration.world import World


@define(kw_only=True)
class Stateless:
    """Refreshes the same drift without anything of the nights before but what is in the registry."""

    world: World
    api: docker.APIClient
    host: str
    registry: Registry
    make_checkout: Callable[[Path, World, str], Checkout]
    folder: Path
    fetched: list[int] = Factory(list)
    """Bytes of each night, those from the registry included."""
    left: tuple[Drift, ...] = ()

    def night(self, number: int, evening: Evening) -> list[str]:
        """Go through one night; return what was other than its drift asks for."""
        self._empty()
        text = f'[registry]\nrepository = "{self.registry.address}/isol8"\nstandins = true\n'
        checkout = self.make_checkout(self.folder / f"stateless-{number}", self.world, text)
        wanted = self._wanted(number, evening)
        self.world.forget()
        sent, before = self.registry.sent(), self._tags()
        with ExitStack() as stack:
            if evening.ending == "registry out":
                stack.enter_context(self.world.traffic["registry"].outage())
            done = checkout.doit("refresh", "--json", DOCKER_HOST=self.host)
        assert done.out.startswith("{"), done.out + done.err
        report = json.loads(done.out)
        self.fetched.append(sum(self.world.fetched().values()) + self.registry.sent() - sent)
        after = self._tags()
        found = {
            "rebuilt": {str(each["image"]).rpartition(":")[2] for each in report["changed"]},
            "pushed": {name for name in EVERY if before.get(name) != after.get(name)},
            "exit code": done.code,
        }
        expected = {"rebuilt": set(wanted.rebuilt), "pushed": set(wanted.rebuilt), "exit code": wanted.code}
        self.left = wanted.later
        return [
            f"night {number}, stateless: {what}: {found[what]}, where it should be {expected[what]}"
            for what in found
            if found[what] != expected[what]
        ]

    def _wanted(self, number: int, evening: Evening) -> Due:
        if number == 1:
            return Due(rebuilt=EVERY)
        # A kill would only lose the night.
        whole = evolve(evening, ending="") if evening.ending.startswith("killed") else evening
        return due(whole, self.left)

    def _tags(self) -> dict[str, str]:
        try:
            return self.registry.tags("isol8")
        except OSError:
            # Nothing was pushed yet.
            return {}

    def _empty(self) -> None:
        for image in self.api.images():
            self.api.remove_image(image["Id"], force=True)
        self.api.prune_builds(all=True)
