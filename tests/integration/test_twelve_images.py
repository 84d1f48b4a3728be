"""Twelve images, two engines and a registry: nothing is built twice, and no layer is pulled for a question."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import Checkout, Result, new_checkout, remove_tags
from tests.integration.refreshing import VERIFY
from tests.integration.registries import Registry

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a second engine needs Linux")

DEPENDENCIES = 'bash = ["jq"]'
ONLY = ("--only", "bash,bun")
"""Bases are large: each more takes its time to build, compress and push."""
NAMED = """
[images.tools]
runtime = "bash"
packages = ["unzip"]
[images.more]
extends = "tools"
setup = "true"
[images.web]
runtime = "bun"
setup = "true"
[images.site]
extends = "web"
setup = "false || true"
""" + "".join(
    f'[images.n{number}]\nruntime = "{runtime}"\nsetup = "echo {number}"\n'
    for number, runtime in enumerate(("bash", "bash", "bash", "bun", "bun"))
)
COUNT = 12
OF_BUN = {"bun", "web", "site", "n3", "n4"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give the registry between the engines."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "twelve").start()
    yield registry
    registry.kill()


@pytest.fixture
def pair(
    registry: Registry, docker_api: docker.APIClient, second: str, tmp_path: Path
) -> Iterator[tuple[Checkout, Checkout]]:
    """Give two checkouts of the same, one for each engine."""
    made = new_checkout(tmp_path / "a"), new_checkout(tmp_path / "b")
    for checkout in made:
        text = f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n'
        checkout.deps(DEPENDENCIES, NAMED + VERIFY + text)
    yield made
    client = docker.APIClient(base_url=second)
    for api, checkout in zip((docker_api, client), made, strict=True):
        remove_tags(api, checkout.repository)
    client.close()


def count(done: Result, what: str) -> int:
    """Return how many images the last line of a run counts."""
    assert done.code == 0, done.out + done.err
    found = re.search(rf"(\d+) {what}\b", done.out.splitlines()[-1])
    return int(found[1]) if found else 0


def built(checkout: Checkout, done: Result) -> set[str]:
    return set(re.findall(rf"^{checkout.repository}:(\S+)\s+built ", done.out, re.MULTILINE))


def test_what_one_built_the_other_pulls(
    pair: tuple[Checkout, Checkout], registry: Registry, second: str
) -> None:
    """A change on one is built there once, and both have the same images in the end."""
    one, other = pair
    first = one.doit("setup", *ONLY)
    assert (count(first, "built"), count(first, "pushed")) == (COUNT, COUNT)

    asked = len(registry.paths())
    plan = other.doit("plan", "--json", *ONLY, DOCKER_HOST=second)
    states = {each["state"] for each in json.loads(plan.out)["images"]}
    assert states == {"in-registry"}
    layers = {digest for tag in registry.tags("isol8") for digest in registry.layers("isol8", tag)}
    paths = registry.paths()[asked:]
    assert sum("/blobs/" in path for path in paths) == COUNT
    assert not [path for path in paths if path.rpartition("/")[2] in layers]
    assert other.doit("plan", "--check", *ONLY, DOCKER_HOST=second).code == 0

    pulled = other.doit("setup", *ONLY, DOCKER_HOST=second)
    assert (count(pulled, "pulled"), count(pulled, "built"), count(pulled, "pushed")) == (COUNT, 0, 0)

    for checkout in pair:
        checkout.edit("docker/Dockerfile", 'CMD ["bun"]', 'RUN echo changed > /changed\nCMD ["bun"]')
    changed = other.doit("setup", *ONLY, DOCKER_HOST=second)
    assert built(other, changed) == OF_BUN
    assert (count(changed, "pulled"), count(changed, "pushed")) == (0, len(OF_BUN))

    back = one.doit("setup", *ONLY)
    assert (count(back, "pulled"), count(back, "built"), count(back, "pushed")) == (len(OF_BUN), 0, 0)
    manifests = [
        {name.rpartition(":")[2]: each["pushed"] for name, each in checkout.manifest()["images"].items()}
        for checkout in pair
    ]
    assert manifests[0] == manifests[1]
    assert set(manifests[0]) >= OF_BUN
    assert f"{COUNT} images up to date" in other.doit("setup", *ONLY, DOCKER_HOST=second).out
