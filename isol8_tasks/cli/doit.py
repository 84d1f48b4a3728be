"""doit's own commands as this project wants them: run, list, info, help; and how a command ends, whatever happens."""

import contextlib
import functools
import io
import json
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from doit.cmd_base import Command
from doit.cmd_help import Help as DoitHelp
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList
from doit.cmd_run import Run as DoitRun
from doit.cmdparse import CmdParseError
from doit.dependency import JsonDB
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

import isol8_tasks.cli.gc  # noqa: F401 - for what importing it does, before the rest is imported
from isol8_tasks.cli.tasks import SETUP_FLAGS, session
from isol8_tasks.errors import COMMAND, ConfigError, InternalError, Isol8Error
from isol8_tasks.run.session import Session
from isol8_tasks.safety.crash import in_threads, internal_error, watch_threads
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.printing import clean_output

if TYPE_CHECKING:
    from isol8_tasks.cli.screen import Screen

INTERRUPTED: Final = 130
"""What a shell expects of a program that Ctrl-C ended."""
TERMINATED: Final = 143
"""The same of one that SIGTERM ended, as a service manager or a CI sends it."""
QUIET: Final = {
    "name": "quiet",
    "short": "q",
    "long": "quiet",
    "type": bool,
    "default": False,
    "help": "print only changes and failures",
}
WAIT: Final = {
    "name": "wait",
    "long": "wait",
    "type": float,
    "default": 600.0,
    "help": "seconds to wait for another run on the same engine; 0: do not wait, -1: no limit "
    "[default: %(default)s]",
}


class TerminatedError(KeyboardInterrupt):
    """Somebody asked the process to end: the same as Ctrl-C, by another exit code."""


def heed_signals() -> None:
    """Let Ctrl-C and SIGTERM abort what is under way, and raise; a second one ends what the first could not."""
    if threading.current_thread() is threading.main_thread():
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            # Who ignores one, as nohup does for its children, goes on to.
            if signal.getsignal(number) is usual:
                signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)
    # Threads that a command waits for would else go on to the end of all their work.
    session().view.cancel(for_good=True)
    raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def interruption(error: KeyboardInterrupt) -> int:
    """Return the exit code of a run that was interrupted."""
    return TERMINATED if isinstance(error, TerminatedError) else INTERRUPTED


def ends_in_one_line(execute: Callable[..., int]) -> Callable[..., int]:
    """Let a command end with one line and the documented exit code, whatever goes wrong.

    Where JSON was asked for, all of standard output is one JSON document, with the line as its `error`.
    """

    @functools.wraps(execute)
    def wrapped(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - whatever doit passes
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that lacks one of our signs gets a question mark instead of a run that ends there.
            sys.stdout.reconfigure(errors="replace")
        watch_threads()
        heed_signals()
        work = functools.partial(execute, *args, **kwargs)
        as_json = any(isinstance(each, Mapping) and each.get("json") for each in args)
        try:
            code, problem = _as_one_document(work) if as_json else _ended(work)
            if problem:
                sys.stderr.write(f"{problem}\n")
            sys.stdout.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                sys.stderr.write(f"ERROR: {error}\n")
            # Whoever read the output has gone, or has no room; the rest of it can't be written, at exit neither.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
            return 1
        return code

    return wrapped


def _ended(work: Callable[[], int]) -> tuple[int, str]:
    """Do a command's work; return its exit code, and the line that is to be said of what went wrong."""
    try:
        code = work()
    except Isol8Error as error:
        return error.exit_code, f"ERROR: {error}"
    except KeyboardInterrupt as error:
        return interruption(error), "interrupted"
    except (OSError, CmdParseError, InvalidCommand, InvalidDodoFile, InvalidTask):
        # The first is for the caller, and doit says the others in a line.
        raise
    except Exception as error:  # noqa: BLE001 - a bug, wherever it is, ends a command with a line
        return InternalError.exit_code, f"ERROR: {internal_error(_command(), error)}"
    problem = "\n".join(f"ERROR: {each}" for each in in_threads)
    in_threads.clear()
    return (code or InternalError.exit_code, problem) if problem else (code, "")


def _as_one_document(work: Callable[[], int]) -> tuple[int, str]:
    """Do what `_ended` does, and print what the work printed as one JSON document, whatever became of it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            code, problem = _ended(work)
        except OSError as error:
            code, problem = 1, f"ERROR: {error}"
    text = printed.getvalue()
    if problem or code in {INTERRUPTED, TERMINATED}:
        try:
            document = loads(text)
        except ValueError:
            # Nothing, or what was cut off.
            document = {}
        said = problem.removeprefix("ERROR: ")
        text = json.dumps({"error": said, **document}, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    return code, problem


def _command() -> str:
    """Return the name of the command that runs, as it was typed."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "setup")


class MemoryDatabase(JsonDB):  # type: ignore[misc]  # doit has no types
    """doit's database, gone with the run: the labels on the images are the truth, and a file could be torn."""

    def __init__(self, name: str, codec: object, *, module_name: str | None = None) -> None:  # noqa: ARG002 - doit's own
        self.name = name
        self._db: dict[str, object] = {}

    def dump(self) -> None:
        """Write nothing."""


class Spoken(Command):  # type: ignore[misc]  # doit has no types
    """A command that says in one line what it does not understand, and what went wrong."""

    def parse_execute(self, in_args: list[str]) -> int:
        """Read the options, and run it."""
        return read_words(self, in_args)

    def read(self, words: list[str]) -> int:
        """Do it as doit does; an exception tells what is not understood."""
        return super().parse_execute(words) or 0


class List(Spoken, DoitList):  # type: ignore[misc]  # doit has no types
    """doit's list, which ends with one line whatever goes wrong."""

    doc_purpose = "list the tasks"


class Info(Spoken, DoitInfo):  # type: ignore[misc]  # doit has no types
    """doit's info, which knows a task that does not exist."""

    doc_purpose = "print the state of a task, and what it depends on"

    def _execute(self, pos_args: list[str], hide_status: bool = False) -> int:  # noqa: FBT001, FBT002 - doit's own
        if len(pos_args) != 1:
            raise InvalidCommand(f"info: expected one task, for example: {COMMAND} info base:bun")
        for name in pos_args:
            if not any(task.name == name for task in self.task_list):
                raise InvalidCommand(f"{name!r} is not a task; {COMMAND} list shows them")
        super()._execute(pos_args, hide_status)
        return 0


class Help(Spoken, DoitHelp):  # type: ignore[misc]  # doit has no types
    """doit's help, which names the commands as the reader types them, and ends with one line whatever goes wrong."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**{**kwargs, "bin_name": COMMAND})

    def _execute(self, pos_args: list[str]) -> bool:
        if not super()._execute(pos_args):
            raise InvalidCommand(not_found=pos_args[0])
        return True


class Run(Spoken, DoitRun):  # type: ignore[misc]  # doit has no types
    """doit's run, with our lines, side by side by default, and with the exit codes of the README."""

    doc_purpose = "build the images of the named tasks; all by default"

    cmd_options = (*DoitRun.cmd_options, QUIET, WAIT)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**kwargs)
        # One failing image stops no other that is not based on it.
        self.cmdparser["continue"].default = True

    @ends_in_one_line
    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own value
        """Run the selected tasks."""
        if params["num_process"] < 0:
            # doit would start no thread, and do nothing.
            raise ConfigError(f"-n: {params['num_process']} is not a number of tasks; expected 1 or more")
        current = session()
        current.wait = params["wait"]
        self.quiet = params["quiet"]
        self.workers = params["num_process"] or current.slots.workers
        return int(super().execute(params, args))

    def _execute(
        self,
        outfile: Any,  # noqa: ANN401 - doit's own value
        verbosity: Any = None,  # noqa: ANN401 - as above
        always: bool = False,  # noqa: FBT001, FBT002 - as above
        continue_: bool = True,  # noqa: FBT001, FBT002 - as above
        single: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> int:
        # Here, as no other command shows a run.
        from isol8_tasks.cli.reporter import Guarded, Reporter, open_screen  # noqa: PLC0415

        current = session()
        screen = open_screen(current.view, quiet=self.quiet)
        reporter = Reporter(current, screen)
        guarded = Guarded(reporter, current.failures)
        current.listener = screen
        interrupted = result = 0
        try:
            result = super()._execute(
                outfile,
                verbosity=verbosity,
                always=always,
                continue_=continue_,
                reporter=guarded,
                num_process=self.workers,
                par_type="thread",
                single=single,
            )
        except KeyboardInterrupt as error:
            interrupted = stopped(current, screen, error)
        if not interrupted:
            if (
                not current.is_refused
                and current.publication.changed is None
                and (current.outcomes or "resolve" in reporter.unmet)
            ):
                _resolve_in_the_end(current)
            reporter.finish()
        current.close()
        if screen.lost is not None:
            raise screen.lost
        return interrupted or _exit_code(result)


def stopped(current: Session, screen: "Screen | None", error: KeyboardInterrupt) -> int:
    """Abort what is under way, say so, and return the exit code of a run that was interrupted."""
    current.view.cancel(for_good=True)
    current.wind_down()
    if screen:
        screen.close()
        screen.line("interrupted; finished builds are kept, and every image in use is untouched")
    return interruption(error)


def _resolve_in_the_end(current: Session) -> None:
    """Write the manifest where the run did not come to it: after a failure, or when only some tasks were named."""
    if not any(failure.subject == "ping" for failure in current.failures):
        current.end()


def _exit_code(result: int) -> int:
    codes = {failure.error.exit_code for failure in session().failures}
    if result and not codes:
        return 1
    # Something failed outweighs something that could not be found out.
    return min(codes, default=0)


@ends_in_one_line
def read_words(command: Spoken, words: list[str]) -> int:
    """Let doit read the words of a command, and say in one line what it does not understand."""
    clean_output(lambda text: session().view.redactor(text))  # noqa: PLW0108 - one that knows more once deps.toml is read
    _refuse_assignments()
    try:
        return command.read(words)
    except CmdParseError as error:
        raise CmdParseError(_misread(command, str(error))) from None
    except InvalidCommand as error:
        if error.not_found is None:
            raise
        raise InvalidCommand(
            f"{error.not_found!r} is neither a command nor a task; {COMMAND} help lists the commands, "
            f"{COMMAND} list the tasks"
        ) from None


def _misread(command: Spoken, message: str) -> str:
    """Say without the insides of doit's parser what it did not understand."""
    if found := re.search(r"parameter '(\w+)' <class '(?:int|float)'>.*?('.*')", message, re.DOTALL):
        return f"--{command.cmdparser[found[1]].long}: {found[2]} is not a number"
    message = message.partition(" (parsing options")[0].rstrip(".")
    of_command = message.removeprefix("Error parsing Command: ")
    message = of_command.removeprefix("Error parsing Task: ")
    for flag in SETUP_FLAGS:
        if f"--{flag['long']} not recognized" in message:
            return f"{message}; it is a flag of setup: {COMMAND} setup --{flag['long']} …"
    # Which of the tasks it was given to, doit does not say.
    return (
        f"{message}; {COMMAND} help {command.get_name()} lists the options"
        if message == of_command
        else message
    )


def _refuse_assignments() -> None:
    """Refuse words with `=`, which doit takes for variables, and this project has none of."""
    from doit import doit_cmd  # noqa: PLC0415 - its variables are only there once it runs

    words = sys.argv[1:]
    for name, value in (doit_cmd._CMDLINE_VARS or {}).items():  # noqa: SLF001 - there is no other way to list them
        word = f"{name}={value}"
        before = words[words.index(word) - 1] if word in words[1:] else ""
        flag = before if before.startswith("--") and "=" not in before else "--bash"
        raise ConfigError(
            f"{word}: doit reads a word with = as a variable, and there are none; "
            f"write the flag and its value as one word: {shlex.quote(f'{flag}={word}')}"
        )
