"""A run as lines of JSON, one for each thing that happens: what `--progress=json` prints for other programs."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from isol8_tasks.cli.screen import Row, Screen

if TYPE_CHECKING:
    from isol8_tasks.engine import BuildEvent


class JsonScreen(Screen):
    """Where a run is told of as JSON; docs/schemas/progress.schema.json says what each event has."""

    is_json = True

    def line(self, text: str) -> None:
        """Tell of what is for people only."""
        self._tell("note", text=text)

    def row(self, row: Row) -> None:
        """Tell of something as data."""
        self._tell(row.event, **row.data)

    def rows(self, rows: Iterable[Row]) -> None:
        """Tell of each: none is left out for room."""
        for each in rows:
            self.row(each)

    def building(self, image: str) -> None:
        """Tell that work on an image begins."""
        super().building(image)
        if not self.quiet:
            self._tell("begun", image=self.subject(image))

    def event(self, image: str, event: "BuildEvent") -> None:
        """Tell of a step, of bytes, and with `verbose` of what a step printed."""
        if self.quiet or (event.kind == "log" and not self.verbose):
            return
        further: dict[str, Any] = {"step": event.step}
        if event.kind == "log":
            further["line"] = event.line
        elif event.kind in {"pulled", "sent"}:
            if event.kind == "sent" and image not in self._running:
                Screen.building(self, image)
            if not self.is_due(image):
                return
            further["bytes"], further["of"] = event.transfer
        elif event.total:
            further |= {"number": event.number, "total": event.total}
        self._tell(event.kind, image=self.subject(image), **further)

    def _tell(self, event: str, **data: Any) -> None:  # noqa: ANN401 - what JSON can say
        with self._mutex:
            self._write(json.dumps({"event": event, **data}, ensure_ascii=False) + "\n", flush=True)
