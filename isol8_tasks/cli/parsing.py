"""What every command shares: its words are read in one place, and what they don't mean is said in one line."""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand

from isol8_tasks.cli.ending import ends_in_one_line, unread
from isol8_tasks.cli.tasks import FORCE, SETUP_FLAGS, session
from isol8_tasks.safety.printing import clean_output


class Spoken(Command):  # type: ignore[misc]  # doit has no types
    """A command that says in one line what it does not understand, and what went wrong."""

    only_prints = False
    """It changes nothing, so that it is done when nobody reads it any more."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        self.known: Any = kwargs.get("cmds") or {}
        """Every command, by its name."""
        super().__init__(**kwargs)

    def parse_execute(self, in_args: list[str]) -> int:
        """Read the options, and run it."""
        return unread(_parsed(self, in_args), only_prints=self.only_prints)

    def read(self, words: list[str]) -> int:
        """Do it as doit does; an exception tells what is not understood."""
        return super().parse_execute(words) or 0


@ends_in_one_line
def _parsed(command: Spoken, words: list[str]) -> int:
    """Let doit read the words of a command, and say in one line what it does not understand."""
    clean_output(lambda text: session().view.redactor(text))  # noqa: PLW0108 - one that knows more once deps.toml is read
    # doit took it before; it is written to by list and info.
    command.outstream = sys.stdout
    try:
        return command.read(words)
    except CmdParseError as error:
        raise CmdParseError(_misread(command, words, str(error))) from None
    except InvalidCommand as error:
        found = re.fullmatch(r"'(.*)' is not a task\.", str(error))
        if found is None or not hasattr(command, "task_list"):
            raise
        from isol8_tasks.cli.suggestions import unknown_task  # noqa: PLC0415 - only a mistake has use for it

        tasks = [task.name for task in command.task_list]
        raise InvalidCommand(unknown_task(found[1], tasks, command.get_name())) from None


def _misread(command: Spoken, words: list[str], message: str) -> str:
    """Say what doit's parser did not understand, and where a flag has its place."""
    from isol8_tasks.cli.suggestions import Typed, misread  # noqa: PLC0415 - only a mistake has use for it

    if found := re.search(r"parameter '(\w+)' <[^\n]*>\.\n(.*)", message, re.DOTALL):
        option = command.cmdparser[found[1]]
        short = option.short and not any(word.startswith(f"--{option.long}") for word in words)
        return f"{f'-{option.short}' if short else f'--{option.long}'}: {_number(found[2].strip())}"
    typed = Typed(
        command=command.get_name(), words=words, flags=_flags(command), of_task="parsing Task" in message
    )
    return misread(
        message.removeprefix("Error parsing Command: ").removeprefix("Error parsing Task: "), typed
    )


def _number(message: str) -> str:
    """Return what is wrong with a number, where Python has said it in its own words."""
    found = re.search(
        r"(?:invalid literal for int\(\).*|could not convert string to float): ('.*')", message, re.DOTALL
    )
    return f"{found[1]} is not a number" if found else message


def _flags(command: Spoken) -> dict[str, dict[str, str]]:
    """Return the flags of setup, of the other tasks and of each command; those of runs come first."""
    tasks = {"setup": _typed(SETUP_FLAGS), **{kind: _typed([FORCE]) for kind in ("base", "custom", "image")}}
    others = {name: _typed(command.known.get_plugin(name).cmd_options) for name in command.known}
    return {"run": {}, **tasks, **others, command.get_name(): _typed(command.cmd_options)}


def _typed(options: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    forms = (("--", "long", "=…"), ("-", "short", " …"))
    return {
        f"{sign}{option[key]}": f"{sign}{option[key]}{'' if option['type'] is bool else value}"
        for option in options
        for sign, key, value in forms
        if option.get(key)
    }
