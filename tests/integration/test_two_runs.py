"""Two runs on one engine that see no lock of one another's: what an image is and what it says stays the same.

`ISOL8_ROUNDS=100` makes the long form of it.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest
from attrs import define, field

from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.images.observed import ObservedImage
from tests.integration.checkouts import ROOT, Checkout, new_checkout, remove_tags, tags_of

ROUNDS = int(os.environ.get("ISOL8_ROUNDS", "4"))
"""With each kind of base."""
LABEL = "org.isol8.tasks."
_UNLOCKED = """
import contextlib, sys
from isol8_tasks.run import session

session.engine_lock = lambda *_arguments, **_options: contextlib.nullcontext()
from doit.doit_cmd import DoitMain
sys.exit(DoitMain().run(sys.argv[1:]))
"""
_LOOK = "cat /who; apk info -e jq; apk info -e unzip; true"


@define
class Campaign:
    """Two checkouts that want different things of the same image, and what was found in all that they made."""

    engine: DockerEngine
    one: Checkout
    two: Checkout
    seen: set[str] = field(factory=set)
    found: Counter[str] = field(factory=Counter)
    bases: dict[str, str] = field(factory=dict)
    """Whose checkout a base was really built from, by the build id in its label."""

    def round(self, *words: str) -> list[int]:
        """Let both build at the same time; return their exit codes."""
        runs = [
            subprocess.Popen(
                (sys.executable, "-c", _UNLOCKED, *words),
                cwd=each.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for each in (self.one, self.two)
        ]
        for run in runs:
            text, _ = run.communicate(timeout=300)
            assert "Traceback" not in text, text
            assert run.returncode in {0, 1}, text
            if run.returncode:
                assert "replaced" in text or "removed" in text, text
        return [run.returncode for run in runs]

    def look(self) -> list[str]:
        """Look into every image that is new, and return what its labels say and is not true."""
        repository = self.one.repository
        images = [
            *(each for each in self.engine.images() if any(repository in tag for tag in each.tags)),
            *(each for each in self.engine.nameless() if self._is_own(each)),
        ]
        new = [each for each in images if each.id not in self.seen]
        contents = {each.id: self._contents(each) for each in new}
        for image in new:
            if image.labels[f"{LABEL}image"] == "bash":
                self.bases[image.labels[f"{LABEL}build"]] = contents[image.id][0]
        self.seen |= contents.keys()
        return [lie for image in new for lie in self._lies(image, *contents[image.id])]

    def _is_own(self, image: ObservedImage) -> bool:
        return image.labels.get(f"{LABEL}checkout") in {self.one.id, self.two.id}

    def _contents(self, image: ObservedImage) -> tuple[str, set[str]]:
        look = RunRequest(image=image.id, command=("sh", "-c", _LOOK), user="root", seconds=60)
        who, *packages = self.engine.run(look).stdout.decode().split()
        return who, set(packages)

    def _lies(self, image: ObservedImage, who: str, packages: set[str]) -> Iterator[str]:
        labels: Mapping[str, str] = image.labels
        self.found["images"] += 1
        if labels[f"{LABEL}image"] == "bash":
            if who not in {labels[f"{LABEL}checkout"], "both"}:
                yield f"{image.tags} is of {who}, and says {labels[f'{LABEL}checkout']}"
            return
        if set(json.loads(labels[f"{LABEL}packages"])) != packages:
            yield f"{image.tags} has {packages}, and says {labels[f'{LABEL}packages']}"
        parent = self.bases.get(labels[f"{LABEL}parent"])
        self.found["parents"] += parent is not None
        if parent not in {who, None}:
            yield f"{image.tags} is based on a base of {who}, and names one of {parent}"


@pytest.fixture(params=["one base", "two bases"])
def campaign(
    engine: DockerEngine, docker_api: docker.APIClient, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Campaign]:
    """Give two checkouts with one repository; each has packages of its own, and perhaps a base."""
    one = new_checkout(tmp_path / "one")
    two = new_checkout(tmp_path / "two", one.repository)
    for each, packages in ((one, '"jq"'), (two, '"jq", "unzip"')):
        each.deps(f"bash = [{packages}]")
        with (each.folder / "deps.toml").open("a") as file:
            file.write('[verify]\noldest_client = "0.20.0"\n')
        who = each.id if request.param == "two bases" else "both"
        each.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN echo {who} >/who\nCMD ["bash"]')
    yield Campaign(engine, one, two)
    remove_tags(docker_api, one.repository)
    for image in engine.nameless():
        if image.labels.get(f"{LABEL}checkout") in {one.id, two.id}:
            engine.untag(image.id)


@pytest.mark.thorough(every=2)
def test_no_image_is_another_than_it_says(campaign: Campaign, docker_api: docker.APIClient) -> None:
    """Both build the same base and custom image, each its own way; whatever comes of it tells the truth."""
    codes: Counter[tuple[int, ...]] = Counter()
    lies: list[str] = []
    for number in range(ROUNDS):
        # By force both build in any case; without, one may find what it wants, and the base counts, too.
        words = (["custom:bash"], ["custom:bash", "--force"], ["custom:bash", "--force"], ["base:bash"])
        codes[tuple(campaign.round(*words[number % 4]))] += 1
        lies += campaign.look()
    # For who asks for more with `-s`, or whom it fails.
    sys.stdout.write(f"{ROUNDS} rounds: {dict(codes)} {dict(campaign.found)}; {len(lies)} wrong\n")
    assert lies == []
    assert campaign.found["parents"]
    assert not [tag for tag in tags_of(docker_api, campaign.one.repository) if tag.endswith("-candidate")]
    # Once one is alone again, it gets what it wants, and nothing is left to do.
    assert campaign.one.doit("custom:bash").code == 0
    assert campaign.look() == []
    assert campaign.one.stale("--only=bash") == set()
    assert campaign.one.doit("verify", "bash-custom", "bash").code == 0
