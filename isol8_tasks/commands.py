"""The commands beside doit's own: run and clean as this project wants them, plan, up, down, env, test and bench."""

import functools
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from doit.cmd_base import Command
from doit.cmd_run import Run as DoitRun
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand

from isol8_tasks import report
from isol8_tasks.errors import ConfigError, Isol8Error
from isol8_tasks.plan.graph import task_of
from isol8_tasks.session import Failure, Session
from isol8_tasks.tasks import SETUP_FLAGS, flag_request, session

INTERRUPTED: Final = 130
"""What a shell expects of a program that Ctrl-C ended."""
PENDING: Final = 2
"""Changes pending, where it was asked for with --check."""

_QUIET: Final = {
    "name": "quiet",
    "short": "q",
    "long": "quiet",
    "type": bool,
    "default": False,
    "help": "print news and failures only",
}
_WAIT: Final = {
    "name": "wait",
    "long": "wait",
    "type": float,
    "default": 600.0,
    "help": "seconds to wait for another run on the same engine; 0: give up at once, -1: as long as it takes "
    "[default: %(default)s]",
}


def _one_line(execute: Callable[..., int]) -> Callable[..., int]:
    """Let a command end with one line and the documented exit code, whatever goes wrong."""

    @functools.wraps(execute)
    def wrapped(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - whatever doit passes
        try:
            return execute(*args, **kwargs)
        except Isol8Error as error:
            sys.stderr.write(f"ERROR: {error}\n")
            return error.exit_code
        except KeyboardInterrupt:
            sys.stderr.write("interrupted\n")
            return INTERRUPTED
        except BrokenPipeError:
            # Whoever read the output has gone; the rest of it can't be written, at exit neither.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1

    return wrapped


class Run(DoitRun):  # type: ignore[misc]  # doit has no types
    """doit's run, with our lines, side by side by default, and with the exit codes of the README."""

    cmd_options = (*DoitRun.cmd_options, _QUIET, _WAIT)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**kwargs)
        # One failing image stops no other that does not stand on it.
        self.cmdparser["continue"].default = True

    def parse_execute(self, in_args: list[str]) -> int:
        """Read the options, and run it."""
        return _parsed(super().parse_execute, in_args)

    @_one_line
    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own value
        """Run the selected tasks."""
        current = session()
        current.wait = params["wait"]
        self.quiet = params["quiet"]
        self.workers = params["num_process"] or current.workers
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
        from isol8_tasks.reporter import Reporter, open_screen  # noqa: PLC0415

        current = session()
        screen = open_screen(current, quiet=self.quiet)
        reporter = Reporter(current, screen)
        current.listener = screen
        interrupted = False
        result = 0
        try:
            result = super()._execute(
                outfile,
                verbosity=verbosity,
                always=always,
                continue_=continue_,
                reporter=reporter,
                num_process=self.workers,
                par_type="thread",
                single=single,
            )
        except KeyboardInterrupt:
            interrupted = True
            current.cancel()
            screen.close()
            screen.line("interrupted; what is built is kept, and every image in use stays as it was")
        if not interrupted:
            if current.changed is None and (current.outcomes or "resolve" in reporter.unmet):
                _resolve_in_the_end(current)
            reporter.finish()
        current.close()
        return INTERRUPTED if interrupted else _exit_code(result, reporter.errors)


def _resolve_in_the_end(current: Session) -> None:
    """Write the manifest where the run did not come to it: after a failure, or when only some tasks were named."""
    if any(failure.subject == "ping" for failure in current.failures):
        return
    try:
        current.resolve()
    except Isol8Error as error:
        current.failures.append(Failure(subject="resolve", error=error))


def _exit_code(result: int, errors: Sequence[str]) -> int:
    codes = {failure.error.exit_code for failure in session().failures}
    if errors or (result and not codes):
        return 1
    # Something failed outweighs something that could not be found out.
    return min(codes, default=0)


class _OwnCommand(Command):  # type: ignore[misc]  # doit has no types
    """A command of ours, which needs no tasks of doit's."""

    def parse_execute(self, in_args: list[str]) -> int:
        """Read the options, and run it."""
        return _parsed(super().parse_execute, in_args)

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Check where it runs, and run it."""
        if not Path("dodo.py").is_file():
            raise InvalidCommand(f"{Path.cwd()}: no dodo.py here; run it in the checkout's folder")
        return self.act(params, args)

    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do what the command is for, and return the exit code."""
        raise NotImplementedError

    def no_arguments(self, args: list[str]) -> None:
        """Refuse words that the command has no use for."""
        if args:
            raise InvalidCommand(
                f"{self.name}: {args[0]!r} is not understood; it takes options only (doit help {self.name})"
            )


class Clean(_OwnCommand):
    """Take images away; in the place of doit's own clean, which knows no image that nothing asks for."""

    doc_purpose = "remove the images of the tasks that are named, with every tag of theirs"
    doc_usage = "TASK ... (as base:bun, 'custom:*')"
    cmd_options = (
        {
            "name": "dryrun",
            "short": "n",
            "long": "dry-run",
            "type": bool,
            "default": False,
            "help": "say what would be removed",
        },
    )

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Remove them, and write the manifest of what is left."""
        if not args:
            raise ConfigError(
                "clean removes images, so it wants to be told which: doit clean base:bun (or 'base:*', 'custom:*')"
            )
        current = session()
        try:
            current.ping()
            removed = [self._remove(current, name, dryrun=params["dryrun"]) for name in _named(current, args)]
            if any(removed):
                current.refresh()
                current.resolve()
        finally:
            current.close()
        return 0

    @staticmethod
    def _remove(current: Session, name: str, *, dryrun: bool) -> bool:
        removed = not dryrun and current.remove(name)
        _say(
            f"{current.repository}:{name}".ljust(report.NAME_WIDTH)
            + ("  would be removed" if dryrun else "  removed" if removed else "  is not there")
        )
        return removed


class Plan(_OwnCommand):
    """Show what a run would do."""

    doc_purpose = "show what would be built, and why, changing nothing"
    doc_usage = "[--json] [--check] [the flags of setup]"
    doc_description = (
        "Exit code 2 with --check when something is to be done; 4 when the engine can't be asked."
    )
    cmd_options = (
        {
            "name": "json",
            "long": "json",
            "type": bool,
            "default": False,
            "help": "print JSON, and nothing else",
        },
        {
            "name": "check",
            "long": "check",
            "type": bool,
            "default": False,
            "help": "exit with 2 when something is to be done",
        },
        *SETUP_FLAGS,
    )

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print the plan."""
        self.no_arguments(args)
        current = session()
        current.request = flag_request(params)
        if params["force"]:
            current.forced.update(spec.name for spec in current.graph.images)
        try:
            decisions = list(current.decisions.values())
        except Isol8Error as error:
            if params["json"]:
                specs = [(spec.name, spec.task) for spec in current.graph.images]
                print(report.unknown_json(specs, str(error), repository=current.repository))  # noqa: T201 - its purpose
            raise
        finally:
            current.close()
        if params["json"]:
            print(report.plan_json(decisions, repository=current.repository))  # noqa: T201 - its purpose
        else:
            print(report.plan_table(decisions, repository=current.repository))  # noqa: T201 - its purpose
            for warning in current.graph.warnings:
                print(f"warning: {warning}")  # noqa: T201 - as above
        pending = any(decision.pending for decision in decisions)
        return PENDING if params["check"] and pending else 0


class Up(_OwnCommand):
    """Build everything on the engine that answers, or on a private one."""

    doc_purpose = "build every image; with --lab on a private engine of this checkout"
    doc_usage = "[--lab] [the flags of setup]"
    cmd_options = (
        {
            "name": "lab",
            "long": "lab",
            "type": bool,
            "default": False,
            "help": "run a private engine (Debian or Ubuntu, as root); installs nothing on the machine",
        },
        *SETUP_FLAGS,
        _QUIET,
        _WAIT,
    )

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Start the private engine where asked for, and run setup."""
        self.no_arguments(args)
        flag_request(params)
        if params["lab"]:
            import lab  # noqa: PLC0415 - who has Docker never needs it

            say = _silent if params["quiet"] else _say
            host = lab.up(Path.cwd(), say)
            if os.environ.get("DOCKER_HOST", host) != host:
                say("DOCKER_HOST names another engine; later commands go there until you unset it")
            os.environ["DOCKER_HOST"] = host
        return _doit(["run", *_run_options(params), "setup", *_setup_words(params)])


class Down(_OwnCommand):
    """Stop the private engine."""

    doc_purpose = "stop the private engine of this checkout and all that it started; the images stay"
    doc_usage = ""

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Stop it."""
        self.no_arguments(args)
        import lab  # noqa: PLC0415 - who has Docker never needs it

        if not lab.down(Path.cwd(), _say):
            _say("no private engine of this checkout runs")
        return 0


class Env(_OwnCommand):
    """Say how other Docker clients reach the engine."""

    doc_purpose = 'print the engine in use for a shell: eval "$(./doitw env)"'
    doc_usage = ""

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Print it."""
        self.no_arguments(args)
        current = session()
        _ = current.observed
        current.close()
        print(f"export DOCKER_HOST={shlex.quote(current.endpoint.url)}")  # noqa: T201 - its purpose
        return 0


class Test(_OwnCommand):
    """Run every test."""

    name = "test"
    doc_purpose = "run every test, those on a real engine included"
    doc_usage = "[pytest's arguments]"

    def parse_execute(self, in_args: list[str]) -> int:
        """Hand every word to pytest."""
        return self.execute({}, in_args)

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Start the engine for the tests, and run them."""
        from tests.run import main  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - not installed for others

        return 1 if main(args) else 0


class Lint(_OwnCommand):
    """Run every check that needs no engine."""

    doc_purpose = "run every check that needs no engine: ruff, mypy, import-linter, the locks"
    doc_usage = ""

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run them."""
        self.no_arguments(args)
        import subprocess  # noqa: PLC0415 - no other command needs it

        return 1 if subprocess.run([".ci/lint"], check=False).returncode else 0


class Check(_OwnCommand):
    """Run what CI runs."""

    doc_purpose = "run lint and test, as CI does"
    doc_usage = ""

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Run both, and fail if one does."""
        self.no_arguments(args)
        codes = [Lint(config=self.config).act(params, []), Test(config=self.config).act(params, [])]
        return max(codes)


class Bench(_OwnCommand):
    """Measure what is claimed to be fast."""

    doc_purpose = "measure what is claimed to be fast, as ratios in one run"
    doc_usage = "[bench/run.py's arguments]"

    def parse_execute(self, in_args: list[str]) -> int:
        """Hand every word to the benchmark."""
        return self.execute({}, in_args)

    @_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run it."""
        from bench.run import main  # noqa: PLC0415 - not installed for others

        try:
            return 1 if main(args) else 0
        except SystemExit as error:
            # How argparse says that it printed its usage: asked for, or since it did not understand.
            return 3 if error.code else 0


def _named(current: Session, args: Sequence[str]) -> list[str]:
    """Return the names of the images whose tasks are meant, custom images before the bases that they stand on."""
    names = [*(spec.name for spec in current.graph.images), *current.graph.undeclared]
    tasks = {task_of(name): name for name in names}
    found: dict[str, None] = {}
    for word in args:
        fitting = [task for task in tasks if fnmatch(task, word) or task.partition(":")[0] == word]
        if not fitting:
            raise ConfigError(f"clean: there is no image {word}; there are {', '.join(sorted(tasks))}")
        found.update(dict.fromkeys(fitting))
    return [tasks[task] for task in sorted(found, key=lambda task: task.startswith("base:"))]


def _doit(words: list[str]) -> int:
    from doit.doit_cmd import DoitMain  # noqa: PLC0415 - importing it here would be a cycle at doit's start

    return int(DoitMain().run(words))


def _run_options(params: Mapping[str, Any]) -> list[str]:
    return [*(["--quiet"] if params["quiet"] else []), f"--wait={params['wait']}"]


def _setup_words(params: Mapping[str, Any]) -> list[str]:
    """Spell the flags of setup again, as doit would have read them."""
    words = []
    for flag in SETUP_FLAGS:
        value = params[flag["name"]]
        if flag["type"] is list:
            words += [f"--{flag['long']}={each}" for each in value]
        elif value:
            words.append(f"--{flag['long']}")
    return words


@_one_line
def _parsed(parse_execute: Callable[[list[str]], int], words: list[str]) -> int:
    """Let doit read the words of a command, and say in one line what it does not understand."""
    _refuse_assignments()
    try:
        return parse_execute(words)
    except CmdParseError as error:
        # doit adds a listing of its parser's insides.
        raise CmdParseError(str(error).partition(" (parsing options")[0]) from None


def _refuse_assignments() -> None:
    """Refuse words with `=`, which doit takes for variables, and this project has none of."""
    from doit import doit_cmd  # noqa: PLC0415 - its variables are only there once it runs

    words = sys.argv[1:]
    for name, value in (doit_cmd._CMDLINE_VARS or {}).items():  # noqa: SLF001 - there is no other way to list them
        word = f"{name}={value}"
        before = words[words.index(word) - 1] if word in words[1:] else ""
        flag = before if before.startswith("--") and "=" not in before else "--bash"
        raise ConfigError(
            f"{word}: doit takes a word with = for a variable, and there is none; "
            f"write the flag and its value as one word: {shlex.quote(f'{flag}={word}')}"
        )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its purpose


def _silent(_text: str) -> None:
    """Say nothing."""
