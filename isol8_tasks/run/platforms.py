"""Images for the platforms beside the engine's own: built here, in use in the registry, in one index with its own."""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, evolve, field

from isol8_tasks.engine.registry import is_refusal
from isol8_tasks.errors import (
    Isol8Error,
    RegistryError,
    UndecidedError,
    UpstreamUnavailableError,
)
from isol8_tasks.images.labels import read_record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.pushed import Pushed, strays
from isol8_tasks.images.references import Reference
from isol8_tasks.lifecycle.publishing import Publishing
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run import leftovers
from isol8_tasks.run.other_view import OtherView
from isol8_tasks.run.policy import Policy, lacking_upstream
from isol8_tasks.run.updating import make_image
from isol8_tasks.run.view import View

if TYPE_CHECKING:
    from isol8_tasks.engine import BuildEvent
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.lifecycle.transfer import Push
    from isol8_tasks.run.events import Failure, Listener
    from isol8_tasks.run.publication import Publication
    from isol8_tasks.verify.verifications import Verify

_VERIFIED: Final = "org.isol8.tasks.verified"
"""The annotation of an image in an index that says whether its build was verified."""


class OwnRun(Protocol):
    """What a run did for the engine's own platform, and what all of it keeps to."""

    view: View
    publication: "Publication"
    outcomes: "list[Outcome]"
    failures: "list[Failure]"
    listener: "Listener | None"
    has_to_push: bool

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
class OtherPlatforms:
    """What a run does for all other platforms than the engine's own."""

    session: OwnRun
    outcomes: dict[tuple[str, str], str] = field(factory=dict, init=False)
    """By platform and name what came of an image: `built`, `promoted` or `failed`."""
    indexes: dict[str, str] = field(factory=dict, init=False)
    """The digest of each index that this run wrote, by name."""

    def bring(self, names: Collection[str] | None) -> None:
        """Build what the registry lacks of the images of these names, None for all, and let its names lead to it.

        Only of images that are up to date, in use and in the registry for the engine's own platform, or held.
        """
        pushed = self._pushed()
        if not pushed:
            return
        wanted = {name for name in pushed if names is None or name in names}
        works = [_Work(self, other, wanted) for other in OtherView.beside_view(self.session.view)]
        for work in works:
            work.bring()
        for name, where in pushed.items():
            self._write_index(name, where, works)
        self.session.publication.write_manifest()

    @property
    def is_changed(self) -> bool:
        """Tell whether there was something to do."""
        return bool(self.outcomes or self.indexes)

    def counts(self) -> Mapping[str, int]:
        """Return how many images came to what, in words."""
        found: dict[str, int] = {}
        for (platform, _), result in self.outcomes.items():
            found[f"{result} for {platform}"] = found.get(f"{result} for {platform}", 0) + 1
        return {**found, "put under one name": len(self.indexes)}

    def _pushed(self) -> Mapping[str, Pushed]:
        """Return where the engine's own images are in the registry of deps.toml, if that is all that there is to do."""
        view, known = self.session.view, self.session.publication.in_registry
        found: dict[str, Pushed] = {}
        for spec in view.graph.images:
            image_id, where = known.get(spec.name, ("", None))
            image = view.known.public(spec.name)
            is_there = where and image and image.id == image_id
            if where and is_there and where.repository == view.config.registry.repository:
                found |= {spec.name: where} if view.is_current(spec.name) else {}
        return found

    def _write_index(self, name: str, where: Pushed, works: "list[_Work]") -> None:
        """Let a name lead to the images for all platforms, unless one is missing; what is newer there stays."""
        view = self.session.view
        images = {view.config.build.platform: self._newest(view, name, where.digest)}
        for work in works:
            if name not in work.digests:
                return
            images[work.other.platform] = self._newest(work.other, name, work.digests[name])
        if any(image.digest_there != image.digest for image in images.values()):
            writer = view.engine.remote_writer(where.repository)
            entries = {platform: (each.digest, each.annotations) for platform, each in images.items()}
            self.indexes[name] = writer.put_index(name, entries)
        others = tuple(
            (platform, each.digest, each.key)
            for platform, each in images.items()
            if platform != view.config.build.platform
        )
        if others != where.others:
            image = view.known.public(name)
            self.session.publication.indexed[name] = (image.id if image else "", evolve(where, others=others))

    def _newest(self, view: View, name: str, digest: str) -> "_Entry":
        """Return what a name is to lead to for the platform of a view."""
        found = view.engine.remote_images(view.config.registry.repository, [name, digest])
        if (ours := found.get(digest)) is None:
            raise RegistryError(f"{digest} is not in {view.config.registry.repository} any more; run again")
        there = found.get(name)
        stays = there and not there.problem and name not in self.session.view.holds
        if there and stays and there.image.built > ours.image.built and read_record(there.image.labels):
            ours = there
        record = read_record(ours.image.labels)
        return _Entry(
            digest=ours.digest,
            digest_there=there.digest if there else "",
            key=record.key if record else "",
            annotations={_VERIFIED: "true" if record and record.inventory else "false"},
        )


@define(kw_only=True)
class _Entry:
    """An image of an index."""

    digest: str
    digest_there: str
    """What the name leads to now."""
    key: str
    annotations: Mapping[str, str]


@define(eq=False)
class _Work:
    """What is done for one other platform."""

    platforms: OtherPlatforms
    other: OtherView
    wanted: Collection[str]
    """Names of the images that may be built."""
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
        session, other = self.platforms.session, self.other
        try:
            _ = other.decisions
            other.follow_own(
                {each.image for each in session.outcomes if each.result in {"built", "promoted"}}
            )
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
            self._clear()

    def _leave(self, name: str) -> None:
        """Let the index keep what it has of an image that is held on this engine."""
        if image := self.other.in_use.get(name):
            self.digests[name] = _digest(image)

    def _is_left(self, spec: ImageSpec) -> bool:
        """Tell whether what an image is built on could not be built, so that this one is not tried."""
        return spec.parent is not None and spec.parent not in self.digests

    def _make(self, spec: ImageSpec, decision: Decision) -> None:
        session, other, log = self.platforms.session, self.other, list[str]()
        label, began = f"{spec.name} {other.platform}", time.monotonic()

        def on_event(event: "BuildEvent") -> None:
            log.append(event.line if event.kind == "log" else f"--- {event.kind} {event.step}")
            if session.listener:
                session.listener.event(label, event)

        try:
            session.in_time()
            session.lock()
            self._begin()
            if session.listener:
                session.listener.building(label)
            if decision.state == "undetermined":
                raise UndecidedError(decision.problem)  # noqa: TRY301 - it is told as whatever else goes wrong
            if spec.parent:
                self._fetch(spec.parent)
            outcome = make_image(
                evolve(decision, relabel=False),
                other,
                Policy(lacking=self._lacking, no_cache=spec.name in other.behind),
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
        self.platforms.outcomes[other.platform, spec.name] = outcome.result
        if session.listener:
            session.listener.done(evolve(outcome, image=label), time.monotonic() - began)

    def _failed(self, spec: ImageSpec, caught: Exception, log: list[str]) -> None:
        """Remember a failure; once the run was aborted it ends here."""
        from isol8_tasks.run.failures import error_of, failure_of  # noqa: PLC0415 - most runs have none

        session, other = self.platforms.session, self.other
        error = error_of(spec, caught, other)
        self.platforms.outcomes[other.platform, spec.name] = "failed"
        if session.is_aborted:
            raise error from caught
        failure = failure_of(spec, error, log, other)
        tag = f"{session.view.public_tag(spec.name)} {other.platform}"
        session.failures.append(evolve(failure, subject=tag, image="", kept=""))
        if session.listener:
            session.listener.failed(f"{spec.name} {other.platform}", error)

    def _begin(self) -> None:
        """Look, before the first build, whether the registry takes it, and remove what a run left that was cut off."""
        if self._is_begun:
            return
        session, other = self.platforms.session, self.other
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

    def _fetch(self, parent: str) -> None:
        """Bring here what an image is built on, unless it is here."""
        other = self.other
        image, tag = other.in_use[parent], other.public_tag(parent)
        here = other.engine.inspect(tag)
        if here is None or here.id != image.id:
            image_id = self._publishing.fetch(parent, self.digests[parent], image, other.observed)
            other.adopt(parent, evolve(image, id=image_id))

    def _lacking(self, spec: ImageSpec, observed: Observed) -> Mapping[str, str]:
        """Return what is to be pulled: what the index has for the platform that the engine has for its own."""
        return {reference: self._exact(reference) for reference in lacking_upstream(spec, observed)}

    def _exact(self, reference: str) -> str:
        image, parsed = self.other.own.observed.tagged(reference), Reference.parse(reference)
        if not image or not (digest := image.digest(reference)):
            return reference
        found = self.other.engine.remote_images(parsed.repository, [digest]).get(digest)
        if found is None:
            raise UpstreamUnavailableError(
                f"{reference} ({digest}) is not there for {self.other.platform}; name one that is, by ALPINE_IMAGE or "
                "DENO_IMAGE under [build] args, or leave the platform out"
            )
        self._pulled[reference] = str(parsed.at(found.digest))
        return self._pulled[reference]

    def _refuse_credentials(self, work: "Push") -> None:
        from isol8_tasks.lifecycle.refusals import refuse_credentials  # noqa: PLC0415 - for who builds

        config = self.other.config
        if not config.registry.credentials:
            refuse_credentials(work, self.other.engine, config.build.args, self.other.redactor)

    def _clear(self) -> None:
        """Take everything off the engine again, and let upstream images be those for its own platform."""
        if not self._is_begun:
            return
        self._publishing.forget()
        own = self.other.own
        for reference, pulled in self._pulled.items():
            before, now = own.observed.tagged(reference), own.engine.inspect(reference)
            if before and now and before.id != now.id:
                own.engine.tag(before.id, reference)
            own.engine.untag(pulled)


class _NotWritableError(Exception):
    """This login may only read in the registry."""


def _digest(image: ObservedImage) -> str:
    return image.digests[0].partition("@")[2]
