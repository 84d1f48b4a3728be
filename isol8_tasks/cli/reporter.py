"""What the terminal shows while images build: one line an image, the reason before the work, figures at the end."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from isol8_tasks.cli.screen import Row, Screen, has_colour
from isol8_tasks.errors import COMMAND, BuildFailedError, InternalError, Isol8Error
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.model import task_of
from isol8_tasks.report import plan as report
from isol8_tasks.run.events import Failure, not_pushed, only_read, remembered_flags
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import MANIFEST
from isol8_tasks.safety.crash import as_error


class Reporter:
    """What doit tells of a run, as our lines: its own dots and dashes are not shown."""

    desc: Final = "one line an image"

    def __init__(self, session: Session, screen: Screen) -> None:
        self.session = session
        self.view = session.view
        self.screen = screen
        self.selected: list[str] = []
        """Names of the images that this run is about."""
        self.unmet: list[str] = []
        """Tasks that were not begun, since one that they need failed."""
        self.began = time.monotonic()

    def initialize(self, tasks: dict[str, Any], selected_tasks: Iterable[str]) -> None:
        """Print what is stale among the selected, and why, before the work on it begins."""
        wanted = _with_dependencies(tasks, selected_tasks)
        try:
            decisions = self.view.decisions
        except Isol8Error:
            return  # the ping says so
        names = {spec.task: spec.name for spec in self.view.graph.images}
        for name in wanted:
            if (tasks[name].options or {}).get("force"):
                for each in tasks[name].task_dep if tasks[name].has_subtask else [name]:
                    # What setup forces it has told the session itself.
                    if each in names:
                        self.session.force(names[each])
        decisions = self.view.decisions
        self.selected = [names[task] for task in names if task in wanted]
        self.screen.awaited = sum(decisions[name].pending for name in self.selected)
        if not self.screen.quiet:
            shown = [
                decisions[name] for name in self.selected if decisions[name].pending or decisions[name].held
            ]
            states = max([10, *(len(each.state) for each in shown)])
            self.screen.rows(self._decision(each, states) for each in shown)

    def _decision(self, decision: Decision, states: int) -> Row:
        config = self.view.config
        data = {
            "image": self.view.public_tag(decision.image),
            "state": decision.state,
            "reasons": list(report.reasons_in_words(decision, config)),
        }
        text = report.decision_line(decision, config, width=self.screen.width, states=states)
        return Row(text, "plan", data, decision.state.replace("-", " "))

    def add_failure(self, task: Any, fail: Any) -> None:  # noqa: ANN401 - doit's own values
        """Remember what was not begun, and what is wrong with a task itself."""
        if type(fail).__name__ == "UnmetDependency":
            self.unmet.append(task.name)
        elif fail.report:
            self._failed(task.name, fail.message)

    def runtime_error(self, message: str) -> None:
        """Remember what doit found wrong with the graph."""
        self._failed("doit", message)

    def cleanup_error(self, error: Any) -> None:  # noqa: ANN401 - doit's own value
        """Remember what went wrong in a teardown."""
        self._failed("doit", error.message)

    def _failed(self, subject: str, message: str) -> None:
        # What a traceback would say is not here: tasks of ours tell of themselves.
        self.session.failed(subject, InternalError(message))

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
        print_failures(self.session, self.screen)
        if self.session.is_refused or (self.session.failures and self.session.failures[0].subject == "ping"):
            return
        if not self.screen.quiet and self.selected:
            self._notes()
        if not self.selected and not self.session.failures:
            # Only the ping was asked for.
            self.screen.line(_engine_line(self.view))
        elif (
            not self.screen.quiet
            or self.session.outcomes
            or self.session.publication.pushed
            or (self.session.platforms and self.session.platforms.is_changed)
            or self.session.failures
        ):
            self.screen.row(self._summary())

    def decided(self, name: str) -> str:
        """Return the state of an image; nothing where the engine could not be asked."""
        try:
            return self.view.decisions[name].state
        except Isol8Error:
            return ""

    def _notes(self) -> None:
        repository = self.view.config.registry.repository
        asked = report.registry_warnings(*self.view.registry_problems, repository)
        for warning in (*self.view.graph.warnings, *asked):
            self.screen.line(f"warning: {warning}")
        for line in remembered_flags(self.view.graph, self.view.observed, self.view.config):
            self.screen.line(line)
        for line in not_pushed(self.session.publication.left_out):
            self.screen.line(line)
        if unpushed := self.session.publication.unpushed:
            for line in only_read(unpushed, repository, has_login=self.view.engine.has_login(repository)):
                self.screen.line(line)
        if self.session.outcomes:
            for line in _unheeded(self.view):
                self.screen.line(line)
        if names := self.session.any_age:
            self.screen.line(report.any_age_line(self.view.public_tag(name) for name in names))
        self.screen.rows(map(self._undeclared, self.view.graph.undeclared))

    def _undeclared(self, name: str) -> Row:
        tag = self.view.public_tag(name)
        why = (
            "no longer declared, but clients still prefer it; "
            f"remove it with: {COMMAND} clean {task_of(name)}"
        )
        data = {"image": tag, "state": "undeclared", "reasons": [why]}
        return Row(f"{tag.ljust(self.screen.width)}  undeclared  {why}", "plan", data, "undeclared")

    def _summary(self) -> Row:
        session = self.session
        failed = {failure.image for failure in session.failures}
        built = [outcome.image for outcome in session.outcomes]
        unmet = {spec.name for spec in self.view.graph.images if spec.task in self.unmet}
        done = {*failed, *built, *unmet}
        rest = [name for name in self.selected if name not in done]
        held = [name for name in rest if self.decided(name) == "held"]
        counts = {
            "built": sum(outcome.result == "built" for outcome in session.outcomes),
            "promoted": sum(outcome.result == "promoted" for outcome in session.outcomes),
            report.SAME: sum(outcome.result == "same" for outcome in session.outcomes),
            "pulled": sum(outcome.result == "pulled" for outcome in session.outcomes),
            "relabelled": sum(outcome.result == "relabelled" for outcome in session.outcomes),
            "failed": len(failed & set(self.selected)),
            "skipped": len(unmet),
            "held": len(held),
            "up to date": len(rest) - len(held),
            "pushed": len(session.publication.pushed),
            **(session.platforms.counts() if session.platforms else {}),
        }
        others = session.platforms is not None and session.platforms.is_changed
        work = bool(built or failed or session.publication.pushed or others)
        seconds = time.monotonic() - self.began
        text = report.run_summary(
            counts,
            engine="" if work else _engine_words(self.view),
            manifest=report.manifest_phrase(session.publication.changed, name=MANIFEST),
            seconds=seconds if work else None,
        )
        changed = list(session.publication.changed or ())
        return Row(text, "summary", {"images": counts, "changed": changed, "seconds": round(seconds, 1)})


class Guarded:
    """A reporter whose own faults are failures of the run, and end nothing: doit would leave its threads behind."""

    def __init__(self, reporter: Reporter, failures: list[Failure]) -> None:
        self._reporter = reporter
        self._failures = failures

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._reporter, name)

        def guarded(*arguments: Any) -> None:  # noqa: ANN401 - doit's own values
            try:
                method(*arguments)
            except Exception as error:  # noqa: BLE001 - as the class says
                self._failures.append(Failure(subject="report", error=as_error("report", error)))

        return guarded


def _engine_words(view: View) -> str:
    version = view.engine_version
    return f"{view.engine_product} {version}" if version else ""


def _engine_line(view: View) -> str:
    found = view.engine.info()
    product = view.engine_product
    return f"{product} {found.version} · API {found.api} · {found.store} · {found.builder} · {found.endpoint}"


def _unheeded(view: View) -> Iterator[str]:
    """Say of docker's variables that have no effect here what to write instead."""
    builder = view.environ.get("BUILDX_BUILDER")
    if builder and builder != (view.buildx or view.config.build.buildx):
        yield (
            f"BUILDX_BUILDER={builder} has no effect; name a builder by --builder={builder}, or by buildx = "
            f'"{builder}" under [build] in deps.toml'
        )
    platform = view.environ.get("DOCKER_DEFAULT_PLATFORM")
    if platform and platform != (wanted := view.engine.platform()):
        whose = "" if view.config.build.platform else "the engine's platform, "
        yield f"DOCKER_DEFAULT_PLATFORM={platform} has no effect; images are built for {whose}{wanted}"


def print_failures(session: Session, screen: Screen) -> None:
    """Print what is said of each failure of a run."""
    for failure in session.failures:
        words = words_of_failure(failure)
        text = "\n".join(report.failure_lines(failure.subject, words, screen.width))
        screen.row(Row(text, "failed", {"subject": failure.subject, "lines": list(words)}))


def words_of_failure(failure: Failure) -> tuple[str, ...]:
    """Return what is said of a failure, a line each, behind its subject."""
    # Here, as in most runs nothing fails.
    from isol8_tasks.report.remedies import with_cause_only  # noqa: PLC0415

    error = with_cause_only(failure.error)
    step, output = (error.step, error.output) if isinstance(error, BuildFailedError) else ("", ())
    return report.failure_words(
        subject=failure.subject,
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


def open_screen(  # noqa: PLR0913 - all but two are named by the caller
    view: View,
    images: Iterable[str] | None = None,
    *,
    quiet: bool,
    verbose: bool = False,
    progress: str = "auto",
    lasting: bool = True,
) -> Screen:
    """Return the screen for standard output, as wide as the longest tag of the images needs; they are all by default.

    Without `lasting` nothing is left of what is done.

    `progress`: `plain` has no live lines, `json` a line of JSON for each event; `auto` has live lines on a terminal
    that is not a CI's.
    """
    if images is None:
        images = [*(spec.name for spec in view.graph.images), *view.graph.undeclared]
    return new_screen(
        view.repository,
        report.name_width(view.repository, images),
        quiet=quiet or (not lasting and progress != "json"),
        verbose=verbose,
        progress=progress,
    )


def new_screen(repository: str, width: int, *, quiet: bool, verbose: bool, progress: str) -> Screen:
    """Return the screen for standard output that `open_screen` gives, with that many columns for a subject."""
    kind = Screen
    if progress == "json":
        from isol8_tasks.cli.events import JsonScreen  # noqa: PLC0415 - for other programs

        kind = JsonScreen
    terminal = progress == "auto" and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return kind(
        stream=sys.stdout,
        live=terminal and not quiet and not os.environ.get("CI"),
        width=width,
        repository=repository,
        quiet=quiet,
        verbose=verbose,
        colour=progress != "json" and has_colour(),
    )
