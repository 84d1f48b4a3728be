"""What came of the steps, as Markdown."""

from collections.abc import Iterable, Sequence

from attrs import field, frozen

from tests.engines.steps import STEPS


@frozen
class Column:
    """One engine: what it is, and what came of each step, by the step's name."""

    title: str
    results: dict[str, str] = field(factory=dict)
    """`ok`, or why not in one line."""


def table(columns: Sequence[Column]) -> str:
    """Return the table engine by step; what is not ok has a number, and its line below."""
    notes: list[str] = []
    lines = [_row(["step", *(column.title for column in columns)]), _row(["---"] * (len(columns) + 1))]
    for step in STEPS:
        if any(step.name in column.results for column in columns):
            cells = [_cell(column.results.get(step.name, "not run"), notes) for column in columns]
            lines.append(_row([step.name, *cells]))
    told = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, *(["", *told] if told else [])])


def _cell(result: str, notes: list[str]) -> str:
    kind, colon, reason = result.partition(": ")
    if not colon:
        return result
    if reason not in notes:
        notes.append(reason)
    return f"{kind} ({notes.index(reason) + 1})"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
