"""Nights on an engine that is emptied before each, with a registry: what one night did, the next one finds there."""

import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab.standins import UPSTREAM
from tests.integration.checkouts import new_checkout, remove_tags
from tests.integration.registries import Registry
from tests.integration.world import World, seen_from
from tests.integration.world.images import layer_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a second engine needs Linux")

ONLY = ("--only", "bash")
NAMES = ("bash", "bash-custom")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry that is all that the nights have in common."""
    registry = Registry(tmp_path / "registry").start()
    yield registry
    registry.kill()


def test_same_result_is_not_made_again(world: World, second: str, registry: Registry, tmp_path: Path) -> None:
    """The night of a rebuild writes its labels, quiet nights write nothing; names and manifests keep their digests.

    Once Alpine moves to an image of the same files, and once the images are older than max_age.
    """
    world.apk("tool", "1.0-r0")
    api = docker.APIClient(base_url=second)
    text = (
        f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n[refresh]\nmax_age = "7d"\n'
    )
    digests: list[dict[str, str]] = []
    with seen_from(world, api) as seen:
        for day, moves, rebuilt in ((0, False, 0), (1, True, 1), (2, False, 0), (8, False, 2), (9, False, 0)):
            if moves:
                world.registry.push(UPSTREAM[0], world.images["alpine"].with_layer(layer_of({})))
            checkout = new_checkout(tmp_path / f"night-{day}")
            checkout.deps('bash = ["tool"]', f"{seen.build}\n{text}")
            seen.forget()
            requests = len(registry.requests())
            done = checkout.later(day, "refresh" if day else "setup", *ONLY, DOCKER_HOST=second)
            assert done.code == 0, (day, done.out + done.err)
            assert done.out.count("same result") == rebuilt, (day, done.out)
            made = registry.requests()[requests:]
            if day:
                # A manifest and a configuration for each; of upstream images no layer, unless one has to be built on.
                assert (made.count("POST"), made.count("PUT")) == (rebuilt, 2 * rebuilt), (day, done.out)
                layers = [each for each in seen.traffic["registry"].paths if "/blobs/" in each]
                assert bool(layers) == bool(rebuilt), (day, layers)
            tags = registry.tags("isol8")
            listed = checkout.manifest()["images"].items()
            digests.append(
                {
                    **{name: tags[name] for name in NAMES},
                    **{
                        f"listed {name.rpartition(':')[2]}": each["pushed"]["digest"] for name, each in listed
                    },
                }
            )
            remove_tags(api, checkout.repository)
            for image in api.images():
                for tag in image["RepoTags"] or ():
                    if tag.startswith(seen.addresses["registry"]):
                        api.remove_image(tag)
    api.close()
    assert digests == digests[:1] * 5
