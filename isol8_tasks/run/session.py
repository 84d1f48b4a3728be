"""One run: builds what doit selects, as the view of it decides, and says what came of it."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field

from isol8_tasks.errors import Isol8Error, LockedError, RegistryError, ReplacedError, UndecidedError
from isol8_tasks.run import leftovers
from isol8_tasks.run.engine_lock import engine_lock
from isol8_tasks.run.events import Failure, Listener
from isol8_tasks.run.parallel import Slots
from isol8_tasks.run.policy import Policy
from isol8_tasks.run.publication import Publication
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import Workspace, now
from isol8_tasks.safety.crash import as_error

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.updates import PackageNews
    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.images.pushed import Pushed
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.plan.decision import Decision
    from isol8_tasks.plan.model import ImageSpec
    from isol8_tasks.run.access import WholeEngine
    from isol8_tasks.run.platforms import OtherPlatforms
    from isol8_tasks.verify.verifications import Verifications, Verify

_WIND_DOWN_SECONDS: Final = 10
_LOOK_SECONDS: Final = 0.05
_OTHERS: Final = "other platforms"
"""What is waited for like an image."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class Session:
    """Everything that the tasks of one run share: what is known, and what is done about it."""

    view: View
    _verify: "Verify | None" = field(default=None, alias="verify")
    """What stands between build and promotion; None for our checks and those of deps.toml."""
    listener: Listener | None = None
    wait: float = 600
    """Seconds to wait for another run on the same engine; -1: as long as it takes."""
    has_to_push: bool = field(default=False, init=False)
    """It fails where the registry does not let it push, as a nightly job does; others then only read."""
    policy: Policy = field(factory=Policy, init=False)
    """What `follow` was given."""
    _over: threading.Event = field(factory=threading.Event, init=False)
    _is_aborted: bool = field(default=False, init=False)
    outcomes: list["Outcome"] = field(factory=list, init=False)
    seconds: dict[str, float] = field(factory=dict, init=False)
    """How long each image took that was built."""
    failures: list[Failure] = field(factory=list, init=False)
    publication: Publication = field(init=False)
    """The manifest, and what is pushed."""
    slots: Slots = field(init=False)
    """How many images are made at one time."""
    _contested: set[str] = field(factory=set, init=False)
    """Names of the images built in this run that another machine may have built as well, from the same inputs."""
    _at_work: set[str] = field(factory=set, init=False)
    """Names of the images that are being made."""
    _held: contextlib.ExitStack = field(factory=contextlib.ExitStack, init=False)
    _locked: bool = field(default=False, init=False)
    _refused: LockedError | None = field(default=None, init=False)
    """Who kept the engine for longer than this run waits; it is not tried twice."""
    platforms: "OtherPlatforms | None" = field(default=None, init=False)
    """What was done for other platforms than the engine's own."""
    ask_sources: "Callable[[View, ImageSpec], PackageNews] | None" = field(default=None, init=False)
    """Asks what is newer of an image for another platform, in a run that brings what is newer."""
    brings_others: bool = field(default=True, init=False)
    """Let images for other platforms be brought up to date in the registry."""
    on_wait: Callable[[str], None] | None = field(default=None, init=False)
    """Hears for whom the run waits, where nobody listens to it."""

    @publication.default
    def _publication(self) -> Publication:
        return Publication(self.view)

    @slots.default
    def _slots(self) -> Slots:
        return Slots(self.view)

    @cached_property
    def verifications(self) -> "Verifications":
        """What checks an image before it takes its tag."""
        # Here and below, as a run with nothing to do makes nothing, and nothing fails in it.
        from isol8_tasks.verify.verifications import Verifications  # noqa: PLC0415

        return Verifications(self.view.engine, self.view.config, lambda: self.view.observed)

    @property
    def checks(self) -> "Verify":
        """What stands between build and promotion."""
        return self._verify or self.verifications

    def checks_of(self, view: View) -> "Verify":
        """Return what checks the images of another view than the session's."""
        from isol8_tasks.verify.verifications import Verifications  # noqa: PLC0415 - as above

        return self._verify or Verifications(view.engine, view.config, lambda: view.observed)

    def follow(self, policy: Policy) -> None:
        """Keep to a policy from now on; what is to be done is decided by it."""
        with self.view.mutex:
            self.policy = policy
            self.view.takes_candidates = not (policy.pin or policy.no_cache)
            self.view.note_behind(policy.behind)

    def force(self, name: str) -> None:
        """Rebuild an image in this run, whatever state it is in."""
        with self.view.mutex:
            if not any(each.image == name for each in self.outcomes):
                self.view.force(name)

    def make(self, name: str, *, builds: bool = True) -> None:
        """Bring an image up to date, and remember what came of it; raises what went wrong.

        What can't be pulled is built instead, unless it `builds` nothing.
        """
        log: list[str] = []
        spec, began = self.view.graph.image(name), time.monotonic()
        try:
            self.lock()
            self._at_work.add(name)
            decision = self.view.decisions[name]
            if decision.state == "undetermined":
                raise UndecidedError(decision.problem)  # noqa: TRY301 - it is told as whatever else goes wrong
            if not decision.pending:
                return
            with self.slots.slot(spec):
                self.in_time()
                try:
                    self._carry_out(name, decision, log, builds=builds)
                except ReplacedError:
                    if not self._is_settled(name):
                        raise
        except LockedError as refused:
            self._note_refusal(refused)
            raise
        except Exception as caught:
            from isol8_tasks.run.failures import error_of, failure_of  # noqa: PLC0415 - as above

            error = error_of(spec, caught, self.view)
            if not self._is_aborted:
                if self.listener:
                    self.listener.failed(name, error)
                self._fail(failure_of(spec, error, log, self.view), time.monotonic() - began)
            raise error from caught
        finally:
            self._at_work.discard(name)

    def _note_refusal(self, error: LockedError) -> None:
        """Remember once, as a failure of the run, that another one keeps the engine."""
        with self.view.mutex:
            if not any(each.error is error for each in self.failures):
                self.failed("engine", error)

    @property
    def is_aborted(self) -> bool:
        """Tell whether nothing may begin any more."""
        return self._is_aborted

    @property
    def is_refused(self) -> bool:
        """Tell whether nothing could be done, as another run keeps the engine."""
        return self._refused is not None

    def failed(self, subject: str, error: Isol8Error, *, image: str = "") -> None:
        """Remember what went wrong with an image, or with something else; nothing once the run was aborted."""
        if self._is_aborted:
            return
        subject = self.view.public_tag(image) if image else subject
        self._fail(Failure(subject=subject, error=error, image=image))

    def _fail(self, failure: Failure, seconds: float = 0) -> None:
        self.failures.append(failure)
        self.publication.add_failure(failure, seconds)

    def remove(self, name: str) -> bool:
        """Take an image away, with all the tags that we gave it; tell whether there was one."""
        from isol8_tasks.lifecycle.prune import remove_image  # noqa: PLC0415 - most runs remove nothing

        self.lock()
        return remove_image(name, self.view.observed, self.view.engine)

    def resolve(self, others: Collection[str] | None = ()) -> None:
        """Write the manifest of what the engine holds now, and push what is in use and not in the registry yet.

        Of the images of these names, None for all, those for other platforms are brought up to date there.
        RegistryError says that it could not be pushed.
        """
        if self.outcomes:
            # Sizes and times of what was just built are the engine's to tell.
            self.view.look()
        if leftovers.are_there(self.view):
            with contextlib.suppress(LockedError):
                self.lock(wait=0)
                leftovers.finish(self.view)
        self.publication.write_manifest()
        self._push()
        self.bring_platforms(others)

    def bring_platforms(self, names: Collection[str] | None) -> None:
        """Bring the images of these names, None for all, up to date for other platforms, and write their indexes.

        What goes wrong with one of them is among the failures.
        """
        settings = self.view.config.registry
        changed = self.publication.pushed or self.publication.pulled
        if len(self.view.config.build.platforms) <= 1 or not (settings.repository and settings.push):
            return
        if self.brings_others and not self.publication.unpushed and (names is None or names or changed):
            from isol8_tasks.run.platforms import OtherPlatforms  # noqa: PLC0415 - few files name several

            self.platforms = OtherPlatforms(self)
            self._at_work.add(_OTHERS)
            try:
                self.platforms.bring(names)
            finally:
                self._at_work.discard(_OTHERS)

    def end(self, others: Collection[str] | None = ()) -> None:
        """Do what `resolve` does after a run in which something may have failed; so may this."""
        try:
            self.resolve(others)
        except Exception as error:  # noqa: BLE001 - what became of the images is told in any case
            self.failed("resolve", as_error("resolve", error))

    def expire(self) -> None:
        """Let the time that was given be over: what is under way is aborted, and nothing more begun."""
        self._over.set()
        self.view.cancel()

    def abort(self) -> None:
        """Abort what is under way, and let nothing begin any more."""
        self._is_aborted = True
        self.view.cancel(for_good=True)

    def wind_down(self) -> None:
        """Wait until what was aborted has removed its containers and private tags; not for long."""
        end = time.monotonic() + _WIND_DOWN_SECONDS
        while self._at_work and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Release the lock, and close the connections to the engine."""
        self._held.close()
        self._locked = False
        self.publication.close()
        self.view.close()

    def _carry_out(self, name: str, decision: "Decision", log: list[str], *, builds: bool) -> None:
        """Do what was decided, and what follows from it."""
        try:
            self._make(name, decision, log)
        except RegistryError as error:
            if decision.state != "in-registry" or self._is_aborted:
                raise
            after = self.view.refuse(decision, str(error).partition("\n")[0])
            if not builds and after.state != "in-registry":
                return
        else:
            after = self.view.decisions[name]
            if decision.state != "in-registry" or not after.relabel:
                return
        self._carry_out(name, after, log, builds=builds)

    def _make(self, name: str, decision: "Decision", log: list[str]) -> None:
        from isol8_tasks.run.updating import acceptance, make_image, pull_instead  # noqa: PLC0415 - as above

        began, before, pulled = time.monotonic(), self.view.observed, 0
        if self.listener:
            self.listener.building(name)

        def on_event(event: "BuildEvent") -> None:
            if self._verify is None:
                # Nothing else is to be done here while the engine builds.
                self.verifications.prepare()
            nonlocal pulled
            if decision.state == "in-registry":
                pulled = max(pulled, event.transfer[0])
            log.append(event.line if event.kind == "log" else f"--- {event.kind} {event.step}")
            if self.listener:
                self.listener.event(name, event)

        if decision.state == "in-registry":
            checked = acceptance(name, self.view, self.checks)
            outcome, where = pull_instead(decision, self.view, checked, on_event)
            self.publication.got(outcome, where, before)
        else:
            outcome = make_image(decision, self.view, self.policy, self.checks, on_event)
            if outcome.result == "same":
                self.publication.keep(outcome, before)
            elif outcome.result in {"built", "promoted"} and name not in {
                *self.view.forced,
                *self.view.behind,
            }:
                self._contested.add(name)
        with self.view.mutex:
            self.outcomes.append(outcome)
            self.seconds[name] = time.monotonic() - began
            self.view.made(outcome)
        self.publication.add(outcome, decision, before, self.seconds[name], pulled)
        if self.listener:
            self.listener.done(outcome, self.seconds[name])

    @property
    def any_age(self) -> tuple[str, ...]:
        """Names of the images built in this run of which nobody can say that all in them has been out for min_age."""
        built = {outcome.image for outcome in self.outcomes if outcome.result == "built"}
        if not built:
            return ()
        from isol8_tasks.run.updating import any_age  # noqa: PLC0415 - as above

        return any_age(built, self.view, self.policy)

    def _is_settled(self, name: str) -> bool:
        """Look at what another run made of an image in the meantime; tell whether that is what this one wanted."""
        with self.view.mutex:
            self.view.look_again()
            settled = self.view.is_current(name)
        if settled and self.listener:
            self.listener.settled(name)
        return settled

    def _push(self) -> None:
        """Push what is in use and, by the manifest, not in the registry of deps.toml."""
        if not self.publication.waiting:
            return
        from isol8_tasks.run.pushing import Pushing  # noqa: PLC0415 - for who has a registry

        self.lock()
        pushing = Pushing(
            view=self.view,
            publication=self.publication,
            contested=self._contested,
            has_to_push=self.has_to_push,
            push=self.push,
            pull=self._pull_instead,
        )
        pushing.push_all()

    def _pull_instead(self, decision: "Decision") -> None:
        self.outcomes = [each for each in self.outcomes if each.image != decision.image]
        self._make(decision.image, decision, [])

    def push(
        self,
        name: str,
        *,
        known: "Pushed | None" = None,
        overtaken: Callable[[], bool] = lambda: False,
        takes_name: bool = False,
    ) -> tuple[str, ...]:
        """Bring an image into the registry; return the tags that were written there."""
        began = time.monotonic()

        def on_event(event: "BuildEvent") -> None:
            if self.listener:
                self.listener.event(name, event)

        written = self.publication.push(name, known, overtaken, on_event, takes_name=takes_name)
        if self.listener and written and (takes_name or name in self.publication.pushed):
            _, where = self.publication.pushed.get(name) or self.publication.pulled[name]
            # Only who asks for a push wants to know of all of them.
            tags = written if takes_name else (where.tag if where.tag in written else name,)
            self.listener.pushed(name, where, tags, time.monotonic() - began)
        return written

    def in_time(self) -> None:
        """Raise an error once the time is over that was given."""
        if self._over.is_set():
            raise Isol8Error("skipped: --timeout expired")

    def lock(self, *, wait: float | None = None) -> None:
        """Take the engine for this run, and look again, since another run may have just released it."""
        with self.view.mutex:
            folder = str(self.view.workspace.root)
            if self._locked:
                self.view.engine.lease(folder).confirm()
                return
            if self._refused:
                raise self._refused
            lock = engine_lock(
                self.view.engine.info().id,
                holder=folder,
                since=now().isoformat("T", "seconds"),
                wait=self.wait if wait is None else wait,
                on_wait=self.listener.waiting if self.listener else self.on_wait,
                lease=self.view.engine.lease(folder),
            )
            try:
                self._held.enter_context(lock)
            except LockedError as error:
                if wait is None:
                    self._refused = error
                raise
            self._locked = True
            leftovers.clear(self.view)


def open_session(
    root: Path,
    environ: Mapping[str, str],
    *,
    engine: "WholeEngine | None" = None,
    verify: "Verify | None" = None,
) -> Session:
    """Return a session for the checkout in `root`, on the engine that the environment leads to or a given one."""
    view = View(workspace=Workspace.here(root, environ), environ=environ, engine=engine)
    return Session(view=view, verify=verify)
