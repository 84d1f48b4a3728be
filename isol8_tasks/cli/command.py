"""What the commands of our own share."""

import getopt
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand

from isol8_tasks.cli.parsing import Spoken
from isol8_tasks.cli.program import INSTALLED
from isol8_tasks.cli.tasks import SETUP_FLAGS
from isol8_tasks.errors import COMMAND

PENDING: Final = 2
"""Changes pending, where it was asked for with --check."""


JSON_FLAG: Final = {
    "name": "json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "print only JSON",
}
"""The flag --json."""


class OwnCommand(Spoken):
    """A command of ours, which needs no tasks of doit's."""

    def read(self, words: list[str]) -> int:
        """Take options behind names as well, where doit takes none."""
        parser = self.cmdparser
        try:
            options, names = getopt.gnu_getopt(words, parser.get_short(), parser.get_long())
        except getopt.GetoptError as error:
            raise CmdParseError(str(error)) from None
        given = [
            word
            for option, value in options
            for word in ([option] if parser.get_option(option)[0].type is bool else [option, value])
        ]
        return super().read([*given, "--", *names])

    def execute(self, params: Any, args: list[str]) -> int:  # noqa: ANN401 - doit's own values
        """Check where it runs, and run it."""
        if COMMAND != INSTALLED and not Path("dodo.py").is_file():
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


def run_doit(words: list[str]) -> int:
    """Run doit in this process, and return its exit code."""
    from isol8_tasks.cli.main import start  # noqa: PLC0415 - few commands run another

    return start(words)


def setup_words(params: Mapping[str, Any]) -> list[str]:
    """Spell the flags of setup again, as doit would have read them."""
    words = []
    for flag in SETUP_FLAGS:
        value = params[flag["name"]]
        if flag["type"] is list:
            words += [f"--{flag['long']}={each}" for each in value]
        elif value:
            words.append(f"--{flag['long']}" if value is True else f"--{flag['long']}={value}")
    return words


def say(text: str) -> None:
    """Print lines, with states in colour on a terminal."""
    from isol8_tasks.cli import paint  # noqa: PLC0415 - many commands print data alone
    from isol8_tasks.cli.screen import has_colour  # noqa: PLC0415 - as above

    if sys.stdout.isatty():
        text = paint.unparted(text, shutil.get_terminal_size().columns)
    if has_colour():
        paint.write_painted(sys.stdout, f"{text}\n")
        sys.stdout.flush()
    else:
        print(text, flush=True)  # noqa: T201 - its purpose
