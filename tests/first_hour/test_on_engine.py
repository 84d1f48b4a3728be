"""The rows that need an engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.engine.endpoint import find
from tests import quick_engine
from tests.first_hour.scenes import on_engine
from tests.first_hour.table import Fault, Recorded, judge, parameters
from tests.integration.engines import take_engine

take_engine(os.environ)


HOST = find(Path(__file__).parents[2], os.environ).url


@pytest.fixture(scope="module", autouse=True)
def _runtime() -> Iterator[None]:
    """Start what is cheap to start."""
    with quick_engine.suited(HOST, Path(__file__)):
        yield


@pytest.mark.thorough(every=6)
@pytest.mark.parametrize("fault", parameters("engine"))
def test_is_answered_well(fault: Fault, record_property: Recorded) -> None:
    """The command names the cause and the next step, with the right exit code and in time."""
    with on_engine(HOST) as scene:
        answer = scene.play(fault)
    record_property("said", scene.shown(answer.said))
    judge(fault, answer)
