"""What thirty nights come to: a line for each, and the figures of all."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.integration.refreshing import EVERY


@frozen(kw_only=True)
class Found:
    """The same night on an engine without images, with a registry."""

    problems: tuple[str, ...]
    """What was other than its drift asks for."""
    fetched: int
    """Bytes of all sources and of the registry."""
    pulled: int
    """Those of the registry."""
    needed: int
    """Bytes of what has to be here to build on it, beside those that the engine that keeps its images fetched."""
    sent: int
    """Writing requests to the registry."""
    seconds: float


@frozen(kw_only=True)
class Row:
    """One night, measured."""

    night: int
    words: str
    rebuilt: tuple[str, ...]
    """What was replaced."""
    same: tuple[str, ...] = ()
    """What was rebuilt, and stayed."""
    failed: tuple[str, ...] = ()
    fetched: int
    again: int
    """What building everything again fetched; 0 where it was not done."""
    seconds: float
    disk: int
    """Bytes below the engine's data root after `prune`."""
    stateless: Found | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the cells of its line in the table."""
        what = [_names(self.rebuilt)] if self.rebuilt else []
        what += [f"{_names(self.same)}: same result"] if self.same else []
        what += [f"{_names(self.failed)} kept"] if self.failed else []
        found = self.stateless
        return (
            str(self.night),
            self.words,
            "; ".join(what),
            f"{self.fetched / _MB:.2f}",
            f"{self.again / _MB:.1f}" if self.again else "",
            f"{self.seconds:.1f}",
            f"{self.disk / _MB:.0f}",
            *((f"{found.fetched / _MB:.2f}", f"{found.seconds:.1f}", str(found.sent)) if found else ()),
        )


def _names(names: Sequence[str]) -> str:
    if len(names) == len(EVERY):
        return "all"
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} images"


def share(rows: Sequence[Row]) -> float:
    """Return what part was fetched of what building everything again fetches, on the nights on which both were done."""
    measured = [row for row in rows if row.again]
    again = sum(row.again for row in measured) / len(measured) * len(rows) if measured else 0
    return sum(row.fetched for row in rows) / again if again else 0


def growth(rows: Sequence[Row]) -> float:
    """Return the disk on the last night, beside that on the first."""
    return rows[-1].disk / rows[0].disk


def table(rows: Sequence[Row]) -> str:
    """Return all nights as Markdown."""
    heads = ["night", "what moved", "rebuilt", "fetched, MB", "everything rebuilt, MB", "seconds", "disk, MB"]
    if any(row.stateless for row in rows):
        heads += ["stateless: fetched, MB", "stateless: seconds", "stateless: writes"]
    shown = [heads, ["---"] * len(heads), *(row.cells() for row in rows)]
    # A column of what was not measured says nothing.
    again = heads.index("everything rebuilt, MB")
    left = range(again, again + (not any(row.again for row in rows)))
    lines = [
        f"| {' | '.join(cell for number, cell in enumerate(cells) if number not in left)} |"
        for cells in shown
    ]
    return "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """Return the figures that the table comes to."""
    fetched, measured = sum(row.fetched for row in rows), [row.again for row in rows if row.again]
    quiet = [row for row in rows if row.words == "quiet" and not row.rebuilt]
    again = sum(measured) / len(measured) * len(rows) if measured else 0
    lines = [f"{len(rows)} nights fetched {fetched / _MB:.0f} MB."]
    if measured:
        lines.append(
            f"That is {share(rows):.1%} of the {again / _MB:.0f} MB that rebuilding everything every night fetches, "
            f"measured on {len(measured)} of them."
        )
    lines += [
        f"The disk on the last night is {growth(rows):.2f} {_TIMES} that on the first.",
        f"A night with nothing to do fetched {_mean([row.fetched for row in quiet]) / 1000:.0f} kB.",
    ]
    found = [row.stateless for row in rows if row.stateless]
    if found:
        pulled = sum(each.pulled for each in found)
        lines.append(
            f"Stateless nights fetched {sum(each.fetched for each in found) / _MB:.0f} MB, "
            f"{times(rows):.2f} {_TIMES} that; {pulled / _MB:.0f} MB of it were pulled from the registry."
        )
        floor = sum(row.fetched + row.stateless.needed for row in rows if row.stateless)
        lines.append(
            f"Without what images are based on they can't be built: with it, {floor / _MB:.0f} MB are the least, "
            f"{floor / fetched:.2f} {_TIMES}."
        )
        on_quiet = [row.stateless.fetched for row in quiet if row.stateless]
        lines.append(f"A stateless night with nothing to do fetched {_mean(on_quiet) / 1000:.0f} kB.")
    return "\n".join(lines)


def times(rows: Sequence[Row]) -> float:
    """Return what engines without images fetched, beside what the one that keeps its own did."""
    return sum(row.stateless.fetched for row in rows if row.stateless) / sum(row.fetched for row in rows)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0


def write(file: Path, text: str) -> None:
    """Put the table below the heading of the nights, in the place of the one there; the words around it stay."""
    whole = file.read_text(encoding="utf-8") if file.exists() else ""
    if f"{_HEADING}\n" not in whole:
        whole = f"{whole.rstrip()}\n\n{_HEADING}\n".lstrip()
    before, heading, rest = whole.partition(f"{_HEADING}\n")
    own, *after = re.split(r"^(?=## )", rest, maxsplit=1, flags=re.MULTILINE)
    words = "".join(line for line in own.splitlines(keepends=True) if not line.startswith("|")).strip()
    parts = [words, text.rstrip(), "".join(after).rstrip()]
    file.write_text(f"{before}{heading}\n" + "\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


_HEADING: Final = "## Thirty nights"
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MB: Final = 1_000_000
_NAMED: Final = 3
