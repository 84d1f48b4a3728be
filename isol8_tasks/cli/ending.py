"""How a command ends, whatever happens: one line, a documented exit code, and no traceback."""

import contextlib
import functools
import io
import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

from isol8_tasks.cli.signals import HEEDED, OF_SIGNALS, heed_signals, heed_unraisable, interruption
from isol8_tasks.errors import COMMAND, ConfigError, InternalError, Isol8Error
from isol8_tasks.safety.crash import in_threads, internal_error, system_words, watch_threads
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.printing import CleanStream

if TYPE_CHECKING:
    from isol8_tasks.cli.screen import Screen
    from isol8_tasks.run.session import Session

NOBODY_READS: Final = OF_SIGNALS + signal.SIGPIPE
"""Of a command that only prints, and whose reader went away, as `head` does."""
_MISTAKES: Final = (CmdParseError, InvalidCommand, InvalidDodoFile, InvalidTask)
"""What doit raises for words or tasks that it does not understand."""


def stopped(current: "Session", screen: "Screen | None", error: KeyboardInterrupt) -> int:
    """Abort what is under way, say so and what failed before, and return the exit code of an interrupted run."""
    current.abort()
    current.wind_down()
    if screen:
        screen.close()
        if current.failures:
            # Here, as most runs go on to their end, and who lists images shows no run.
            from isol8_tasks.cli.reporter import print_failures  # noqa: PLC0415

            print_failures(current, screen)
        screen.line("interrupted; finished builds are kept, and every image in use is untouched")
    return interruption(error)


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
        sys.unraisablehook = heed_unraisable
        heed_signals()
        work = functools.partial(execute, *args, **kwargs)
        as_json = any(isinstance(each, Mapping) and each.get("json") for each in args)
        ending = _as_one_document(work) if as_json else ended(work)
        complain(ending.lines)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        return ending.code

    return wrapped


class Ending(NamedTuple):
    """How a command ended."""

    code: int
    errors: tuple[str, ...] = ()
    """What went wrong."""
    interrupted: bool = False

    @property
    def words(self) -> str:
        """What is said of it; empty where all went well."""
        return "interrupted" if self.interrupted else "\n".join(self.errors)

    @property
    def lines(self) -> str:
        """The same as a terminal shows it."""
        return "interrupted" if self.interrupted else "\n".join(f"ERROR: {each}" for each in self.errors)


def ended(work: Callable[[], int]) -> Ending:
    """Do a command's work, and return how it ended."""
    try:
        code = work()
    except Isol8Error as error:
        return Ending(error.exit_code, (str(error),))
    except KeyboardInterrupt as error:
        return Ending(interruption(error), interrupted=True)
    except _MISTAKES as error:
        return Ending(ConfigError.exit_code, (str(error),))
    except OSError as error:
        return Ending(Isol8Error.exit_code, (system_words(error),))
    except Exception as error:  # noqa: BLE001 - a bug, wherever it is, ends a command with a line
        return Ending(InternalError.exit_code, (str(internal_error(_command(), error)),))
    errors = tuple(map(str, in_threads))
    in_threads.clear()
    return Ending(code or InternalError.exit_code, errors) if errors else Ending(code)


def _as_one_document(work: Callable[[], int]) -> Ending:
    """Do what `ended` does, and print what the work printed as one JSON document, whatever became of it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ending = ended(work)
    text = printed.getvalue()
    if ending.lines or ending.code - OF_SIGNALS in HEEDED:
        try:
            document = loads(text)
        except ValueError:
            # Nothing, or what was cut off.
            document = {}
        text = json.dumps({"error": ending.words, **document}, indent=2, ensure_ascii=False) + "\n"
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
    return ending


def complain(problem: str) -> None:
    """Write a line to standard error, if anybody can still read it."""
    if problem:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{problem}\n")
            sys.stderr.flush()


def unread(code: int, *, only_prints: bool) -> int:
    """Say that standard output went nowhere, if it did; return the exit code of the command then.

    Work goes on when its reader goes away, as of `./doitw | head -1`: a pipe should not decide what is built.
    """
    if not isinstance(sys.stdout, CleanStream) or sys.stdout.lost is None:
        return code
    lost, sys.stdout.lost = sys.stdout.lost, None
    if not isinstance(lost, BrokenPipeError):
        complain(f"ERROR: standard output can't be written ({lost.strerror}); what was to be done is done")
        return code or Isol8Error.exit_code
    if only_prints:
        return code or NOBODY_READS
    complain(
        f"standard output was closed early; the work was finished, with exit code {code}; "
        f"{COMMAND} plan prints the state of each image"
    )
    return code


def _command() -> str:
    """Return the name of the command that runs, as it was typed."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "setup")
