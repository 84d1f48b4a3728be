"""One run: reads, observes and decides once, then builds what doit selects and says what came of it."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from attrs import define, evolve, field, frozen

from isol8_tasks import manifest
from isol8_tasks.build import Origin, Outcome, build_image, ensure_upstream, relabel_image
from isol8_tasks.config import Config
from isol8_tasks.engine import BuildEvent, FileContent, ImageEngine
from isol8_tasks.engine.endpoint import Endpoint, find
from isol8_tasks.engine.listing import list_directly
from isol8_tasks.errors import BuildFailedError, EngineError, Isol8Error, LockedError
from isol8_tasks.plan.dockerfile import Dockerfile, parse
from isol8_tasks.plan.graph import Graph, build_graph, check_args
from isol8_tasks.plan.labels import read
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.plan.observed import Observed, private_repository
from isol8_tasks.plan.staleness import Decision, decide_all
from isol8_tasks.runtimes import RUNTIMES
from isol8_tasks.workspace import Workspace, digests, engine_lock, now


class Listener(Protocol):
    """Hears of what happens while images build; its methods are called from several threads."""

    def building(self, image: str) -> None:
        """Hear that work on an image begins."""

    def event(self, image: str, event: BuildEvent) -> None:
        """Hear what a build has to tell."""

    def done(self, outcome: Outcome, seconds: float) -> None:
        """Hear that an image took its tag."""

    def failed(self, image: str) -> None:
        """Hear that an image could not be made."""

    def waiting(self, holder: str) -> None:
        """Hear that another run has to end first."""


@frozen(kw_only=True)
class Failure:
    """An image, or the engine, that something is wrong with."""

    subject: str
    """The image's full tag, or the task's name where it is no image's."""
    error: Isol8Error
    kept: str = ""
    """What is still in use in its place, for people; empty where there is nothing."""
    hint: str = ""
    log: str = ""
    """Where the whole output lies."""


@define(kw_only=True, eq=False, slots=False)
class Session:
    """Everything that the tasks of one run share. Made without work; each part is read when it is first asked for."""

    workspace: Workspace
    environ: Mapping[str, str]
    _engine: ImageEngine | None = field(default=None, alias="engine")
    """The connection to the engine, once something is asked that needs one."""
    listener: Listener | None = None
    request: FlagRequest = field(factory=FlagRequest)
    forced: set[str] = field(factory=set)
    """Names of the images to rebuild without cache."""
    wait: float = 600
    """Seconds to wait for another run on the same engine; -1: as long as it takes."""
    outcomes: list[Outcome] = field(factory=list, init=False)
    failures: list[Failure] = field(factory=list, init=False)
    changed: tuple[str, ...] | None = field(default=None, init=False)
    """Names that changed in the manifest; None while it was not looked at."""
    _observed: Observed | None = field(default=None, init=False)
    _version: str = field(default="", init=False)
    _unreachable: EngineError | None = field(default=None, init=False)
    """Why the engine could not be asked; it is not tried twice."""
    _graph: Graph | None = field(default=None, init=False)
    _decisions: Mapping[str, Decision] | None = field(default=None, init=False)
    _mutex: threading.RLock = field(factory=threading.RLock, init=False)
    _held: contextlib.ExitStack = field(factory=contextlib.ExitStack, init=False)
    _locked: bool = field(default=False, init=False)

    @cached_property
    def config(self) -> Config:
        """What deps.toml says."""
        return self.workspace.read_config()

    @cached_property
    def context(self) -> Mapping[str, FileContent]:
        """The files below docker/."""
        return self.workspace.read_context()

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """The Dockerfile, read and checked against the build arguments that are given."""
        text = self.context["Dockerfile"].data.decode("utf-8", "surrogateescape")
        dockerfile = parse(text)
        check_args(self.config, dockerfile, self.config.source)
        return dockerfile

    @cached_property
    def endpoint(self) -> Endpoint:
        """The engine in use."""
        return find(self.workspace.root, self.environ)

    @property
    def engine(self) -> ImageEngine:
        """A connection to the engine, not yet tried."""
        with self._mutex:
            if self._engine is None:
                # Here, since a run with nothing to do needs no Docker, whose import takes longer than all of it.
                from isol8_tasks.engine.daemon import DockerEngine  # noqa: PLC0415

                self._engine = DockerEngine(
                    self.endpoint, environ=self.environ, builder=self.config.build.builder
                )
            return self._engine

    @property
    def engine_version(self) -> str:
        """The engine's version, as it told with its last answer; empty when it was not asked."""
        return self._version or (self._engine.version() if self._engine else "")

    @property
    def repository(self) -> str:
        """What stands before the colon of every tag."""
        return self.config.build.repository

    @property
    def jobs(self) -> int:
        """How many images are built side by side; the bases of one Dockerfile count only where deps.toml says jobs."""
        return self.config.build.jobs or _processors()

    @property
    def workers(self) -> int:
        """How many threads of doit's it takes to keep that many builds going."""
        return self.jobs + len(RUNTIMES)

    @cached_property
    def _slots(self) -> threading.Semaphore:
        return threading.Semaphore(self.jobs)

    @property
    def observed(self) -> Observed:
        """What the engine holds: asked for once, and then kept in step with what this run does."""
        with self._mutex:
            if self._unreachable is not None:
                raise self._unreachable
            if self._observed is None:
                try:
                    self._observed = self._observe()
                except EngineError as error:
                    self._unreachable = error
                    raise
            return self._observed

    @property
    def graph(self) -> Graph:
        """The images that should exist; with no engine, those that deps.toml and the flags ask for."""
        with self._mutex:
            if self._graph is None:
                try:
                    observed = self.observed
                except EngineError:
                    observed = Observed(repository=self.repository)
                self._graph = self._make_graph(observed)
            return self._graph

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """What is the matter with each image, as things stand now."""
        with self._mutex:
            if self._decisions is None:
                self._decisions = decide_all(
                    self.graph, self.observed, checkout=self.workspace.checkout_id, forced=self.forced
                )
            return self._decisions

    def force(self, name: str) -> None:
        """Rebuild an image in this run, whatever state it is in."""
        with self._mutex:
            if name not in self.forced and not any(each.image == name for each in self.outcomes):
                self.forced.add(name)
                self._decisions = None

    def is_current(self, name: str) -> bool:
        """Tell whether nothing is to be done for an image; what can't be decided is not current."""
        try:
            return not self.decisions[name].pending
        except Isol8Error:
            return False

    def ping(self) -> None:
        """Return when the engine answers; raise EngineUnreachableError with the reason and the fix otherwise."""
        # Listing answers the question too, and a run asks for the list anyway.
        _ = self.observed

    def make(self, name: str) -> None:
        """Bring an image up to date, and remember what came of it; raises what went wrong."""
        log: list[str] = []
        spec = self.graph.image(name)
        try:
            self._lock()
            decision = self.decisions[name]
            if decision.problem:
                raise EngineError(decision.problem)
            if not decision.pending:
                return
            with self._slot(spec):
                self._make(name, decision, log)
        except Isol8Error as error:
            if self.listener:
                self.listener.failed(name)
            self.failures.append(self._failure(spec, error, log))
            raise

    def remove(self, name: str) -> bool:
        """Take an image away, with all the tags that we gave it; tell whether there was one."""
        self._lock()
        tags = [
            tag
            for image in self.observed.images
            if (record := read(image.labels)) is not None and record.image == name
            for tag in image.tags
            if tag.rpartition(":")[0] in {self.repository, private_repository(self.repository)}
        ]
        public = f"{self.repository}:{name}"
        if self.observed.public(name) is not None and public not in tags:
            tags.append(public)
        # The markers last: what is cut off here is seen as ours until the end.
        for tag in sorted(tags, key=lambda tag: tag.startswith(private_repository(self.repository))):
            self.engine.untag(tag)
        return bool(tags)

    def refresh(self) -> None:
        """Look at the engine again, and decide anew."""
        self._observed = self._observe()
        self._graph = self._make_graph(self._observed)
        self._decisions = None

    def resolve(self) -> None:
        """Write the manifest of what the engine holds now."""
        if self.outcomes:
            # Sizes and times of what was just built are the engine's to tell.
            self._observed = self._observe()
        self._sweep()
        text = manifest.render(self.observed)
        old = self.workspace.write_manifest(text)
        self.changed = () if old == text else manifest.changes(old, text)

    def cancel(self) -> None:
        """Break off every build under way."""
        if self._engine is not None:
            self._engine.cancel()

    def close(self) -> None:
        """Let go of the lock and the engine."""
        self._held.close()
        self._locked = False
        if self._engine is not None:
            self._engine.close()

    def _make(self, name: str, decision: Decision, log: list[str]) -> None:
        began = time.monotonic()
        if self.listener:
            self.listener.building(name)
        spec = self._with_upstream(name)

        def on_event(event: BuildEvent) -> None:
            log.append(event.line if event.kind == "log" else f"--- {event.kind} {event.step}")
            if self.listener:
                self.listener.event(name, event)

        if decision.relabel:
            outcome = relabel_image(spec, self.observed, self.engine)
        else:
            outcome = build_image(
                spec,
                self.observed,
                self.engine,
                origin=self._origin(),
                context=self.context,
                on_event=on_event,
                force=name in self.forced,
            )
        with self._mutex:
            self.outcomes.append(outcome)
            self.forced.discard(name)
            self._observed = self.observed.moved(outcome.image_id, outcome.labels, *outcome.tags)
            self._decisions = None
        if self.listener:
            self.listener.done(outcome, time.monotonic() - began)

    def _slot(self, spec: ImageSpec) -> contextlib.AbstractContextManager[object]:
        """Return what keeps the number of builds under way to what was asked for.

        Bases are built at the same time unless deps.toml says jobs: the builder then makes the stage that they
        share once, where it would make it again for each that comes later in a build without cache.
        """
        if spec.kind == "base" and self.config.build.jobs is None:
            return contextlib.nullcontext()
        return self._slots

    def _with_upstream(self, name: str) -> ImageSpec:
        """Pull what an image is built on where it is missing, and return the image as it then is specified."""
        with self._mutex:
            if ensure_upstream(self.graph.image(name), self.observed, self.engine):
                self.refresh()
            return self.graph.image(name)

    def _sweep(self) -> None:
        """Take away the candidates that a run which was cut off left behind; a run under way holds the lock."""
        if not self.observed.candidates:
            return
        with contextlib.suppress(LockedError):
            self._lock(wait=0)
            for tag in self.observed.candidates:
                self.engine.untag(tag)

    def _lock(self, *, wait: float | None = None) -> None:
        """Take the engine for this run, and look again, since another run may have just let go of it."""
        with self._mutex:
            if self._locked:
                return
            lock = engine_lock(
                self.engine.info().id,
                holder=str(self.workspace.root),
                wait=self.wait if wait is None else wait,
                on_wait=self.listener.waiting if self.listener else None,
            )
            self._held.enter_context(lock)
            self._locked = True
            self.refresh()

    def _observe(self) -> Observed:
        if self._engine is None and (listing := list_directly(self.endpoint.url)):
            self._version = listing.version
            return Observed(repository=self.repository, images=listing.images)
        return Observed(repository=self.repository, images=self.engine.images())

    def _make_graph(self, observed: Observed) -> Graph:
        request = evolve(self.request, today=now().date().isoformat())
        return build_graph(
            self.config, self.dockerfile, digests(self.context), observed, request, ignore=self._ignore()
        )

    def _ignore(self) -> str:
        """Return the text of the build context's ignore file, the Dockerfile's own before the general one."""
        for name in ("Dockerfile.dockerignore", ".dockerignore"):
            if name in self.context:
                return self.context[name].data.decode("utf-8", "surrogateescape")
        return ""

    def _origin(self) -> Origin:
        return Origin(
            checkout=self.workspace.checkout_id,
            revision=self.workspace.revision(),
            created=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def _failure(self, spec: ImageSpec, error: Isol8Error, log: list[str]) -> Failure:
        current = self.observed.public(spec.name)
        kept = ""
        if current is not None:
            packages = " ".join(manifest.packages_of(current))
            kept = f"built {manifest.built_on(current)}{', ' + packages if packages else ''}"
        return Failure(
            subject=f"{self.repository}:{spec.name}",
            error=error,
            kept=kept,
            hint=self._hint(spec) if isinstance(error, BuildFailedError) else "",
            log=self.workspace.write_log(spec.name, log) if log else "",
        )

    def _hint(self, spec: ImageSpec) -> str:
        """Say where to look when a build failed."""
        if spec.kind == "base":
            return "Look at docker/Dockerfile and [build] args in deps.toml."
        flags = {package for package, _ in spec.flags}
        declared = self.config.dependencies[spec.runtime]
        place = self.config.place(spec.runtime, declared[0]) if declared else None
        looks = [f"[dependencies] {spec.runtime} in {place}"] if place else []
        if flags:
            looks.append(f"the flag --{spec.runtime} ({', '.join(sorted(flags))}; --only-file drops it)")
        return f"Look at {' and '.join(looks)}."


def _processors() -> int:
    """Return the processors that this process may use, where the system tells."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_session(root: Path, environ: Mapping[str, str], *, engine: ImageEngine | None = None) -> Session:
    """Return a session for the checkout in `root`, on the engine that the environment leads to or a given one."""
    return Session(workspace=Workspace.here(root, environ), environ=environ, engine=engine)


def remembered_flags(session: Session) -> tuple[str, ...]:
    """Say of each package that a flag asked for, and deps.toml does not, where it comes from."""
    lines: list[str] = []
    for spec in session.graph.images:
        declared = session.config.dependencies[spec.runtime]
        # Not what this run asks for: that of a build that failed is not remembered.
        record = session.observed.last_record(spec.name)
        lines.extend(
            f"{package}: from --{spec.runtime} on {date}, not in {session.config.source}"
            for package, date in (record.flags if record else ())
            if package not in declared
        )
    return tuple(lines)


def image_names(graph: Graph) -> tuple[str, ...]:
    """Return the names of a graph's images in the order that people see: bases, then custom images."""
    order = {name: index for index, name in enumerate(RUNTIMES)}
    return tuple(
        spec.name
        for spec in sorted(graph.images, key=lambda spec: (spec.kind != "base", order[spec.runtime]))
    )
