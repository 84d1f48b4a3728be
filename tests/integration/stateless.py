"""The nights of a machine that is new every night: a fresh checkout on an engine without images, and a registry."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import docker
from attrs import define, evolve

from tests.integration.checkouts import Checkout
from tests.integration.drift import Drift, Due, Evening, due
from tests.integration.night_table import Found
from tests.integration.refreshing import EVERY, PARENTS
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
    left: tuple[Drift, ...] = ()

    def night(self, number: int, evening: Evening) -> Found:
        """Go through one night."""
        self._empty()
        text = f'[registry]\nrepository = "{self.registry.address}/isol8"\nstandins = true\n'
        checkout = self.make_checkout(self.folder / f"stateless-{number}", self.world, text)
        wanted = self._wanted(number, evening)
        self.world.forget()
        sent, requests, before = self.registry.sent(), self.registry.requests(), self._tags()
        began = time.monotonic()
        with ExitStack() as stack:
            if evening.ending == "registry out":
                stack.enter_context(self.world.traffic["registry"].outage())
            done = checkout.doit("refresh", "--json", DOCKER_HOST=self.host)
        seconds = time.monotonic() - began
        assert done.out.startswith("{"), done.out + done.err
        report = json.loads(done.out)
        pulled = self.registry.sent() - sent
        writing = [each for each in self.registry.requests()[len(requests) :] if each not in {"GET", "HEAD"}]
        after = self._tags()
        is_quiet = not (wanted.replaced or wanted.same or wanted.failed or wanted.later)
        found = {
            "replaced": _names(each["image"] for each in report["changed"] if not each["same"]),
            "rebuilt with the same result": _names(
                each["image"] for each in report["changed"] if each["same"]
            ),
            "failed": _names(each["subject"] for each in report["failed"]),
            "names moved": {name for name in EVERY if before.get(name) != after.get(name)},
            "written to the registry": bool(writing),
            "layers of upstream images": is_quiet and self._has_fetched_upstream(),
            "exit code": done.code,
        }
        expected = {
            "replaced": set(wanted.replaced),
            "rebuilt with the same result": set(wanted.same),
            "failed": set(wanted.failed),
            "names moved": set(wanted.replaced),
            "written to the registry": bool(wanted.replaced or wanted.same),
            "layers of upstream images": False,
            "exit code": wanted.code,
        }
        self.left = wanted.later
        return Found(
            problems=tuple(
                f"night {number}, stateless: {what}: {found[what]}, where it should be {expected[what]}"
                for what in found
                if found[what] != expected[what]
            ),
            fetched=sum(self.world.fetched().values()) + pulled,
            pulled=pulled,
            needed=self._needed(wanted.replaced | wanted.same, before),
            sent=len(writing),
            seconds=seconds,
        )

    def _has_fetched_upstream(self) -> bool:
        return any("/blobs/" in path for path in self.world.traffic["registry"].paths)

    def _wanted(self, number: int, evening: Evening) -> Due:
        if number == 1:
            return Due(replaced=EVERY)
        # A kill would only lose the night.
        whole = evolve(evening, ending="") if evening.ending.startswith("killed") else evening
        return due(whole, self.left)

    def _needed(self, rebuilt: frozenset[str], before: Mapping[str, str]) -> int:
        """Return the bytes without which these images can't be built: of all that they are based on."""
        parents = {PARENTS[name] for name in rebuilt & PARENTS.keys()} - rebuilt
        layers: dict[str, int] = {}
        for name in parents:
            layers |= self.registry.layers("isol8", before[name])
        upstream = {"deno"} & rebuilt | ({"alpine"} if rebuilt & _ON_ALPINE else set())
        found = [layer for name in sorted(upstream) for layer in self.world.images[name].layers]
        return sum({**layers, **{each.digest: len(each.data) for each in found}}.values())

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


_ON_ALPINE: Final = EVERY - PARENTS.keys()
"""The filter of deno's is compiled there."""


def _names(tags: Iterable[object]) -> set[str]:
    return {str(tag).rpartition(":")[2] for tag in tags}
