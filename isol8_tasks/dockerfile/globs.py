"""Patterns for paths, as Go's filepath.Match and moby's patternmatcher take them."""

import posixpath
import re
from collections.abc import Callable
from functools import lru_cache


class BadPatternError(ValueError):
    """A pattern that BuildKit refuses too."""


@lru_cache(maxsize=1024)
def compile_glob(pattern: str, *, deep: bool = False) -> re.Pattern[str]:
    """Return a pattern as a regular expression for whole paths; `deep`: `**` goes through folders."""
    expression = ""
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if deep and char == "*" and pattern.startswith("*", position):
            position += 2 if pattern.startswith("/", position + 1) else 1
            expression += "(?:.*/)?" if position < len(pattern) else ".*"
        elif char == "*":
            expression += "[^/]*"
        elif char == "?":
            expression += "[^/]"
        elif char == "[":
            piece, position = _class(pattern, position)
            expression += piece
        elif char == "\\":
            literal, position = _escaped(pattern, position - 1)
            expression += re.escape(literal)
        else:
            expression += re.escape(char)
    return re.compile(expression + r"\Z", re.DOTALL)


def has_wildcards(text: str) -> bool:
    """Tell whether a path is a pattern."""
    return re.search(r"[*?\[]", re.sub(r"\\.?", "", text)) is not None


def literal_start(source: str) -> str:
    """Return the folders of a path before its first wildcard."""
    parts = source.split("/")
    wild = next((number for number, part in enumerate(parts) if has_wildcards(part)), len(parts))
    return "/".join(parts[:wild])


def wanted_parts(source: str, *, pattern: bool) -> tuple[list[str], int]:
    """Return the parts of a path in the build context, and how many of them come before the first wildcard."""
    wanted = [part for part in posixpath.normpath(f"/{source}").split("/") if part]
    if not pattern:
        return wanted, len(wanted)
    return wanted, next((n for n, part in enumerate(wanted) if has_wildcards(part)), len(wanted))


def taker(source: str, *, pattern: bool) -> Callable[[str], bool]:
    """Return what tells whether a source takes a path, by itself or with a folder that it is in.

    A path that ends in / is a folder of which nobody knows what is in it: it is taken where something in it would be.
    """
    wanted, wild = wanted_parts(source, pattern=pattern)
    globs = [compile_glob(part) for part in wanted[wild:]]

    def takes(path: str) -> bool:
        parts = path.removesuffix("/").split("/")
        return (
            (len(parts) >= len(wanted) or path.endswith("/"))
            and parts[:wild] == wanted[:wild][: len(parts)]
            and all(glob.match(part) for glob, part in zip(globs, parts[wild:], strict=False))
        )

    return takes


def _class(pattern: str, position: int) -> tuple[str, int]:
    negated = pattern.startswith("^", position)
    position += negated
    first = position
    ranges = ""
    while position == first or not pattern.startswith("]", position):
        low, position = _class_char(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_char(pattern, position + 1)
        # Nothing is in z-a, and a regular expression can't say so.
        ranges += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
    if not ranges:
        return "." if negated else "(?!)", position + 1
    return f"[{'^' * negated}{ranges}]", position + 1


def _class_char(pattern: str, position: int) -> tuple[str, int]:
    if pattern[position : position + 1] in ("", "-", "]"):
        raise BadPatternError(f"{pattern}: a [ is not closed, or nothing is in it")
    return _escaped(pattern, position)


def _escaped(pattern: str, position: int) -> tuple[str, int]:
    """Return the character at the position, or the one that a backslash there escapes, and where to go on."""
    if pattern[position] != "\\":
        return pattern[position], position + 1
    if position + 1 == len(pattern):
        raise BadPatternError(f"{pattern}: nothing follows the last \\")
    return pattern[position + 1], position + 2
