"""The lines of a run on the terminal: those that stay, and live ones below them."""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TextIO

from attrs import define, field

from isol8_tasks.config.units import size
from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.references import Reference
from isol8_tasks.report import plan as report
from isol8_tasks.safety.printing import exactly

if TYPE_CHECKING:
    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.images.pushed import Pushed
    from isol8_tasks.lifecycle.build import Outcome

_SLOW_STEP: Final = 1.0
"""Seconds from which on a log tells of a step."""
_BYTES: Final = frozenset({"pulled", "sent"})
"""What tells of bytes, and comes many times a second."""
_REDRAW: Final = 0.1
"""Seconds between two drawings of the live lines."""


class Row(NamedTuple):
    """Something that a run has to tell, for people and for programs."""

    text: str
    event: str
    """What kind of thing it is."""
    data: Mapping[str, Any]
    kind: str = ""
    """Of many rows of one kind people are shown the first."""


@define(eq=False, repr=False)
class _Begun:
    """An image that is being made."""

    began: float
    step: "BuildEvent | None" = None
    step_began: float = 0.0
    transfer: tuple[int, int] = (0, 0)
    told: float = 0.0
    """When its bytes were told of."""


@define(eq=False, kw_only=True, repr=False)
class Screen:
    """Where a run is told of. Lines that stay go out once; live lines are drawn below them, on a terminal only."""

    stream: TextIO
    live: bool
    width: int
    repository: str
    quiet: bool = False
    verbose: bool = False
    """What builds print is shown, line by line."""
    colour: bool = False
    is_json: ClassVar = False
    """It tells of data alone."""
    awaited: int = field(default=0, init=False)
    """How many images this run has not ended with yet, as far as it has been told."""
    _ends: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _columns: list[int] = field(factory=list, init=False)
    """How many columns each live line takes."""
    _opened: float = field(factory=lambda: time.monotonic(), init=False)  # noqa: PLW0108 - tests set the clock
    _running: dict[str, _Begun] = field(factory=dict, init=False)
    _last: float = field(default=0.0, init=False)
    _mutex: threading.RLock = field(factory=threading.RLock, init=False)
    _ticker: threading.Thread | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._mutex:
            self._erase()
            self._put(text + "\n")
            self._draw()
            self._write("", flush=True)

    def row(self, row: Row) -> None:
        """Tell of something in the words for people."""
        self.line(row.text)

    def rows(self, rows: Iterable[Row]) -> None:
        """Tell of many things, so far as there is room."""
        for text in report.abridged((each.kind, each.text) for each in rows):
            self.line(text)

    def building(self, image: str) -> None:
        """Begin the live line of an image."""
        with self._mutex:
            self._running[image] = _Begun(began=time.monotonic())
            if self.live and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    @contextmanager
    def work(self, image: str, step: str) -> Iterator[None]:
        """Show a live line of an image as long as something is done; with `verbose` one that stays, too.

        What comes of it is told afterwards.
        """
        from isol8_tasks.engine import BuildEvent  # noqa: PLC0415 - a run with nothing to do needs none

        self.building(image)
        self.event(image, BuildEvent(kind="doing", step=step))
        try:
            yield
        finally:
            self._ended(image)

    def event(self, image: str, event: "BuildEvent") -> None:
        """Show the step that an image has come to."""
        with self._mutex:
            if event.kind == "sent" and image not in self._running:
                # At the end of a run, when it was done with.
                Screen.building(self, image)
            running = self._running.get(image)
            if event.kind == "log" and self.verbose and not self.quiet:
                self.line(f"{self._tag(image)}  {event.line}")
            if running is None or event.kind == "log":
                return
            if event.kind in _BYTES:
                running.transfer = event.transfer
                if running.step and running.step.kind in _BYTES:
                    running.step = event
                    self._redraw()
                    return
            self._end_step(image, running)
            told = self.verbose if event.kind == "doing" else event.kind == "waiting" and not self.live
            if told and not self.quiet:
                self.line(f"{self._tag(image)}  {_step(event)}")
            running.step, running.step_began = event, time.monotonic()
            self._redraw()

    def done(self, outcome: "Outcome", seconds: float) -> None:
        """Say that an image took its tag."""
        with self._mutex:
            self.awaited -= 1
            self._ends += 1
            running = self._running.pop(outcome.image, None)
            if running:
                self._end_step(outcome.image, running)
            if not self.quiet:
                result = report.SAME if outcome.result == "same" else outcome.result
                data = {
                    "image": str(Reference(self.repository, outcome.image)),
                    "result": outcome.result,
                    "seconds": round(seconds, 1),
                    "notes": list(outcome.notes),
                }
                self.row(Row(f"{self._tag(outcome.image)}  {result:<10}  {seconds:.1f} s", "done", data))
            if outcome.left_out:
                self.line(
                    f"{self._tag(outcome.image)}  note        {', '.join(outcome.left_out)}: contains a comma, "
                    "so it is not in the label by which isol8 v0.18 and later find packages"
                )
            for note in outcome.notes:
                self.line(f"{self._tag(outcome.image)}  note        {note}")

    def settled(self, image: str) -> None:
        """Say that another run made the image."""
        self._ended(image)
        if not self.quiet:
            text = f"{self._tag(image)}  up to date  another run built it in the meantime"
            data = {"image": str(Reference(self.repository, image)), "result": "settled", "notes": []}
            self.row(Row(text, "done", data))

    def failed(self, image: str, error: Isol8Error) -> None:
        """Say that an image could not be made, unless the details, which come at the end, follow at once."""
        with self._mutex:
            running = self._running.get(image)
            seconds = time.monotonic() - running.began if running else 0.0
            self._failures += 1
            self._ended(image)
            if self.awaited > 0 and not self.quiet:
                from isol8_tasks.report.remedies import cause_of  # noqa: PLC0415 - in most runs nothing fails

                cause = cause_of(error)
                text = f"{self._tag(image)}  {'failed':<10}  {cause}  {seconds:.1f} s"
                data = {"image": str(Reference(self.repository, image)), "result": "failed", "notes": [cause]}
                self.row(Row(text, "done", data | {"seconds": round(seconds, 1)}))

    def _ended(self, image: str) -> None:
        """End the live line of an image."""
        with self._mutex:
            self.awaited -= 1
            self._ends += 1
            self._running.pop(image, None)
            self._redraw()

    def pushed(self, image: str, where: "Pushed", tags: Sequence[str], seconds: float) -> None:
        """Say where an image is in the registry, and which tags lead to it since then."""
        self._running.pop(image, None)
        if not self.quiet:
            data = {"image": str(Reference(self.repository, image)), "to": where.by_digest}
            line = report.pushed_line(self._tag(image), where.repository, tags, seconds)
            self.row(Row(line, "pushed", data))

    def waiting(self, holder: str) -> None:
        """Say whom this run waits for."""
        self.line(f"waiting for another run on this engine: {holder}")

    def close(self) -> None:
        """Take the live lines away."""
        self._over.set()
        with self._mutex:
            self._erase()
            self._running.clear()
            self._write("", flush=True)

    def _end_step(self, image: str, running: _Begun) -> None:
        step, seconds = running.step, time.monotonic() - running.step_began
        if step is not None and step.kind == "step" and seconds >= _SLOW_STEP and not self.quiet:
            self.line(self._fitted(image, _step(step), seconds))
        running.step = None

    def _fitted(self, image: str, step: str, seconds: float) -> str:
        """Return a line about a step; on a terminal one that does not wrap."""
        text, end = f"{self._tag(image)}  {step}", f"  {seconds:.1f} s"
        if self.live:
            text = _cut(text, _terminal().columns - len(end) - 1)
        return text + end

    def is_due(self, image: str) -> bool:
        """Tell whether bytes of an image's pull are to be told of again, which come many times a second."""
        now, running = time.monotonic(), self._running.get(image)
        if running is None or now - running.told < _SLOW_STEP:
            return False
        running.told = now
        return True

    def _tag(self, image: str) -> str:
        return self.subject(image).ljust(self.width)

    def subject(self, image: str) -> str:
        """Return the tag of an image; where there is no repository, the name of what else is worked on."""
        return str(Reference(self.repository, image)) if self.repository else image

    def _write(self, text: str, *, flush: bool = False, to: TextIO | None = None) -> None:
        (to or self.stream).write(text)
        if flush:
            self.stream.flush()

    def _put(self, text: str) -> None:
        """Write text in colours, where that is wanted."""
        if self.live or self.colour:
            from isol8_tasks.cli import paint  # noqa: PLC0415 - logs and pipes have no colours

            text = paint.unparted(text, _terminal().columns) if self.live else text
        if self.colour:
            paint.write_painted(self.stream, text)
        else:
            self._write(text)

    def _tick(self) -> None:
        while not self._over.wait(_REDRAW):
            with self._mutex:
                self._redraw()

    def _redraw(self) -> None:
        if self.live and time.monotonic() - self._last >= _REDRAW / 2:
            self._erase()
            self._draw()
            self._write("", flush=True)

    def _erase(self) -> None:
        if self._columns:
            # Where the window became narrower, a terminal has wrapped what was drawn.
            wide = max(_terminal().columns, 1)
            rows = sum(-(-each // wide) or 1 for each in self._columns)
            self._write(f"\x1b[{rows}F\x1b[J", to=exactly(self.stream))
            self._columns = []

    def _draw(self) -> None:
        if not self.live or not self._running:
            return
        now = time.monotonic()
        # What scrolls off the top can't be erased again.
        room = _terminal().lines - 1
        figures = self.awaited > 1 and room > 1
        shown = list(self._running.items())[: room - figures]
        for image, running in shown:
            step = _step(running.step) if running.step else "…"
            if any(running.transfer) and running.step and running.step.kind in _BYTES:
                done, whole = running.transfer
                step = f"{size(done)}{f' of {size(whole)}' if whole else ''}  {step}"
            self._live_line(self._fitted(image, step, now - running.began))
        if figures:
            self._live_line(self._figures(now))
        self._last = now

    def _live_line(self, text: str) -> None:
        self._write(text + "\n")
        self._columns.append(cells(text))

    def _figures(self, now: float) -> str:
        """Return how far the run is."""
        failed = f" · {self._failures} failed" if self._failures else ""
        text = f"{self._ends} of {self._ends + self.awaited}{failed} · {now - self._opened:.0f} s"
        return _cut(text, _terminal().columns - 1)


def _step(event: "BuildEvent") -> str:
    counter = f"{event.number}/{event.total}  " if event.total else ""
    return counter + report.shortened(event.step)


def has_colour() -> bool:
    """Tell whether standard output is to have colours."""
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return False
    from isol8_tasks.cli import paint  # noqa: PLC0415 - logs and pipes have no colours

    return paint.wanted(sys.stdout, os.environ)


def cells(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415 - few names are not of ASCII

    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)


def _cut(text: str, room: int) -> str:
    """Return as much of a text as has room, with a sign where that is not all."""
    if cells(text) <= room:
        return text
    while text and cells(text) > room - 1:
        text = text[:-1]
    return f"{text}…" if room > 0 else ""


def _terminal() -> "os.terminal_size":
    import shutil  # noqa: PLC0415 - only who builds at a terminal should pay for the import

    return shutil.get_terminal_size()
