"""What a real terminal shows of a run, frame by frame; ISOL8_FRAMES=write writes tests/frames again."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
FRAMES: Final = ROOT / "tests" / "frames"
TMUX: Final = shutil.which("tmux")

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


class Terminal:
    """A terminal in which the scenes of tests/terminal_scene.py are played."""

    def __init__(self, folder: Path, columns: int, **environment: str) -> None:
        self._tmux = [str(TMUX), "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._pipe = folder / "next"
        os.mkfifo(self._pipe)
        assigned = [f"{name}={value}" for name, value in environment.items()]
        words = [
            "env",
            # As a worker of pytest has them.
            *("-u", "COLUMNS", "-u", "LINES"),
            "PYTHONIOENCODING=utf-8",
            *assigned,
            sys.executable,
            "-m",
            "tests.terminal_scene",
            str(self._pipe),
        ]
        size = ["-x", str(columns), "-y", "20"]
        self._ask("new-session", "-d", *size, "-c", str(ROOT), *words, "||", "sleep", "60")

    def frame(self, *, colours: bool = False) -> str:
        """Return what is shown once a scene is drawn."""
        drawn, end = self._pipe.with_suffix(".drawn"), time.monotonic() + 60
        while not drawn.exists() and time.monotonic() < end:
            time.sleep(0.02)
        drawn.unlink()
        # tmux reads what was drawn in its own time.
        before, found = "", self._shown(colours=colours)
        while before != found and time.monotonic() < end:
            time.sleep(0.3)
            before, found = found, self._shown(colours=colours)
        return found.rstrip("\n") + "\n"

    def _shown(self, *, colours: bool) -> str:
        return self._ask("capture-pane", "-p", *(["-e"] if colours else []))

    def go_on(self) -> None:
        """Let the next scene be played."""
        self._pipe.write_text("next\n", encoding="utf-8")

    def resize(self, columns: int) -> None:
        """Make the window narrower or wider."""
        self._ask("resize-window", "-x", str(columns), "-y", "20")

    def close(self) -> None:
        """End it, unless the last scene did."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._ask("kill-server")

    def _ask(self, *words: str) -> str:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "screen-256color"}
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout


@pytest.fixture
def opened() -> list[Terminal]:
    """Give the terminals of a test, to be closed."""
    return []


@pytest.fixture(autouse=True)
def _closed(opened: list[Terminal]) -> Iterator[None]:
    yield
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_frames(columns: int, tmp_path: Path, opened: list[Terminal]) -> None:
    """No line wraps but those that stay, and nothing is left of the lines that changed."""
    terminal = Terminal(tmp_path, columns, NO_COLOR="1", VERBOSE="1")
    opened.append(terminal)
    frames = []
    for scene in ("builds", "one failed", "nothing changed", "a push and a verification", "the end"):
        frames.append(f"--- {scene}\n{terminal.frame()}")
        terminal.go_on()
    file = FRAMES / f"{columns}.txt"
    if os.environ.get("ISOL8_FRAMES") == "write":
        file.write_text("".join(frames), encoding="utf-8")
    assert "".join(frames) == file.read_text(encoding="utf-8")


def test_a_window_that_becomes_narrower(tmp_path: Path, opened: list[Terminal]) -> None:
    """Lines that the terminal has wrapped are taken away as a whole."""
    terminal = Terminal(tmp_path, 100, NO_COLOR="1")
    opened.append(terminal)
    assert "RUN apk add" in terminal.frame()
    terminal.resize(50)
    terminal.go_on()
    frame = terminal.frame()
    assert [frame.count(each) for each in ("12.4 MB", "2 of 4", "0 of 4")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours(
    *, environment: dict[str, str], coloured: bool, tmp_path: Path, opened: list[Terminal]
) -> None:
    """States have colours, unless somebody wants none; those of others never come through."""
    terminal = Terminal(tmp_path, 100, **environment)
    opened.append(terminal)
    terminal.frame()
    terminal.go_on()
    frame = terminal.frame(colours=True)
    assert ("\x1b[32mbuilt" in frame) is coloured
    assert ("\x1b[1m\x1b[31mfailed" in frame) is coloured
    assert "\x1b[31mnunpy" not in frame
