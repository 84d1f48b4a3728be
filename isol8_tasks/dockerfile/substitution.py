"""What the patterns of `${x#y}`, `${x%y}` and `${x/y/z}` take away and replace, as BuildKit matches them."""

import re

_SHORTEST = ".*?"
_LONGEST = ".*"


class BadSubstitutionError(ValueError):
    """A pattern that BuildKit refuses too."""


def without_start(value: str, pattern: str, *, longest: bool) -> str:
    """Return a value without the shortest or longest start that a pattern matches."""
    return re.sub(rf"\A(?:{_expression(pattern, longest=longest)})", "", value, count=1)


def without_end(value: str, pattern: str, *, longest: bool) -> str:
    """Return a value without the shortest or longest end that a pattern matches.

    Of two ends only the search from behind finds the shorter.
    """
    # Two characters of a pattern that stay together when it is turned round.
    mirrored = "".join(reversed(re.findall(r"\\.|.|\\", pattern, re.DOTALL)))
    return without_start(value[::-1], mirrored, longest=longest)[::-1]


def replaced(value: str, pattern: str, replacement: str, *, every: bool) -> str:
    """Return a value with the first or every place that a pattern matches replaced."""
    expression = re.compile(_expression(pattern, longest=True))
    result, position, last = "", 0, -1
    for found in expression.finditer(value):
        if found.start() == found.end() == last:
            # Nothing matches just behind a match.
            continue
        result += value[position : found.start()] + replacement
        position = last = found.end()
        if not every:
            break
    return result + value[position:]


def _expression(pattern: str, *, longest: bool) -> str:
    result = ""
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            result += _LONGEST if longest else _SHORTEST
        elif char == "?":
            result += "."
        elif char == "\\":
            escaped = pattern[position : position + 1]
            if not escaped or escaped not in "*?\\}/":
                raise BadSubstitutionError(f"invalid escape \\{escaped} in the pattern {pattern}")
            result += re.escape(escaped)
            position += 1
        else:
            result += re.escape(char)
    return result
