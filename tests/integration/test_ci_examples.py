"""The files of examples/ci do what they promise on machines whose engine is empty in every job."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import ROOT
from tests.integration.ci_jobs import Ended, Machine
from tests.integration.conftest import UPSTREAM
from tests.integration.registries import PASSWORD, Registry
from tests.integration.tokens import TokenServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a second engine needs Linux")

EXAMPLES = ROOT / "examples" / "ci"
GITHUB, GITLAB = EXAMPLES / "github", EXAMPLES / "gitlab-ci.yml"
SMALL = 300_000
"""More bytes than manifests and configurations have, and fewer than any layer of an image."""


class Project:
    """A project on a service of theirs: its repository, its registry, and the machine that its jobs get."""

    def __init__(self, folder: Path, host: str) -> None:
        self.tokens = TokenServer(folder / "tokens", PASSWORD)
        self.registry = Registry(folder / "registry", tokens=self.tokens).start()
        self.origin, self._client = folder / "origin", docker.APIClient(base_url=host)
        self.machine = Machine(
            folder=folder,
            origin=self.origin,
            host=host,
            variables={
                # One runtime is enough here; GitHub's file calls it by a name of its own.
                "RUNTIMES": "bash",
                "ISOL8_RUNTIMES": "bash",
                "REGISTRY": self.registry.address,
                "REGISTRY_USER": "me",
                "REGISTRY_PASSWORD": PASSWORD,
                "CI_REGISTRY": self.registry.address,
                "CI_REGISTRY_USER": "me",
                "CI_REGISTRY_PASSWORD": PASSWORD,
            },
        )
        self.origin.mkdir()
        for name in ("doitw", "dodo.py", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.origin / name)
        for name in ("docker", "isol8_tasks", "lab"):
            shutil.copytree(ROOT / name, self.origin / name, ignore=shutil.ignore_patterns("__pycache__"))
        # It hides that of whoever runs the tests.
        (self.origin / "isol8.config.json").write_text("{}")
        self._git("init", "-q", "-b", "main")

    def commit(self, packages: str) -> None:
        """Commit a deps.toml with these packages for bash."""
        (self.origin / "deps.toml").write_text(
            f"[dependencies]\nbash = {packages}\n"
            f'[registry]\nrepository = "{self.registry.address}/isol8"\nstandins = true\n'
        )
        self._git("add", "-A")
        self._git("-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qm", "Change packages")

    def empty(self) -> None:
        """Leave nothing on the engine but the upstream images."""
        for image in self._client.images(all=False):
            for tag in image["RepoTags"] or [image["Id"]]:
                if tag not in UPSTREAM:
                    self._client.remove_image(tag, force=True)
        self._client.prune_builds(all=True)
        left = {tag for image in self._client.images() for tag in image["RepoTags"] or ()}
        assert left == set(UPSTREAM)

    def github(self, file: str, event: str) -> Ended:
        self.empty()
        return self.machine.github(GITHUB / file, event)

    def gitlab(self, job: str, **pipeline: str) -> Ended:
        self.empty()
        ((name, ended),) = self.machine.gitlab(GITLAB, **pipeline).items()
        assert name == job
        return ended

    def digests(self) -> dict[str, str]:
        return self.registry.tags("isol8")

    def close(self) -> None:
        self.empty()
        self._client.close()
        self.registry.kill()
        self.tokens.stop()

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.origin, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, second: str) -> Iterator[Project]:
    """Give a project whose jobs run on an engine of their own."""
    project = Project(tmp_path_factory.mktemp("project"), second)
    yield project
    project.close()


def pull_requested(project: Project, asked: Callable[[], Ended], added: str) -> Ended:
    """Ask what a change would build, and see to it that no layer is pulled, and nothing pushed."""
    before, sent = project.digests(), project.registry.sent()
    ended = asked()
    plan = ended.artifacts["plan.txt"]
    assert re.search(r"^isol8:bash +in registry", plan, re.MULTILINE), plan
    assert re.search(rf"^isol8:bash-custom +not built +\+ {added}$", plan, re.MULTILINE), plan
    assert project.registry.sent() - sent < SMALL
    assert project.digests() == before
    return ended


def quiet_night(project: Project, night: Callable[[], Ended]) -> Ended:
    """Refresh where nothing has moved, and see to it that nothing is built or pushed."""
    before = project.digests()
    ended = night()
    assert ended.result == "success", ended.log
    assert re.search(r" · 2 images fresh · \d pulled · ", ended.log), ended.log
    assert project.digests() == before
    return ended


def test_github(project: Project) -> None:
    """A merge builds and pushes what is new and pulls the rest, and its pull request says so before."""
    project.commit('["jq"]')
    first = project.github("merge.yml", "push")
    assert first.result == "success", first.log
    assert "2 built · 2 pushed · " in first.log
    assert set(json.loads(first.artifacts["resolved-images.json"])["images"]) == {
        "isol8:bash",
        "isol8:bash-custom",
    }
    project.commit('["jq", "unzip"]')
    asked = pull_requested(project, lambda: project.github("pull-request.yml", "pull_request"), "unzip")
    assert asked.result == "success", asked.log
    assert asked.artifacts["plan.txt"] in asked.summary
    merged = project.github("merge.yml", "push")
    assert merged.result == "success", merged.log
    assert "1 built · 1 pulled · 1 pushed · " in merged.log
    night = quiet_night(project, lambda: project.github("night.yml", "schedule"))
    assert "2 images fresh" in night.summary
    assert set(night.artifacts) == {"refresh.md", "resolved-images.json"}


@pytest.mark.thorough
def test_gitlab(project: Project) -> None:
    """The same, by the jobs that its rules choose; a plan with something to build is a warning."""
    project.commit('["unzip"]')
    main = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}
    first = project.gitlab("build", **main)
    assert first.result == "success", first.log
    project.commit('["unzip", "curl"]')
    asked = pull_requested(
        project, lambda: project.gitlab("plan", CI_PIPELINE_SOURCE="merge_request_event"), "curl"
    )
    assert asked.result == "warning", asked.log
    merged = project.gitlab("build", **main)
    assert merged.result == "success", merged.log
    assert "1 built · 1 pulled · 1 pushed · " in merged.log
    night = quiet_night(project, lambda: project.gitlab("refresh", CI_PIPELINE_SOURCE="schedule"))
    assert "2 images fresh" in night.artifacts["refresh.md"]
    assert project.machine.gitlab(GITLAB, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="other") == {}


def test_what_goes_wrong_fails_the_job(project: Project) -> None:
    """A wrong deps.toml is exit code 3, which no job bears."""
    project.commit("[")
    for file, event in (
        ("pull-request.yml", "pull_request"),
        ("merge.yml", "push"),
        ("night.yml", "schedule"),
    ):
        ended = project.machine.github(GITHUB / file, event)
        assert (ended.result, "ERROR: deps.toml" in ended.log) == ("failure", True), ended.log
    for source in ("merge_request_event", "schedule"):
        (ended,) = project.machine.gitlab(GITLAB, CI_PIPELINE_SOURCE=source).values()
        assert ended.result == "failure", ended.log
