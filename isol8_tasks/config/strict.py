"""Reads values of a TOML file strictly: what was found, what is expected, and by which keys it is reached."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from isol8_tasks.config.positions import KeyPath
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import SpecError, parse_spec

_Value = TypeVar("_Value")

LineOf = Callable[[KeyPath], int | None]
Problem = tuple[KeyPath, str | Callable[[LineOf], str]]
"""Where it is, and what is wrong there; a function where the words name other lines of the file."""


class JsonObject(dict[str, Any]):
    """A table, as it is called in JSON."""


class InvalidError(ValueError):
    """A value is wrong, in one place or several; becomes a line each of a ConfigError."""

    def __init__(self, what: str = "", *, below: Iterable[Problem] = ()) -> None:
        super().__init__(what)
        self.problems: tuple[Problem, ...] = tuple(below) or (((), what),)
        """Where it is inside the value, and what is wrong there."""

    def at(self, key: str | int) -> Iterator[Problem]:
        """Give the problems as seen from the container in which the value has this key."""
        return (((key, *path), what) for path, what in self.problems)


def report(problems: Iterable[Problem], source: str, line_of: LineOf) -> str:
    """Return the problems in the order of their lines and elements, each with line and key."""
    located = sorted(
        (
            line_of(path) or 0,
            [(key, "") if isinstance(key, int) else (-1, key) for key in path],
            what if isinstance(what, str) else what(line_of),
            _key_path(path),
        )
        for path, what in problems
    )
    return "\n".join(
        f"{source}{f':{line}' if line else ''}: {path}: {what}" for line, _, what, path in located
    )


def table(value: object, hint: str = "") -> dict[str, Any]:
    """Return the value, which has to be a table."""
    if not isinstance(value, dict):
        raise InvalidError(wrong_type(value, "a table") + hint)
    return value


def string(value: object) -> str:
    """Return the value, which has to be a string."""
    if not isinstance(value, str):
        raise InvalidError(wrong_type(value, "a string"))
    return value


def flag(value: object) -> bool:
    """Return the value, which has to be a boolean."""
    if not isinstance(value, bool):
        raise InvalidError(wrong_type(value, "a boolean"))
    return value


def array(
    key: str,
    value: object,
    read: Callable[[object], _Value],
    *,
    of: str = "strings",
    example: str = "",
) -> tuple[_Value, ...]:
    """Return the elements of the value under this key, each as it is read."""
    if not isinstance(value, list):
        hint = example or f'{key} = ["…", "…"]'
        raise InvalidError(f"{wrong_type(value, f'an array of {of}')}; write {hint}")
    problems: list[Problem] = []
    items = []
    for index, item in enumerate(value):
        try:
            items.append(read(item))
        except InvalidError as error:
            problems.extend(error.at(index))
    return unless(problems, tuple(items))


def package(runtime: str, value: object) -> str:
    """Return the package, which has to be one by the grammar of the runtime."""
    try:
        return parse_spec(RUNTIMES[runtime].ecosystem, string(value)).text
    except SpecError as error:
        raise InvalidError(str(error)) from error


def unless(problems: Sequence[Problem], value: _Value) -> _Value:
    """Return the value, or raise what is wrong in it."""
    if problems:
        raise InvalidError(below=problems)
    return value


def wrong_type(value: object, expected: str) -> str:
    """Say what was found in the place of what is expected."""
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "an array",
        dict: "a table",
        JsonObject: "an object",
        type(None): "null",
    }
    return f"expected {expected}, found {names.get(type(value), 'a date or time')}"


def unknown(what: str, found: str, allowed: Iterable[str]) -> str:
    """Add to what is wrong what is allowed, and what may have been meant."""
    import difflib  # noqa: PLC0415 - only a mistake has use for it

    names = list(allowed)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(found.lower(), lowered, n=1)
    hint = f"did you mean {lowered[near[0]]}? " if near else ""
    shown = names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return f"{what} ({hint}allowed: {', '.join(shown)})"


def _key_path(path: KeyPath) -> str:
    """Write the path as TOML writes it, with quotes where a key needs them."""
    return "".join(
        f"[{key}]" if isinstance(key, int) else f".{key if re.fullmatch(_BARE_KEY, key) else ascii(key)}"
        for key in path
    ).removeprefix(".")


_BARE_KEY: Final = r"[A-Za-z0-9_-]+"
_SHOWN: Final = 20
"""How many names a message lists before it counts the rest."""
