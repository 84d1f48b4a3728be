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
    "test_refresh", "test_graph", "test_verify", "test_lock", "test_many", "test_nights", "test_poller",
    "test_registry", "test_keeping", "test_lab", "test_refresh_command", "test_sources", "test_fuzz", "test_images",
    "test_cli", "test_rejected", "test_named", "test_load", "test_proxy", "test_selection",
)  # fmt: skip
"""The files that take most of the time, so that no worker begins one of them when the other is done with all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let workers share out files, and those of the filter by runtime too, beginning with the longest."""
    for item in items:
        call = getattr(item, "callspec", None)
        runtime = call.params.get("filters", "") if call else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem} {runtime}".strip()))
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture
def fake_engine() -> FakeEngine:
    """Give an engine in memory that holds nothing, and can pull the upstream images."""
    images = (FakeImage(id="sha256:" + str(number) * 64) for number in range(1, 9))
    return FakeEngine(registry=dict(zip(UPSTREAM, images, strict=False)))


@pytest.fixture(scope="session")
def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of resolved-images.json, as it is documented."""
    path = Path(__file__).parents[1] / "docs" / "manifest.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema
