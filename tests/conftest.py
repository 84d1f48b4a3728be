"""What unit and integration tests share."""

import pytest

from tests.fake_engine import FakeEngine, FakeImage

pytest.register_assert_rewrite("tests.engine_contract")

UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")


@pytest.fixture
def fake_engine() -> FakeEngine:
    """Give an engine in memory that holds nothing, and can pull the upstream images."""
    images = (FakeImage(id="sha256:" + str(number) * 64) for number in range(1, 9))
    return FakeEngine(registry=dict(zip(UPSTREAM, images, strict=False)))
