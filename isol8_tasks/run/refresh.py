"""A refresh: notice what moved, fetch it, build it, and tell what came of it."""

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from isol8_tasks.ecosystems.updates import PackageNews, Resolution
from isol8_tasks.errors import COMMAND, EngineError, Isol8Error, UpstreamUnavailableError
from isol8_tasks.freshness.changes import Built, changes
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.freshness.news import asked_in, installed_resolution, package_news
from isol8_tasks.freshness.survey import Survey, notice
from isol8_tasks.images.journal import REFRESHED
from isol8_tasks.images.labels import STANDIN, read_record
from isol8_tasks.images.observed import Observed, short_digest
from isol8_tasks.lifecycle.promotion import drop
from isol8_tasks.plan import reasons
from isol8_tasks.plan.current import effective_inputs
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.fingerprint import key
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.plan import reasons_in_words
from isol8_tasks.report.refresh import Account, Failed
from isol8_tasks.run.events import Watching, unwatched
from isol8_tasks.run.history import carried_out
from isol8_tasks.run.policy import Policy, lacking_upstream
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now

if TYPE_CHECKING:
    from isol8_tasks.lifecycle.build import Outcome

AskSources = Callable[[View, ImageSpec], PackageNews]
AskInstalled = Callable[[View, ImageSpec], Resolution | None]


def ask_packages(view: View, spec: ImageSpec) -> PackageNews:
    """Ask the package sources of an image what they have that it does not."""
    return package_news(spec, view.known, view.engine, settings=view.config.refresh, now=now())


def ask_installed(view: View, spec: ImageSpec) -> Resolution | None:
    """Ask for exactly what an image has, where nothing is newer that may be accepted."""
    return installed_resolution(spec, view.known, view.engine)


def look(view: View, ask: AskSources = ask_packages, watch: Watching = unwatched) -> tuple[Freshness, ...]:
    """Return how fresh every image of the run is; nothing is changed."""

    def watched(spec: ImageSpec) -> PackageNews:
        with watch(spec.name, "asking its package sources"):
            return ask(view, spec)

    survey = Survey(
        specs=view.graph.images,
        observed=view.known,
        holds=view.holds,
        settings=view.config.refresh,
        now=now(),
    )
    return notice(survey, view.engine, watched)


@define(eq=False)
class Refresh:
    """One night's refresh of a session, which holds the engine's lock meanwhile."""

    session: Session
    ask: AskSources = ask_packages
    ask_installed: AskInstalled = ask_installed
    watch: Watching = unwatched
    found: tuple[Freshness, ...] = field(default=(), init=False)
    _before: Observed = field(init=False)
    _why: Mapping[str, Decision] = field(factory=dict, init=False)
    _first: "tuple[Outcome, ...]" = field(default=(), init=False)
    """What was pulled before anything was built."""
    _began: float = field(factory=time.monotonic, init=False)
    _at: dt.datetime = field(factory=now, init=False)

    def prepare(self) -> None:
        """Notice what moved and pull it, so that the session decides to build it.

        An image whose upstream image can't be pulled is kept as it is, and is a failure of the session.
        """
        session = self.session
        session.has_to_push, session.ask_sources = True, self.ask
        session.lock()
        self._pull_images()
        self._before = session.view.known
        self.found = look(session.view, self._ask, self.watch)
        left = self._pull()
        session.follow(self._policy(left))
        session.view.look_again()
        self._why = dict(session.view.decisions)
        self._first = tuple(session.outcomes)

    def build(self) -> None:
        """Build what is pending, side by side, each image after its parent, and write the manifest.

        What goes wrong is among the session's failures; on what could not be built, nothing is.
        """
        builds: dict[str, _Build] = {}
        wanted = self._wanted()
        for spec in self.session.view.graph.images:
            if spec.name in wanted:
                builds[spec.name] = _Build(self.session, spec.name, builds.get(spec.parent or ""))
                builds[spec.name].start()
        for each in builds.values():
            each.join()
        self._find_expected()
        self.session.end(others=None)

    def account(self, failed: Sequence[Failed]) -> Account:
        """Return what came of it, once everything was built that could be."""
        session = self.session
        made = {each.image: each for each in session.outcomes if each.result != "pulled"}
        pulled = [each for each in session.outcomes if each.result == "pulled"]
        others = session.platforms
        built = tuple(
            Built(
                image=spec.name,
                parent=spec.parent,
                why=reasons_in_words(carried_out(self._why[spec.name]), session.view.config),
                seconds=session.seconds[spec.name],
                same=made[spec.name].result == "same",
            )
            for spec in session.view.graph.images
            if spec.name in made
        )
        return Account(
            at=self._at,
            seconds=time.monotonic() - self._began,
            repository=session.view.repository,
            settings=session.view.config.refresh,
            found=self.found,
            failed=tuple(failed),
            others=others.by_platform() if others else {},
            beside={what: count for what, count in others.counts().items() if count} if others else {},
            pulled=len(pulled),
            instead=frozenset(each.image for each in pulled if not any(each is one for one in self._first)),
            changed=changes(self._before, session.view.known, built),
        )

    def note(self, account: Account) -> None:
        """Add to the history what the refresh came to as a whole, with the bytes that no image was pulled for."""
        self.session.publication.history.add_note(
            "",
            REFRESHED,
            counts=account.counts,
            seconds=account.seconds,
            pulled=self.session.view.take_bytes(),
        )

    def _pull_images(self) -> None:
        """Pull what is up to date in the registry and not here, since sources are asked in the images themselves.

        On an engine without any image of ours, as on a machine that is new every night, only those in which they are,
        and those that are rebuilt for their age, with which what is built is compared.
        """
        view = self.session.view
        limit = view.config.refresh.max_age
        self._find_newer_labels(limit)
        there = [each for each in view.decisions.values() if each.state == "in-registry"]
        if not view.observed.promoted:
            needed = frozenset[str]().union(*map(asked_in, view.graph.images))
            for each in there:
                found = view.remote.image(each.image, each.pulled_by)
                if each.image not in needed and (limit is None or now() - found.built < limit):
                    # How much it takes here nobody knows before it is pulled.
                    view.expected[each.image] = evolve(found, size=0)
        for each in there:
            if each.image not in view.expected:
                # What can't be pulled is built later; what else goes wrong is among the session's failures.
                with contextlib.suppress(Isol8Error):
                    self.session.make(each.image, builds=False)

    def _find_newer_labels(self, max_age: dt.timedelta | None) -> None:
        """Look in the registry for what a rebuild with the same result left, under the tag of the inputs, not the name.

        That is the key of upstream images that moved since, or the time of an image that was too old.
        """
        view = self.session.view
        newest: dict[str, str | None] = {}
        wanted = []
        for spec in view.graph.images:
            decision = view.decisions[spec.name]
            if decision.state != "in-registry":
                continue
            found = view.remote.image(spec.name, decision.pulled_by)
            for reference, mark in spec.inputs.upstream:
                if mark is None and reference not in newest:
                    newest[reference] = _newest(reference, view)
            upstream = tuple((each, mark or newest[each]) for each, mark in spec.inputs.upstream)
            asked = evolve(spec, inputs=evolve(spec.inputs, upstream=upstream))
            record = read_record(found.labels)
            is_old = max_age is not None and now() - found.built >= max_age
            if is_old or (record and key(effective_inputs(asked.inputs, record)) != record.key):
                wanted.append(asked)
        if wanted:
            view.remote.ask_by_key(wanted)
            view.look_again()

    def _ask(self, view: View, spec: ImageSpec) -> PackageNews:
        """Ask the package sources of an image, with its upstream images here where they decide.

        A package in the version that they have waits until they move.
        """
        news = self.ask(view, spec)
        lacking = lacking_upstream(spec, view.observed)
        if not news.updates or not lacking:
            return news
        view.pulls.pull(lacking)
        return self.ask(view, spec)

    def _wanted(self) -> set[str]:
        """Return the names of the images to make: what is pending, and of what is expected what it is based on."""
        view = self.session.view
        wanted: set[str] = set()
        parents: set[str | None] = set()
        for spec in reversed(view.graph.images):
            decision = self._why[spec.name]
            is_expected = decision.state == "in-registry" and spec.name in view.expected
            if decision.pending and (not is_expected or spec.name in parents):
                wanted.add(spec.name)
                parents.add(spec.parent)
        return wanted

    def _find_expected(self) -> None:
        """Note for the manifest where the images are that were not pulled."""
        view = self.session.view
        for name, image in view.expected.items():
            if view.observed.public(name) is None:
                # Without it the manifest lists the image all the same.
                with contextlib.suppress(Isol8Error):
                    _, where = view.remote.place_of(name, image.digests[0])
                    self.session.publication.pulled[name] = (image.id, where)

    def _policy(self, left: set[str]) -> Policy:
        """Return the policy to build what is behind, without the images that have to stay as they are."""
        behind = {
            each.image: reasons
            for each in self.found
            if each.image not in left and (reasons := _reasons(each, self.session.view))
        }
        return Policy(behind=behind, no_cache=True, pin=self._resolution)

    def _resolution(self, spec: ImageSpec) -> Resolution | None:
        """Return what to install in an image: what was noticed, or what comes of it on the base that is new by now."""
        if not spec.inputs.packages:
            return None
        if self.session.view.known.record(spec.name) is None:
            return self.ask(self.session.view, spec).resolution
        news = next(each.packages for each in self.found if each.image == spec.name)
        if spec.parent in self.session.seconds or news.resolution is None:
            news = self.ask(self.session.view, spec)
        return news.resolution or self.ask_installed(self.session.view, spec)

    def _pull(self) -> set[str]:
        """Pull upstream images that moved, side by side; return the names of the images that stay as they are."""
        awaited = [each for each in self.found if each.held is None]
        moved = sorted({moved.reference for each in awaited for moved in each.moved})
        with ThreadPoolExecutor(max(len(moved), 1)) as pool:
            pulled = dict(zip(moved, pool.map(self._pull_one, moved), strict=True))
        left: set[str] = set()
        for each in awaited:
            errors = (self._standin(each), *(pulled[moved.reference] for moved in each.moved))
            if error := next(filter(None, errors), None):
                left.add(each.image)
                self.session.failed(each.image, error, image=each.image)
        return left

    def _pull_one(self, reference: str) -> EngineError | None:
        """Pull an upstream image, and remove the one before it: what is based on that has its layers anyway."""
        engine, old = self.session.view.engine, self.session.view.observed.tagged(reference)
        try:
            engine.pull(reference, self.session.view.pulls.counter(reference))
        except EngineError as error:
            return error
        if old is not None:
            drop(engine, [old.id])
        return None

    def _standin(self, fresh: Freshness) -> EngineError | None:
        """Return what is wrong with an image that would be built on a stand-in while nobody can pull the real one."""
        if not fresh.behind or not fresh.problems:
            return None
        spec = self.session.view.graph.image(fresh.image)
        for reference, _ in spec.inputs.upstream:
            image = self.session.view.observed.tagged(reference)
            if image is not None and image.labels.get(STANDIN):
                return UpstreamUnavailableError(
                    f"{reference} is a stand-in here and its registry does not answer, so its images are "
                    "not refreshed\n"
                    f"Run refresh where the registry can be reached, or on a private engine: {COMMAND} up --lab"
                )
        return None


class _Build(threading.Thread):
    """An image on its way, once its parent is built; a process that is interrupted does not wait for it."""

    def __init__(self, session: Session, image: str, parent: "_Build | None") -> None:
        super().__init__(name=f"build {image}", daemon=True)
        self._session, self._image, self._parent = session, image, parent
        self.made = False

    def run(self) -> None:
        """Build it, unless its parent could not be."""
        if self._parent:
            self._parent.join()
            if not self._parent.made:
                return
        with contextlib.suppress(Isol8Error):
            self._session.make(self._image)
            self.made = True


def _newest(reference: str, view: View) -> str | None:
    """Return the mark of what an upstream image's tag has in its registry; None where that can't be found out."""
    with contextlib.suppress(Isol8Error):
        return short_digest(view.engine.remote_digest(reference))
    return None


def _reasons(fresh: Freshness, view: View) -> tuple[reasons.Reason, ...]:
    """Return what is to be known of an image's news; that an upstream image moved, the view sees itself."""
    found: list[reasons.Reason] = []
    if fresh.packages.updates:
        found.append(reasons.PackagesBehind(updates=fresh.packages.updates))
    limit = view.config.refresh.max_age
    if fresh.age is not None and limit is not None:
        found.append(reasons.GrownOld(age=fresh.age, max_age=limit))
    return tuple(found)
