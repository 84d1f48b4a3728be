"""One run: builds what doit selects, as the view of it decides, and says what came of it."""

import contextlib
import shutil
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field

from isol8_tasks.ecosystems.runtimes import RUNTIMES, ecosystem_of
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import BuildEvent
from isol8_tasks.errors import (
    EngineError,
    Isol8Error,
    LockedError,
    ReplacedError,
    UndecidedError,
)
from isol8_tasks.images import manifest
from isol8_tasks.images.candidates import abandoned
from isol8_tasks.images.holds import are_settled
from isol8_tasks.images.labels import STANDIN
from isol8_tasks.images.observed import private_repository
from isol8_tasks.images.pushed import Pushed, in_use, recorded, strays, waiting
from isol8_tasks.lifecycle.build import Outcome, build_image, relabel_image
from isol8_tasks.lifecycle.promotion import is_tag_of
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.description import Provenance
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.engine_lock import engine_lock
from isol8_tasks.run.events import Failure, Listener
from isol8_tasks.run.policy import Policy
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import Workspace, now, processors
from isol8_tasks.safety.crash import as_error
from isol8_tasks.verify.checker import Check, Checker

if TYPE_CHECKING:
    from isol8_tasks.run.view import Engine

_WIND_DOWN_SECONDS: Final = 10
_LOOK_SECONDS: Final = 0.05


@define(kw_only=True, eq=False, slots=False)
class Session:
    """Everything that the tasks of one run share: what is known, and what is done about it."""

    view: View
    _check: Check | None = field(default=None, alias="check")
    """What stands between build and promotion; None for our checks and those of deps.toml."""
    listener: Listener | None = None
    wait: float = 600
    """Seconds to wait for another run on the same engine; -1: as long as it takes."""
    policy: Policy = field(factory=Policy, init=False)
    """What `follow` was given."""
    _over: threading.Event = field(factory=threading.Event, init=False)
    outcomes: list[Outcome] = field(factory=list, init=False)
    seconds: dict[str, float] = field(factory=dict, init=False)
    """How long each image took that was built."""
    failures: list[Failure] = field(factory=list, init=False)
    changed: tuple[str, ...] | None = field(default=None, init=False)
    """Names that changed in the manifest; None while it was not looked at."""
    pushed: dict[str, tuple[str, Pushed]] = field(factory=dict, init=False)
    """By name the id of each image that this run found or brought to be in a registry, and where."""
    _at_work: set[str] = field(factory=set, init=False)
    """Names of the images that are being made."""
    _held: contextlib.ExitStack = field(factory=contextlib.ExitStack, init=False)
    _locked: bool = field(default=False, init=False)

    @property
    def jobs(self) -> int:
        """How many images are built side by side; the bases of one Dockerfile count only where deps.toml says jobs."""
        return self.view.config.build.jobs or processors()

    @property
    def workers(self) -> int:
        """How many threads of doit's it takes to keep that many builds going."""
        return self.jobs + len(RUNTIMES)

    @cached_property
    def checker(self) -> Checker:
        """What checks an image before it takes its tag."""
        return Checker(self.view.engine, self.view.config, lambda: self.view.observed)

    @cached_property
    def _slots(self) -> threading.Semaphore:
        return threading.Semaphore(self.jobs)

    def follow(self, policy: Policy) -> None:
        """Keep to a policy from now on; what is to be done is decided by it."""
        with self.view.mutex:
            self.policy = policy
            self.view.note_behind(policy.behind)

    def force(self, name: str) -> None:
        """Rebuild an image in this run, whatever state it is in."""
        with self.view.mutex:
            if not any(each.image == name for each in self.outcomes):
                self.view.force(name)

    def make(self, name: str) -> None:
        """Bring an image up to date, and remember what came of it; raises what went wrong."""
        log: list[str] = []
        spec = self.view.graph.image(name)
        try:
            self.lock()
            self._at_work.add(name)
            decision = self.view.decisions[name]
            if decision.state == "undetermined":
                raise UndecidedError(decision.problem)  # noqa: TRY301 - it is told as whatever else goes wrong
            if not decision.pending:
                return
            with self._slot(spec):
                self._in_time()
                try:
                    self._make(name, decision, log)
                except ReplacedError:
                    if not self._is_settled(name):
                        raise
        except Exception as caught:
            # Here, as a run in which nothing fails needs no remedy.
            from isol8_tasks.report.remedies import clearer  # noqa: PLC0415

            error = clearer(as_error(spec.task, caught), spec, self.view.dockerfile)
            if self.listener:
                self.listener.failed(name)
            self.failures.append(self._failure(spec, error, log))
            raise error from caught
        finally:
            self._at_work.discard(name)

    def failed(self, subject: str, error: Isol8Error, *, image: str = "") -> None:
        """Remember what went wrong with an image, or with something else."""
        subject = f"{self.view.repository}:{image}" if image else subject
        self.failures.append(Failure(subject=subject, error=error, image=image))

    def remove(self, name: str) -> bool:
        """Take an image away, with all the tags that we gave it; tell whether there was one."""
        self.lock()
        tags = self.tags_of(name)
        # The markers last: what is cut off here is seen as ours until the end.
        for tag in sorted(tags, key=lambda tag: tag.startswith(private_repository(self.view.repository))):
            self.view.engine.untag(tag)
        return bool(tags)

    def tags_of(self, name: str) -> list[str]:
        """Return all tags of an image: those that we gave it, and the public one whoever gave it."""
        tags = [
            tag
            for image in self.view.observed.images
            for tag in image.tags
            if is_tag_of(tag, name, self.view.repository)
            and (
                ((record := self.view.observed.read(image)) is not None and record.image == name)
                or tag in self.view.observed.unreadable
            )
        ]
        public = f"{self.view.repository}:{name}"
        if self.view.observed.public(name) is not None and public not in tags:
            tags.append(public)
        return tags

    def resolve(self) -> None:
        """Write the manifest of what the engine holds now, and push what is in use and not in the registry yet.

        RegistryError says that it could not be pushed.
        """
        if self.outcomes:
            # Sizes and times of what was just built are the engine's to tell.
            self.view.look()
        self._sweep()
        self.write_manifest()
        if self.view.config.push.repository:
            self._push()

    def end(self) -> None:
        """Do what `resolve` does after a run in which something may have failed; so may this."""
        try:
            self.resolve()
        except Exception as error:  # noqa: BLE001 - what became of the images is told in any case
            self.failed("resolve", as_error("resolve", error))

    def write_manifest(self) -> None:
        """Write the manifest of what the engine held when it was looked at last."""
        held = self.view.holds
        state = manifest.state(self.view.observed, held)
        if not self.pushed and self.view.workspace.manifest_shows(state):
            self.changed = self.changed or ()
            return
        text = manifest.render(self.view.observed, held, self.in_registry)
        old = self.view.workspace.write_manifest(text, state)
        new = () if old == text else manifest.changes(old, text)
        self.changed = tuple(dict.fromkeys((*(self.changed or ()), *new)))

    @property
    def in_registry(self) -> Mapping[str, tuple[str, Pushed]]:
        """Which images, by their ids, are known to be in a registry: by the manifest, and by what this run did."""
        return {**recorded(self.view.workspace.read_manifest()), **self.pushed}

    def expire(self) -> None:
        """Let the time that was given be over: what is under way is aborted, and nothing more begun."""
        self._over.set()
        self.view.cancel()

    def wind_down(self) -> None:
        """Wait until what was aborted has removed its containers and private tags; not for long."""
        end = time.monotonic() + _WIND_DOWN_SECONDS
        while self._at_work and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Release the lock, and close the connections to the engine."""
        self._held.close()
        self._locked = False
        self.view.close()

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
            outcome = relabel_image(spec, self.view.observed, self.view.engine)
        else:
            outcome = build_image(
                spec,
                self.view.observed,
                self.view.engine,
                provenance=self._provenance(),
                context=self.view.context,
                on_event=on_event,
                force=self.policy.no_cache or name in self.view.forced,
                resolution=self._resolution(spec),
                check=self._accept,
            )
        with self.view.mutex:
            self.outcomes.append(outcome)
            self.seconds[name] = time.monotonic() - began
            self.view.made(outcome)
        if self.listener:
            self.listener.done(outcome, self.seconds[name])

    def _resolution(self, spec: ImageSpec) -> Resolution | None:
        if self.policy.pin:
            return self.policy.pin(spec)
        settings = self.view.config.refresh
        if not settings.limits_every_build:
            return None
        from isol8_tasks.freshness.news import aged_resolution  # noqa: PLC0415 - for who has a limit

        return aged_resolution(spec, self.view.observed, self.view.engine, settings=settings, now=now())

    @property
    def any_age(self) -> tuple[str, ...]:
        """Names of the images built in this run of which nobody can say that all in them has been out for min_age."""
        if self.policy.pin or not self.view.config.refresh.limits_every_build:
            return ()
        built = {outcome.image for outcome in self.outcomes if outcome.result == "built"}
        return tuple(
            spec.name
            for spec in self.view.graph.images
            if spec.name in built
            and (
                spec.parent is None
                or spec.inputs.setup
                or (spec.inputs.packages and not ecosystem_of(spec.runtime).is_dated)
            )
        )

    def _is_settled(self, name: str) -> bool:
        """Look at what another run made of an image in the meantime; tell whether that is what this one wanted."""
        with self.view.mutex:
            self.view.look_again()
            settled = self.view.is_current(name)
        if settled and self.listener:
            self.listener.settled(name)
        return settled

    def _accept(self, spec: ImageSpec, image_id: str) -> str:
        inventory = (self._check or self.checker)(spec, image_id)
        if self.policy.demand:
            self.policy.demand(spec, inventory)
        return inventory

    def _push(self) -> None:
        """Push what is in use and, by the manifest, not in the registry of deps.toml."""
        settings = self.view.config.push
        names = waiting(self.view.observed, self.in_registry, settings.repository, standins=settings.standins)
        if not names:
            return
        self.lock()
        try:
            for name in names:
                self.push(name)
        finally:
            self.write_manifest()

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the images that are not pushed, as they are based on a stand-in and deps.toml does not say so."""
        settings = self.view.config.push
        if not settings.repository or settings.standins:
            return ()
        pushed = in_use(self.view.observed, standins=False)
        return tuple(name for name in in_use(self.view.observed, standins=True) if name not in pushed)

    def push(self, name: str, *, known: Pushed | None = None) -> bool:
        """Bring an image into the registry, and remember where it is; tell whether it was not there."""
        from isol8_tasks.lifecycle.transfer import (  # noqa: PLC0415 - for who has a registry
            Push,
            push,
            refuse_credentials,
            refuse_other_layers,
        )

        began = time.monotonic()
        work = Push.of(name, self.view.observed, self.view.config.push.repository)
        refuse_other_layers(work, self.view.engine)
        if not self.view.config.push.credentials:
            refuse_credentials(work, self.view.engine, self.view.config.build.args, self.view.redactor)
        where, new = push(work, self.view.engine, known)
        self.pushed[name] = (work.image.id, where)
        if self.listener and new:
            self.listener.pushed(name, where, time.monotonic() - began)
        return new

    def _in_time(self) -> None:
        if self._over.is_set():
            raise Isol8Error("skipped: --timeout expired")

    def _slot(self, spec: ImageSpec) -> contextlib.AbstractContextManager[object]:
        """Return what keeps the number of builds under way to what was asked for.

        Bases are built at the same time unless deps.toml says jobs: the builder then makes the stage that they
        share once, where it would make it again for each that comes later in a build without cache.
        """
        if spec.kind == "base" and self.view.config.build.jobs is None:
            return contextlib.nullcontext()
        return self._slots

    def _with_upstream(self, name: str) -> ImageSpec:
        """Pull what an image is built on where it is missing, and return the image as it then is specified."""
        with self.view.mutex:
            unknown = True
            while unknown:
                if self.policy.fetch(self.view.graph.image(name), self.view.observed, self.view.engine):
                    self.view.look_again()
                # ONBUILD triggers of an upstream image can ask for another one.
                unknown = self.view.learn(name)
            return self.view.graph.image(name)

    def _sweep(self) -> None:
        """Take away or finish what a run that was cut off left behind."""
        longest = self.view.config.hold.max_age
        strayed = strays(self.view.observed, self.view.config.push.repository)
        cut_off = abandoned(self.view.observed, now())
        if not strayed and not cut_off and are_settled(self.view.observed, now(), longest):
            return
        from isol8_tasks.lifecycle.rollback import mend  # noqa: PLC0415 - few runs find anything of the kind

        with contextlib.suppress(LockedError):
            self.lock(wait=0)
            for tag in abandoned(self.view.observed, now()):
                self.view.engine.untag(tag)
            if mend(self.view.observed, self.view.engine, now=now(), longest=longest):
                self.view.look()

    def lock(self, *, wait: float | None = None) -> None:
        """Take the engine for this run, and look again, since another run may have just released it."""
        with self.view.mutex:
            if self._locked:
                return
            lock = engine_lock(
                self.view.engine.info().id,
                holder=str(self.view.workspace.root),
                since=now().isoformat("T", "seconds"),
                wait=self.wait if wait is None else wait,
                on_wait=self.listener.waiting if self.listener else None,
            )
            self._held.enter_context(lock)
            self._locked = True
            self.view.engine.sweep()
            self.view.look_again()
            if strayed := strays(self.view.observed, self.view.config.push.repository):
                # Before anything takes the place of these images: clients would go on to find them by such a tag.
                for tag in strayed:
                    self.view.engine.untag(tag)
                self.view.look_again()

    def _provenance(self) -> Provenance:
        return Provenance(
            checkout=self.view.workspace.checkout_id,
            revision=self.view.workspace.revision(),
            created=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def _failure(self, spec: ImageSpec, error: Isol8Error, log: list[str]) -> Failure:
        from isol8_tasks.report.remedies import hint, shortened  # noqa: PLC0415 - as above

        current = self.view.observed.public(spec.name)
        kept = ""
        if current is not None:
            packages = " ".join(manifest.packages_of(current))
            kept = f"built {manifest.built_on(current)}{f' ({packages})' if packages else ''}"
        return Failure(
            subject=f"{self.view.repository}:{spec.name}",
            error=shortened(error),
            image=spec.name,
            kept=kept,
            hint=hint(error, spec, self.view.config, standin=self._is_on_standin(spec), room=self._room()),
            log=self.view.workspace.write_log(spec.name, [*map(self.view.redactor, log)]) if log else "",
        )

    def _is_on_standin(self, spec: ImageSpec) -> bool:
        base = self.view.observed.record(spec.parent or spec.name)
        upstream = self.view.observed.tagged(spec.upstream) if spec.upstream else None
        return bool((base and base.standin) or (upstream and upstream.labels.get(STANDIN)))

    def _room(self) -> str:
        """Say how full the disk of an engine on this machine is."""
        from isol8_tasks.troubles import fullness  # noqa: PLC0415 - as above

        with contextlib.suppress(EngineError, OSError):
            space = shutil.disk_usage(self.view.engine.info().root)
            return fullness(space.free, space.total)
        return ""


def open_session(
    root: Path, environ: Mapping[str, str], *, engine: "Engine | None" = None, check: Check | None = None
) -> Session:
    """Return a session for the checkout in `root`, on the engine that the environment leads to or a given one."""
    view = View(workspace=Workspace.here(root, environ), environ=environ, engine=engine)
    return Session(view=view, check=check)
