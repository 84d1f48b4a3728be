"""doit's own commands as this project wants them: run, list, info and help."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from doit.cmd_base import DoitCmdBase
from doit.cmd_help import Help as DoitHelp
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList
from doit.cmd_run import Run as DoitRun
from doit.cmdparse import CmdOption
from doit.dependency import JsonDB
from doit.exceptions import InvalidCommand

import isol8_tasks.cli.startup  # noqa: F401 - for what importing it does, before the rest is imported
from isol8_tasks.cli.ending import stopped
from isol8_tasks.cli.parsing import Spoken
from isol8_tasks.cli.selection import selected
from isol8_tasks.cli.tasks import SETUP_FLAGS, session
from isol8_tasks.errors import COMMAND, ConfigError, InternalError
from isol8_tasks.run.session import Session

QUIET: Final = {
    "name": "quiet",
    "short": "q",
    "long": "quiet",
    "type": bool,
    "default": False,
    "help": "print only changes and failures",
}


def _progress(text: str) -> str:
    """Return a way to show a run; a ValueError says what is expected."""
    if text not in _PROGRESSES:
        raise ValueError(f"{text!r} is not one of {', '.join(_PROGRESSES)}")
    return text


_PROGRESSES: Final = ("auto", "plain", "json")
PROGRESS: Final = {
    "name": "progress",
    "long": "progress",
    "type": _progress,
    "default": "auto",
    "help": "auto: lines that change, on a terminal; plain: lines that stay; json: an object a line, for programs",
}
VERBOSE: Final = {
    "name": "verbose",
    "long": "verbose",
    "type": bool,
    "default": False,
    "help": "print what builds print, as they print it",
}
SHOWN: Final[tuple[dict[str, Any], ...]] = (QUIET, VERBOSE, PROGRESS)
"""How a run is shown."""


def _seconds(text: str) -> float:
    """Return a number of seconds; a ValueError says what is expected."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is not a number of seconds (as 60; 0: do not wait, -1: no limit)")
    return seconds


WAIT: Final = {
    "name": "wait",
    "long": "wait",
    "type": _seconds,
    "default": 600.0,
    "help": "seconds to wait for another run on the same engine; 0: do not wait, -1: no limit "
    "[default: %(default)s]",
}


_FLAGS_OF_RUN: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "num_process",
        "short": "n",
        "long": "process",
        "type": int,
        "default": 0,
        "help": "at most so many tasks at a time; [build] jobs sets how many images are built at a time",
    },
    {
        "name": "single",
        "short": "s",
        "long": "single",
        "type": bool,
        "default": False,
        "help": "the named tasks without their parents",
    },
    {
        "name": "stop",
        "long": "no-continue",
        "type": bool,
        "default": False,
        "help": "start nothing more after a failure",
    },
)
"""Those of doit's flags that count here, in our words."""


class MemoryDatabase(JsonDB):  # type: ignore[misc]  # doit has no types
    """doit's database, gone with the run: the labels on the images are the truth, and a file could be torn."""

    def __init__(self, name: str, codec: object, *, module_name: str | None = None) -> None:  # noqa: ARG002 - doit's own
        self.name = name
        self._db: dict[str, object] = {}

    def dump(self) -> None:
        """Write nothing."""


class List(Spoken, DoitList):  # type: ignore[misc]  # doit has no types
    """doit's list, which ends with one line whatever goes wrong."""

    doc_purpose = "list the tasks"
    only_prints = True

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Print them, by a template that can be filled in."""
        try:
            (params["template"] or "").format(name="", doc="", status="")
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise ConfigError(
                f"--template: {params['template']!r} can't be filled in ({error}); expected {{name}} and {{doc}}"
            ) from None
        return int(super().execute(params, args) or 0)


class Info(Spoken, DoitInfo):  # type: ignore[misc]  # doit has no types
    """doit's info, which knows a task that does not exist."""

    doc_purpose = "print the state of a task, and what it depends on"
    only_prints = True

    def _execute(self, pos_args: list[str], hide_status: bool = False) -> int:  # noqa: FBT001, FBT002 - doit's own
        if len(pos_args) != 1:
            raise InvalidCommand(f"info: expected one task, for example: {COMMAND} info base:bun")
        for name in pos_args:
            if not any(task.name == name for task in self.task_list):
                raise InvalidCommand(f"{name!r} is not a task.")
        super()._execute(pos_args, hide_status)
        return 0


class Help(Spoken, DoitHelp):  # type: ignore[misc]  # doit has no types
    """doit's help, of this project: all commands, or the flags of one command or task."""

    doc_purpose = "print the commands, or the flags of one command or task"
    doc_usage = "[COMMAND or TASK]"
    only_prints = True

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**{**kwargs, "bin_name": COMMAND})

    def print_usage(self, cmds: Mapping[str, Any]) -> None:
        """Print the commands."""
        lines = [
            f"usage: {COMMAND} [COMMAND or TASK ...] [flags]",
            "Builds the container images of isol8; without a command or a task, all that are not up to date.",
            "",
            *(f"  {name:<12}  {cmds[name].doc_purpose}" for name in sorted(cmds)),
            "",
            f"The tasks are setup, base:bun, 'custom:*' and so on: {COMMAND} list",
            f"The flags of one: {COMMAND} COMMAND --help, {COMMAND} TASK --help",
        ]
        print("\n".join(lines))  # noqa: T201 - its purpose

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Print it; what deps.toml says is only read where a task has to be looked up."""
        if args[1:]:
            raise InvalidCommand(f"help: expected one command or task, found {len(args)}: {' '.join(args)}")
        if args == ["setup"]:
            print(_usage("setup", "Bring every image up to date.", SETUP_FLAGS))  # noqa: T201 - its purpose
        elif args == ["run"]:
            # doit's own text has what changes nothing here: a database, processes, captured output.
            doc = f"{Run.doc_purpose[0].upper()}{Run.doc_purpose[1:]}. The word run may be left out."
            print(_usage("run [TASK ...]", doc, (*_FLAGS_OF_RUN, *SHOWN, WAIT)))  # noqa: T201 - its purpose
        elif not args or args[0] in self.cmds:
            super().execute(params, args)
        else:
            DoitCmdBase.execute(self, params, args)
        return 0

    def _execute(self, pos_args: list[str]) -> None:
        (name,) = pos_args
        task = next((each for each in self.task_list if each.name == name), None)
        if task is None:
            from isol8_tasks.cli.suggestions import unknown_word  # noqa: PLC0415 - only a mistake has use for it

            raise InvalidCommand(unknown_word(name, [*self.cmds], [each.name for each in self.task_list]))
        print(_usage(name, task.doc, [*task.creator_params, *task.params]))  # noqa: T201 - its purpose


def _usage(task: str, doc: str, flags: Sequence[Mapping[str, Any]]) -> str:
    """Return what a task does, and its flags."""
    options = [CmdOption(flag) for flag in flags]
    width = max((len(option.help_param()) for option in options), default=0)
    shown = [
        f"  {option.help_param().ljust(width)}  {option.help % {'default': option.default}}"
        for option in options
    ]
    return "\n".join(
        [f"usage: {COMMAND} {task}{' [flags]' if options else ''}", doc, *([""] if shown else []), *shown]
    )


class Run(Spoken, DoitRun):  # type: ignore[misc]  # doit has no types
    """doit's run, with our lines, side by side by default, and with the exit codes of the README."""

    doc_purpose = "build the images of the named tasks; all by default"

    cmd_options = (*DoitRun.cmd_options, *SHOWN, WAIT)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**kwargs)
        # One failing image stops no other that is not based on it.
        self.cmdparser["continue"].default = True

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own value
        """Run the selected tasks."""
        if params["num_process"] < 0:
            # doit would start no thread, and do nothing.
            raise ConfigError(f"-n: {params['num_process']} is not a number of tasks; expected 1 or more")
        current = session()
        current.wait = params["wait"]
        self.shown = {flag["name"]: params[flag["name"]] for flag in SHOWN}
        self.workers = params["num_process"] or current.slots.workers
        return int(super().execute(params, args))

    def _execute(
        self,
        verbosity: Any = None,  # noqa: ANN401 - as above
        always: bool = False,  # noqa: FBT001, FBT002 - as above
        continue_: bool = True,  # noqa: FBT001, FBT002 - as above
        single: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> int:
        # Here, as no other command shows a run.
        from isol8_tasks.cli.reporter import Guarded, Reporter, open_screen  # noqa: PLC0415

        # Before the engine is asked, whose answer would take the place of a mistake in the words.
        self.sel_tasks: list[str] = selected(self.sel_tasks or ["setup"], self.task_list, self.known)
        current = session()
        screen = open_screen(current.view, **self.shown)
        reporter = Reporter(current, screen)
        guarded = Guarded(reporter, current.failures)
        current.listener = screen
        interrupted = result = 0
        try:
            result = super()._execute(
                sys.stdout,
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
                _resolve_in_the_end(current, whole="resolve" in reporter.unmet)
            reporter.finish()
        current.close()
        return interrupted or _exit_code(result)


def _resolve_in_the_end(current: Session, *, whole: bool) -> None:
    """Write the manifest where the run did not come to it: after a failure, or when only some tasks were named."""
    if not any(failure.subject in {"ping", "resolve"} for failure in current.failures):
        current.end(others=None if whole else [each.image for each in current.outcomes])


def _exit_code(result: int) -> int:
    codes = {failure.error.exit_code for failure in session().failures}
    if result and not codes:
        return 1
    # A bug outweighs all else, and something that failed what could not be found out.
    return InternalError.exit_code if InternalError.exit_code in codes else min(codes, default=0)
