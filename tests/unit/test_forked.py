"""The processes that tests fork instead of starting Python again."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import forked

PROGRAM = """
import os, sys
print(os.getcwd(), sys.argv[1:], os.environ["MARK"], sys.stdin.read(), __name__)
sys.stderr.write("told")
sys.exit(7)
"""


def test_a_program_runs_as_python_runs_it(tmp_path: Path) -> None:
    """Its folder, words, variables, outputs and exit code are those that it would have."""
    done = forked.run(("-c", PROGRAM, "one", "two"), cwd=tmp_path, env={"MARK": "here"}, timeout=60)
    assert done.stdout == f"{tmp_path} ['one', 'two'] here  __main__\n"
    assert (done.stderr, done.returncode) == ("told", 7)


def test_nothing_is_left_of_another_program(tmp_path: Path) -> None:
    """Each is a process of its own."""
    forked.run(("-c", "import json; json.left = 1"), cwd=tmp_path, env={}, timeout=60)
    done = forked.run(("-c", "import json; print(hasattr(json, 'left'))"), cwd=tmp_path, env={}, timeout=60)
    assert (done.stdout, done.returncode) == ("False\n", 0)


def test_a_signal_is_an_exit_code(tmp_path: Path) -> None:
    """As it is of a process that was started."""
    done = forked.run(("-c", "import os; os.kill(os.getpid(), 9)"), cwd=tmp_path, env={}, timeout=60)
    assert done.returncode == -9


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    """Nobody waits for it, and nothing of it goes on."""
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(("-c", program), cwd=tmp_path, env={}, timeout=3)
    pid = (tmp_path / "pid").read_text()
    assert not Path(f"/proc/{pid}").exists()


def test_what_python_heeds_at_its_start_needs_a_start() -> None:
    """Another encoding is one such thing; what commands heed is none."""
    assert forked.can_run({**os.environ, "DOCKER_HOST": "unix:///nowhere", "PYTHONPATH": "elsewhere"})
    assert not forked.can_run({**os.environ, "PYTHONIOENCODING": "ascii"})
