"""Other ways to build the five base images from the same Dockerfile on the same engine."""

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

import docker
from attrs import frozen
from docker.errors import APIError

from bench.buildx import find_buildx
from bench.measure import Candidate
from isol8_tasks.ecosystems.runtimes import RUNTIMES

UPSTREAM: Final = frozenset({"alpine:3.21", "denoland/deno:alpine"})
_STANDIN_ARGUMENT: Final = "org.isol8.lab.arg."


class Engine:
    """What the benchmark itself asks of the engine."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._client = docker.APIClient(base_url=host, version="auto", timeout=600)

    def version(self) -> str:
        """Return the engine's version."""
        return str(self._client.version()["Version"])

    def standin_arguments(self) -> dict[str, str]:
        """Return the build arguments that stand-ins of upstream images ask for in their labels."""
        return {
            label.removeprefix(_STANDIN_ARGUMENT): value
            for image in self._client.images()
            if not UPSTREAM.isdisjoint(image["RepoTags"] or ())
            for label, value in (image["Labels"] or {}).items()
            if label.startswith(_STANDIN_ARGUMENT)
        }

    def gateway(self) -> str:
        """Return the address of this machine as containers reach it."""
        return str(self._client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"])

    def listing(self, *repositories: str) -> list[Mapping[str, Any]]:
        """Return the engine's own list of the images in these repositories, and of the upstream images."""
        found: list[Mapping[str, Any]] = self._client.images()
        return [
            image
            for image in found
            if any(
                tag in UPSTREAM or tag.rpartition(":")[0] in repositories for tag in image["RepoTags"] or ()
            )
        ]

    def forget(self, *repositories: str, keep: Collection[str] = ()) -> None:
        """Remove every tag of these repositories but those to keep, and with it what nothing else names."""
        for image in self._client.images():
            for tag in image["RepoTags"] or ():
                if tag.rpartition(":")[0] in repositories and tag not in keep:
                    self._client.remove_image(tag)

    def forget_builds(self) -> None:
        """Empty the build cache."""
        self._client.prune_builds(all=True)

    def forget_steps(self, output: str) -> None:
        """Remove the nameless images of other stages that a classic build left, by the ids it printed."""
        steps = set(re.findall(r"^ ---> ([0-9a-f]{12})$", output, re.MULTILINE))
        for image in self._client.images(filters={"dangling": True}):
            if image["Id"].removeprefix("sha256:")[:12] in steps:
                # One that another image has come to be based on in the meantime stays.
                with contextlib.suppress(APIError):
                    self._client.remove_image(image["Id"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@frozen(kw_only=True)
class Setting:
    """What every other way to build gets: which files, under which names, and what goes before and after a run."""

    scratch: Path
    """A folder for what can be made again."""
    folder: Path
    """The folder that holds docker/."""
    repository: str
    arguments: Mapping[str, str]
    before: Callable[[], None] = lambda: None
    after: Callable[[str], None] = lambda _output: None
    cached: bool = True
    """Whether the builder may use its cache."""


def bake(setting: Setting) -> Candidate | None:
    """Return `docker buildx bake` of the five targets; None where there is no buildx to be had."""
    buildx = find_buildx(setting.scratch / "buildx")
    if buildx is None:
        return None
    file = setting.scratch / f"bake-{setting.repository}.json"
    targets = {
        name: {
            "context": "docker",
            "target": name,
            "tags": [f"{setting.repository}:{name}"],
            "args": dict(setting.arguments),
        }
        for name in RUNTIMES
    }
    file.write_text(
        json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}), encoding="utf-8"
    )
    options = [] if setting.cached else ["--no-cache"]
    return _with_buildx(
        setting,
        " ".join(["docker buildx bake", *options]),
        (*buildx, "bake", "--file", str(file), *options, "--load", "--progress", "plain"),
    )


def docker_builds(setting: Setting) -> Candidate | None:
    """Return a `docker build` for each target, by buildx as docker does it today; None where there is no buildx."""
    buildx = find_buildx(setting.scratch / "buildx")
    if buildx is None:
        return None
    options = ["--load", "--progress", "plain"]
    for name, value in setting.arguments.items():
        options += ["--build-arg", f"{name}={value}"]
    commands = [
        shlex.join(
            (*buildx, "build", "--target", name, "--tag", f"{setting.repository}:{name}", *options, "docker")
        )
        for name in RUNTIMES
    ]
    return _with_buildx(setting, "docker build, once a target", ("sh", "-c", " && ".join(commands)))


def _with_buildx(setting: Setting, name: str, command: tuple[str, ...]) -> Candidate:
    return Candidate(
        name=name,
        command=command,
        # Its state is kept out of the user's; attestations are work that the others don't do.
        environment={
            "BUILDX_CONFIG": str(setting.scratch / "buildx-config"),
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        },
        before=setting.before,
        after=setting.after,
        folder=setting.folder,
    )


def classic(setting: Setting) -> Candidate:
    """Return the five targets built one after another on the classic builder, without cache."""
    order = json.dumps(
        [str(setting.folder / "docker"), setting.repository, list(RUNTIMES), dict(setting.arguments)]
    )
    return Candidate(
        name="classic builder, one by one",
        command=(sys.executable, str(Path(__file__).with_name("classic.py")), order),
        environment={},
        after=setting.after,
    )
