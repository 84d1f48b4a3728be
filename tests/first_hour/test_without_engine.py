"""The rows that need no engine: on a fake one in this process, or by a real ./doitw that finds none."""

from contextlib import ExitStack

import pytest

from tests.command_line import CommandLine
from tests.first_hour.scenes import Scene, checkout
from tests.first_hour.table import Fault, Recorded, judge, parameters


@pytest.mark.parametrize("fault", parameters("unit"))
def test_is_answered_well(fault: Fault, cli: CommandLine, record_property: Recorded) -> None:
    """The command line names the cause and the next step, with the right exit code and in time."""
    with ExitStack() as stack:
        scene = Scene(folder=cli.folder, stack=stack, cli=cli, words={"folder": str(cli.folder)})
        answer = scene.play(fault)
    record_property("said", scene.shown(answer.said))
    judge(fault, answer)


@pytest.mark.thorough(every=6)
@pytest.mark.parametrize("fault", parameters("shell"))
def test_is_answered_well_by_doitw(fault: Fault, record_property: Recorded) -> None:
    """So does ./doitw as a process of its own."""
    with checkout() as scene:
        answer = scene.play(fault)
    record_property("said", scene.shown(answer.said))
    judge(fault, answer)
