"""What unit and integration tests share."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.fake_engine import FakeEngine, FakeImage

pytest.register_assert_rewrite("tests.engine_contract", "tests.registry_contract")
# How long an example may take says more about the machine than about us.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")


UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")
LONGEST = (
    # It empties the build cache, which takes long once there is much in it.
    "test_engine_contract",
    "test_refresh", "test_keeping", "test_verify", "test_without_engine", "test_graph", "test_lock", "test_closure",
    "test_client_filter", "test_on_engine", "test_recovery", "test_cli", "test_many", "test_registry", "test_lab",
    "test_min_age", "test_selection", "test_clients", "test_rejected", "test_images", "test_refresh_command",
    "test_deno", "test_sources", "test_patterns", "test_installed", "test_two_runs", "test_poller", "test_load",
    "test_named", "test_crashes", "test_world", "test_limits", "test_client_file", "test_secrets", "test_fuzz",
    "test_proxy", "test_build_secrets", "test_upstream_packages", "test_jobs", "test_filtered_network", "test_nights",
)  # fmt: skip
"""The files that take most of the time, so that no worker begins one of them when the others are done with all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let workers, which share out whole files, begin with the longest."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(
        # Unit tests of the same name are quick.
        key=lambda item: len(rank) if "unit" in item.path.parts else rank.get(item.path.stem, len(rank))
    )


@pytest.fixture
def fake_engine() -> FakeEngine:
    """Give an engine in memory that holds nothing, and can pull the upstream images."""
    images = (FakeImage(id="sha256:" + str(number) * 64) for number in range(1, 9))
    return FakeEngine(registry=dict(zip(UPSTREAM, images, strict=False)))


@pytest.fixture(scope="session")
def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of resolved-images.json, as it is documented."""
    path = Path(__file__).parents[1] / "docs" / "schemas" / "manifest.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema
