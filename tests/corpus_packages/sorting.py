"""Which of the packages in a refused image is to blame, so that each gets a verdict of its own. Pure."""

import re
from collections.abc import Sequence

from attrs import frozen

from isol8_tasks.errors import BuildFailedError, Isol8Error, NotInstallableError, VerifyFailedError
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
    elif isinstance(error, NotInstallableError):
        # The index says it before anything is built, of each package and of what it needs.
        named = {row: f"{said}\n{hint}".strip() for row in group if (said := _lines(row, error))}
        if named:
            # What is not certain is tried by itself.
            unsure = [row for row, said in named.items() if re.search(_UNSURE, said, re.MULTILINE)]
            rest = [row for row in group if row not in named]
            sure = {row: said for row, said in named.items() if row not in unsure}
            return Sorted(sure, [*([rest] if rest else []), *([row] for row in unsure)])
    elif isinstance(error, BuildFailedError):
        named = {row: "" for row in group if _blamed(row, error.output)}
    else:
        raise error
    if not named or (len(named) == len(group) and not any(named.values())):
        half = len(group) // 2
        return Sorted({}, [list(group[:half]), list(group[half:])])
    rest = [row for row in group if row not in named]
    # What is blamed unexpectedly has an image to itself first: another may have disturbed it.
    certain = {row: said for row, said in named.items() if said and not row.accepted}
    return Sorted(certain, [*([rest] if rest else []), *([row] for row in named if row not in certain)])


def _findings(row: Row, error: VerifyFailedError) -> str:
    """Return what an error says of a package: its findings, and below each what was printed."""
    lines = []
    within = False
    for line in str(error).splitlines()[1:]:
        if not line.startswith("      "):
            # What is tried of a package may have another's name.
            within = mentions(row, line.partition("`")[0])
        if within:
            lines.append(line)
    return "\n".join(lines)


def _lines(row: Row, error: Isol8Error) -> str:
    """Return the lines that say of a package, or of what it needs, that it can't be installed."""
    return "\n".join(
        line for line in str(error).splitlines() if mentions(row, line) and re.search(_LACKING, line)
    )


def _blamed(row: Row, output: Sequence[str]) -> bool:
    return any(
        mentions(row, line) for line in output if re.search(r"error|fail|no matching", line, re.IGNORECASE)
    )


def mentions(row: Row, text: str) -> bool:
    """Tell whether a text has the name of a package, and not that of another which contains it."""
    words = {row.name, row.package, row.package.removeprefix("npm:")}
    before = r"(?:(?<![\w@/.-])|(?<=/node_modules/))"
    return any(re.search(rf"{before}{re.escape(word)}(?![\w/-])", text) for word in words)


_UNSURE = "and may have to be compiled(?:; .*)?$"
_LACKING = r"\) (?:has no wheel|is not available) for "
