"""The words of a command line, led to the command or the tasks that they name."""

import functools
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, Final

from doit import doit_cmd, task_params
from doit.cmd_base import get_loader
from doit.cmdparse import CmdOption, CmdParse, CmdParseError
from doit.doit_cmd import DoitMain
from doit.exceptions import InvalidDodoFile
from doit.version import VERSION

from isol8_tasks import __version__
from isol8_tasks.cli.ending import complain, ended, unread
from isol8_tasks.cli.program import enter, settings
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.safety.crash import system_words
from isol8_tasks.safety.printing import clean_output

_HELP: Final = ("-h", "--help")
_VERSION: Final = "--version"
_OF_OTHER_PROJECTS: Final = ("DOIT_FILE", "DOIT_SEEK_FILE")
"""Variables by which doit would read another file than ours."""
_OF_OTHERS: Final = ("test", "bench", "corpus")
"""Commands that hand their words to another program; bench and corpus answer to --help themselves."""
_WITH_PACKAGES: Final = ("run", "up", "plan")
"""Commands that take packages as values of flags alone."""


def start(words: Sequence[str]) -> int:
    """Run a command in this process, and return its exit code."""
    try:
        enter(words, os.environ)
    except ConfigError as error:
        complain(f"ERROR: {error}")
        return error.exit_code
    except OSError as error:
        complain(f"ERROR: {system_words(error)}")
        return ConfigError.exit_code
    try:
        main = Main(**settings())
    except (OSError, ValueError) as error:
        complain(f"ERROR: pyproject.toml: can't be read ({error}); the commands are listed in it")
        return ConfigError.exit_code
    return main.run(words)


class Main(DoitMain):  # type: ignore[misc]  # doit has no types
    """doit's start, which says in a line whatever it does not understand, and prints no traceback."""

    BIN_NAME = COMMAND

    def run(self, words: Sequence[str]) -> int:
        """Run a command with its words, and return its exit code."""
        ending = ended(lambda: self._run([*words]))
        complain(ending.lines)
        return ending.code

    def _run(self, words: list[str]) -> int:
        commands = self.get_cmds()
        words = _asked_for(words)
        if words == [_VERSION]:
            clean_output(str)
            print(f"isol8-tasks {__version__} (doit {'.'.join(map(str, VERSION))})", flush=True)  # noqa: T201 - its purpose
            return unread(0, only_prints=True)
        for name in _OF_OTHER_PROJECTS:
            os.environ.pop(name, None)
        loader = get_loader(self.config, self.task_loader, commands)
        loader.setup = functools.partial(_set_up, loader, loader.setup)
        options, words = _of_loader(loader, words)
        name = words.pop(0) if words and words[0] in commands else "run"
        if name not in _OF_OTHERS:
            _refuse_empty(words)
        if name in _WITH_PACKAGES:
            _refuse_assignments(words)
        doit_cmd.reset_vars()
        command = commands.get_plugin(name)(
            task_loader=loader, config=self.config, bin_name=self.BIN_NAME, cmds=commands, opt_vals=options
        )
        parse: Callable[[list[str]], int | None] = command.parse_execute
        return int(parse(words) or 0)


def _set_up(loader: Any, set_up: Callable[[Mapping[str, Any]], None], options: Mapping[str, Any]) -> None:  # noqa: ANN401 - doit's own
    """Load the file with the tasks, which its reader may have changed, or named another."""
    try:
        set_up(options)
    except InvalidDodoFile:
        raise
    except Exception as error:
        # A module of ours that is broken was found before.
        name = options.get("dodoFile") or "dodo.py"
        raise InvalidDodoFile(f"{name}: can't be loaded ({type(error).__name__}: {error})") from error
    loader.namespace = _in_order(loader.namespace)


def _in_order(namespace: Mapping[str, object]) -> dict[str, object]:
    """Return what a file with tasks has, with the functions that make them in the order of their lines.

    doit looks for these lines by reading each function to its end, which takes a fifteenth of a run with nothing to do.
    What wraps a module is on the first line for it, and keeps its place.
    """
    makers = {
        name: each
        for name, each in namespace.items()
        if name.startswith("task_")
        and isinstance(each, FunctionType)
        and each is not task_params
        and each.__module__ in sys.modules
    }
    for each in makers.values():
        each.__dict__["__wrapped__"] = sys.modules[each.__module__]
    ordered = sorted(makers.items(), key=lambda item: item[1].__code__.co_firstlineno)
    return {**dict(ordered), **namespace}


def _asked_for(words: list[str]) -> list[str]:
    """Return the words that ask for help or the version, wherever that stands among others; else the same words."""
    before = words[: words.index("--")] if "--" in words else words
    named = next((word for word in before if word and not word.startswith("-")), "")
    if words[:1] == [named] and named in _OF_OTHERS:
        before = before[:2] if named == "test" else []
    if set(before) & set(_HELP):
        # Of several tasks the first; a command stands first anyway.
        return ["help", *([named] if named else [])]
    return [_VERSION] if _VERSION in before else words


def _of_loader(loader: Any, words: list[str]) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401 - doit's own
    """Return doit's options about the file with the tasks, which may stand before a command, and the other words."""
    try:
        found: tuple[dict[str, Any], list[str]] = CmdParse(
            [CmdOption(option) for option in loader.cmd_options]
        ).parse_only(words)
    except CmdParseError:
        # Flags of a run, for which the command need not be named.
        return {}, words
    return found


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse a word or a flag's value without a letter, as of a variable that is not set; nothing is guessed of it."""
    if "" in words:
        raise ConfigError("'' is not understood; leave the empty word out, or check the variable in it")
    before = words[: words.index("--")] if "--" in words else words
    for word in before:
        if word.startswith("--") and not word.partition("=")[2] and "=" in word:
            raise ConfigError(f"{word} has no value; leave the flag out, or check the variable in it")


def _refuse_assignments(words: Sequence[str]) -> None:
    """Refuse words with `=`, which doit takes for variables, and this project has none of."""
    for before, word in zip(["", *words], words, strict=False):
        if "=" in word and not word.startswith("-"):
            flag = before if before.startswith("--") and "=" not in before else "--bash"
            raise ConfigError(
                f"{word}: doit reads a word with = as a variable, and there are none; "
                f"write the flag and its value as one word: {shlex.quote(f'{flag}={word}')}"
            )
