"""Colours."""

import io
from collections.abc import Mapping

import pytest

from isol8_tasks.cli.paint import painted, unparted, wanted, write_painted
from isol8_tasks.safety.printing import CleanStream


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_when_colours_are_wanted(stream: io.StringIO, environ: Mapping[str, str], *, expected: bool) -> None:
    """On a terminal, unless somebody says no."""
    assert wanted(stream, environ) is expected


@pytest.mark.parametrize(
    ("text", "coloured"),
    [
        ("isol8:bun           built       2.7 s", ["built"]),
        ("isol8:bun           not built   declared in deps.toml:5", ["not built"]),
        ("isol8:bun           stale", ["stale"]),
        ("│  └─ isol8:web  held  for 2 days", ["held"]),
        ("├─ isol8:web built", []),
        ("isol8:bun           built-in    x", []),
        ("isol8:bun           4/5  RUN echo built", []),
        ("built  built", ["built"]),
        (
            "2 built · 1 failed · 8 up to date · 3.6 s · x: bun changed",
            ["2 built", "1 failed", "8 up to date"],
        ),
        ("10 images up to date · Docker 28.5.2", ["10 images up to date"]),
        ("1 image up to date", ["1 image up to date"]),
        ("3 held packages", []),
        ("image              state       why", []),
        ("isol8:a  stale  x\nisol8:b  held  y\n", ["stale", "held"]),
    ],
)
def test_what_is_coloured(text: str, coloured: list[str]) -> None:
    """The state of an image, and the counts of the last line; nothing is lost."""
    parts = list(painted(text))
    assert "".join(part for part, _ in parts) == text
    assert [part for part, code in parts if code] == coloured


def test_foreign_text_brings_no_colour() -> None:
    """Only ours reach the terminal as they are."""
    stream = Terminal()
    write_painted(CleanStream(stream, lambda text: text), "isol8:bun  failed  \x1b[31mred\n")  # type: ignore[arg-type] # as sys.stdout becomes
    assert stream.getvalue() == "isol8:bun  \x1b[1;31mfailed\x1b[0m  red\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("isol8:x  stale  + numpy", "isol8:x  stale\n+ numpy"),
        ("isol8:xy  stale  + numpy", "isol8:xy  stale  + numpy"),
        ("isol8:xyz  stale  + a, + b", "isol8:xyz  stale  + a, + b"),
        ("abc\nisol8:x  stale  \N{MINUS SIGN} numpy\n", "abc\nisol8:x  stale\n\N{MINUS SIGN} numpy\n"),
        ("0123456789 abcdef+ numpy", "0123456789 abcdef+ numpy"),
        ("isol8:x  + numpy  + numpy, + pandas", "isol8:x  + numpy  + numpy, + pandas"),
    ],
)
def test_no_line_ends_between_a_sign_and_its_package(text: str, shown: str) -> None:
    """In a terminal of 17 columns, which wraps the rest by itself."""
    assert unparted(text, 17) == shown
    assert unparted(text, 0) == text
