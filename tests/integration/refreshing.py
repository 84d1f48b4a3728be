"""A checkout whose images come of a world of sources, and what refreshes of it come to."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import docker
from attrs import frozen

from isol8_tasks.images.labels import BUILD
from tests.integration.checkouts import Checkout
from tests.integration.world import World

DEPENDENCIES = """
python = ["thing"]
node = ["left"]
bun = ["right"]
deno = ["npm:down"]
bash = ["tool"]
"""
IMAGES = """
[images.web]
runtime = "python"
packages = ["other"]
[images.web-tests]
extends = "web"
packages = ["leaf"]
"""
# How each generation of clients runs an image is what other tests are about.
VERIFY = """
[verify]
oldest_client = "0.7.0"
"""
EVERY = frozenset(
    {"python", "node", "bun", "deno", "bash", "web", "web-tests"}
    | {"python-custom", "node-custom", "bun-custom", "deno-custom", "bash-custom"}
)
PARENTS = {
    **{f"{runtime}-custom": runtime for runtime in ("python", "node", "bun", "deno", "bash")},
    "web": "python",
    "web-tests": "web",
}


def first_releases(world: World) -> None:
    """Publish what the images ask for: `thing` needs `other`, `left` and `right` need `below`, `tool` needs `part`."""
    world.wheel("other", "2.0")
    world.wheel("thing", "1.0", requires=["other>=2"])
    world.wheel("leaf", "1.0")
    world.npm("below", "1.0.0")
    world.npm("left", "1.0.0", dependencies={"below": "^1"})
    world.npm("right", "1.0.0", dependencies={"below": "^1"})
    world.npm("down", "1.0.0")
    world.apk("part", "1.0-r0")
    world.apk("tool", "1.0-r0", depends=["part"])


def settings(checkout: Checkout, world: World, more: str = "", *, verify: str = "") -> None:
    """Write deps.toml, with another key of [verify], and more tables at its end."""
    checkout.deps(DEPENDENCIES, f"{world.build}\n{IMAGES}{VERIFY}{verify}\n{more}")


@frozen
class Night:
    """What one refresh came to."""

    code: int
    report: Mapping[str, Any]
    rebuilt: set[str]
    """The images whose public tag names another image than before; not by what the report says."""

    @property
    def changed(self) -> set[str]:
        """The images that the report says were built."""
        return _names(each["image"] for each in self.report["changed"])

    @property
    def failed(self) -> set[str]:
        """The images that could not be done."""
        return _names(each["subject"] for each in self.report["failed"])

    def state(self, name: str) -> str:
        """Return how an image was found."""
        return str(self._image(name)["state"])

    def problems(self, name: str) -> str:
        """Return what could not be found out of an image."""
        return "; ".join(self._image(name)["problems"])

    def young(self, name: str) -> set[str]:
        """Return what is too new to get into an image."""
        return {f"{each['name']} {each['new']}" for each in self._image(name)["young"] if each["new"]}

    def _image(self, name: str) -> Mapping[str, Any]:
        (found,) = (each for each in self.report["images"] if each["image"].endswith(f":{name}"))
        return dict(found)


def _names(tags: Any) -> set[str]:  # noqa: ANN401 - strings out of JSON
    return {str(tag).rpartition(":")[2] for tag in tags}


def public_ids(api: docker.APIClient, checkout: Checkout) -> dict[str, str]:
    """Return the image behind each public tag of those that a checkout asks for."""
    return {
        tag.rpartition(":")[2]: image["Id"]
        for image in api.images()
        for tag in image["RepoTags"] or ()
        if tag.rpartition(":")[0] == checkout.repository and tag.rpartition(":")[2] in EVERY
    }


def builds(api: docker.APIClient, checkout: Checkout) -> dict[str, str]:
    """Return the build that each of these images comes from: that of one whose rebuild had the same result stays."""
    labels = {image["Id"]: image["Labels"] for image in api.images()}
    return {name: labels[image][BUILD] for name, image in public_ids(api, checkout).items()}


def refresh(api: docker.APIClient, checkout: Checkout, *words: str) -> Night:
    """Run one refresh."""
    before = public_ids(api, checkout)
    done = checkout.doit("refresh", "--json", *words)
    assert done.out.startswith("{"), done.out + done.err
    report = json.loads(done.out)
    assert "failed" in report, done.out + done.err
    after = public_ids(api, checkout)
    rebuilt = {name for name in EVERY if before.get(name) != after.get(name)}
    return Night(done.code, report, rebuilt)


def installed(checkout: Checkout, name: str) -> dict[str, str]:
    """Return what the inventory on an image says, by name."""
    done = checkout.doit("inventory", "--json", name)
    assert done.code == 0, done.err
    found: dict[str, str] = {}

    def gather(value: object) -> None:
        if isinstance(value, dict):
            if {"name", "version"} <= value.keys():
                found[str(value["name"])] = str(value["version"])
            for each in value.values():
                gather(each)
        elif isinstance(value, list):
            for each in value:
                gather(each)

    gather(json.loads(done.out))
    return found


_TIMED = """
import sys, time
from isol8_tasks.engine.daemon import DockerEngine

began = time.monotonic()
spans = []

def timed(name):
    whole = getattr(DockerEngine, name)
    def method(self, *arguments, **more):
        start = time.monotonic()
        try:
            return whole(self, *arguments, **more)
        finally:
            spans.append((start, time.monotonic()))
    setattr(DockerEngine, name, method)

for name in ("run", "remote_digest", "modes"):
    timed(name)
from doit.doit_cmd import DoitMain
code = DoitMain().run(sys.argv[1:])
whole, asked, end = time.monotonic() - began, 0.0, 0.0
for start, stop in sorted(spans):
    asked += max(0.0, stop - max(start, end))
    end = max(end, stop)
sys.stderr.write(f"{whole - asked} {asked}")
sys.exit(code)
"""


def timed_refresh(checkout: Checkout) -> tuple[float, float]:
    """Run a refresh that finds nothing; return its own seconds, and those in which tools and registries were asked."""
    done = checkout._run((sys.executable, "-c", _TIMED, "refresh"))  # noqa: SLF001 - it is the tests' own
    assert done.code == 0, done.out + done.err
    own, asked = done.err.split()
    return float(own), float(asked)
