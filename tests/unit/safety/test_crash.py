"""What is said of a bug, and what is kept of it."""

import importlib
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from isol8_tasks.errors import ConfigError
from isol8_tasks.safety.crash import as_error, in_threads, internal_error, watch_threads


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _broken() -> None:
    raise ValueError("a\x1b[31m\nhttps://me:canary@x/")


def test_one_line_and_a_file_for_its_owner() -> None:
    """No escape sequence, no second line, and no password: neither on the screen nor in the file."""
    with pytest.raises(ValueError, match="canary") as caught:
        _broken()
    said = str(internal_error("base:bun", caught.value))
    (file,) = Path(".isol8/logs").iterdir()
    assert said == (
        "internal error in base:bun: ValueError: a [31m https://***@x/ "
        f"(this is a bug; please report it with the file {file})"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "test_crash.py" in file.read_text()
    assert "canary" not in file.read_text()


@pytest.mark.parametrize(
    ("name", "ours"), [("isol8_tasks.nothing", True), ("lab.nothing", True), ("nothing", False)]
)
def test_a_module_of_ours_that_is_missing(name: str, *, ours: bool) -> None:
    """Somebody's checkout may not be whole, which is no bug."""
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)
    said = str(internal_error("up", caught.value))
    assert (
        "(files of the package are missing, which git status lists, or this is a bug; please" in said
    ) == ours
    another = (
        f"(a package of {sys.prefix} is missing: remove that folder and run again, or this is a bug; please"
    )
    assert (another in said) != ours


def test_no_python_of_the_system_is_to_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the package by it lacks what doitw installs."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    said = str(internal_error("up", ModuleNotFoundError("no", name="doit")))
    assert (
        f"(a package of {sys.base_prefix} is missing: run ./doitw, which has its own, or this is a bug"
        in said
    )


def test_twenty_tracebacks_are_kept() -> None:
    """A job that crashes every night fills no disk."""
    Path(".isol8/logs").mkdir(parents=True)
    Path(".isol8/logs/1-notes.txt").write_text("mine")
    for _ in range(23):
        internal_error("x", ValueError())
    Path(".isol8/logs/1-notes.txt").unlink()
    assert len(list(Path(".isol8/logs").iterdir())) == 20


@pytest.mark.skipif(os.geteuid() != 0, reason="planting links as another user needs root")
def test_a_link_of_another_user_s_is_not_followed(tmp_path: Path) -> None:
    """Nothing is written or removed where it leads."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for second in range(30):
        (elsewhere / f"crash-20261129T0000{second:02}Z-abcdef.txt").write_text("mine")
    (tmp_path / ".isol8").mkdir()
    (tmp_path / ".isol8/logs").symlink_to(elsewhere)
    os.lchown(tmp_path / ".isol8/logs", 65534, 65534)
    said = str(internal_error("x", ValueError()))
    assert f"the traceback can't be written: {tmp_path}/.isol8/logs: a link of another user's" in said
    assert len(list(elsewhere.iterdir())) == 30


def test_no_room_for_a_traceback() -> None:
    """The line says so, and comes in any case."""
    Path(".isol8").write_text("")
    assert str(internal_error("x", KeyError("a"))) == (
        "internal error in x: KeyError: 'a' "
        "(this is a bug; please report it; the traceback can't be written to .isol8/logs: Not a directory)"
    )


def test_what_can_not_be_removed_keeps_nothing_else() -> None:
    """A folder among the tracebacks is left, and the oldest of the others go."""
    Path(".isol8/logs/crash-20000101T000000Z-000000.txt").mkdir(parents=True)
    for _ in range(23):
        internal_error("x", ValueError())
    assert sum(each.is_file() for each in Path(".isol8/logs").iterdir()) == 20


class _WordlessError(Exception):
    """One whose message can't be made."""

    def __str__(self) -> str:
        raise KeyError("x")


def test_an_exception_without_words() -> None:
    """It is told by its name, and its traceback is kept."""
    assert str(internal_error("x", _WordlessError())).startswith(
        "internal error in x: _WordlessError (this is a bug; please report it with the file .isol8/logs/crash-"
    )


def test_no_memory_for_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says so, and comes in any case."""

    def full(_error: BaseException) -> list[str]:
        raise MemoryError

    monkeypatch.setattr("traceback.format_exception", full)
    assert str(internal_error("x", KeyError("a"))) == (
        "internal error in x: KeyError: 'a' "
        "(this is a bug; please report it; the traceback can't be written to .isol8/logs: MemoryError)"
    )


def test_what_is_no_bug() -> None:
    """An error of ours stays what it is, and a full disk is told as such."""
    ours = ConfigError("x")
    assert as_error("a", ours) is ours
    assert str(as_error("a", OSError(28, "No space left on device"))) == "No space left on device"
    assert not Path(".isol8").exists()


def test_a_thread_that_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted, as nobody waits for it."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    watch_threads()
    thread = threading.Thread(target={"b": 1}.__getitem__, args=("a",), name="timer")
    thread.start()
    thread.join()
    assert [str(each).partition(" (")[0] for each in in_threads] == ["internal error in timer: KeyError: 'a'"]
    in_threads.clear()
