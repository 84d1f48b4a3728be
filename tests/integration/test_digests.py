"""A Dockerfile that names an upstream image by its digest, on a real engine."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.images.labels import BASE_NAME, PREFIX
from tests.integration.checkouts import Checkout, new_checkout, remove_tags

ALPINE = "alpine:3.21"


@pytest.fixture
def digest(engine: DockerEngine) -> str:
    """Return the digest that Alpine has in its registry."""
    return engine.remote_digest(ALPINE)


@pytest.fixture
def pinned(docker_api: docker.APIClient, digest: str, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout whose Dockerfile names Alpine by tag and digest."""
    checkout = new_checkout(tmp_path / "pinned")
    for _ in ("filter", "base"):
        checkout.edit(
            "docker/Dockerfile", "FROM ${ALPINE_IMAGE}:${ALPINE_VERSION} AS", f"FROM {ALPINE}@{digest} AS"
        )
    yield checkout
    remove_tags(docker_api, checkout.repository)


def test_an_image_by_its_digest(pinned: Checkout, digest: str, docker_api: docker.APIClient) -> None:
    """It is found here, written down, up to date and fresh; the engine's tag of the same name counts for nothing."""
    assert pinned.built("base:bash", "base:deno") == {"bash", "deno"}
    bash, deno = (docker_api.inspect_image(f"{pinned.repository}:{name}") for name in ("bash", "deno"))
    assert bash["Config"]["Labels"][BASE_NAME] == f"{ALPINE}@{digest}"
    assert bash["Config"]["Labels"][f"{PREFIX}upstream-digest"] == digest
    assert deno["Config"]["Labels"][BASE_NAME] == "denoland/deno:alpine"
    assert pinned.built("base:bash", "base:deno") == set()
    looked = pinned.doit("freshness", "--only=bash")
    assert looked.code == 0, looked.out + looked.err
