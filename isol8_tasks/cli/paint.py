"""Colours of what is printed on a terminal: the state in a line about an image, and the counts of a summary."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TextIO

from isol8_tasks.safety.printing import exactly


def wanted(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether what a stream is given may be coloured (no-color.org, force-color.org)."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (stream.isatty() and environ.get("TERM") != "dumb")


def write_painted(stream: TextIO, text: str) -> None:
    """Write text, which may be foreign: only the colours reach the stream as they are."""
    for part, code in painted(text):
        if code:
            exactly(stream).write(f"\x1b[{code}m")
        stream.write(part)
        if code:
            exactly(stream).write(_PLAIN)


def painted(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text, each with the code of its colour; empty for none."""
    for line in text.splitlines(keepends=True):
        if found := re.match(_ROW, line):
            yield line[: found.start(1)], ""
            yield found[1], _COLOURS[found[1]]
            yield line[found.end(1) :], ""
        elif re.match(_SUMMARY, line):
            yield from _counts(line)
        else:
            yield line, ""


def unparted(text: str, columns: int) -> str:
    """Return lines as a terminal may wrap them: none of its lines ends between a sign and the package behind it."""
    return "\n".join(_unparted(line, columns) for line in text.split("\n"))


def _unparted(line: str, columns: int) -> str:
    done, left = "", line
    while len(left) > columns > 0:
        found = re.search(r"(?<=\s)[+\N{MINUS SIGN}] ?$", left[:columns])
        end = found.start() if found else columns
        done += left[:end].rstrip() + "\n" if found else left[:end]
        left = left[end:]
    return done + left


def _counts(line: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"( · )", line):
        found = re.fullmatch(rf"[0-9]+ (?:images? )?({_STATES})(\s*)", part)
        end = len(part) - len(found[2]) if found else 0
        yield part[:end], _COLOURS[found[1]] if found else ""
        yield part[end:], ""


_GOOD, _WORK, _BAD, _ODD, _PLAIN = "32", "36", "1;31", "33", "\x1b[0m"
_COLOURS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("built", "promoted", "pulled", "pushed", "relabelled", "rebuilt, same result"), _GOOD),
    "up to date": _GOOD,
    **dict.fromkeys(("stale", "not built", "in registry"), _WORK),
    **dict.fromkeys(("failed", "rejected", "undetermined"), _BAD),
    **dict.fromkeys(("held", "undeclared", "note", "skipped"), _ODD),
}
_STATES: Final = "|".join(_COLOURS)
_ROW: Final = rf"(?:[│ ]*[├└]─ )?\S+ {{2,}}({_STATES})(?: |$)"
"""Of a table, or of a tree."""
_SUMMARY: Final = rf"[0-9]+ (?:images? )?(?:{_STATES})(?: ·|$)"
