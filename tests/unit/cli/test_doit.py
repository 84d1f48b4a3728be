"""How a command ends: one line and a documented exit code, and nothing that went wrong counts as fine."""

import json
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import tomli
from doit.exceptions import TaskFailed

from isol8_tasks.cli import doit as running
from isol8_tasks.cli import signals, tasks
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.reporter import Guarded, Reporter
from isol8_tasks.cli.screen import Screen
from isol8_tasks.errors import ConfigError, EngineError, EngineUnreachableError, InternalError, Isol8Error
from isol8_tasks.run.engine_lock import engine_lock
from isol8_tasks.run.events import Failure
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.safety.crash import in_threads
from tests.command_line import CommandLine, Ended
from tests.fake_engine import FakeEngine

NO_TASK = "{!r} is neither a command nor a task; {}./doitw help lists the commands, ./doitw list the tasks"
NO_VARIABLE = (
    "jq=1.7: doit reads a word with = as a variable, and there are none; "
    "write the flag and its value as one word: --bash=jq=1.7"
)
COMMANDS = tuple(
    tomli.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["tool"]["doit"]["plugins"][
        "command"
    ]
)
DOCKER = Path(__file__).parents[3] / "docker"


@pytest.fixture
def session(tmp_path: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Give the session that the tasks use."""
    shutil.copytree(DOCKER, tmp_path / "docker")
    made = open_session(tmp_path, {}, engine=fake_engine)
    for module in (tasks, running, signals):
        monkeypatch.setattr(module, "session", cache(lambda: made))
        module.session()
    return made


def raising(error: BaseException) -> Callable[..., int]:
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


def hung_up(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGHUP)
    return 0


ENDS: list[tuple[Callable[..., int], int, str]] = [
    (lambda *_: 0, 0, ""),
    (lambda *_: 2, 2, ""),
    (raising(ConfigError("a is wrong")), 3, "ERROR: a is wrong"),
    (raising(EngineUnreachableError("no engine")), 4, "ERROR: no engine"),
    (raising(KeyError("a")), 70, "ERROR: internal error in "),
    (raising(MemoryError()), 70, "ERROR: internal error in "),
    (raising(RecursionError("deep")), 70, "ERROR: internal error in "),
    (raising(KeyboardInterrupt()), 130, "interrupted"),
    (terminated, 143, "interrupted"),
    (hung_up, 129, "interrupted"),
    (crash_in_a_thread, 70, "ERROR: internal error in timer: KeyError: 'b'"),
]


@pytest.mark.parametrize(("work", "code", "said"), ENDS)
@pytest.mark.usefixtures("session")
class TestEnd:
    """The end of a command."""

    def test_a_line_and_a_code(
        self, work: Callable[..., int], code: int, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Whatever ends it."""
        assert ends_in_one_line(work)({}, []) == code
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

            assert ends_in_one_line(all_of_it)({"json": True}, []) == code
            told = capsys.readouterr().out
            if not said:
                assert told == before + "\n"
                continue
            document = json.loads(told)
            assert document.pop("error").startswith(said.removeprefix("ERROR: "))
            assert document == kept


def test_threads_that_crashed_are_named_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each in a line of the error, without what stands before it on a terminal."""
    in_threads.extend([InternalError("one"), InternalError("other")])
    assert ends_in_one_line(lambda *_: 0)({"json": True}, []) == 70
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": "one\nother"}
    assert told.err == "ERROR: one\nERROR: other\n"
    assert in_threads == []


@pytest.mark.usefixtures("session")
def test_a_second_signal_ends_what_the_first_could_not() -> None:
    """After the first, the process heeds it as any other does; who ignores it goes on to."""
    assert ends_in_one_line(terminated)({}, []) == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert ends_in_one_line(terminated)({}, []) == 0


@pytest.mark.usefixtures("session")
def test_a_closed_terminal_leaves_time_to_stop_builds() -> None:
    """Shell and system both tell of it; nohup, which ignores it, goes on to."""
    assert ends_in_one_line(hung_up)({}, []) == 129
    assert hung_up() == 0
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ends_in_one_line(hung_up)({}, []) == 0


class TestTasks:
    """What doit is told of work that goes wrong."""

    @pytest.mark.parametrize("error", [Isol8Error("x"), KeyError("x"), OSError("x")])
    def test_a_task_that_goes_wrong_has_failed(
        self, session: Session, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once, with what it is about; never is it done."""
        monkeypatch.setattr(session.view, "ping", raising(error))
        ((act, _),) = tasks.task_ping()["actions"]
        assert isinstance(act(), TaskFailed)
        (failure,) = session.failures
        assert failure.subject == "ping"
        assert failure.error.exit_code == (70 if isinstance(error, KeyError) else 1)

    def test_what_cannot_be_decided_is_not_up_to_date(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is a failure of that image, and doit goes on with the others."""
        monkeypatch.setattr(session, "force", raising(KeyError("x")))
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
        assert failure.error.exit_code == 70

    @pytest.mark.parametrize(
        ("result", "errors", "code"),
        [
            (0, [], 0),
            (2, [], 1),
            (0, [EngineError("x")], 1),
            (1, [EngineUnreachableError("x")], 4),
            (1, [EngineUnreachableError("x"), EngineError("y")], 1),
            (1, [ConfigError("x"), EngineUnreachableError("x")], 3),
            (1, [InternalError("x"), EngineError("y"), EngineUnreachableError("z")], 70),
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
        monkeypatch.setattr(session, "resolve", raising(KeyError("x")))
        running._resolve_in_the_end(session, whole=True)  # noqa: SLF001 - as above
        assert [failure.subject for failure in session.failures] == ["resolve"]
        assert running._exit_code(0) == 70  # noqa: SLF001 - as above


class TestRun:
    """What is built of what doit selects, by the words of the command line."""

    def test_everything_is_built_then_nothing(self, cli: CommandLine) -> None:
        """And told so; the words `setup` and `run` make no difference."""
        done = cli()
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[5] == "isol8:bash-custom   not built   declared in deps.toml:2, never built"
        assert len([line for line in lines if "  built       " in line]) == 6
        assert lines[-1].startswith("6 built · ")
        for words in ((), ("setup",), ("run",), ("resolve",)):
            assert cli(*words).out == "6 images up to date · Docker 0.0 · resolved-images.json unchanged\n"

    def test_named_task_is_built_with_its_parent(self, cli: CommandLine) -> None:
        """And nothing else."""
        assert cli("custom:bash").code == 0
        assert {"bash", "bash-custom"} == {tag for tag in cli.tags() if "-custom-" not in tag}
        assert cli("--quiet", "base:b*").code == 0
        assert {"bash", "bash-custom", "bun"} == {tag for tag in cli.tags() if "-custom-" not in tag}

    def test_force_rebuilds_what_is_up_to_date(self, built: CommandLine) -> None:
        """Of a task, of a kind, or everything."""
        assert "isol8:bun           stale       forced\n" in built("base:bun", "--force").out
        assert built("base", "--force").out.splitlines()[-1].startswith("5 built · ")
        assert built("setup", "--force").out.splitlines()[-1].startswith("6 built · ")

    def test_quiet_prints_changes_and_failures_only(self, cli: CommandLine) -> None:
        """One line where images were built, and then none."""
        done = cli("--quiet")
        assert done.out.startswith("6 built · ")
        assert done.out.count("\n") == 1
        assert cli("-q").out == ""

    def test_failed_build_is_1_and_the_others_are_built(self, cli: CommandLine) -> None:
        """With its parent's children skipped, and the reason."""
        with (cli.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN echo no such thing; false\n")
        done = cli()
        assert done.code == 1
        assert (
            "isol8:bash          failed      step 3/3: echo no such thing; false\n    no such thing\n"
            in done.out
        )
        assert done.out.splitlines()[-1].startswith("4 built · 1 failed · 1 skipped · ")

    def test_no_continue_begins_nothing_after_a_failure(self, cli: CommandLine) -> None:
        """One task at a time, so that the failure is known before the next."""
        cli.engine.registry.clear()
        done = cli("-n", "1", "--no-continue")
        assert done.code == 4
        assert cli.tags() == set()

    def test_engine_that_does_not_answer_is_4(self, dead: CommandLine) -> None:
        """Once, as what the ping came to; no image is blamed."""
        for words in ((), ("up",), ("base:bun", "--force"), ("ping",)):
            done = dead(*words)
            assert (done.code, done.err) == (4, "")
            assert done.out == (
                "ping                failed      no Docker Engine answers at fake:// (it is a fake): it was stopped\n"
                "  Start it again.\n"
            )

    def test_ping_names_the_engine(self, cli: CommandLine) -> None:
        """Nothing else is asked for."""
        assert cli("ping").out == "Docker 0.0 · API 1.41 · memory · buildkit · fake://\n"

    def test_other_run_on_the_engine_is_1(self, cli: CommandLine) -> None:
        """Where this one is told not to wait."""
        with engine_lock(cli.engine.info().id, holder="another", since="now", wait=0):
            done = cli("--wait=0")
        assert (done.code, done.err) == (1, "")
        *states, last = done.out.splitlines()
        assert all(" not built" in line for line in states)
        assert re.fullmatch(
            r"engine              failed      another run is using this engine: process \d+ in another, since now; "
            r"nothing was built; run again when it is done, or wait longer: \./doitw --wait=SECONDS \(-1: no limit\)",
            last,
        )
        assert cli.tags() == set()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("bogus", NO_TASK.format("bogus", "")),
            ("run base:perl", NO_TASK.format("base:perl", "")),
            ("--xyzzy", "a run has no flag --xyzzy; ./doitw run --help lists those it has"),
            (
                "setup --bogus",
                "setup has no flag --bogus; did you mean --bun? ./doitw setup --help lists those it has",
            ),
            (
                "base:bun --bash",
                "base:bun has no flag --bash; it is one of setup, plan or up: ./doitw setup --bash=…",
            ),
            ("--wait x", "--wait: 'x' is not a number of seconds (as 60; 0: do not wait, -1: no limit)"),
            ("-n x", "-n: 'x' is not a number"),
            ("-n -1", "-n: -1 is not a number of tasks; expected 1 or more"),
            ("setup --only perl", "--only: 'perl' is not a runtime (allowed: python, node, bun, deno, bash)"),
            ("setup --locked", "deps.lock.toml: not found, but --locked needs it; write it: ./doitw lock"),
            (
                "setup --bash jq=1.7",
                NO_VARIABLE,
            ),
            (
                "jq=1.7",
                NO_VARIABLE,
            ),
            ("plan --bash jq=1.7", NO_VARIABLE),
            ("up --bash jq=1.7", NO_VARIABLE),
        ],
    )
    def test_wrong_words_are_3_and_build_nothing(self, cli: CommandLine, words: str, said: str) -> None:
        """In one line, with what to type."""
        done = cli(*words.split())
        assert (done.code, done.out, done.err) == (3, "", f"ERROR: {said}\n")
        assert cli.engine.requests == []

    @pytest.mark.parametrize("words", ["setup", "plan", "list", "info base:bun", "up", "refresh"])
    def test_dockerfile_that_is_missing_is_3(self, cli: CommandLine, words: str) -> None:
        """Nothing can be planned without it."""
        (cli.folder / "docker" / "Dockerfile").unlink()
        done = cli(*words.split())
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: docker/Dockerfile: ")
        assert done.err.count("\n") == 1


class TestList:
    """The command list."""

    def test_tasks_of_all_images(self, cli: CommandLine) -> None:
        """Those that deps.toml asks for included, whether they are built or not."""
        done = cli("list")
        assert (done.code, done.err) == (0, "")
        assert [line.split()[0] for line in done.out.splitlines()] == [
            "base", "base:bash", "base:bun", "base:deno", "base:node", "base:python", "custom", "custom:bash", "image",
            "ping", "resolve", "setup",
        ]  # fmt: skip
        assert "custom:bash   bash with jq\n" in done.out

    def test_status_tells_what_is_up_to_date(self, built: CommandLine) -> None:
        """`U` for that, `R` for what would run; without an engine everything would."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        lines = built("list", "--status").out.splitlines()
        assert [line for line in lines if ":bash" in line] == [
            "U base:bash     Base image of bash",
            "R custom:bash   bash with jq zip",
        ]
        built.engine.reachable = False
        done = built("list", "--status")
        assert done.code == 0
        assert {line[0] for line in done.out.splitlines()} == {"R"}

    def test_wrong_words_are_refused(self, cli: CommandLine) -> None:
        """A task that is none, and an option that is none."""
        assert cli("list", "nothing") == Ended(
            3, "", "ERROR: list: 'nothing' is not a task; ./doitw list shows them\n"
        )
        said = "ERROR: list has no flag --bogus; ./doitw list --help lists those it has\n"
        assert cli("list", "--bogus") == Ended(3, "", said)


class TestInfo:
    """The command info."""

    def test_state_and_why(self, built: CommandLine) -> None:
        """As the plan has them."""
        assert "\nstatus     : up-to-date\n" in built("info", "custom:bash").out
        built.declare('[dependencies]\nbash = ["zip"]\n')
        done = built("info", "custom:bash")
        assert (done.code, done.err) == (0, "")
        assert "\nstatus     : run\n" in done.out
        assert "    - + zip" in done.out
        assert "\ntask_dep   : \n - ping\n - base:bash\n" in done.out

    def test_engine_that_does_not_answer_is_the_reason(self, dead: CommandLine) -> None:
        """The task would run."""
        done = dead("info", "base:bun")
        assert done.code == 0
        assert "    - no Docker Engine answers at fake://" in done.out

    def test_unknown_task_is_refused(self, cli: CommandLine) -> None:
        """And the line says where the tasks are listed."""
        said = "ERROR: info: 'base:perl' is not a task; ./doitw list shows them\n"
        assert cli("info", "base:perl") == Ended(3, "", said)

    @pytest.mark.parametrize("words", [(), ("base:bun", "base:deno")])
    def test_one_task_is_expected(self, cli: CommandLine, words: tuple[str, ...]) -> None:
        """No more and no less."""
        said = "ERROR: info: expected one task, for example: ./doitw info base:bun\n"
        assert cli("info", *words) == Ended(3, "", said)


class TestHelp:
    """The command help."""

    @pytest.mark.parametrize("words", [("help",), ("--help",), ("help", "help")])
    def test_commands_are_named_as_they_are_typed(self, cli: CommandLine, words: tuple[str, ...]) -> None:
        """In every way to ask."""
        done = cli(*words)
        assert (done.code, done.err) == (0, "")
        assert "./doitw help [COMMAND or TASK]\n" in done.out or done.out.startswith(
            "usage: ./doitw [COMMAND"
        )
        assert " doit help" not in done.out

    @pytest.mark.parametrize("command", [each for each in COMMANDS if each != "run"])
    def test_command_has_a_purpose_and_options(self, cli: CommandLine, command: str) -> None:
        """It reads without an engine, and so do all commands."""
        cli.engine.reachable = False
        done = cli("help", command)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("PURPOSE\n    ")
        assert f"\nUSAGE\n    ./doitw {command}" in done.out

    def test_task_is_explained(self, cli: CommandLine) -> None:
        """With its flags."""
        done = cli("help", "base:bun")
        assert done.code == 0
        assert done.out.startswith("usage: ./doitw base:bun [flags]\nBase image of bun\n\n  --force ")

    def test_what_is_neither_is_refused(self, cli: CommandLine) -> None:
        """It is no success to print something else."""
        assert cli("help", "nothing") == Ended(3, "", f"ERROR: {NO_TASK.format('nothing', '')}\n")


def test_help_of_run_has_what_counts_here(cli: CommandLine) -> None:
    """In our words, and no flag of doit's that changes nothing; however it is asked for."""
    done = cli("help", "run")
    assert (done.code, done.err) == (0, "")
    assert done == cli("run", "--help")
    flags = [line.split("  ")[1] for line in done.out.splitlines()[3:]]
    assert flags == [
        "-n ARG, --process=ARG",
        "-s, --single",
        "--no-continue",
        "-q, --quiet",
        "--verbose",
        "--progress=ARG",
        "--wait=ARG",
    ]
    for word in ("doit", "subprocess", "database", "config:", "%("):
        assert word not in done.out.replace("./doitw", "")
