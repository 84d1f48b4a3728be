"""The commands of this project's own: plan, clean, up, down, env, test, lint, check and bench."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from doit.cmd_base import Command
from doit.exceptions import InvalidCommand

from isol8_tasks import report
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error, UndecidedError
from isol8_tasks.plan.graph import task_of
from isol8_tasks.printing import exactly
from isol8_tasks.running import QUIET, WAIT, one_line, parsed
from isol8_tasks.session import Session
from isol8_tasks.tasks import SETUP_FLAGS, flag_request, session

PENDING: Final = 2
"""Changes pending, where it was asked for with --check."""


class OwnCommand(Command):  # type: ignore[misc]  # doit has no types
    """A command of ours, which needs no tasks of doit's."""

    def parse_execute(self, in_args: list[str]) -> int:
        """Read the options, and run it."""
        return parsed(super().parse_execute, in_args)

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Check where it runs, and run it."""
        if not Path("dodo.py").is_file():
            raise InvalidCommand(f"{Path.cwd()}: no dodo.py in this folder; run it in the checkout")
        return self.act(params, args)

    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do what the command is for, and return the exit code."""
        raise NotImplementedError

    def no_arguments(self, args: list[str]) -> None:
        """Refuse words that the command has no use for."""
        if args:
            raise InvalidCommand(
                f"{self.name}: {args[0]!r} is not understood; this command takes options only ({COMMAND} "
                f"help {self.name})"
            )


class Clean(OwnCommand):
    """Remove images; in the place of doit's own clean, which knows no undeclared image."""

    doc_purpose = "remove the images of the named tasks, with all their tags"
    doc_usage = "TASK ... (for example base:bun or 'custom:*')"
    cmd_options = (
        {
            "name": "dryrun",
            "short": "n",
            "long": "dry-run",
            "type": bool,
            "default": False,
            "help": "print what would be removed, and remove nothing",
        },
    )

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Remove them, and write the manifest of what is left."""
        if not args:
            raise ConfigError(
                f"clean needs to know which images to remove: {COMMAND} clean base:bun (or 'base:*', 'custom:*')"
            )
        current = session()
        try:
            current.ping()
            removed = [self._remove(current, name, dryrun=params["dryrun"]) for name in _named(current, args)]
            if any(removed):
                current.look_again()
                current.resolve()
        finally:
            current.close()
        return 0

    @staticmethod
    def _remove(current: Session, name: str, *, dryrun: bool) -> bool:
        removed = not dryrun and current.remove(name)
        say(
            f"{current.repository}:{name}".ljust(report.NAME_WIDTH)
            + ("  would be removed" if dryrun else "  removed" if removed else "  does not exist")
        )
        return removed


class Plan(OwnCommand):
    """Show what a run would do."""

    doc_purpose = "print what would be built, and why; change nothing"
    doc_usage = "[--json] [--check] [the flags of setup]"
    doc_description = (
        "With --check: exit code 2 when something would be built, 4 when the state of an image is undetermined. 4 also "
        "when the engine can't be asked."
    )
    cmd_options = (
        {
            "name": "json",
            "long": "json",
            "type": bool,
            "default": False,
            "help": "print only JSON",
        },
        {
            "name": "check",
            "long": "check",
            "type": bool,
            "default": False,
            "help": "exit with code 2 when something would be built",
        },
        *SETUP_FLAGS,
    )

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print the plan."""
        self.no_arguments(args)
        current = session()
        current.request = flag_request(params)
        if params["locked"]:
            from isol8_tasks.locking import hold_to_lock  # noqa: PLC0415 - as in the task

            hold_to_lock(current)
        if params["force"]:
            current.forced.update(spec.name for spec in current.graph.images)
        try:
            decisions = list(current.decisions.values())
        except Isol8Error as error:
            if params["json"]:
                specs = [(spec.name, spec.task) for spec in current.graph.images]
                print(report.undetermined_json(specs, str(error), repository=current.repository))  # noqa: T201 - its purpose
            raise
        finally:
            current.close()
        if params["json"]:
            print(report.plan_json(decisions, current.config))  # noqa: T201 - its purpose
        else:
            print(report.plan_table(decisions, current.config))  # noqa: T201 - its purpose
            for warning in current.graph.warnings:
                print(f"warning: {warning}")  # noqa: T201 - as above
            for line in report.added_lines(current.config):
                print(line)  # noqa: T201 - as above
        states = {decision.state for decision in decisions} if params["check"] else set()
        if states & {"not-built", "stale"}:
            return PENDING
        return UndecidedError.exit_code if "undetermined" in states else 0


class Up(OwnCommand):
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
        QUIET,
        WAIT,
    )

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Start the private engine where asked for, and run setup."""
        self.no_arguments(args)
        flag_request(params)
        if params["lab"]:
            import lab  # noqa: PLC0415 - who has Docker never needs it

            tell = _silent if params["quiet"] else say
            host = lab.up(Path.cwd(), tell)
            named = "DOCKER_HOST" if os.environ.get("DOCKER_HOST", host) != host else "DOCKER_CONTEXT"
            if named == "DOCKER_HOST" or (named in os.environ and "DOCKER_HOST" not in os.environ):
                tell(
                    f"{named} is set and names another engine; later commands use that one until you unset it"
                )
            os.environ["DOCKER_HOST"] = host
        return run_doit(["run", *_run_options(params), "setup", *setup_words(params)])


class Down(OwnCommand):
    """Stop the private engine."""

    doc_purpose = "stop the private engine of this checkout and its containers; images are kept"
    doc_usage = ""

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Stop it."""
        self.no_arguments(args)
        import lab  # noqa: PLC0415 - who has Docker never needs it

        if not lab.down(Path.cwd(), say):
            say("no private engine of this checkout is running")
        return 0


class Env(OwnCommand):
    """Say how other Docker clients reach the engine."""

    doc_purpose = f'print the engine in use, as a shell command: eval "$({COMMAND} env)"'
    doc_usage = ""

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Print it."""
        self.no_arguments(args)
        current = session()
        current.engine.ping()
        current.close()
        # A shell reads it, so an address with a user name in it stays as it is.
        print(f"export DOCKER_HOST={shlex.quote(current.endpoint.url)}", file=exactly(sys.stdout))
        return 0


class Test(OwnCommand):
    """Run every test."""

    name = "test"
    doc_purpose = "run every test, those on a real engine included"
    doc_usage = "[pytest's arguments]"

    def parse_execute(self, in_args: list[str]) -> int:
        """Hand every word to pytest."""
        return self.execute({}, in_args)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Start the engine for the tests, and run them."""
        from tests.run import main  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - not installed for others

        return 1 if main(args) else 0


class Lint(OwnCommand):
    """Run every check that needs no engine."""

    doc_purpose = "run every check that needs no engine: types, style, imports, spelling, words and the locks"
    doc_usage = ""

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run them."""
        self.no_arguments(args)
        import subprocess  # noqa: PLC0415 - no other command needs it

        return 1 if subprocess.run([".ci/lint"], check=False).returncode else 0


class Check(OwnCommand):
    """Run what CI runs."""

    doc_purpose = "run lint and test, as CI does"
    doc_usage = ""

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Run both, and fail if one does."""
        self.no_arguments(args)
        codes = [Lint(config=self.config).act(params, []), Test(config=self.config).act(params, [])]
        return max(codes)


class Bench(OwnCommand):
    """Measure what is claimed to be fast."""

    doc_purpose = "measure what is claimed to be fast, as ratios in one run"
    doc_usage = "[bench/run.py's arguments]"

    def parse_execute(self, in_args: list[str]) -> int:
        """Hand every word to the benchmark."""
        return self.execute({}, in_args)

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Run it."""
        from bench.run import main  # noqa: PLC0415 - not installed for others

        try:
            return 1 if main(args) else 0
        except SystemExit as error:
            # How argparse says that it printed its usage: asked for, or since it did not understand.
            return 3 if error.code else 0


def _named(current: Session, args: Sequence[str]) -> list[str]:
    """Return the names of the images whose tasks are meant, each before the one that it is based on."""
    names = [*(spec.name for spec in current.graph.images), *current.graph.undeclared]
    tasks = {task_of(name): name for name in names}
    found: dict[str, None] = {}
    for word in args:
        fitting = [task for task in tasks if fnmatch(task, word) or task.partition(":")[0] == word]
        if not fitting:
            raise ConfigError(f"clean: no image matches {word}; there are {', '.join(sorted(tasks))}")
        found.update(dict.fromkeys(fitting))
    return [name for task, name in reversed(tasks.items()) if task in found]


def run_doit(words: list[str]) -> int:
    """Run doit in this process, and return its exit code."""
    from doit.doit_cmd import DoitMain  # noqa: PLC0415 - importing it here would be a cycle at doit's start

    return int(DoitMain().run(words))


def _run_options(params: Mapping[str, Any]) -> list[str]:
    return [*(["--quiet"] if params["quiet"] else []), f"--wait={params['wait']}"]


def setup_words(params: Mapping[str, Any]) -> list[str]:
    """Spell the flags of setup again, as doit would have read them."""
    words = []
    for flag in SETUP_FLAGS:
        value = params[flag["name"]]
        if flag["type"] is list:
            words += [f"--{flag['long']}={each}" for each in value]
        elif value:
            words.append(f"--{flag['long']}")
    return words


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)  # noqa: T201 - its purpose


def _silent(_text: str) -> None:
    """Say nothing."""
