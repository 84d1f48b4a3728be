"""Which process a container is of, and whether that is still there."""

import subprocess
import sys

import pytest

from isol8_tasks.engine.owner import is_alive, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems tell nothing of the kind")


def test_a_process_until_its_end() -> None:
    """It is alive, and then it is not."""
    assert is_alive(this_process()) is True
    program = "from isol8_tasks.engine.owner import this_process; print(this_process())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert is_alive(ended.strip()) is False


def test_another_process_of_the_same_number() -> None:
    """Numbers come again, and the moment of the start does not."""
    assert is_alive(this_process() + "0") is False


@pytest.mark.parametrize("name", ["", "x", "other-boot/pid:[1]/1/2", "/1/2", "a/b/c/d"])
def test_what_nobody_here_can_know(name: str) -> None:
    """Of another machine, or another container, nothing is claimed."""
    assert is_alive(name) is None
