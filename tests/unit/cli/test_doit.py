"""How a command ends: one line and a documented exit code, and nothing that went wrong counts as fine."""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doit.exceptions import TaskFailed

from isol8_tasks.cli import doit as running
from isol8_tasks.cli import tasks
from isol8_tasks.cli.doit import one_line
from isol8_tasks.cli.reporter import Guarded, Reporter
from isol8_tasks.cli.screen import Screen
from isol8_tasks.errors import ConfigError, EngineError, EngineUnreachableError, Isol8Error
from isol8_tasks.run.events import Failure
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.safety.crash import in_threads
from tests.fake_engine import FakeEngine

DOCKER = Path(__file__).parents[3] / "docker"


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder of the test's own, and leave the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    in_threads.clear()


@pytest.fixture
def session(tmp_path: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Give the session that the tasks use."""
    shutil.copytree(DOCKER, tmp_path / "docker")
    made = open_session(tmp_path, {}, engine=fake_engine)
    for module in (tasks, running):
        monkeypatch.setattr(module, "session", lambda: made)
    return made


def ending(error: BaseException) -> Callable[..., int]:
    def work(*_: object) -> int:
        raise error

    return work


def crash_in_a_thread(*_: object) -> int:
    thread = threading.Thread(target={"a": 1}.__getitem__, args=("b",), name="timer")
    thread.start()
    thread.join()
    return 0


def terminated(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return 0


ENDS: list[tuple[Callable[..., int], int, str]] = [
    (lambda *_: 0, 0, ""),
    (lambda *_: 2, 2, ""),
    (ending(ConfigError("a is wrong")), 3, "ERROR: a is wrong"),
    (ending(EngineUnreachableError("no engine")), 4, "ERROR: no engine"),
    (ending(KeyError("a")), 1, "ERROR: internal error in "),
    (ending(MemoryError()), 1, "ERROR: internal error in "),
    (ending(RecursionError("deep")), 1, "ERROR: internal error in "),
    (ending(KeyboardInterrupt()), 130, "interrupted"),
    (terminated, 143, "interrupted"),
    (crash_in_a_thread, 1, "ERROR: internal error in timer: KeyError: 'b'"),
]


@pytest.mark.parametrize(("work", "code", "said"), ENDS)
@pytest.mark.usefixtures("session")
class TestEnd:
    """The end of a command."""

    def test_a_line_and_a_code(
        self, work: Callable[..., int], code: int, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Whatever ends it."""
        assert one_line(work)({}, []) == code
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(said)
        assert told.err.count("\n") == bool(said)

    def test_json_in_any_case(
        self, work: Callable[..., int], code: int, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What was printed before it ended stays where it was a document, and the line is its `error`."""
        for before, kept in (('{"a": 1}', {"a": 1}), ('{"a": ', {})):

            def all_of_it(*arguments: object, before: str = before) -> int:
                sys.stdout.write(before + "\n")
                return work(*arguments)

            assert one_line(all_of_it)({"json": True}, []) == code
            told = capsys.readouterr().out
            if not said:
                assert told == before + "\n"
                continue
            document = json.loads(told)
            assert document.pop("error").startswith(said.removeprefix("ERROR: "))
            assert document == kept


@pytest.mark.usefixtures("session")
def test_a_second_signal_ends_what_the_first_could_not() -> None:
    """After the first, the process heeds it as any other does; who ignores it goes on to."""
    assert one_line(terminated)({}, []) == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert one_line(terminated)({}, []) == 0


class TestTasks:
    """What doit is told of work that goes wrong."""

    @pytest.mark.parametrize("error", [Isol8Error("x"), KeyError("x"), OSError("x")])
    def test_a_task_that_goes_wrong_has_failed(
        self, session: Session, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once, with what it is about; never is it done."""
        monkeypatch.setattr(session.view, "ping", ending(error))
        ((act, _),) = tasks.task_ping()["actions"]
        assert isinstance(act(), TaskFailed)
        (failure,) = session.failures
        assert failure.subject == "ping"
        assert failure.error.exit_code == 1

    def test_what_cannot_be_decided_is_not_up_to_date(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is a failure of that image, and doit goes on with the others."""
        monkeypatch.setattr(session, "force", ending(KeyError("x")))
        (asked,) = next(each for each in tasks.task_base() if each["name"] == "bun")["uptodate"]
        task = type("Task", (), {"name": "base:bun", "options": {"force": True}})
        assert asked(task, {}) is False
        assert [failure.subject for failure in session.failures] == ["isol8:bun"]

    def test_a_reporter_that_crashes(self, session: Session) -> None:
        """It is a failure of the run."""
        reporter = Reporter(session, Screen(stream=None, live=False, width=9, repository="isol8"))  # type: ignore[arg-type]
        Guarded(reporter, session.failures).initialize(None, None)
        (failure,) = session.failures
        assert failure.subject == "report"
        assert failure.error.exit_code == 1

    @pytest.mark.parametrize(
        ("result", "errors", "code"),
        [
            (0, [], 0),
            (2, [], 1),
            (0, [EngineError("x")], 1),
            (1, [EngineUnreachableError("x")], 4),
            (1, [EngineUnreachableError("x"), EngineError("y")], 1),
            (1, [ConfigError("x"), EngineUnreachableError("x")], 3),
        ],
    )
    def test_exit_codes(self, session: Session, result: int, errors: list[Isol8Error], code: int) -> None:
        """A failure that nobody noted is one, and one that doit did not count is one, too."""
        session.failures.extend(Failure(subject="x", error=error) for error in errors)
        assert running._exit_code(result) == code  # noqa: SLF001 - doit stands before it

    def test_a_manifest_that_cannot_be_written(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What became of the images is told, and the run has failed."""
        monkeypatch.setattr(session, "resolve", ending(KeyError("x")))
        running._resolve_in_the_end(session)  # noqa: SLF001 - as above
        assert [failure.subject for failure in session.failures] == ["resolve"]
        assert running._exit_code(0) == 1  # noqa: SLF001 - as above
