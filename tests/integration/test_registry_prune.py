"""What nothing needs any more is deleted in a registry, where that can be."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.registries import Registry

ONLY = ("--only", "bash")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry that deletes nothing yet."""
    registry = Registry(tmp_path / "registry").start()
    yield registry
    registry.kill()


@pytest.fixture
def checkout(registry: Registry, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout whose custom image was replaced since it was pushed."""
    checkout = new_checkout(tmp_path / "checkout")
    text = f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\nkeep = "1ms"\n'
    for package in ("jq", "unzip"):
        checkout.deps(f'bash = ["{package}"]', text)
        done = checkout.doit("setup", *ONLY)
        assert done.code == 0, done.out + done.err
    yield checkout
    remove_tags(docker_api, checkout.repository)


def test_what_was_replaced_is_deleted_where_that_can_be(registry: Registry, checkout: Checkout) -> None:
    """It is listed first; a registry that does not delete says so; what is in use stays whole."""
    before = registry.tags("isol8")
    used = {before["bash"], before["bash-custom"]}
    old = {tag for tag, digest in before.items() if digest not in used}
    assert len(old) == 2
    asked = checkout.doit("prune", "--registry")
    assert asked.code == 3
    assert all(tag in asked.out for tag in old)
    assert "prune needs confirmation, and stdin is not a terminal" in asked.err
    refused = checkout.doit("prune", "--registry", "--yes")
    assert refused.code == 1
    assert "does not delete it: 405 Method Not Allowed; 1 image left" in refused.err
    assert registry.tags("isol8") == before
    registry.kill()
    registry.deletes = True
    registry.start()
    done = checkout.doit("prune", "--registry", "--yes")
    assert done.code == 0, done.out + done.err
    assert f"1 image removed from {registry.address}/isol8" in done.out
    assert registry.tags("isol8") == {tag: digest for tag, digest in before.items() if digest in used}
    again = checkout.doit("prune", "--registry", "--yes")
    assert (again.code, again.out) == (0, "nothing to remove\n")


def test_without_a_registry_it_says_what_to_write(checkout: Checkout) -> None:
    """Nothing is removed from the engine instead."""
    checkout.deps()
    done = checkout.doit("prune", "--registry", "--yes")
    assert done.code == 3
    assert 'names no registry; write under [registry] repository = "registry.example/isol8"' in done.err
