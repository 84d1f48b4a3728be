"""The tasks that the words of a run select."""

import getopt
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

from doit.cmdparse import CmdOption, CmdParseError, TaskParse
from doit.exceptions import InvalidCommand


def selected(words: Sequence[str], tasks: Sequence[Any], commands: Collection[str]) -> list[str]:
    """Return the words with the tasks of each pattern in its place, each with the flags behind the pattern.

    Raises InvalidCommand for a word that selects nothing, with what was probably meant.
    """
    known = {task.name: task for task in tasks}
    found: list[str] = []
    rest = [*words]
    while rest:
        word = rest.pop(0)
        names = [name for name in known if fnmatchcase(name, word)] if is_pattern(word) else [word]
        # Of no image of a kind, as where none is declared: the task of the kind, which has nothing to do.
        names = names or [name for name in [word.removesuffix(":*")] if name in known]
        if not names or names[0] not in known:
            from isol8_tasks.cli.suggestions import another_package, unknown_word  # noqa: PLC0415 - for a mistake alone

            raise InvalidCommand(another_package(word, found) or unknown_word(word, commands, known, found))
        flags: list[str] = []
        for name in names:
            flags = _flags(known[name], rest)
            found += [name, *flags]
        rest = rest[len(flags) :]
    return found


def is_pattern(word: str) -> bool:
    """Tell whether a word stands for all names that match it, as `custom:*` does."""
    return bool(set(word) & set("*?["))


def _flags(task: Any, words: list[str]) -> list[str]:  # noqa: ANN401 - doit's own value
    """Return the words at the beginning that are flags of the task, and their values."""
    if not words or not words[0].startswith("-"):
        return []
    parser = TaskParse([CmdOption(flag) for flag in (*task.creator_params, *task.params)])
    try:
        _, others = getopt.getopt(words, parser.get_short(), parser.get_long())
    except getopt.GetoptError as error:
        raise CmdParseError(f"Error parsing Task: {error}") from None
    return words[: len(words) - len(others)]
