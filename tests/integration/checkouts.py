"""Checkouts of the project's inputs, for tests that run doit on them as a user would."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
from attrs import evolve, frozen

from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.run.workspace import Workspace
from tests import forked
from tests.json_schemas import checked

ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 240

_CUT_OFF = """
import os, signal, sys
from isol8_tasks.engine.daemon import DockerEngine

left = int(sys.argv[1])

def cut(name):
    whole = getattr(DockerEngine, name)
    def method(self, *arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return whole(self, *arguments)
    setattr(DockerEngine, name, method)

for name in sys.argv[2].split(","):
    cut(name)
from doit.doit_cmd import DoitMain
sys.exit(DoitMain().run(sys.argv[3:]))
"""
_LATER = """
import datetime, sys, types
from isol8_tasks.run import workspace

class Later(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(days=float(sys.argv[1]))

workspace.dt = types.SimpleNamespace(datetime=Later, UTC=datetime.UTC)
from doit.doit_cmd import DoitMain
sys.exit(DoitMain().run(sys.argv[2:]))
"""
_OWN_ONLY = """
import sys
from isol8_tasks.engine.daemon import DockerEngine

whole = DockerEngine.nameless

def nameless(self):
    return tuple(each for each in whole(self) if each.labels.get("org.isol8.tasks.checkout") == sys.argv[1])

DockerEngine.nameless = nameless
from doit.doit_cmd import DoitMain
sys.exit(DoitMain().run(sys.argv[2:]))
"""


@frozen
class Result:
    """What a run of doit came to."""

    code: int
    out: str
    err: str


@frozen
class Checkout:
    """A checkout of the project's inputs with a repository of its own."""

    folder: Path
    repository: str
    longest: float = _LONGEST
    """Seconds that a run may take."""

    def doit(self, *words: str, **environment: str) -> Result:
        done = self._forked(self._command(*words), **environment)
        checked(words, done.out)
        return done

    def cut_off(self, step: int, *words: str, changes: str = "build,tag,untag,pull") -> int:
        """Run doit with an end like a power cut before its nth change on the engine; return its exit code."""
        return self._forked((sys.executable, "-c", _CUT_OFF, str(step), changes, *words)).code

    def later(self, days: float, *words: str, **environment: str) -> Result:
        """Run doit as if so many days had gone by."""
        return self._forked((sys.executable, "-c", _LATER, str(days), *words), **environment)

    @property
    def id(self) -> str:
        """What labels call this checkout."""
        return Workspace.here(self.folder, {}).checkout_id

    def _command(self, *words: str) -> tuple[str, ...]:
        if words[:1] == ("prune",):
            # Others' images stay, on whichever engine this is.
            return (sys.executable, "-c", _OWN_ONLY, self.id, *words)
        return (sys.executable, "-m", "isol8_tasks.cli", *words)

    def _forked(self, command: tuple[str, ...], **environment: str) -> Result:
        """Do what `_run` does, without another start of Python where that would be the same."""
        env = self._environ(environment)
        if not forked.can_run(env):
            return self._run(command, **environment)
        return self._result(forked.run(command[1:], cwd=self.folder, env=env, timeout=self.longest))

    def _run(self, command: tuple[str, ...], **environment: str) -> Result:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environ(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.longest,
        )
        return self._result(done)

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **more}

    def _result(self, done: "subprocess.CompletedProcess[str]") -> Result:
        assert "Traceback" not in done.stdout + done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command(*words),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Whoever runs the tests in the background may have Ctrl-C ignored, and children would inherit that.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - it calls one function that is safe there
        )

    def built(self, *words: str) -> set[str]:
        """Run doit, and return the names of the images that it built, whatever came of it."""
        done = self.doit(*words)
        assert done.code == 0, done.out + done.err
        return set(
            re.findall(rf"^{self.repository}:(\S+)\s+(?:built |rebuilt, same)", done.out, re.MULTILINE)
        )

    def plan(self, *words: str) -> dict[str, tuple[str, list[str]]]:
        """Return state and reasons of every image by its name."""
        done = self.doit("plan", "--json", *words)
        assert done.code == 0, done.err
        images = json.loads(done.out)["images"]
        # The template was built by a checkout of its own, which a test of its own is about.
        return {
            each["image"].partition(":")[2]: (
                each["state"],
                [reason for reason in each["reasons"] if "another checkout, template" not in reason],
            )
            for each in images
        }

    def stale(self, *words: str) -> set[str]:
        return {name for name, (state, _) in self.plan(*words).items() if state in {"stale", "not-built"}}

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def deps(self, dependencies: str = "", build: str = "") -> None:
        (self.folder / "deps.toml").write_text(
            f'[dependencies]\n{dependencies}\n[build]\nrepository = "{self.repository}"\n{build}\n'
        )

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "resolved-images.json").read_text())
        return found


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def new_checkout(folder: Path, repository: str = "") -> Checkout:
    folder.mkdir()
    for file in ("dodo.py", "pyproject.toml"):
        shutil.copy(ROOT / file, folder / file)
    # It hides that of whoever runs the tests.
    (folder / "isol8.config.json").write_text("{}")
    shutil.copytree(ROOT / "docker", folder / "docker")
    checkout = Checkout(folder, repository or f"isol8test{secrets.token_hex(4)}")
    checkout.deps()
    return checkout


def tags_of(api: docker.APIClient, repository: str) -> tuple[str, ...]:
    """Return every tag of a repository and of its private one."""
    return tuple(
        tag
        for image in api.images()
        # Podman says where it is from.
        for tag in (each.removeprefix("docker.io/library/") for each in image["RepoTags"] or [])
        if tag.partition(":")[0] in {repository, f"{repository}_build"}
    )


@contextlib.contextmanager
def sharing(api: docker.APIClient, owner: Checkout, folder: Path) -> Iterator[Checkout]:
    """Give a new checkout whose images are those of another one, under tags of its own that are removed at the end."""
    checkout = new_checkout(folder)
    share_images(api, owner, checkout)
    yield checkout
    remove_tags(api, checkout.repository)


def share_images(api: docker.APIClient, source: Checkout, target: Checkout) -> None:
    """Let every image of one checkout be another's too, under its own tags."""
    for tag in tags_of(api, source.repository):
        repository, _, name = tag.partition(":")
        api.tag(tag, target.repository + repository.removeprefix(source.repository), name)


def images_of(images: Iterable[ObservedImage], repository: str) -> tuple[ObservedImage, ...]:
    """Return those of a repository and of its private one, as if nobody else had tags on this engine."""
    ours = {repository, f"{repository}_build"}
    found = (
        evolve(image, tags=tuple(tag for tag in image.tags if tag.partition(":")[0] in ours))
        for image in images
    )
    return tuple(image for image in found if image.tags)


def remove_tags(api: docker.APIClient, repository: str) -> None:
    """Take every tag of a repository, and of its private one, away."""
    for tag in tags_of(api, repository):
        api.remove_image(tag)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def sleeping(mark: str) -> list[str]:
    """Return the processes of a build step that carries the mark (the engine is on this machine)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in words and b"sleep" in words:
            found.append(path.parent.name)
    return found
