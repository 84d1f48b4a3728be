"""What unit and integration tests share."""

import json
from collections import Counter
from collections.abc import Iterable
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
    "test_refresh", "test_engines", "test_verify", "test_platforms_night", "test_shared_truth", "test_graph",
    "test_builders", "test_build_secrets", "test_keeping", "test_lock", "test_alpine",
    "test_twelve_images", "test_two_machines", "test_same_result", "test_candidates", "test_ci_examples",
    "test_without_engine", "test_closure", "test_client_filter", "test_on_engine", "test_recovery", "test_cli",
    # It waits for test_platforms_night, as both tell the machine what to run.
    "test_platforms",
    "test_many", "test_registry", "test_lab", "test_min_age", "test_selection", "test_clients", "test_rejected",
    "test_images", "test_refresh_command", "test_deno", "test_sources", "test_patterns", "test_installed",
    "test_two_runs", "test_poller", "test_load", "test_named", "test_crashes", "test_world", "test_limits",
    "test_client_file", "test_secrets", "test_fuzz", "test_proxy", "test_upstream_packages", "test_jobs",
    "test_filtered_network", "test_nights", "test_upgrade", "test_empty_nights",
)  # fmt: skip
"""The files that take most of the time, so that no worker begins one of them when the others are done with all."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run leave out what is marked `thorough`."""
    parser.addoption(
        "--short", action="store_true", help="leave out the variations that are marked `thorough`"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers, which share out whole files, begin with the longest, and a short run do a part of them."""
    if config.getoption("--short"):
        long = _long(items)
        config.hook.pytest_deselected(items=[item for item in items if item in long])
        items[:] = [item for item in items if item not in long]
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(
        # Unit tests of the same name are quick.
        key=lambda item: len(rank) if "unit" in item.path.parts else rank.get(item.path.stem, len(rank))
    )


def _long(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return what a short run leaves out: all that is marked, but for every so many variations, if the mark says so."""
    found, seen = set[pytest.Item](), Counter[str]()
    for item in items:
        if mark := item.get_closest_marker("thorough"):
            test = item.nodeid.partition("[")[0]
            every = mark.kwargs.get("every", 0)
            if not every or seen[test] % every:
                found.add(item)
            seen[test] += 1
    return found


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
