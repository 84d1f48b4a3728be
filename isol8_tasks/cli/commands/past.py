"""What log and diff share: the changes that are known."""

import sys

from isol8_tasks.report.history import Numbered, numbered
from isol8_tasks.run.history import HISTORY, known_history
from isol8_tasks.run.view import View


def changes_of(view: View) -> tuple[tuple[Numbered, ...], tuple[int, ...]]:
    """Return the entries that are known, newest first, and the numbers of lines that can't be read.

    These are told on standard error, too.
    """
    found, wrong = known_history(view)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        sys.stderr.write(f"warning: .isol8/{HISTORY}:{wrong[0]}{more}: not a line of the history, left out\n")
    return numbered(found), wrong
