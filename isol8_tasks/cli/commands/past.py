"""What log and diff share: the changes that are known."""

import shlex

from isol8_tasks.cli.ending import complain
from isol8_tasks.errors import COMMAND
from isol8_tasks.report.history import Numbered, numbered
from isol8_tasks.run.history import HISTORY, KnownHistory, engine_of, known_history
from isol8_tasks.run.view import View


def changes_of(view: View) -> tuple[tuple[Numbered, ...], KnownHistory]:
    """Return the entries that are known, newest first, and what they were made of.

    What is left out of them is told on standard error, and which engine they are of if it is not the one in use.
    """
    known = known_history(view)
    if known.wrong:
        more = f" (and {len(known.wrong) - 1} more)" if len(known.wrong) > 1 else ""
        complain(f"warning: .isol8/{HISTORY}:{known.wrong[0]}{more}: not a line of the history, left out")
    if known.engine != engine_of(view):
        complain(
            f"note: no engine answers at {engine_of(view)}; these are the changes on the one that was used last, "
            f"{known.engine}"
        )
    if known.another:
        other = f"DOCKER_HOST={shlex.quote(known.another)} {COMMAND} log"
        complain(f"note: there are changes on another engine, which was used last: {other}")
    return numbered(known.entries), known
