"""Times and sizes as people write them: `10s`, `7d`, `2GB`."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LARGEST: Final = 10**18
_LONGEST: Final = 60
"""Characters of a text that a message repeats."""
_BYTES: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_duration(text: str) -> dt.timedelta:
    """Return a duration; raise ValueError, which says what is expected, for a text that is none."""
    number, unit = _split(text, _SECONDS)
    if number is None or not 0 < number * _SECONDS[unit] <= 3650 * _SECONDS["d"]:
        raise ValueError(
            f"{_shown(text)} is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)"
        )
    return dt.timedelta(seconds=number * _SECONDS[unit])


def parse_size(text: str) -> int:
    """Return a size in bytes; raise ValueError, which says what is expected, for a text that is none."""
    number, unit = _split(text, _BYTES)
    if number is None:
        raise ValueError(
            f"{_shown(text)} is not a size (a number and B, kB, MB, GB or TB, as 500MB or 2.5GB)"
        )
    if number * _BYTES[unit] > _LARGEST:
        raise ValueError(f"{_shown(text)} exceeds the maximum of 1000000TB")
    return round(number * _BYTES[unit])


def duration(span: dt.timedelta) -> str:
    """Return a duration in its largest whole unit: `2 days`, `1 hour`."""
    seconds = max(int(span.total_seconds()), 0)
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{seconds // size} {name}{'' if seconds // size == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def size(count: int) -> str:
    """Return a size with three digits at the most, as Docker shows it: `1.03 GB`."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:  # noqa: PLR2004 - more would be shown as 1000
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _split(text: str, units: Mapping[str, float]) -> tuple[float | None, str]:
    """Return number and unit; no number where the text is not one and the other."""
    unit = max((each for each in units if text.endswith(each)), key=len, default="")
    digits = text.removesuffix(unit).strip()
    whole, dot, fraction = digits.partition(".")
    if (
        unit
        and whole.isdecimal()
        and whole.isascii()
        and ((fraction.isdecimal() and fraction.isascii()) or not dot)
    ):
        return float(digits), unit
    return None, unit
