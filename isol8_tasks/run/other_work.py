"""What a run does for one other platform than the engine's own: it builds and publishes what the registry lacks."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import define, evolve, field

from isol8_tasks.engine.registry import is_refusal
from isol8_tasks.errors import (
    COMMAND,
    OTHER_UPSTREAM,
    ConfigError,
    Isol8Error,
    RegistryError,
    SourceUnavailableError,
    UndecidedError,
    UpstreamUnavailableError,
)
from isol8_tasks.freshness.news import aged_resolution, asked_in
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.pushed import strays
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.publishing import Publishing
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.reasons import PackagesBehind
from isol8_tasks.run import leftovers
from isol8_tasks.run.other_view import OtherView
from isol8_tasks.run.policy import Policy, lacking_upstream
from isol8_tasks.run.updating import make_image
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.verify.emulation import can_run

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.updates import PackageNews, Resolution
    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.lifecycle.transfer import Push
    from isol8_tasks.run.events import Failure, Listener
    from isol8_tasks.run.publication import Publication
    from isol8_tasks.verify.verifications import Verify


LookedUp = TypeVar("LookedUp")


class OwnRun(Protocol):
    """What a run did for the engine's own platform, and what all of it keeps to."""

    view: View
    policy: Policy
    publication: "Publication"
    outcomes: "list[Outcome]"
    failures: "list[Failure]"
    listener: "Listener | None"
    has_to_push: bool
    ask_sources: "Callable[[View, ImageSpec], PackageNews] | None"

    @property
    def is_aborted(self) -> bool:
        """Tell whether nothing may begin any more."""

    def lock(self) -> None:
        """Take the engine for this run, or raise an error where another one has had it since."""

    def in_time(self) -> None:
        """Raise an error once the time is over that was given."""

    def checks_of(self, view: View) -> "Verify":
        """Return what checks the images of a view."""

    def failed(self, subject: str, error: Isol8Error) -> None:
        """Remember what went wrong."""


@define(eq=False)
class OtherWork:
    """What is done for one other platform."""

    session: OwnRun
    other: OtherView
    wanted: Collection[str] = ()
    """Names of the images that may be built."""
    outcomes: dict[tuple[str, str], str] = field(factory=dict)
    """By platform and name what came of an image: `built`, `promoted` or `failed`."""
    digests: dict[str, str] = field(factory=dict, init=False)
    """What the index is to have of this platform, by name; without what is not up to date."""
    _publishing: Publishing = field(init=False)
    _pulled: dict[str, str] = field(factory=dict, init=False)
    """Upstream images for the platform, by the names that they take on the engine meanwhile."""
    _is_begun: bool = field(default=False, init=False)

    @_publishing.default
    def _new_publishing(self) -> Publishing:
        other = self.other
        return Publishing(
            engine=other.engine, repository=other.config.registry.repository, refuse=self._refuse_credentials
        )

    def bring(self) -> None:
        """Build what the registry lacks, one after the other; what goes wrong is among the session's failures."""
        session, other = self.session, self.other
        try:
            if session.policy.demand:
                other.hold_to_lock()
            other.follow_own(
                {each.image for each in session.outcomes if each.result in {"built", "promoted"}}
            )
            if session.ask_sources:
                self._find_news(session.ask_sources)
            for spec in other.graph.images:
                decision = other.decisions[spec.name]
                if spec.name in session.view.holds:
                    self._leave(spec.name)
                elif not decision.pending:
                    self.digests[spec.name] = _digest(other.in_use[spec.name])
                elif decision.state == "in-registry":
                    image = other.remote.image(spec.name, decision.pulled_by)
                    self.digests[spec.name] = _digest(image)
                    other.adopt(spec.name, image)
                elif spec.name in self.wanted and not self._is_left(spec):
                    self._make(spec, decision)
        except _NotWritableError:
            return
        finally:
            self.clear()

    def _leave(self, name: str) -> None:
        """Let the index keep what it has of an image that is held on this engine."""
        if image := self.other.in_use.get(name):
            self.digests[name] = _digest(image)

    def _is_left(self, spec: ImageSpec) -> bool:
        """Tell whether what an image is built on could not be built, so that this one is not tried."""
        return spec.parent is not None and spec.parent not in self.digests

    def _make(self, spec: ImageSpec, decision: Decision) -> None:
        session, other, log = self.session, self.other, list[str]()
        label, began = f"{spec.name} {other.platform}", time.monotonic()

        def on_event(event: "BuildEvent") -> None:
            log.append(event.line if event.kind == "log" else f"--- {event.kind} {event.step}")
            if session.listener:
                session.listener.event(label, event)

        try:
            session.in_time()
            session.lock()
            self.begin()
            if session.listener:
                session.listener.building(label)
            if decision.state == "undetermined":
                raise UndecidedError(decision.problem)  # noqa: TRY301 - it is told as whatever else goes wrong
            if spec.parent:
                self.fetch(spec.parent)
            outcome = make_image(
                evolve(decision, relabel=False),
                other,
                self._policy(spec),
                session.checks_of(other),
                on_event,
                self._publishing,
            )
        except _NotWritableError:
            raise
        except Exception as caught:  # noqa: BLE001 - one image, and what is based on it; it is told as any failure
            self._failed(spec, caught, log)
            return
        other.made(outcome)
        self.digests[spec.name] = self._publishing.digests[spec.name]
        self.outcomes[other.platform, spec.name] = outcome.result
        if session.listener:
            session.listener.done(evolve(outcome, image=label), time.monotonic() - began)

    def _policy(self, spec: ImageSpec) -> Policy:
        """Return what a build keeps to: the lock, or in a refresh the versions that are old enough."""
        locked = self.other.locked
        if locked:
            return evolve(locked, lacking=self._lacking)
        ages = self.other.config.refresh
        limited = self.session.ask_sources and any((ages.min_age, *ages.min_ages.values()))
        is_behind = spec.name in self.other.behind
        return Policy(lacking=self._lacking, no_cache=is_behind, pin=self._aged if limited else None)

    def _aged(self, spec: ImageSpec) -> "Resolution | None":
        other = self.other
        return aged_resolution(spec, other.observed, other.engine, settings=other.config.refresh, now=now())

    def _find_news(self, ask: "Callable[[View, ImageSpec], PackageNews]") -> None:
        """Let be rebuilt what its sources have something newer for than it has.

        They are asked where its versions are not those of the image for the engine's own platform: for what has these,
        they were asked there.
        """
        other, behind = self.other, dict(self.other.behind)
        for spec in other.graph.images:
            is_pending = any(other.decisions[name].pending for name in (spec.name, spec.parent) if name)
            if is_pending or spec.name in self.session.view.holds or not other.differences(spec.name):
                continue
            try:
                self.session.in_time()
                self.begin()
                for name in asked_in(spec):
                    self.fetch(name)
                    self._ensure_runnable(name)
                if updates := ask(other, spec).updates:
                    behind[spec.name] = (PackagesBehind(updates=updates),)
            except Isol8Error as error:
                self.session.failed(other.shown_tag(spec.name), other.in_public(error))
        other.note_behind(behind)

    def _ensure_runnable(self, name: str) -> None:
        if not can_run(self.other.in_use[name].id, self.other.engine):
            raise SourceUnavailableError(
                f"its package sources are asked in the image, and the engine can't run {self.other.platform}\n"
                "Let it run there, by Debian's qemu-user-static on the engine's machine, and run again"
            )

    def _failed(self, spec: ImageSpec, caught: Exception, log: list[str]) -> None:
        """Remember a failure; once the run was aborted it ends here."""
        from isol8_tasks.run.failures import error_of, failure_of  # noqa: PLC0415 - most runs have none

        session, other = self.session, self.other
        error = other.in_public(error_of(spec, caught, other))
        self.outcomes[other.platform, spec.name] = "failed"
        if session.is_aborted:
            raise error from caught
        failure = failure_of(spec, error, log, other)
        tag, hint = other.shown_tag(spec.name), other.public_words(failure.hint)
        session.failures.append(evolve(failure, subject=tag, image="", kept="", hint=hint))
        if session.listener:
            session.listener.failed(f"{spec.name} {other.platform}", error)

    def begin(self) -> None:
        """Look, before the first build, whether the registry takes it, and remove what a run left that was cut off."""
        if self._is_begun:
            return
        session, other = self.session, self.other
        repository = other.config.registry.repository
        try:
            other.engine.remote_writer(repository).ensure_writable()
        except RegistryError as error:
            if session.has_to_push or not is_refusal(str(error)):
                raise
            session.publication.unpushed = tuple(sorted(self.wanted))
            raise _NotWritableError from error
        for tag in (*strays(other.observed, repository), *leftovers.abandoned_candidates(other)):
            other.engine.untag(tag)
        for spec in other.graph.images:
            other.engine.untag(other.public_tag(spec.name))
        # Builds for the engine's own platform may have pulled upstream images, to which names are led back.
        other.own.look()
        self._is_begun = True

    def fetch(self, name: str) -> None:
        """Bring here what another image is built on, or what is looked into, unless it is here."""
        other = self.other
        image, tag = other.in_use[name], other.public_tag(name)
        here = other.engine.inspect(tag)
        if here is None or here.id != image.id:
            digest = self.digests.get(name) or _digest(image)
            image_id = self._publishing.fetch(name, digest, image, other.observed)
            other.adopt(name, evolve(image, id=image_id))

    def _lacking(self, spec: ImageSpec, observed: Observed) -> Mapping[str, str]:
        """Return what is to be pulled: what the index has for the platform that the engine has for its own."""
        locked, own = self.other.locked, self.other.own
        if locked and (others := locked.lacking(spec, own.observed)):
            raise ConfigError(
                f"{self.other.lock_name}: its {', '.join(others)} is not the one of {own.lock_name}; rewrite the lock: "
                f"{COMMAND} lock"
            )
        return {reference: self._exact(reference) for reference in lacking_upstream(spec, observed)}

    def _exact(self, reference: str) -> str:
        image, parsed = self.other.own.observed.tagged(reference), Reference.parse(reference)
        if not image or not (digest := image.digest(reference)):
            self._pulled[reference] = reference
            return reference
        found = self.other.engine.remote_images(parsed.repository, [digest]).get(digest)
        if found is None:
            raise UpstreamUnavailableError(
                f"{reference} ({digest}) is not there for {self.other.platform}; {OTHER_UPSTREAM}"
            )
        self._pulled[reference] = str(parsed.at(found.digest))
        return self._pulled[reference]

    def _refuse_credentials(self, work: "Push") -> None:
        from isol8_tasks.lifecycle.refusals import refuse_credentials  # noqa: PLC0415 - for who builds

        config = self.other.config
        if not config.registry.credentials:
            refuse_credentials(work, self.other.engine, config.build.args, self.other.redactor)

    def clear(self) -> None:
        """Take everything off the engine again, and let upstream images be those for its own platform."""
        if not self._is_begun:
            return
        self._publishing.forget()
        own = self.other.own
        for reference, pulled in self._pulled.items():
            before, now = own.observed.tagged(reference), own.engine.inspect(reference)
            if before and now and before.id != now.id:
                own.engine.tag(before.id, reference)
            if pulled != reference:
                own.engine.untag(pulled)


def looked_into(session: OwnRun, look: Callable[[OtherView], LookedUp]) -> list[LookedUp]:
    """Return what somebody finds out of the images for each other platform, which are on this engine meanwhile."""
    found = []
    session.lock()
    for other in OtherView.beside_view(session.view):
        work = OtherWork(session, other)
        try:
            _ = other.decisions
            work.begin()
            for name in list(other.in_use):
                work.fetch(name)
            found.append(look(other))
        except _NotWritableError as error:
            raise RegistryError(str(error.__cause__)) from error
        except Isol8Error as error:
            raise other.in_public(error) from error
        finally:
            work.clear()
    return found


class _NotWritableError(Exception):
    """This login may only read in the registry."""


def _digest(image: ObservedImage) -> str:
    return image.digests[0].partition("@")[2]
