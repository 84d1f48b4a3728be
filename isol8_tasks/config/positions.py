"""Finds the line of a TOML or JSON text on which a key or a value stands, as their readers don't tell."""

import contextlib
import functools
import itertools
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Final

import tomli

KeyPath = tuple[str | int, ...]
"""Keys of tables and indexes of arrays, from the top: `("dependencies", "python", 0)`."""


def line_of(text: str, path: KeyPath) -> int | None:
    """Return the line, from 1, on which that begins in a valid TOML text; None if it isn't there."""
    return _lines(text).get(path)


def line_in_json(text: str, path: KeyPath) -> int | None:
    """Return the same of a valid JSON text; of a key that is listed twice the last counts, as it does for JSON."""
    return _lines_in_json(text).get(path)


def repeated(text: str, last: int) -> tuple[KeyPath, int, int] | None:
    """Return the last key or table up to a line that stands there a second time, and both its lines.

    It is for a TOML text that is not valid because of it; what stands behind is not read.
    """
    lines: dict[KeyPath, int] = {}
    found = None
    with contextlib.suppress(
        AttributeError, IndexError, TypeError
    ):  # as what stands behind it need not be TOML
        for place, line in _counted(text, _places(text)):
            if line > last:
                break
            path = tuple(itertools.takewhile(lambda key: isinstance(key, str), place))
            if path in lines and len(path) == len(place):
                found = (path, lines[path], line)
            elif line == last and (first := _related(path, lines)):
                # A table where there is a value, or dotted keys of it; the other way round, too.
                found = (path, first, line)
            lines.setdefault(path, line)
    return found


def _related(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the first line of something below a path, or else of the nearest above it."""
    below = (line for other, line in lines.items() if other[: len(path)] == path)
    above = (lines[path[:end]] for end in range(len(path) - 1, 0, -1) if path[:end] in lines)
    return next(itertools.chain(below, above), None)


@functools.lru_cache(maxsize=1)
def _lines_in_json(text: str) -> Mapping[KeyPath, int]:
    # A JSON text is read as a value of TOML's, whose inline tables and arrays it has but for the `:` of keys.
    return dict(_counted(text, _values(text, 0, ())))


@functools.lru_cache(maxsize=1)
def _lines(text: str) -> Mapping[KeyPath, int]:
    """Tell the line of everything in the text, in one pass however much is asked for."""
    lines: dict[KeyPath, int] = {}
    for path, line in _counted(text, _places(text)):
        for length in range(len(path), 0, -1):
            if path[:length] in lines:
                break
            lines[path[:length]] = line
    return lines


def _counted(text: str, places: Iterable[tuple[KeyPath, int]]) -> Iterator[tuple[KeyPath, int]]:
    """Tell lines for places that come in the order of the text."""
    line, counted = 1, 0
    for path, offset in places:
        line += text.count("\n", counted, offset)
        counted = offset
        yield path, line


def _places(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Tell the place of every table, key and array element, in the order of the text."""
    table: KeyPath = ()
    tables_so_far: dict[KeyPath, int] = {}
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "[":
            array = text.startswith("[[", at)
            keys, end = _keys(text, at + (2 if array else 1))
            table = _resolve(keys, tables_so_far, array=array)
            yield table, at
            at = _skip(text, end + (2 if array else 1))
        else:
            keys, equals = _keys(text, at)
            yield (*table, *keys), at
            at = _skip(text, (yield from _values(text, equals + 1, (*table, *keys))))


def _values(text: str, at: int, path: KeyPath) -> Generator[tuple[KeyPath, int], None, int]:
    """Tell the places inside a value, however deep it is nested, and return where it ends."""
    around: list[tuple[KeyPath, int | None]] = []
    """The open containers, innermost last: the path, and for an array the index of its next element."""
    at = _skip(text, at)
    while True:
        if text[at] in "[{":
            around.append((path, 0 if text[at] == "[" else None))
            at = _skip(text, at + 1)
        elif text[at] not in "]}":
            at = _skip(text, _end(_SCALAR, text, at))
        while around and text[at] in "]}":
            around.pop()
            at = _skip(text, at + 1) if around else at + 1
        if not around:
            return at
        at = _skip(text, at + 1) if text[at] == "," else at
        if text[at] in "]}":
            continue
        container, index = around[-1]
        if index is None:
            keys, equals = _keys(text, at)
            path = (*container, *keys)
            yield path, at
            at = _skip(text, equals + 1)
        else:
            around[-1] = (container, index + 1)
            path = (*container, index)
            yield path, at


def _keys(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """Read a dotted key, and return where it ends: at the `=` or the `]` behind it."""
    keys = []
    while True:
        match = re.compile(_KEY).match(text, at)
        raw = match[1]  # type: ignore[index]  # the text is valid TOML
        keys.append(_key(raw))
        at = match.end()  # type: ignore[union-attr]  # as above
        if text[at] != ".":
            return tuple(keys), at
        at += 1


def _key(raw: str) -> str:
    try:
        return next(iter(tomli.loads(f"{raw}=0")))
    except tomli.TOMLDecodeError:
        # JSON has escapes that TOML has not; no key that is looked for needs one.
        return raw


def _resolve(keys: tuple[str, ...], tables_so_far: dict[KeyPath, int], *, array: bool) -> KeyPath:
    """Name the table that a header opens, with the index of each array of tables on the way."""
    path: KeyPath = ()
    for number, key in enumerate(keys, 1):
        path = (*path, key)
        if array and number == len(keys):
            tables_so_far[path] = tables_so_far.get(path, 0) + 1
        if path in tables_so_far:
            path = (*path, tables_so_far[path] - 1)
    return path


def _skip(text: str, at: int) -> int:
    """Return where the next thing begins that is neither blank nor comment."""
    return _end(_BLANK, text, at)


def _end(pattern: str, text: str, at: int) -> int:
    return re.compile(pattern).match(text, at).end()  # type: ignore[union-attr]  # the text is valid TOML


_BLANK: Final = r"(?:[ \t\r\n]|#[^\n]*)*"
_KEY: Final = r"""[ \t]*("(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)[ \t\r\n]*"""
_SCALAR: Final = (
    r'(?s)"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[^,\[\]{}#\n]+"
)
