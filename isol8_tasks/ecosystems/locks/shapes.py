"""Shapes of the JSON in a lock: which keys an object has, and which values they take."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.errors import COMMAND
from isol8_tasks.safety.jsontext import loads

Fits = Callable[[object], bool]
"""Tells whether a value is one that doit lock writes."""

PACKAGE_NAME: Final = r"(?:@[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
"""Of a package of npm's registry, and of a command; never a way to another folder."""


def load_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON in which no key is listed twice, of which each tool may take another one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1)
            raise NotUnderstoodError(f"{twice!r} is listed twice")
        return found

    try:
        return loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise NotUnderstoodError(f"line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except ValueError:
        raise NotUnderstoodError("too deeply nested, or with too long a number") from None


def check_object(
    value: object, where: str, keys: Mapping[str, Fits], needed: tuple[str, ...] | None = None
) -> None:
    """Refuse what is not an object of these keys, all of them needed unless it says which."""
    if not isinstance(value, dict):
        refuse(where, "expected an object")
    below = f"{where}." if where else ""
    for key, item in value.items():
        if key not in keys:
            refuse(f"{below}{key}", f"not a key that {COMMAND} lock writes there")
        if not keys[key](item):
            refuse(f"{below}{key}", f"{shown(item)} is not a value that {COMMAND} lock writes there")
    for key in keys if needed is None else needed:
        if key not in value:
            refuse(where or "it", f"{key} is missing")


def refuse(where: str, what: str) -> NoReturn:
    """Raise what is wrong with the value of a key; whatever the key has in it, it is one line of plain text."""
    raise NotUnderstoodError(f"{where.encode('unicode_escape').decode()}: {what}")


def shown(value: object) -> str:
    """Return the value as JSON, as far as it is fit for one line."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def matches(pattern: str) -> Fits:
    """Take strings of the pattern, whole."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def one_of(*values: object) -> Fits:
    """Take just these values; 1 is not true."""
    return lambda value: any(type(value) is type(each) and value == each for each in values)


def mapping(fits: Fits) -> Fits:
    """Take objects with names for keys, and with such values."""
    return lambda value: (
        isinstance(value, dict)
        and all(re.fullmatch(PACKAGE_NAME, key) and fits(item) for key, item in value.items())
    )


def listing(fits: Fits) -> Fits:
    """Take arrays of such values."""
    return lambda value: isinstance(value, list) and all(map(fits, value))


def either(*choices: Fits) -> Fits:
    """Take what one of them takes."""
    return lambda value: any(fits(value) for fits in choices)


def is_table(value: object) -> bool:
    """Take objects, whatever is in them; who takes one looks into it himself."""
    return isinstance(value, dict)


_SHOWN: Final = 60
