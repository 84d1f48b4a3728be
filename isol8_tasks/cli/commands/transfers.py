"""What push and pull report."""

import time
from collections.abc import Mapping
from typing import Final

from isol8_tasks.cli.screen import Row, Screen
from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.pushed import Listed
from isol8_tasks.report import plan as report
from isol8_tasks.run.session import Session
from isol8_tasks.run.workspace import MANIFEST


class Teller:
    """Says what came of each image."""

    def __init__(self, current: Session, screen: Screen) -> None:
        self._current = current
        self._screen = screen

    def left(self, name: str, what: str, why: str) -> None:
        """Say why an image is left as it is."""
        data = {"image": self._tag(name), "state": what.replace(" ", "-"), "reasons": [why]}
        if not self._screen.quiet:
            self._screen.row(Row(self._line(name, what, why), "plan", data))

    def pulled(self, listed: Listed, seconds: float) -> None:
        """Say where an image came from, and its parent if that is not what one would think."""
        where = listed.pushed
        place = f"{where.repository}:{where.tag}" if where else ""
        standin = "based on a stand-in of the lab" if listed.standin else ""
        more = f"{place}  {seconds:.1f} s{f'; {standin}' if standin else ''}" if place else ""
        data = {
            "image": self._tag(listed.name),
            "result": "pulled",
            "seconds": round(seconds, 1),
            "notes": [each for each in (place, standin) if each],
        }
        if not self._screen.quiet:
            self._screen.row(Row(self._line(listed.name, "pulled", more), "done", data))

    def failed(self, name: str, error: Isol8Error) -> None:
        """Say why an image could not be had."""
        lines = (*str(error).splitlines(), *_KEPT)
        first, *more = lines
        text = "\n".join([self._line(name, "failed", first), *(f"  {line}" for line in more)])
        self._screen.row(Row(text, "failed", {"subject": self._tag(name), "lines": list(lines)}))

    def summary(self, counts: Mapping[str, int], began: float, more: str = "") -> None:
        """Say the last line, with more words before those on the manifest; with --quiet only of news."""
        changed, seconds = self._current.publication.changed, time.monotonic() - began
        if self._screen.quiet and not any(counts.get(each) for each in _NEWS):
            return
        phrase = report.manifest_phrase(changed, name=MANIFEST)
        text = report.run_summary(counts, engine=more, manifest=phrase, seconds=seconds)
        data = {"images": dict(counts), "changed": list(changed or ()), "seconds": round(seconds, 1)}
        self._screen.row(Row(text, "summary", data))

    def _tag(self, name: str) -> str:
        return self._current.view.public_tag(name)

    def _line(self, name: str, what: str, more: str) -> str:
        return f"{self._tag(name).ljust(self._screen.width)}  {what:<10}  {more}"


_KEPT: Final = ("Images in use on this engine are untouched.",)
_NEWS: Final = ("pushed", "pulled", "failed")
