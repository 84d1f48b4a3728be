"""The simulation of engines and builders: what can be worked out by hand comes out of it."""

import pytest

from bench.farm import Cost, farm, simulate

COST = Cost(build=2, build_wait=3, verify=1, verify_wait=4)


@pytest.mark.parametrize(
    ("at_once", "processors", "expected"), [(1, 1, 6), (2, 2, 12), (4, 8, 24), (40, 1, 20), (40, 2, 40)]
)
def test_one_engine(at_once: int, processors: int, expected: float) -> None:
    """Few at once take their ten seconds each; with many, the processors are the limit, at three seconds an image."""
    found = simulate({"engine": processors}, [COST.whole] * at_once, 400)
    assert found.per_minute == pytest.approx(expected, rel=0.05)
    assert found.busy["engine"] == pytest.approx(found.per_minute / 60 * 3 / processors, rel=0.01)


@pytest.mark.parametrize(
    ("builders", "engines", "push", "limit", "expected"),
    [
        (1, 4, 0.1, "builder 0", 60),
        (4, 1, 0.1, "engine 0", 120),
        (4, 4, 2, "registry", 30),
    ],
)
def test_farm(builders: int, engines: int, push: float, limit: str, expected: float) -> None:
    """What has most to do is the limit."""
    cost = Cost(build=2, build_wait=1, verify=0.5, verify_wait=1, push=push, pull=0.5)
    found = farm(cost, builders=builders, engines=engines, processors=2, images=1000)
    assert found.per_minute == pytest.approx(expected, rel=0.06)
    assert max(found.busy, key=lambda name: found.busy[name]) == limit
