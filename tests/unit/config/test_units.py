"""Times and sizes: what people may write, and what they read."""

import datetime as dt

import pytest

from isol8_tasks.config import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("2m", 120),
        ("12h", 43200),
        ("7d", 604800),
        ("2w", 1209600),
        ("1.5h", 5400),
        ("3 d", 259200),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    """A number and a unit are a duration."""
    assert units.parse_duration(text) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-1d", "0s", "1.d", ".5d", "7 days", "\u0661d", "1e3s", "nan s", "99999d"]
)
def test_no_duration(text: str) -> None:
    """Anything else says what is expected."""
    with pytest.raises(ValueError, match="is not a duration") as error:
        units.parse_duration(text)
    assert (
        str(error.value)
        == f"{text!r} is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)"
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [("0B", 0), ("500MB", 500_000_000), ("2.5GB", 2_500_000_000), ("1 kB", 1000), ("1TB", 10**12)],
)
def test_a_size(text: str, count: int) -> None:
    """A number and a unit are a size."""
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "1", "GB", "1gb", "1KB", "1GiB", "-1GB"])
def test_no_size(text: str) -> None:
    """Anything else says what is expected."""
    with pytest.raises(ValueError, match="is not a size") as error:
        units.parse_size(text)
    assert str(error.value) == f"{text!r} is not a size (a number and B, kB, MB, GB or TB, as 500MB or 2.5GB)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (7200, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    """The largest whole unit will do."""
    assert units.duration(dt.timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999_600, "1 MB"),
        (1_030_811_074, "1.03 GB"),
        (57_989_157, "58 MB"),
        (10**15, "1e+03 TB"),
    ],
)
def test_a_size_in_words(count: int, words: str) -> None:
    """Three digits will do."""
    assert units.size(count) == words
