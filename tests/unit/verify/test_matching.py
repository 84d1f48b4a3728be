"""A user's pattern in what a command printed."""

import time

import pytest

from isol8_tasks.verify import matching
from isol8_tasks.verify.matching import is_in


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("", "", True),
        ("jq-1", "this is jq-1.7", True),
        ("jq-2", "this is jq-1.7", False),
        (r"jq-\d+\.\d+$", "this is jq-1.7", True),
        (r"^\d+$", "one\ntwo", False),
        (r"(?m)^\d+$", "one\n2", True),
        ("ä+\0?", "x ää", True),
        ("[[a]+", "[", True),
        (f"{'x' * 100_000}?", "x" * 99_999, True),
    ],
)
def test_pattern_is_looked_for(
    pattern: str, text: str, found: object, capfd: pytest.CaptureFixture[str]
) -> None:
    """Anywhere, as Python has it; nothing is printed."""
    assert is_in(pattern, text) is found
    assert capfd.readouterr() == ("", "")


def test_pattern_that_takes_ages_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, which no thread could do: the search keeps the interpreter to itself."""
    monkeypatch.setattr(matching, "SECONDS", 0.5)
    began = time.monotonic()
    assert is_in("(a+)+b", "a" * 60) is None
    assert time.monotonic() - began < 30
