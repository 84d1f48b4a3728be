"""While images are built, forced, rolled back, thrown away and killed, no client ever gets one that it must not have.

The models of isol8's clients look twenty times a second. `ISOL8_POLLER_OPERATIONS=100 ISOL8_POLLER_SEED=3` tries more
operations, or others.
"""

import os
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docker
import pytest
from attrs import define, field, frozen

from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.images.observed import Observed, ObservedImage
from tests.clients import CLIENTS
from tests.integration.checkouts import Checkout, images_of, new_checkout, remove_tags, tags_of

OPERATIONS = int(os.environ.get("ISOL8_POLLER_OPERATIONS", "15"))
SEED = int(os.environ.get("ISOL8_POLLER_SEED", "1"))
INTERVAL = 0.05
NAMES = ("bash", "bash-custom")
ALWAYS = ("jq",)
"""Packages that every custom image here has."""
REQUESTS = (ALWAYS, ("jq", "unzip"), ())
PREFIX = "org.isol8.tasks."


@frozen(kw_only=True)
class Resolution:
    """What a client got."""

    begin: float
    end: float
    client: str
    packages: tuple[str, ...]
    image: ObservedImage | None


@frozen(kw_only=True)
class Away:
    """A build that was rolled away, and from when to when nobody may get it."""

    build: str
    begin: float
    end: float = float("inf")


@define(eq=False)
class Poller:
    """Looks as clients do, until it is told to stop."""

    engine: DockerEngine
    repository: str
    found: list[Resolution] = field(factory=list)
    looks: int = 0
    torn: int = 0
    """Listings in which a tag that moved meanwhile names no image; whoever asks for the tag itself gets it."""
    _over: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread | None = None
    _problem: BaseException | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End it, and raise what it ran into."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                begin = time.monotonic()
                self._look(begin)
                self._over.wait(max(0.0, begin + INTERVAL - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            self._problem = error

    def _look(self, begin: float) -> None:
        images = images_of(self.engine.images(), self.repository)
        self.looks += 1
        tags = {tag for image in images for tag in image.tags}
        missing = [name for name in NAMES if f"{self.repository}:{name}" not in tags]
        # An engine lists one image after the other. Clients ask for these tags themselves.
        if missing and all(self.engine.inspect(f"{self.repository}:{name}") for name in missing):
            self.torn += 1
            return
        end = time.monotonic()
        for client, model in CLIENTS.items():
            for packages in REQUESTS:
                chosen = model(images, self.repository, "bash", packages)
                image = next((image for image in images if image.id == chosen), None)
                self.found.append(
                    Resolution(begin=begin, end=end, client=client, packages=packages, image=image)
                )


def problem(found: Resolution, away: Sequence[Away]) -> str:
    """Say why a client must not get what it got; nothing where all is well."""
    image = found.image
    if image is None:
        return "missing"
    if image.labels.get(f"{PREFIX}role") != "current" or not image.labels.get(f"{PREFIX}inventory"):
        return "unchecked"
    # What was verified has its candidate's tag until the marker moved.
    if any(tag.endswith("-rejected") for tag in image.tags):
        return "rejected"
    wants_custom = found.client != "v0.18" or found.packages == ALWAYS
    if wants_custom and image.labels.get("org.isol8.runtime") != "bash":
        return "the custom image is missing"
    build = image.labels[f"{PREFIX}build"]
    if any(each.build == build and each.begin <= found.begin and found.end <= each.end for each in away):
        return "rolled back"
    return ""


@define(eq=False)
class Operator:
    """Does one thing after the other to the images of a checkout, and notes what nobody may get from then on."""

    checkout: Checkout
    engine: DockerEngine
    dice: random.Random
    done: Counter[str] = field(factory=Counter)
    codes: Counter[str] = field(factory=Counter)
    away: dict[str, Away] = field(factory=dict)
    """What is rolled away now, by the image's name."""
    was_away: list[Away] = field(factory=list)

    def act(self) -> None:
        """Do something."""
        kind = self.dice.choice(
            [*("setup", "packages", "force", "force base", "reject", "prune", "release"), *["rollback"] * 3]
        )
        name = self.dice.choice(NAMES)
        self._prepare(kind)
        if kind == "rollback":
            self._may_come_back(name)
        words = {
            "force": ("custom:bash", "--force"),
            "force base": ("base:bash", "--force"),
            "reject": ("custom:bash", "--force"),
            "prune": ("prune", "--yes"),
            "release": ("release", name),
            "rollback": ("rollback", name),
        }.get(kind, ("setup", "--only=bash"))
        if self.dice.random() < 0.4:
            run = self.checkout.start(*words)
            time.sleep(self.dice.choice([self.dice.uniform(0.1, 1), self.dice.uniform(0.5, 4)]))
            run.kill()
            run.communicate()
            self.done["killed" if run.returncode < 0 else "done before the kill"] += 1
        else:
            self.codes[f"{kind} {self.checkout.doit(*words).code}"] += 1
        self.done[kind] += 1
        if kind == "reject":
            self._write(check="true")
        self.look()

    def look(self) -> None:
        """Note what is rolled away now: what a rollback that came to its end put back."""
        begin = time.monotonic()
        observed = Observed(
            repository=self.checkout.repository,
            images=images_of(self.engine.images(), self.checkout.repository),
        )
        for name, (newest, *older) in hold_tags(observed).items():
            public, previous = observed.public(name), observed.public(f"{name}-previous")
            if not older and public and previous and public.id == newest.image.id:
                build = previous.labels[f"{PREFIX}build"]
                if name not in self.away or self.away[name].build != build:
                    self._may_come_back(name)
                    self.away[name] = Away(build=build, begin=begin)

    def all_away(self) -> list[Away]:
        return [*self.was_away, *self.away.values()]

    def _may_come_back(self, name: str) -> None:
        """Another rollback lets what was rolled away be in use again."""
        found = self.away.pop(name, None)
        if found:
            self.was_away.append(Away(build=found.build, begin=found.begin, end=time.monotonic()))

    def _prepare(self, kind: str) -> None:
        if kind in {"setup", "force base"}:
            file = self.checkout.folder / "docker/Dockerfile"
            text = re.sub(r"\nENV N=\S*\n", "\n", file.read_text())
            file.write_text(text.replace('\nCMD ["bash"]', f'\nENV N={self.dice.random()}\nCMD ["bash"]'))
        self._write(check="false" if kind == "reject" else "true", swap=kind == "packages")

    def _write(self, *, check: str, swap: bool = False) -> None:
        old = (self.checkout.folder / "deps.toml").read_text()
        more = ("unzip" in old) != swap
        self.checkout.deps(
            'bash = ["jq", "unzip"]' if more else 'bash = ["jq"]',
            f'[verify.bash-custom]\ncommand = ["{check}"]\n[hold]\nmax_age = "30s"\n'
            '[prune]\nprevious_age = "10s"',
        )


@pytest.fixture
def checkout(docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout with two builds of bash and of a custom image."""
    checkout = new_checkout(tmp_path / "checkout")
    checkout.deps('bash = ["jq", "unzip"]')
    assert checkout.built("setup", "--only=bash") == set(NAMES)
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', 'ENV N=0\nCMD ["bash"]')
    checkout.deps('bash = ["jq"]')
    assert checkout.built("setup", "--only=bash") == set(NAMES)
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def connect(endpoint: Endpoint) -> Iterator[Callable[[], DockerEngine]]:
    """Give what makes connections to the engine, for threads of their own."""
    made: list[DockerEngine] = []

    def new() -> DockerEngine:
        made.append(DockerEngine(endpoint, environ=os.environ))
        return made[-1]

    yield new
    for each in made:
        each.close()


@pytest.mark.thorough
def test_no_client_gets_what_it_must_not(
    checkout: Checkout, connect: Callable[[], DockerEngine], docker_api: docker.APIClient
) -> None:
    """No resolution to an image that is missing, unchecked, rejected or rolled back, whatever happens meanwhile."""
    poller = Poller(connect(), checkout.repository)
    operator = Operator(checkout, connect(), random.Random(SEED))  # noqa: S311 - for chance, not for secrets
    begin = time.monotonic()
    poller.start()
    try:
        for _ in range(OPERATIONS):
            operator.act()
        last = checkout.doit("setup", "--only=bash")
        operator.look()
    finally:
        poller.stop()
    seconds = time.monotonic() - begin
    problems = Counter(
        (why, found.client, found.packages)
        for found in poller.found
        if (why := problem(found, operator.all_away()))
    )
    # For who asks for more with `-s`, or whom it fails.
    sys.stdout.write(
        f"{OPERATIONS} operations in {seconds:.0f} s: {dict(operator.done)} {dict(operator.codes)}; "
        f"{len(poller.found)} resolutions from {poller.looks} looks ({poller.looks / seconds:.1f} a second), "
        f"{len(operator.all_away())} builds rolled away, {poller.torn} torn listings; problems: {dict(problems)}\n"
    )
    assert problems == {}
    assert last.code == 0, last.out
    left = [tag for tag in tags_of(docker_api, checkout.repository) if tag.endswith("-candidate")]
    assert len(left) <= operator.done["killed"]
    assert len(poller.found) >= OPERATIONS * len(CLIENTS)
