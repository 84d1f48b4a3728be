"""Thirty nights: refreshes of one checkout on an engine of its own while its sources drift, beside rebuilding it all.

    .venv-dev/bin/python -m tests.integration.nights --write docs/nightly.md

Every night a day goes by, something moves (or nothing), a refresh runs, and `prune --yes` after it. A second engine,
which the same world serves, pulls and builds everything without cache that night. What differs from the script of
drift.py is a problem; the run ends with 1 if there is any.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import docker
from attrs import Factory, define, evolve, frozen

import lab
from lab.engine import data_root
from lab.places import Places
from lab.tools import Tools
from lab.updown import Lab
from tests import quick_engine
from tests.integration.checkouts import Checkout, new_checkout, wait_for
from tests.integration.drift import MIN_AGE, Drift, Due, Evening, due, first_evening, script
from tests.integration.night_page import write_page
from tests.integration.night_table import Found, Row, growth, share, summary, table, write
from tests.integration.refreshing import DEPENDENCIES, EVERY, IMAGES, VERIFY, builds, public_ids, refresh
from tests.integration.registries import Registry
from tests.integration.stateless import Stateless
from tests.integration.world import World, open_world, seen_from

SEED: Final = 2026
KEEP: Final = "0MB"
"""What a builder keeps, were it a megabyte, holds layers of images that are gone, and counts them for nothing."""
_SETTINGS: Final = (
    f'{VERIFY}[refresh]\nmin_age = "{MIN_AGE}"\n[prune]\nprevious_age = "1s"\nkeep = "{KEEP}"\n'
)


@frozen(kw_only=True)
class Engine:
    """A private engine of its own."""

    host: str
    api: docker.APIClient
    places: Places

    def disk(self) -> int:
        """Return what its data takes on the disk."""
        folders = [str(data_root(self.places)), str(self.places.lab / "containerd")]
        done = subprocess.run(["du", "-sc", "-B1", *folders], capture_output=True, text=True, check=False)
        return int(done.stdout.split()[-2])


class _Bare(Lab):
    """The lab of an engine that is given no image."""

    def provide_images(self, say: Callable[[str], None], ahead: Future[None]) -> None:
        """Provide none."""


@contextmanager
def engine_in(folder: Path, *, bare: bool = False) -> Iterator[Engine]:
    """Run a private engine in a folder, a bare one without images; nothing of it is left."""
    folder.mkdir()
    host = quick_engine.up(folder, _say, _Bare if bare else Lab)
    # What is built and when is the same with it, and a night takes less.
    quick_engine.choose(host, crun=True)
    try:
        api = docker.APIClient(base_url=host, timeout=300)
        yield Engine(host=host, api=api, places=Places.of(folder, os.environ.get("ISOL8_LAB_CACHE")))
        api.close()
    finally:
        lab.down(folder, _say)
        shutil.rmtree(folder, ignore_errors=True)


@define(kw_only=True)
class Nights:
    """The simulation: one engine is refreshed, another builds everything again."""

    world: World
    engine: Engine
    checkout: Checkout
    beside: "Beside"
    rows: list[Row] = Factory(list)
    problems: list[str] = Factory(list)
    left: tuple[Drift, ...] = ()
    stateless: Stateless | None = None
    ends: list[dt.datetime] = Factory(list)
    """When each night was over."""

    def run(self, evenings: Sequence[Evening]) -> None:
        """Go through all nights."""
        self._night(1, Evening(), Due(replaced=EVERY))
        for night, evening in enumerate(evenings, 2):
            if _ENDED.is_set():
                self.problems.append(f"ended before night {night}")
                return
            self.world.pass_time(dt.timedelta(days=1))
            for drift in evening.drifts:
                drift.move(self.world)
            try:
                self._night(night, evening, due(evening, self.left))
            except (AssertionError, OSError, KeyError, subprocess.SubprocessError) as error:
                # What the nights before came to is shown all the same.
                self.problems.append(f"night {night}: {type(error).__name__}: {error}")
                return

    def _night(self, night: int, evening: Evening, wanted: Due) -> None:
        self.world.forget()
        before, were = (find(self.engine.api, self.checkout) for find in (public_ids, builds))
        beside = self._beginning(night, evening)
        began = time.monotonic()
        failed = self._refresh(night, evening, wanted)
        seconds = time.monotonic() - began
        after, are = (find(self.engine.api, self.checkout) for find in (public_ids, builds))
        rebuilt = {name for name in EVERY if before.get(name) != after.get(name)}
        replaced = {name for name in EVERY if were.get(name) != are.get(name)}
        if wanted.code is None:
            # What it got to is done, and the rest is left for the next night.
            self._expect(
                night, "rebuilt, which is more than was to be", rebuilt - _images(wanted.later), set()
            )
            self.left = tuple(
                evolve(each, images=each.images - rebuilt) for each in wanted.later if each.images - rebuilt
            )
        else:
            self._expect(night, "replaced", replaced, set(wanted.replaced))
            self._expect(night, "rebuilt with the same result", rebuilt - replaced, set(wanted.same))
            self.left = wanted.later
        fetched = sum(self.world.fetched().values())
        pruned = self.checkout.doit("prune", "--yes")
        self._expect(night, "exit code of prune", pruned.code, 0)
        disk = self.engine.disk()
        again = self.beside.build()
        found = beside()
        row = Row(
            night=night,
            words=evening.words if night > 1 else "the first",
            rebuilt=tuple(sorted(replaced)),
            same=tuple(sorted(rebuilt - replaced)),
            failed=tuple(sorted(failed)),
            fetched=fetched,
            again=again,
            seconds=seconds,
            disk=disk,
            stateless=found,
        )
        self.rows.append(row)
        self.ends.append(dt.datetime.now(dt.UTC))
        _say(" | ".join(row.cells()))
        for problem in found.problems if found else ():
            self.problems.append(problem)
            _say(problem)

    def _beginning(self, night: int, evening: Evening) -> Callable[[], Found | None]:
        """Begin the same night on the engine that is empty; return what waits for what came of it."""
        if self.stateless is None:
            return lambda: None
        pool = ThreadPoolExecutor(1)
        begun = pool.submit(self.stateless.night, night, evening)
        pool.shutdown(wait=False)
        return begun.result

    def _refresh(self, night: int, evening: Evening, wanted: Due) -> set[str]:
        if evening.ending == "killed while building":
            self._kill_while_building()
            return set()
        if evening.ending == "killed while promoting":
            # One image alone takes two tags: that with 12 digits, and the public one.
            code = self.checkout.cut_off(1, "refresh", changes="tag")
            self._expect(night, "exit code of what is killed", code, -9)
            return set()
        with ExitStack() as stack:
            if evening.ending == "registry out":
                stack.enter_context(self.world.traffic["registry"].outage())
            done = refresh(self.engine.api, self.checkout)
        self._expect(night, "exit code", done.code, wanted.code)
        self._expect(night, "failed", done.failed, set(wanted.failed))
        if done.failed != wanted.failed:
            _say(json.dumps(done.report["failed"], indent=2))
        self._expect(night, "said to be rebuilt", done.changed, done.rebuilt)
        if done.code not in {0, 4}:
            looked = self.checkout.doit("verify")
            self._expect(night, "exit code of verify after a failure", looked.code, 0)
        return done.failed

    def _kill_while_building(self) -> None:
        """Kill a refresh while npm waits for a tarball."""
        source = self.world.traffic["npm"]
        source.delay = 3
        running = self.checkout.start("refresh")
        wait_for(lambda: any(path.endswith(".tgz") for path in source.paths), seconds=300)
        running.kill()
        running.communicate()
        source.delay = 0

    def _expect(self, night: int, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.problems.append(
                f"night {night}: {what}: {_plain(found)}, where it should be {_plain(wanted)}"
            )
            _say(self.problems[-1])


def _plain(value: object) -> object:
    return ", ".join(sorted(map(str, value))) or "none" if isinstance(value, set | frozenset) else value


def _images(drifts: Sequence[Drift]) -> set[str]:
    return {name for each in drifts for name in each.images}


@frozen(kw_only=True)
class Beside:
    """The other way: everything is pulled and built without cache every night."""

    world: World
    engine: Engine
    checkout: Checkout
    every: int
    """On every how many nights it is done; 0 for none."""
    nights: list[int] = Factory(list)

    def build(self) -> int:
        """Do it if it is time to, and return how many bytes were fetched, else 0."""
        self.nights.append(0)
        if not self.every or (len(self.nights) - 1) % self.every:
            return 0
        self.world.forget()
        for name in ("alpine", "deno"):
            repository, _, tag = self.world.reference(name).rpartition(":")
            self.engine.api.pull(repository, tag=tag)
        done = self.checkout.doit("setup", "--force", DOCKER_HOST=self.engine.host)
        assert done.code in {0, 1}, done.out + done.err
        fetched = sum(self.world.fetched().values())
        self.checkout.doit("prune", "--yes", DOCKER_HOST=self.engine.host)
        return fetched


def judge(nights: Nights) -> list[str]:
    """Return what does not hold of all nights together."""
    rows = nights.rows
    found = list(nights.problems)
    if nights.left:
        found.append(f"left in the end: {'; '.join(each.words for each in nights.left)}")
    if share(rows) > _SHARE:
        found.append(
            f"fetched {share(rows):.1%} of what building everything again does, more than {_SHARE:.0%}"
        )
    if growth(rows) > _GROWTH:
        found.append(
            f"the disk on the last night is {growth(rows):.2f} times that on the first, more than {_GROWTH}"
        )
    return found


def simulate(  # noqa: PLR0913 - all but one are named by the caller
    folder: Path,
    *,
    nights: int,
    seed: int = SEED,
    every: int = 1,
    stateless: bool = False,
    page: Path | None = None,
) -> Nights:
    """Run so many nights in a folder, and return what came of them; write the page of all images at the end."""
    os.environ.setdefault("ISOL8_LAB_CACHE", str(_ROOT / ".isol8/lab/fetched"))
    tools = Tools(root=Path(os.environ["ISOL8_LAB_CACHE"]) / "programs")
    with ExitStack() as stack:
        own = stack.enter_context(engine_in(folder / "own"))
        other = stack.enter_context(engine_in(folder / "beside", bare=True))
        os.environ["DOCKER_HOST"] = own.host
        (folder / "world").mkdir()
        world = stack.enter_context(open_world(own.api, tools, folder / "world", lean=True))
        first_evening(world)
        seen = stack.enter_context(seen_from(world, other.api))
        found = Nights(
            world=world,
            engine=own,
            checkout=_checkout(folder / "checkout", world),
            beside=Beside(world=seen, engine=other, checkout=_checkout(folder / "again", seen), every=every),
        )
        if stateless:
            new = stack.enter_context(engine_in(folder / "stateless", bare=True))
            registry = Registry(folder / "registry").start()
            stack.callback(registry.kill)
            found.stateless = Stateless(
                world=stack.enter_context(seen_from(world, new.api)),
                api=new.api,
                host=new.host,
                registry=registry,
                make_checkout=_checkout,
                folder=folder,
            )
        found.run(script(nights, seed))
        if page:
            write_page(found.checkout, found.ends, page)
        found.problems = judge(found)
        return found


def _checkout(folder: Path, world: World, more: str = "") -> Checkout:
    checkout = evolve(new_checkout(folder), longest=3600)
    checkout.deps(DEPENDENCIES, f"{world.build}\n{IMAGES}\n{_SETTINGS}{more}")
    return checkout


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people watch it run


def main(arguments: Sequence[str]) -> int:
    """Run them, print what they come to, and write it down where that is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--every", type=int, default=1, help="build everything again on every so many nights")
    parser.add_argument(
        "--stateless",
        action="store_true",
        help="beside it refresh an engine that is emptied every night, with a registry",
    )
    parser.add_argument("--write", type=Path, help="a Markdown file")
    parser.add_argument(
        "--page", type=Path, help="an HTML file for the page of all images, its nights a day apart"
    )
    chosen = parser.parse_args(arguments)
    # So that a run that is ended early leaves nothing either, and shows what it has.
    signal.signal(signal.SIGTERM, lambda *_: _ENDED.set())
    with tempfile.TemporaryDirectory(prefix="isol8-nights-") as folder:
        found = simulate(
            Path(folder),
            nights=chosen.nights,
            seed=chosen.seed,
            every=chosen.every,
            stateless=chosen.stateless,
            page=chosen.page,
        )
    _say(f"{summary(found.rows)}\n\n{table(found.rows)}")
    if chosen.write:
        write(chosen.write, table(found.rows))
    for problem in found.problems:
        _say(f"PROBLEM: {problem}")
    return 1 if found.problems else 0


_ENDED: Final = threading.Event()
"""Set by SIGTERM; the night that is under way is finished."""
_ROOT: Final = Path(__file__).parents[2]
_SHARE: Final = 0.2
_GROWTH: Final = 1.3

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
