"""What unit and integration tests share."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fake_engine import FakeEngine, FakeImage

pytest.register_assert_rewrite("tests.engine_contract", "tests.registry_contract")

UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")


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
