"""What ends a command beside itself: signals at any moment, and readers that go away."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isol8_tasks.cli.ending import unread
from isol8_tasks.safety.printing import CleanStream
from tests.command_line import CommandLine

ROOT = Path(__file__).parents[3]


class Gone(io.StringIO):
    """A stream that nothing can be written to."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str, /) -> int:
        """Say why."""
        raise self.error


GONE = BrokenPipeError()
FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("error", "only_prints", "codes", "said"),
    [
        (GONE, True, (0, 141), ""),
        (GONE, True, (2, 2), ""),
        (
            GONE,
            False,
            (0, 0),
            "standard output was closed early; the work was finished, with exit code 0; ./doitw plan prints",
        ),
        (GONE, False, (1, 1), "the work was finished, with exit code 1; "),
        (FULL, True, (0, 1), "can't be written (No space left on device)"),
        (FULL, False, (4, 4), "can't be written (No space left on device)"),
    ],
)
def test_output_that_nobody_got(
    error: OSError, only_prints: object, codes: tuple[int, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes something has gone on, and says so once; what only prints ends as others do in a pipe."""
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(sys, "stdout", CleanStream(Gone(error), str))
    sys.stdout.write("a\n")
    assert unread(codes[0], only_prints=bool(only_prints)) == codes[1]
    assert unread(codes[0], only_prints=bool(only_prints)) == codes[0]
    assert said in told.getvalue()
    assert told.getvalue().count("\n") == bool(said)


def test_output_that_was_read(cli: CommandLine) -> None:
    """Nothing is said of it."""
    assert cli("list").code == 0


def test_interrupt_waits_until_the_command_has_begun(tmp_path: Path) -> None:
    """One that was sent before Python ran a line of ours ends it as any other, and nothing is printed but a word."""
    if subprocess.run(("env", "--block-signal=INT", "true"), capture_output=True, check=False).returncode:
        pytest.skip("this env blocks no signal")
    begin = 'kill -INT $$; exec "$@"'
    done = subprocess.run(
        (
            "env",
            "--block-signal=INT",
            "sh",
            "-c",
            begin,
            "sh",
            sys.executable,
            "-m",
            "isol8_tasks.cli",
            "list",
        ),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
