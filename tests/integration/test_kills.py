"""SIGKILL at random moments between pull, promotion and push: nobody finds what was not verified, and a run completes.

`ISOL8_KILLS=30` makes the long form of it; -s prints where the kills hit.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest
from attrs import define, field

from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import Observed
from isol8_tasks.lifecycle.promotion import has_layers
from tests.clients import CLIENTS
from tests.integration.checkouts import (
    ROOT,
    Checkout,
    images_of,
    new_checkout,
    remove_tags,
    tags_of,
    wait_for,
)
from tests.integration.registries import Registry

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a second engine needs Linux")

KILLS = int(os.environ.get("ISOL8_KILLS", "3"))
NAMES = ("bash", "bash-custom")
SETUP = ("setup", "--only=bash")


@define
class Side:
    """A checkout and its engine."""

    checkout: Checkout
    host: str
    noted: Path
    span: float = 0
    """Seconds from the first verification, or pull, to the end of a run that nobody kills."""

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            (sys.executable, "-m", "tests.integration.killing", str(self.noted), *SETUP),
            cwd=self.checkout.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "DOCKER_HOST": self.host},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def notes(self) -> list[str]:
        return self.noted.read_text().split() if self.noted.exists() else []

    def complete(self) -> str:
        """Run to the end."""
        run, _ = self._begun()
        out, _ = run.communicate(timeout=240)
        assert run.returncode == 0, out
        return out

    def measure(self) -> None:
        """Run to the end of a run that has something to do."""
        run, began = self._begun()
        out, _ = run.communicate(timeout=240)
        assert run.returncode == 0, out
        self.span = time.monotonic() - began

    def _begun(self) -> "tuple[subprocess.Popen[str], float]":
        """Start a run, and return it with the time when it verified or pulled something, or ended without."""
        before = len(self.notes())
        run = self.start()
        wait_for(lambda: len(self.notes()) > before or run.poll() is not None, seconds=240)
        return run, time.monotonic()

    def kill(self, share: float) -> bool:
        """Run, and kill it in that share of the time after its first verification or pull; tell whether it lived."""
        run, _ = self._begun()
        try:
            out, _ = run.communicate(timeout=share * self.span)
        except subprocess.TimeoutExpired:
            run.kill()
            out, _ = run.communicate(timeout=60)
        if run.returncode == -signal.SIGKILL:
            return True
        assert run.returncode == 0, out
        return False


@define
class Campaign:
    """One who builds and pushes, one who pulls, and the registry between them."""

    writer: Side
    reader: Side
    registry: Registry
    chance: random.Random
    hits: Counter[str] = field(factory=Counter)
    newest: dict[str, str] = field(factory=dict)
    """When what a name has in the registry was built."""

    def change(self, number: int) -> None:
        """Let both images be stale, by inputs that they never had: those of before would be found in the registry."""
        for side in (self.writer, self.reader):
            side.checkout.deps(
                'bash = ["jq"]',
                f'[registry]\nrepository = "{self.registry.address}/isol8"\nstandins = true\n'
                f"push = {str(side is self.writer).lower()}\n",
            )
            side.checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'ENV N{number}=1\nCMD ["bash"]')

    def look(self, side: Side) -> dict[str, str]:
        """Return the builds in use, by name; whoever asks for an image gets one that was verified."""
        verified = {*self.writer.notes()} - {"pull", "push"}
        repository = side.checkout.repository
        engine = DockerEngine(Endpoint(url=side.host, why="the tests"), environ=os.environ)
        try:
            images = images_of(engine.images(), repository)
            found = {each.id: each for each in images}
            for name, choose in CLIENTS.items():
                for packages in ([], ["jq"]):
                    chosen = choose(images, repository, "bash", packages)
                    if chosen is None:
                        continue
                    record = read_record(found[chosen].labels)
                    assert record is not None, name
                    assert (record.role, record.build in verified) == ("current", True), (name, packages)
                    assert record.inventory
                    assert has_layers(engine, chosen, record.layers)
            observed = Observed(repository=repository, images=images)
            records = {name: read_record(image.labels) for name in NAMES if (image := observed.public(name))}
            return {name: record.build for name, record in records.items() if record}
        finally:
            engine.close()

    def look_there(self) -> dict[str, str]:
        """Return the builds that the names have in the registry; each tag leads to a whole image that was verified."""
        verified = {*self.writer.notes()} - {"pull", "push"}
        builds = {}
        # The digest of each was asked for with all its parts.
        for tag, digest in self.registry.tags("isol8").items():
            labels = self.registry.image_labels("isol8", digest)
            record = read_record(labels)
            assert record is not None
            assert (record.role, record.build in verified) == ("current", True), tag
            assert record.inventory
            if tag in NAMES:
                assert record.image == tag
                created = labels["org.opencontainers.image.created"]
                assert created >= self.newest.get(tag, ""), "the registry went back"
                self.newest[tag] = created
                builds[tag] = record.build
        return builds

    def round(self, side: Side, most: int) -> int:
        """Kill runs one after the other, look after each, and let the last complete; return how many were killed."""
        number = 0
        while number < most and self._killed(side):
            number += 1
        out = side.complete()
        assert self.look(side) == self.look_there(), out
        if side is self.reader:
            assert " built" not in out.replace("not built", "")
        plan = side.checkout.doit("plan", "--check", "--only=bash", DOCKER_HOST=side.host)
        assert plan.code == 0, plan.out
        return number

    def _killed(self, side: Side) -> bool:
        before, there, tags = self.look(side), self.look_there(), len(self.registry.tags("isol8"))
        if not side.kill(self.chance.random()):
            return False
        after, there_after = self.look(side), self.look_there()
        moved = sum(after.get(name) != before.get(name) for name in NAMES)
        sent = len(self.registry.tags("isol8")) - tags
        named = sum(there_after.get(name) != there.get(name) for name in NAMES)
        who = "push" if side is self.writer else "pull"
        hit = f"{who}: {moved} promoted, {sent} tags and {named} names there"
        self.hits[hit] += 1
        sys.stdout.write(f"{self.hits.total()}. {hit}\n")
        sys.stdout.flush()
        return True


@pytest.fixture
def campaign(
    docker_api: docker.APIClient, endpoint: Endpoint, second: str, tmp_path: Path
) -> Iterator[Campaign]:
    """Give a registry, and two engines that have and pulled the same images."""
    registry = Registry(tmp_path / "registry").start()
    sides = [
        Side(new_checkout(tmp_path / name), host, tmp_path / f"{name}.txt")
        for name, host in (("writer", endpoint.url), ("reader", second))
    ]
    made = Campaign(sides[0], sides[1], registry, random.Random(KILLS))  # noqa: S311 - it chooses moments
    for number in (0, 1):
        made.change(number)
        for side in sides:
            side.measure()
    yield made
    client = docker.APIClient(base_url=second)
    remove_tags(client, made.reader.checkout.repository)
    client.close()
    remove_tags(docker_api, made.writer.checkout.repository)
    registry.kill()


def test_kills_between_pull_promotion_and_push(campaign: Campaign, docker_api: docker.APIClient) -> None:
    """No client and no name of the registry ever leads to what was not verified, and nothing is left at the end."""
    killed, number = 0, 1
    while killed < KILLS:
        number += 1
        assert number < 3 * KILLS + 9, campaign.hits
        campaign.change(number)
        for side in (campaign.writer, campaign.reader):
            killed += campaign.round(side, min(3, KILLS - killed))
    sys.stdout.write(f"\n{killed} kills: {dict(sorted(campaign.hits.items()))}\n")
    assert left_over(docker_api, campaign.writer) == []
    reader = docker.APIClient(base_url=campaign.reader.host)
    assert left_over(reader, campaign.reader) == []
    reader.close()


def left_over(api: docker.APIClient, side: Side) -> list[str]:
    """Return the tags that a run would have taken away; those of labels are ten minutes old before the next does."""
    found: Mapping[str, Mapping[str, str]] = {
        tag: api.inspect_image(tag)["Config"]["Labels"] for tag in tags_of(api, side.checkout.repository)
    }
    return [
        tag
        for tag, labels in found.items()
        if tag.endswith("-pushing")
        or (tag.endswith("-candidate") and labels["org.isol8.tasks.role"] == "candidate")
    ]
