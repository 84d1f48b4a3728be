"""What push and pull report."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from isol8_tasks.cli.command import say
from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.pushed import Listed
from isol8_tasks.images.references import Reference
from isol8_tasks.report import plan as report
from isol8_tasks.run.session import Session
from isol8_tasks.run.workspace import MANIFEST


class Teller:
    """Says what came of each image."""

    def __init__(self, current: Session, names: Sequence[str]) -> None:
        self._repository = current.view.repository
        self._current = current
        self._width = report.name_width(current.view.repository, names)

    def line(self, name: str, what: str, more: str) -> None:
        """Say a line about an image."""
        say(f"{str(Reference(self._repository, name)).ljust(self._width)}  {what:<10}  {more}")

    def pushed(self, name: str, repository: str, tags: Sequence[str], seconds: float) -> None:
        """Say which tags lead to an image now."""
        subject = str(Reference(self._repository, name)).ljust(self._width)
        say(report.pushed_line(subject, repository, tags, seconds))

    def pulled(self, listed: Listed, seconds: float) -> None:
        """Say where an image came from, and its parent if that is not what one would think."""
        where = listed.pushed
        standin = "; based on a stand-in of the lab" if listed.standin else ""
        self.line(
            listed.name,
            "pulled",
            f"{where.repository}:{where.tag}  {seconds:.1f} s{standin}" if where else "",
        )

    def failed(self, name: str, error: Isol8Error) -> None:
        """Say why an image could not be had."""
        first, *more = str(error).splitlines()
        say(f"{str(Reference(self._repository, name)).ljust(self._width)}  {'failed':<10}  {first}")
        for line in (*more, *_KEPT):
            say(f"  {line}")

    def summary(self, counts: Mapping[str, int], began: float, more: str = "") -> str:
        """Return the last line, with more words before those on the manifest."""
        return report.run_summary(
            counts,
            engine=more,
            manifest=report.manifest_phrase(self._current.publication.changed, name=MANIFEST),
            seconds=time.monotonic() - began,
        )


_KEPT: Final = ("Images in use on this engine are untouched.",)
