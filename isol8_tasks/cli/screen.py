"""The lines of a run on the terminal: those that stay, and live ones below them."""

import threading
import time
from typing import TYPE_CHECKING, Final, TextIO

from attrs import define, field

from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.references import Reference
from isol8_tasks.report import plan as report
from isol8_tasks.safety.printing import exactly

if TYPE_CHECKING:
    import os

    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.images.pushed import Pushed
    from isol8_tasks.lifecycle.build import Outcome

_SLOW_STEP: Final = 1.0
"""Seconds from which on a log tells of a step."""
_REDRAW: Final = 0.1
"""Seconds between two drawings of the live lines."""


@define(eq=False, repr=False)
class _Begun:
    """An image that is being made."""

    began: float
    step: "BuildEvent | None" = None
    step_began: float = 0.0


@define(eq=False, kw_only=True, repr=False)
class Screen:
    """Where a run is told of. Lines that stay go out once; live lines are drawn below them, on a terminal only."""

    stream: TextIO
    live: bool
    width: int
    repository: str
    quiet: bool = False
    awaited: int = field(default=0, init=False)
    """How many images this run has not ended with yet, as far as it has been told."""
    _running: dict[str, _Begun] = field(factory=dict, init=False)
    _drawn: int = field(default=0, init=False)
    _last: float = field(default=0.0, init=False)
    _mutex: threading.RLock = field(factory=threading.RLock, init=False)
    _ticker: threading.Thread | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._mutex:
            self._erase()
            self._write(text + "\n")
            self._draw()
            self._write("", flush=True)

    def building(self, image: str) -> None:
        """Begin the live line of an image."""
        with self._mutex:
            self._running[image] = _Begun(began=time.monotonic())
            if self.live and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def event(self, image: str, event: "BuildEvent") -> None:
        """Show the step that an image has come to."""
        with self._mutex:
            running = self._running.get(image)
            if running is None or event.kind == "log":
                return
            self._end_step(image, running)
            if event.kind == "waiting" and not self.live and not self.quiet:
                self.line(f"{self._tag(image)}  {_step(event)}")
            running.step, running.step_began = event, time.monotonic()
            self._redraw()

    def done(self, outcome: "Outcome", seconds: float) -> None:
        """Say that an image took its tag."""
        with self._mutex:
            self.awaited -= 1
            running = self._running.pop(outcome.image, None)
            if running:
                self._end_step(outcome.image, running)
            if not self.quiet:
                result = report.SAME if outcome.result == "same" else outcome.result
                self.line(f"{self._tag(outcome.image)}  {result:<10}  {seconds:.1f} s")
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
            self.line(f"{self._tag(image)}  up to date  another run built it in the meantime")

    def failed(self, image: str, error: Isol8Error) -> None:
        """Say that an image could not be made, unless the details, which come at the end, follow at once."""
        with self._mutex:
            running = self._running.get(image)
            seconds = time.monotonic() - running.began if running else 0.0
            self._ended(image)
            if self.awaited > 0 and not self.quiet:
                from isol8_tasks.report.remedies import cause_of  # noqa: PLC0415 - in most runs nothing fails

                self.line(f"{self._tag(image)}  {'failed':<10}  {cause_of(error)}  {seconds:.1f} s")

    def _ended(self, image: str) -> None:
        """End the live line of an image."""
        with self._mutex:
            self.awaited -= 1
            self._running.pop(image, None)
            self._redraw()

    def pushed(self, image: str, where: "Pushed", seconds: float) -> None:
        """Say where an image is in the registry."""
        if not self.quiet:
            self.line(report.pushed_line(self._tag(image), where, seconds))

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
            text = text[: _terminal().columns - len(end) - 1]
        return text + end

    def _tag(self, image: str) -> str:
        return str(Reference(self.repository, image)).ljust(self.width)

    def _write(self, text: str, *, flush: bool = False, to: TextIO | None = None) -> None:
        (to or self.stream).write(text)
        if flush:
            self.stream.flush()

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
        if self._drawn:
            self._write(f"\x1b[{self._drawn}F\x1b[J", to=exactly(self.stream))
            self._drawn = 0

    def _draw(self) -> None:
        if not self.live or not self._running:
            return
        now = time.monotonic()
        # What scrolls off the top can't be erased again.
        shown = list(self._running.items())[: _terminal().lines - 1]
        for image, running in shown:
            step = _step(running.step) if running.step else "…"
            self._write(self._fitted(image, step, now - running.began) + "\n")
        self._drawn = len(shown)
        self._last = now


def _step(event: "BuildEvent") -> str:
    counter = f"{event.number}/{event.total}  " if event.total else ""
    return counter + report.shortened(event.step)


def _terminal() -> "os.terminal_size":
    import shutil  # noqa: PLC0415 - only who builds at a terminal should pay for the import

    return shutil.get_terminal_size()
