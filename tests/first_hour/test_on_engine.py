"""The rows that need an engine."""

import os
from pathlib import Path

import pytest

from isol8_tasks.engine.endpoint import find
from tests.first_hour.scenes import on_engine
from tests.first_hour.table import Fault, judge, parameters
from tests.integration.engines import take_engine

take_engine(os.environ)


@pytest.mark.parametrize("fault", parameters("engine"))
def test_is_answered_well(fault: Fault) -> None:
    """The command names the cause and the next step, with the right exit code and in time."""
    with on_engine(find(Path(__file__).parents[2], os.environ).url) as scene:
        answer = scene.play(fault)
    judge(fault, answer)
