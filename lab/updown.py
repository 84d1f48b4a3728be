"""Brings the private engine of a checkout up, with upstream images that it can pull, and takes it down."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from filelock import FileLock

from isol8_tasks.errors import LabError
from isol8_tasks.safety.files import make_folder
from lab import engine, images, standins
from lab.debian import Apt, provide
from lab.downloads import fetch_wheels
from lab.firewall import TABLES, Firewall
from lab.machine import (
    certificates,
    require_own_folder,
    require_root,
    require_standins,
    require_supported,
)
from lab.network import make_bridge, remove_bridges
from lab.pins import WHEELS, recipe
from lab.places import Places
from lab.processes import marked, of_engine
from lab.progress import Progress, untold
from lab.shared import SharedState
from lab.tools import Tools

CACHE_VARIABLE = "ISOL8_LAB_CACHE"
"""Names a folder for downloads and finished stand-ins that several checkouts share."""

_MACHINE_LOCK = "/run/isol8.lock"


def up(checkout: Path, say: Callable[[str], None], tell: Callable[[str, int], None] = untold) -> str:
    """Make sure that this checkout's private engine runs and has upstream images; return its DOCKER_HOST.

    `tell` hears what is done meanwhile, and how many bytes of it have come.
    """
    return bring_up(evolve(Lab.of(checkout), progress=Progress(tell)), say)


def bring_up(lab: "Lab", say: Callable[[str], None]) -> str:
    """Make sure that the engine of a lab runs and has upstream images; return its DOCKER_HOST."""
    require_supported()
    make_folder(lab.places.lab)
    if lab.places.lab not in lab.places.fetched.parents:
        require_own_folder(lab.places.fetched, trusting=lab.places.lab.parents[1])
    with (
        FileLock(lab.places.lab / "lock"),
        marked(lab.places.name),
        lab.progress.watched(),
        ThreadPoolExecutor() as threads,
    ):
        ahead = threads.submit(lab.fetch_ahead)
        lab.start(say)
        lab.places.note.touch()
        lab.provide_images(say, ahead)
    return lab.places.host


def down(checkout: Path, say: Callable[[str], None]) -> bool:
    """Stop this checkout's private engine and all that it started; return whether there was any."""
    return take_down(Lab.of(checkout), say)


def take_down(lab: "Lab", say: Callable[[str], None]) -> bool:
    """Stop the engine of a lab and all that it started; return whether there was any."""
    if not lab.is_expected():
        return False
    require_root("down")
    make_folder(lab.places.lab)
    with FileLock(lab.places.lab / "lock"):
        if not lab.is_expected():
            return False
        if lab.is_up():
            lab.take_down()
        lab.places.note.unlink(missing_ok=True)
    say("The private engine is stopped; its images stay in .isol8/lab.")
    return True


@frozen(kw_only=True)
class Lab:
    """The lab of one checkout; its lock is held."""

    places: Places
    tools: Tools
    apt: Apt
    shared: SharedState
    recipe: str
    progress: Progress = field(factory=Progress)

    @classmethod
    def of(cls, checkout: Path) -> "Lab":
        """Return the lab of a checkout, as its folder and the environment have it."""
        places = Places.of(checkout, os.environ.get(CACHE_VARIABLE))
        return cls(
            places=places,
            tools=Tools(root=places.fetched / "programs"),
            apt=Apt(state=places.fetched / "apt"),
            shared=SharedState(),
            recipe=recipe(certificates()),
        )

    @property
    def firewall(self) -> Firewall:
        """The machine's firewall."""
        return Firewall(tools=self.tools)

    @property
    def kitchen(self) -> standins.Kitchen:
        """What stand-ins are made with."""
        return standins.Kitchen(
            fetched=self.places.fetched,
            tools=self.tools,
            apt=self.apt,
            certificates=certificates(),
            progress=self.progress,
        )

    @property
    def storage(self) -> Path:
        """Where the stand-ins of this recipe are, for the registry to serve."""
        return self.places.fetched / f"stand-ins-{self.recipe[:12]}"

    def fetching(self) -> FileLock:
        """Return the lock on the folder of downloads, which other checkouts may use too."""
        self.places.fetched.mkdir(parents=True, exist_ok=True)
        return FileLock(self.places.fetched / "lock")

    def fetch_ahead(self) -> None:
        """Download what takes longest while the engine starts, if it's likely that stand-ins will be needed."""
        if not self.storage.exists() and not images.likely_to_pull():
            with suppress(LabError):  # said when it turns out to be needed
                require_standins()
                fetch_wheels(WHEELS, self.kitchen.downloads)

    def is_up(self) -> bool:
        """Say whether there is anything of this engine, be it half an engine or what a killed `up` began."""
        return self.places.run.exists() or bool(of_engine(self.places.name))

    def is_expected(self) -> bool:
        """Say whether there is anything to take down: an engine, what is left of one, or the note of one that died."""
        return self.is_up() or self.places.note.exists()

    def start(self, say: Callable[[str], None]) -> None:
        """Start the engine unless it runs, first taking down what is left of one that does not."""
        places = self.places
        on_standins = places.standins.exists()
        # A registry that was started before the recipe changed serves stand-ins that may lack packages.
        is_current = not on_standins or self.recorded().get("recipe") == self.recipe
        if is_current and engine.runs(places, with_registry=on_standins):
            # They may have been unpacked elsewhere, when the shared folder was another one.
            self.provide_programs()
            self.ensure_rules(IPv4Network(self.recorded()["subnet"]))
            return
        say("Starting a private engine for this checkout …")
        self.provide_programs()
        if self.is_up():
            self.take_down()
        places.run.mkdir(mode=0o700)
        # Written before anything is made, so that whatever is made is taken down.
        self.note(bridge=places.bridge, made=engine.absent_folders())
        self.prepare_network()
        mirror = self.start_mirror() if on_standins else None
        with self.progress.step("starting containerd and dockerd"):
            engine.start(places, self.tools, mirror)

    def recorded(self) -> dict[str, Any]:
        """Return what was noted for the engine that runs, nothing if it got as far as no note."""
        if not self.places.record.exists():
            return {}
        record: dict[str, Any] = json.loads(self.places.record.read_text(encoding="utf-8"))
        return record

    def note(self, **chosen: object) -> None:
        """Add to the record of this engine."""
        text = json.dumps(self.recorded() | chosen)
        new = self.places.record.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.places.record)

    def prepare_network(self) -> None:
        """Make the bridge, the firewall rules and forwarding."""
        with FileLock(_MACHINE_LOCK):
            self.shared.prepare(existing=self.firewall.nft_tables(), needed=TABLES)
            subnet = make_bridge(self.tools, bridge=self.places.bridge, name=self.places.name)
            self.ensure_rules(subnet)
        self.note(subnet=str(subnet))

    def ensure_rules(self, subnet: IPv4Network) -> None:
        """Make sure that the firewall lets this engine through; another program may have wiped the rules."""
        self.firewall.ensure(tag=self.places.name, bridge=self.places.bridge, subnet=subnet)

    def provide_programs(self) -> None:
        """Make sure that every program is at hand."""
        with self.fetching():
            provide(self.tools, self.apt, self.progress)

    def take_down(self) -> None:
        """End everything of the engine, and put the machine back when no other engine of ours is left."""
        places = self.places
        engine.end(places)
        self.provide_programs()
        with FileLock(_MACHINE_LOCK):
            remove_bridges(self.tools, places.bridge, engine.data_root(places))
            self.firewall.remove(places.name)
            if not self.shared.others(places.run):
                self.shared.put_back(
                    other_docker=lambda: engine.foreign_docker(places), drop_tables=self.firewall.drop_empty
                )
            for folder in self.recorded().get("made", []):
                with suppress(OSError):  # gone already, or somebody else's things are in it by now
                    Path(folder).rmdir()
            shutil.rmtree(places.run, ignore_errors=True)

    def start_mirror(self) -> str:
        """Start the registry with the stand-ins, made first if they are missing, and return its address."""
        with self.fetching():
            if not self.storage.exists():
                require_standins()
                standins.make(self.storage, self.recipe, self.kitchen)
        port = engine.free_port()
        engine.start_registry(self.places, self.tools, self.storage, port)
        self.note(registry_port=port, recipe=self.recipe)
        return f"http://127.0.0.1:{port}"

    def provide_images(self, say: Callable[[str], None], ahead: Future[None]) -> None:
        """Make sure that the engine has the upstream images and can pull them, real ones if that works."""
        if not self.places.standins.exists():
            problem = self.pull_real()
            if problem is None:
                return
            say(f"{' and '.join(standins.UPSTREAM)} can't be pulled ({problem}): making stand-ins for them.")
            with self.progress.step("downloading the parts of the stand-ins", self.kitchen.downloads):
                ahead.result()
            engine.use_mirror(self.places, self.start_mirror())
            self.places.standins.touch()
        for reference in standins.UPSTREAM:
            if images.recipe_of(self.places.host, reference) != self.recipe:
                self.pull(reference)

    def pull(self, reference: str) -> None:
        """Let the engine pull an image."""
        with self.progress.step(f"pulling {reference}"):
            images.pull(self.places.host, reference)

    def pull_real(self) -> str | None:
        """Pull those upstream images that the engine lacks; return why that can't be done, or None."""
        try:
            for reference in standins.UPSTREAM:
                if images.recipe_of(self.places.host, reference) != images.REAL:
                    self.pull(reference)
        except LabError as problem:
            return str(problem)
        return None
