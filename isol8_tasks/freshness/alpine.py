"""How long branches of Alpine are supported: a table with a date, since nothing on an engine tells."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

CHECKED: Final = dt.date(2026, 11, 25)
"""When the table was last held against Alpine's own (https://alpinelinux.org/releases/)."""
ENDS: Final[Mapping[str, dt.date]] = {
    "3.18": dt.date(2025, 5, 9),
    "3.19": dt.date(2025, 11, 1),
    "3.20": dt.date(2026, 4, 1),
    "3.21": dt.date(2026, 11, 1),
    "3.22": dt.date(2027, 5, 1),
    "3.23": dt.date(2027, 11, 1),
}
"""The last day of each branch's support."""


@frozen(kw_only=True)
class Unsupported:
    """A branch of Alpine that gets no fixes any more."""

    branch: str
    ended: dt.date
    newer: str
    """The newest branch that is still supported; empty where this table knows none."""
    until: dt.date | None
    """The last day of that one's support."""


def unsupported(release: str, today: dt.date) -> Unsupported | None:
    """Return what there is to say of a release (`3.21.4`); None for one that is supported, or that is not known."""
    found = re.match(r"\d+\.\d+", release)
    branch = found[0] if found else ""
    ended = ENDS.get(branch)
    if ended is None or today <= ended:
        return None
    newer = max((name for name, end in ENDS.items() if today <= end), key=_number, default="")
    return Unsupported(branch=branch, ended=ended, newer=newer, until=ENDS.get(newer))


def _number(branch: str) -> tuple[int, ...]:
    return tuple(map(int, branch.split(".")))
