"""Other ways to build the five base images from the same Dockerfile on the same engine."""

import contextlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import docker
from docker.errors import APIError

from bench.buildx import find_buildx
from bench.measure import Candidate
from isol8_tasks.runtimes import RUNTIMES

UPSTREAM: Final = frozenset({"alpine:3.21", "denoland/deno:alpine"})
_STANDIN_ARGUMENT: Final = "org.isol8.lab.arg."


class Engine:
    """What the benchmark itself asks of the engine."""

    def __init__(self, host: str) -> None:
        self._client = docker.APIClient(base_url=host, version="auto")

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

    def forget(self, *repositories: str) -> None:
        """Remove every tag of these repositories, and with it what nothing else names."""
        for image in self._client.images():
            for tag in image["RepoTags"] or ():
                if tag.rpartition(":")[0] in repositories:
                    self._client.remove_image(tag)

    def forget_steps(self, output: str) -> None:
        """Remove the nameless images of other stages that a classic build left, by the ids it printed."""
        steps = set(re.findall(r"^ ---> ([0-9a-f]{12})$", output, re.MULTILINE))
        for image in self._client.images(filters={"dangling": True}):
            if image["Id"].removeprefix("sha256:")[:12] in steps:
                # One that another image has come to stand on in the meantime stays.
                with contextlib.suppress(APIError):
                    self._client.remove_image(image["Id"])

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def bake(
    scratch: Path, repository: str, arguments: Mapping[str, str], after: Callable[[str], None]
) -> Candidate | None:
    """Return `docker buildx bake` of the five targets; None where there is no buildx to be had."""
    buildx = find_buildx(scratch / "buildx")
    if buildx is None:
        return None
    file = scratch / "bake.json"
    targets = {
        name: {"context": "docker", "target": name, "tags": [f"{repository}:{name}"], "args": dict(arguments)}
        for name in RUNTIMES
    }
    file.write_text(
        json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}), encoding="utf-8"
    )
    return Candidate(
        name="docker buildx bake --no-cache",
        command=(*buildx, "bake", "--file", str(file), "--no-cache", "--load", "--progress", "plain"),
        # Its state is kept out of the user's; attestations are work that the others don't do.
        environment={"BUILDX_CONFIG": str(scratch / "buildx-config"), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        after=after,
    )


def classic(
    checkout: Path, repository: str, arguments: Mapping[str, str], after: Callable[[str], None]
) -> Candidate:
    """Return the five targets built one after another on the classic builder."""
    order = json.dumps([str(checkout / "docker"), repository, list(RUNTIMES), dict(arguments)])
    return Candidate(
        name="classic builder, one by one",
        command=(sys.executable, str(Path(__file__).with_name("classic.py")), order),
        environment={},
        after=after,
    )
