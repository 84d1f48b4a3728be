"""Daemons: started so that they outlive us, found by their mark, ended whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lab is for Linux")


@pytest.fixture
def name() -> Iterator[str]:
    """Return an engine's name that nothing else uses, and end what the test left running."""
    unique = f"isol8-test-{os.getpid()}"
    yield unique
    processes.end(unique, ())


def test_a_daemon_is_found_with_what_it_starts_and_ended_with_it(name: str, tmp_path: Path) -> None:
    """The mark is inherited, so a child that outlives its parent is found too."""
    script = "sleep 60 & exec sleep 61"
    pid = processes.launch(["sh", "-c", script], name=name, log=tmp_path / "log", env=dict(os.environ))
    assert processes.wait_until(lambda: list(processes.of_engine(name).values()) == ["sleep"] * 2, seconds=5)
    assert pid in processes.of_engine(name)
    processes.end(name, ("sleep",))
    assert processes.of_engine(name) == {}
    assert not processes.alive(pid)


def test_a_daemon_holds_nothing_of_ours(name: str, tmp_path: Path) -> None:
    """It has a session of its own, reads nothing, writes to its log, and keeps no pipe of ours open."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 # the only way to call it
    command = ["sh", "-c", "echo started; exec sleep 60"]
    pid = processes.launch(command, name=name, log=tmp_path / "log", env=dict(os.environ))
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    log = tmp_path / "log"
    assert processes.wait_until(
        lambda: log.exists() and log.read_text(encoding="utf-8") == "started\n", seconds=5
    )
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")


def test_what_ignores_a_polite_request_is_killed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No daemon of ours outlives `end`."""
    monkeypatch.setattr(processes, "_POLITE_SECONDS", 0.2)
    command = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    processes.launch(command, name=name, log=tmp_path / "log", env=dict(os.environ))
    processes.end(name, ("sh",))
    assert processes.of_engine(name) == {}


def test_others_are_not_ours(name: str) -> None:
    """A process with another engine's mark, or one that begins like ours, is not found."""
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, processes.MARK: f"{name}0"})
    try:
        assert processes.of_engine(name) == {}
    finally:
        other.kill()
        other.wait()


def test_helpers_are_marked_while_the_lab_is_at_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started meanwhile carries the mark, and what was there before is put back."""
    monkeypatch.setenv(processes.MARK, "before")
    with processes.marked(name):
        assert os.environ[processes.MARK] == name
    assert os.environ[processes.MARK] == "before"
