"""Which of the packages in a refused image is to blame, so that each gets a verdict of its own. Pure."""

import re
from collections.abc import Sequence

from attrs import frozen

from isol8_tasks.errors import BuildFailedError, Isol8Error, VerifyFailedError
from tests.corpus_packages.table import Row


@frozen
class Sorted:
    """What to make of a refused image."""

    refused: dict[Row, str]
    """With what was said of it."""
    again: list[list[Row]]
    """What to build next, an image each."""


def sort(group: Sequence[Row], error: Isol8Error, hint: str) -> Sorted:
    """Blame those that the error names, and split the others' image in two where it names none."""
    if len(group) == 1:
        return Sorted({group[0]: f"{error}\n{hint}".strip()}, [])
    if isinstance(error, VerifyFailedError):
        named = {row: said for row in group if (said := _findings(row, error))}
    elif isinstance(error, BuildFailedError):
        named = {row: "" for row in group if _blamed(row, error.output)}
    else:
        raise error
    if not named or len(named) == len(group):
        half = len(group) // 2
        return Sorted({}, [list(group[:half]), list(group[half:])])
    rest = [row for row in group if row not in named]
    # What is blamed unexpectedly has an image to itself first: another may have disturbed it.
    certain = {row: said for row, said in named.items() if said and not row.accepted}
    return Sorted(certain, [rest, *([row] for row in named if row not in certain)])


def _findings(row: Row, error: VerifyFailedError) -> str:
    """Return what an error says of a package: its findings, and below each what was printed."""
    lines = []
    within = False
    for line in str(error).splitlines()[1:]:
        if not line.startswith("      "):
            # What is tried of a package may have another's name.
            within = _names(row, line.partition("`")[0])
        if within:
            lines.append(line)
    return "\n".join(lines)


def _blamed(row: Row, output: Sequence[str]) -> bool:
    return any(
        _names(row, line) for line in output if re.search(r"error|fail|no matching", line, re.IGNORECASE)
    )


def _names(row: Row, text: str) -> bool:
    words = {row.name, row.package, row.package.removeprefix("npm:")}
    return any(re.search(rf"(?<![\w@/.-]){re.escape(word)}(?![\w/-])", text) for word in words)
