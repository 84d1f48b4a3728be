"""The simulation of engines and builders: what can be worked out by hand comes out of it."""

import pytest

from bench.farm import Cost, Step, farm, simulate

COST = Cost(build=2, verify=3)


@pytest.mark.parametrize(
    ("at_once", "processors", "expected"), [(1, 1, 12), (1, 3, 20), (2, 8, 40), (40, 1, 12), (40, 2, 24)]
)
def test_one_engine(at_once: int, processors: int, expected: float) -> None:
    """Verification is of three parts side by side; with many images at once the processors are the limit."""
    found = simulate({"engine": processors}, [COST.whole] * at_once, 400)
    assert found.per_minute == pytest.approx(expected, rel=0.05)
    assert found.busy["engine"] == pytest.approx(found.per_minute / 60 * 5 / processors, rel=0.01)


def test_slices() -> None:
    """Two that share a processor end as late as one after the other."""
    assert simulate({"engine": 1}, [(Step("engine", 1.05),)] * 2, 2).seconds == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("builders", "engines", "push", "limit", "expected"),
    [(1, 4, 0.1, "builder", 60), (4, 1, 0.1, "engine", 120), (4, 4, 3, "registry", 30)],
)
def test_farm(builders: int, engines: int, push: float, limit: str, expected: float) -> None:
    """What has most to do is the limit."""
    cost = Cost(build=2, verify=0.5, push=push, give=push / 3, pull=0.5)
    found = farm(cost, builders=builders, engines=engines, processors=2, images=1000)
    assert found.per_minute == pytest.approx(expected, rel=0.06)
    assert found.limit.startswith(limit)
