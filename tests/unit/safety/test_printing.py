"""What others wrote can't move a cursor, order a CI, nor break JSON."""

import io
import json
import sys
from pathlib import Path

import pytest

from isol8_tasks.safety.crash import internal_error
from isol8_tasks.safety.printing import CleanStream, clean_output, exactly, printable

HOSTILE = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2J\x1b[1;1Hb", "ab"),
    "title": ("a\x1b]0;owned\x07b", "ab"),
    "clipboard": ("a\x1b]52;c;ZWNobw==\x1b\\b", "ab"),
    "link": ("\x1b]8;;http://evil/\x1b\\text\x1b]8;;\x1b\\", "text"),
    "device control": ("a\x1bPq#0\x1b\\b", "ab"),
    "a string without an end": ("a\x1b]0;rest", "a0;rest"),
    "escape at the end": ("a\x1b", "a\\u001b"),
    "one-character controls": ("a\x9b31mb\x85c", "a\\u009b31mb\\u0085c"),
    "bell and backspace": ("a\x07b\x08c", "a\\u0007b\\u0008c"),
    "carriage return": ("real\rfake", "real\\u000dfake"),
    "bidirectional": ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
    "separators": ("a\u2028b\ufeff", "a\\u2028b\\ufeff"),
    "delete and null": ("a\x7f\x00", "a\\u007f\\u0000"),
    "an order": ("  ::error file=a::b", "  \\u003a:error file=a::b"),
    "an order on a later line": ("a\n::stop-commands::x", "a\n\\u003a:stop-commands::x"),
    "orders of others": ("a ##[group]b ##vso[task.x]", "a \\u0023#[group]b \\u0023#vso[task.x]"),
}
KEPT = ("", "a\n\tb\n", "ä → ß · …", "std::vector", "# title\n## more")


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_made_harmless(text: str, expected: str) -> None:
    """Sequences go, other controls are shown, and what was made so stays so."""
    assert printable(text) == expected
    assert printable(expected) == expected


@pytest.mark.parametrize("text", KEPT)
def test_other_text_stays(text: str) -> None:
    """Lines, tabs and letters of any kind are left alone."""
    assert printable(text) == text


@pytest.mark.parametrize("text", [pair[0] for pair in HOSTILE.values()])
def test_json_means_the_same(text: str) -> None:
    """What a program reads is what was there."""
    document = {"image": text, "list": [text]}
    for indent in (None, 2):
        shown = printable(json.dumps(document, indent=indent, ensure_ascii=False))
        assert json.loads(shown) == document
        assert "\x1b" not in shown


class TestStream:
    """All that a command prints goes through one place."""

    def test_both_streams_are_cleaned_once(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Whoever prints, and however often commands call one another."""
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        for _ in range(2):
            clean_output(lambda text: text.replace("s3cret", "***"))
        print("a\x1b[31m s3cret")  # noqa: T201 - what is tested
        sys.stderr.write("ERROR: \x1b]0;t\x07s3cret\n")
        assert out.getvalue() == "a ***\n"
        assert err.getvalue() == "ERROR: ***\n"
        kept = Path(
            str(internal_error("here", ValueError("s3cret"))).rpartition(" ")[2].rstrip(")")
        ).read_text()
        assert "ValueError: ***" in kept
        assert "s3cret" not in kept
        exactly(sys.stdout).write("\x1b[1F")
        assert out.getvalue().endswith("\x1b[1F")
        assert not sys.stdout.isatty()

    def test_an_order_is_one_at_the_beginning_of_a_line_only(self) -> None:
        """What goes on with a line is left alone."""
        out = io.StringIO()
        stream = CleanStream(out, str)
        stream.write("std")
        stream.write("::vector\n")
        stream.write("::error::x\n")
        assert out.getvalue() == "std::vector\n\\u003a:error::x\n"


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _text: str, /) -> int:
        """Say so."""
        raise BrokenPipeError


def test_reader_that_went_away_ends_nothing() -> None:
    """The first reason is remembered, and what is printed from then on goes nowhere."""
    stream = CleanStream(Broken(), str)
    print("a", file=stream)
    lost = stream.lost
    assert isinstance(lost, BrokenPipeError)
    print("b", file=stream, flush=True)
    assert stream.lost is lost
