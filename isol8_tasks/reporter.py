"""What the terminal shows while images build: one line an image, the reason before the work, figures at the end."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final, TextIO

from attrs import define, field

from isol8_tasks import report
from isol8_tasks.build import Outcome
from isol8_tasks.engine import BuildEvent
from isol8_tasks.errors import BuildFailedError, Isol8Error
from isol8_tasks.plan.graph import task_of
from isol8_tasks.plan.staleness import Decision
from isol8_tasks.pushed import Pushed
from isol8_tasks.session import Session
from isol8_tasks.telling import Failure, not_pushed, remembered_flags
from isol8_tasks.workspace import MANIFEST

_SLOW_STEP: Final = 1.0
"""Seconds from which on a log tells of a step."""
_REDRAW: Final = 0.1
"""Seconds between two drawings of the live lines."""


@define(eq=False)
class _Running:
    """An image that is being made."""

    began: float
    step: BuildEvent | None = None
    step_began: float = 0.0


@define(eq=False, kw_only=True)
class Screen:
    """Where a run is told of. Lines that stay go out once; live lines are drawn below them, on a terminal only."""

    stream: TextIO
    live: bool
    width: int
    repository: str
    quiet: bool = False
    _running: dict[str, _Running] = field(factory=dict, init=False)
    _drawn: int = field(default=0, init=False)
    _last: float = field(default=0.0, init=False)
    _mutex: threading.RLock = field(factory=threading.RLock, init=False)
    _ticker: threading.Thread | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._mutex:
            self._erase()
            self.stream.write(text + "\n")
            self._draw()
            self.stream.flush()

    def building(self, image: str) -> None:
        """Begin the live line of an image."""
        with self._mutex:
            self._running[image] = _Running(began=time.monotonic())
            if self.live and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def event(self, image: str, event: BuildEvent) -> None:
        """Show the step that an image has come to."""
        with self._mutex:
            running = self._running.get(image)
            if running is None or event.kind == "log":
                return
            self._end_step(image, running)
            running.step, running.step_began = event, time.monotonic()
            self._redraw()

    def done(self, outcome: Outcome, seconds: float) -> None:
        """Say that an image took its tag."""
        with self._mutex:
            running = self._running.pop(outcome.image, None)
            if running:
                self._end_step(outcome.image, running)
            if not self.quiet:
                self.line(f"{self._tag(outcome.image)}  {outcome.result:<10}  {seconds:.1f} s")
            if outcome.left_out:
                self.line(
                    f"{self._tag(outcome.image)}  note        {', '.join(outcome.left_out)}: with a comma in it, "
                    "so left out of the list that isol8 from v0.18 on looks packages up in"
                )

    def failed(self, image: str) -> None:
        """End the live line of an image; what went wrong is told at the end."""
        with self._mutex:
            self._running.pop(image, None)
            self._redraw()

    def pushed(self, image: str, where: Pushed, seconds: float) -> None:
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
            self.stream.flush()

    def _end_step(self, image: str, running: _Running) -> None:
        step, seconds = running.step, time.monotonic() - running.step_began
        if step is not None and step.kind == "step" and seconds >= _SLOW_STEP and not self.quiet:
            self.line(self._fitted(image, _step(step), seconds))
        running.step = None

    def _fitted(self, image: str, step: str, seconds: float) -> str:
        """Return a line about a step; on a terminal one that does not wrap."""
        text, end = f"{self._tag(image)}  {step}", f"  {seconds:.1f} s"
        if self.live:
            text = text[: shutil.get_terminal_size().columns - len(end) - 1]
        return text + end

    def _tag(self, image: str) -> str:
        return f"{self.repository}:{image}".ljust(self.width)

    def _tick(self) -> None:
        while not self._over.wait(_REDRAW):
            with self._mutex:
                self._redraw()

    def _redraw(self) -> None:
        if self.live and time.monotonic() - self._last >= _REDRAW / 2:
            self._erase()
            self._draw()
            self.stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self.stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if not self.live:
            return
        now = time.monotonic()
        # What scrolls off the top can't be erased again.
        shown = list(self._running.items())[: shutil.get_terminal_size().lines - 1]
        for image, running in shown:
            step = _step(running.step) if running.step else "…"
            self.stream.write(self._fitted(image, step, now - running.began) + "\n")
        self._drawn = len(shown)
        self._last = now


def _step(event: BuildEvent) -> str:
    counter = f"{event.number}/{event.total}  " if event.total else ""
    return counter + report.shortened(event.step)


class Reporter:
    """What doit tells of a run, as our lines: its own dots and dashes are not shown."""

    desc: Final = "one line an image"

    def __init__(self, session: Session, screen: Screen) -> None:
        self.session = session
        self.screen = screen
        self.selected: list[str] = []
        """Names of the images that this run is about."""
        self.unmet: list[str] = []
        """Tasks that were not begun, since one that they need failed."""
        self.broken: list[str] = []
        """Tasks that ended with an error which nobody foresaw."""
        self.errors: list[str] = []
        """What doit itself found wrong."""
        self.began = time.monotonic()

    def initialize(self, tasks: dict[str, Any], selected_tasks: Iterable[str]) -> None:
        """Print what is stale among the selected, and why, before the work on it begins."""
        wanted = _with_dependencies(tasks, selected_tasks)
        try:
            decisions = self.session.decisions
        except Isol8Error:
            return  # the ping says so
        names = {spec.task: spec.name for spec in self.session.graph.images}
        for name in wanted:
            if (tasks[name].options or {}).get("force"):
                for each in tasks[name].task_dep if tasks[name].has_subtask else [name]:
                    # What setup forces it has told the session itself.
                    if each in names:
                        self.session.force(names[each])
        decisions = self.session.decisions
        self.selected = [names[task] for task in names if task in wanted]
        if not self.screen.quiet:
            shown = [
                decisions[name] for name in self.selected if decisions[name].pending or decisions[name].held
            ]
            self._lines((each.state, self._decision(each)) for each in shown)

    def _decision(self, decision: Decision) -> str:
        return report.decision_line(decision, self.session.config, width=self.screen.width)

    def _lines(self, lines: Iterable[tuple[str, str]]) -> None:
        for line in report.abridged(lines):
            self.screen.line(line)

    def add_failure(self, task: Any, fail: Any) -> None:  # noqa: ANN401 - doit's own values
        """Remember what was not begun, and what is wrong with a task itself."""
        if type(fail).__name__ == "UnmetDependency":
            self.unmet.append(task.name)
        elif fail.report:
            self.broken.append(task.name)
            self.errors.append(f"{task.name}: {fail.get_msg()}")

    def runtime_error(self, message: str) -> None:
        """Remember what doit found wrong with the graph."""
        self.errors.append(message)

    def cleanup_error(self, error: Any) -> None:  # noqa: ANN401 - doit's own value
        """Remember what went wrong in a teardown."""
        self.errors.append(error.get_msg())

    def get_status(self, task: Any) -> None: ...  # noqa: ANN401, D102 - doit's interface; nothing to show
    def execute_task(self, task: Any) -> None: ...  # noqa: ANN401, D102 - as above
    def add_success(self, task: Any) -> None: ...  # noqa: ANN401, D102 - as above
    def skip_uptodate(self, task: Any) -> None: ...  # noqa: ANN401, D102 - as above
    def skip_ignore(self, task: Any) -> None: ...  # noqa: ANN401, D102 - as above
    def teardown_task(self, task: Any) -> None: ...  # noqa: ANN401, D102 - as above
    def complete_run(self) -> None: ...  # noqa: D102 - the run command prints the end, after the manifest

    def finish(self) -> None:
        """Print failures, what is remembered of flags, and the figures."""
        self.screen.close()
        for error in self.errors:
            self.screen.line(error)
        if self.session.own_report:
            return
        for failure in self.session.failures:
            for line in failure_lines(failure, self.screen.width):
                self.screen.line(line)
        if self.session.failures and self.session.failures[0].subject == "ping":
            return
        if not self.screen.quiet and self.selected:
            self._notes()
        if not self.selected and not self.session.failures:
            # Only the ping was asked for.
            self.screen.line(_engine_line(self.session))
        elif not self.screen.quiet or self.session.outcomes or self.session.pushed or self.session.failures:
            self.screen.line(self._summary())

    def decided(self, name: str) -> str:
        """Return the state of an image; nothing where the engine could not be asked."""
        try:
            return self.session.decisions[name].state
        except Isol8Error:
            return ""

    def _notes(self) -> None:
        for warning in self.session.graph.warnings:
            self.screen.line(f"warning: {warning}")
        for line in remembered_flags(self.session.graph, self.session.observed, self.session.config):
            self.screen.line(line)
        for line in not_pushed(self.session.left_out):
            self.screen.line(line)
        self._lines(("undeclared", self._undeclared(name)) for name in self.session.graph.undeclared)

    def _undeclared(self, name: str) -> str:
        return (
            f"{self.session.repository}:{name}".ljust(self.screen.width)
            + "  undeclared  nothing asks for it any more, and clients still prefer it; "
            f"take it away with: doit clean {task_of(name)}"
        )

    def _summary(self) -> str:
        session = self.session
        failed = {failure.subject.rpartition(":")[2] for failure in session.failures}
        failed |= {spec.name for spec in session.graph.images if spec.task in self.broken}
        built = [outcome.image for outcome in session.outcomes]
        unmet = {spec.name for spec in session.graph.images if spec.task in self.unmet}
        done = {*failed, *built, *unmet}
        rest = [name for name in self.selected if name not in done]
        held = [name for name in rest if self.decided(name) == "held"]
        counts = {
            "built": sum(outcome.result == "built" for outcome in session.outcomes),
            "relabelled": sum(outcome.result == "relabelled" for outcome in session.outcomes),
            "failed": len(failed & set(self.selected)),
            "not begun": len(unmet),
            "held": len(held),
            "up to date": len(rest) - len(held),
            "pushed": len(session.pushed),
        }
        work = bool(built or failed or session.pushed)
        return report.summary(
            counts,
            engine="" if work else _engine_words(session),
            manifest=report.manifest_phrase(session.changed, name=MANIFEST),
            seconds=time.monotonic() - self.began if work else None,
        )


def _engine_words(session: Session) -> str:
    version = session.engine_version
    return f"Docker {version}" if version else ""


def _engine_line(session: Session) -> str:
    found = session.engine.info()
    return f"Docker {found.version} · API {found.api} · {found.store} · {found.builder} · {found.endpoint}"


def failure_lines(failure: Failure, width: int) -> tuple[str, ...]:
    """Return what is said of a failure, its subject in front in that many columns."""
    error = failure.error
    step, output = (error.step, error.output) if isinstance(error, BuildFailedError) else ("", ())
    return report.failure_lines(
        subject=failure.subject,
        width=width,
        step=report.failed_step(step),
        message=str(error),
        output=output,
        kept=failure.kept,
        hint=failure.hint,
        log=failure.log,
    )


def _with_dependencies(tasks: dict[str, Any], selected: Iterable[str]) -> set[str]:
    wanted: set[str] = set()
    todo = list(selected)
    while todo:
        name = todo.pop()
        if name not in wanted and name in tasks:
            wanted.add(name)
            todo.extend(tasks[name].task_dep)
    return wanted


def open_screen(session: Session, *, quiet: bool, lasting: bool = True) -> Screen:
    """Return the screen for standard output, as wide as its longest tag needs; without `lasting` nothing is left."""
    names = [*(spec.name for spec in session.graph.images), *session.graph.undeclared]
    width = report.name_width(session.repository, names)
    return Screen(
        stream=sys.stdout,
        live=sys.stdout.isatty() and not quiet and os.environ.get("TERM") != "dumb",
        width=width,
        repository=session.repository,
        quiet=quiet or not lasting,
    )
