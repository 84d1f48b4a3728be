"""The sources that tests move are real to the tools that ask them."""

import json

import docker
import pytest
import requests

from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.errors import SourceUnavailableError
from tests.integration.checkouts import Checkout
from tests.integration.world import World

EVERYTHING = """
python = ["thing"]
node = ["@scope/thing"]
bun = ["thing"]
deno = ["npm:thing"]
bash = ["thing"]
"""


@pytest.fixture
def ours(checkout: Checkout, world: World) -> Checkout:
    """Give a checkout that fetches everything from the world."""
    world.wheel("other", "2.0")
    world.wheel("thing", "1.0", requires=["other>=2"])
    world.npm("other", "2.0.0")
    for name in ("thing", "@scope/thing"):
        world.npm(name, "1.0.0", dependencies={"other": "^2"})
    world.apk("other", "2.0-r0")
    world.apk("thing", "1.0-r0", depends=["other"])
    checkout.deps(EVERYTHING, world.build)
    return checkout


@pytest.mark.thorough
def test_every_image_can_be_built_of_it(ours: Checkout, world: World) -> None:
    """All bases and custom images come of the world's sources, checked as ever, and what was sent is counted."""
    assert len(ours.built()) == 10
    assert all(sent > 0 for sent in world.fetched().values())
    assert "GET /files/thing-1.0-py3-none-any.whl" in world.traffic["wheels"].paths
    found = json.loads(ours.doit("inventory", "--json").out)
    assert "other" in json.dumps(found)
    assert ours.built() == set()


def test_a_tag_moves(world: World, engine: DockerEngine, docker_api: docker.APIClient) -> None:
    """An engine learns of the other digest without a pull, and gets the other image by one, labels and all."""
    reference = world.reference("alpine")
    first = engine.remote_digest(reference)
    engine.pull(reference)
    before = docker_api.inspect_image(reference)
    moved = world.move("alpine", release="3.99.1")
    assert moved != first
    assert engine.remote_digest(reference) == moved
    assert docker_api.inspect_image(reference)["Id"] == before["Id"]
    engine.pull(reference)
    after = docker_api.inspect_image(reference)
    assert after["RepoDigests"] == [f"{reference.rpartition(':')[0]}@{moved}"]
    assert after["Config"]["Labels"] == before["Config"]["Labels"]


@pytest.mark.parametrize("name", ["registry", "apk", "wheels", "npm"])
def test_an_outage_ends(world: World, name: str) -> None:
    """A source that is out says nothing but 503, and is counted all the same; afterwards it is back."""
    source = world.traffic[name]
    seen = source.requests
    with source.outage():
        assert _status(world, name) == 503
    assert _status(world, name) != 503
    assert source.requests == seen + 2


def _status(world: World, name: str) -> int:
    return requests.get(f"http://{world.addresses[name]}/v2/", timeout=10).status_code


def test_an_engine_says_that_a_registry_is_out(world: World, engine: DockerEngine) -> None:
    """What can't be asked is an error of its own, told from other trouble."""
    with world.traffic["registry"].outage(), pytest.raises(SourceUnavailableError):
        engine.remote_digest(world.reference("deno"))
