"""What a run knows: what the engine holds, and what follows from that and the checkout, each found out once."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits, writes_values
from isol8_tasks.engine.listing import list_directly
from isol8_tasks.errors import EngineError, Isol8Error, UndecidedError
from isol8_tasks.images.candidates import LONGEST_TAKEN
from isol8_tasks.images.holds import Hold, holds
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.images.triggers import Triggers
from isol8_tasks.plan.decision import Circumstances, Decision
from isol8_tasks.plan.graph import Graph, build_graph
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.plan.staleness import decide_again, decide_all
from isol8_tasks.run.access import Access
from isol8_tasks.run.workspace import now

if TYPE_CHECKING:
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.plan.reasons import Reason


@define(kw_only=True, eq=False, slots=False, repr=False)
class View(Access):
    """A checkout and its engine, as one run sees them. Made without work; each part is read when first asked for."""

    request: FlagRequest = field(factory=FlagRequest)
    forced: set[str] = field(factory=set, init=False)
    """Names of the images to rebuild without cache."""
    behind: dict[str, tuple["Reason", ...]] = field(factory=dict, init=False)
    """What the policy says is behind, without what was built since."""
    takes_candidates: bool = field(default=True, init=False)
    """Let what was built and not promoted be promoted, where no more is demanded of a build than its inputs."""
    expected: dict[str, ObservedImage] = field(factory=dict, init=False)
    """Images of the registry that count as here, by name: they are pulled only where something is built on them."""
    beside: "list[View]" = field(factory=list, init=False)
    """Views of the other platforms, whose work ends with this one's."""
    _observed: Observed | None = field(default=None, init=False)
    _graph: Graph | None = field(default=None, init=False)
    _learned: dict[str, tuple[Triggers, ...]] = field(factory=dict, init=False)
    """What the engine was asked about upstream images in this run, by the image that is built on them."""
    _decisions: Mapping[str, Decision] | None = field(default=None, init=False)

    @property
    def observed(self) -> Observed:
        """What the engine holds: asked for once, and then kept in step with what this run does."""
        with self.mutex:
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
    def known(self) -> Observed:
        """What the engine holds, and what is expected, as if it were here."""
        observed = self.observed
        more = (
            evolve(image, tags=(observed.public_tag(name), marker_tag(name, self.repository)))
            for name, image in self.expected.items()
            if observed.public(name) is None
        )
        return evolve(observed, images=(*observed.images, *more)) if self.expected else observed

    @property
    def builder(self) -> BuilderTraits:
        """What builds; without an engine, the usual."""
        if self._observed is None:
            return USUAL
        return BuilderTraits(
            platform=lambda: self.own_platform,
            target=self.config.build.platform,
            writes_values=writes_values(self.engine_version),
        )

    @property
    def graph(self) -> Graph:
        """The images that should exist; with no engine, those that deps.toml and the flags ask for."""
        with self.mutex:
            if self._graph is None:
                # What is wrong with it is told before an engine is asked, which may take its time.
                _ = self.dockerfile
                try:
                    observed = self.observed
                except EngineError:
                    observed = Observed(repository=self.repository)
                self._graph = self._make_graph(observed)
            return self._graph

    @property
    def holds(self) -> Mapping[str, Hold]:
        """The images that were rolled back and stay so."""
        return holds(self.observed, now(), self.config.hold.max_age)

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The verdict on each image, as things stand now."""
        with self.mutex:
            if self._decisions is None:
                self._decisions = decide_all(self.graph, self.observed, self.circumstances())
                if self.asks_registry and any(each.pending for each in self._decisions.values()):
                    self._decisions = self._decide_with_registry()
            return self._decisions

    def check(self) -> None:
        """Raise what is wrong with deps.toml, docker/ and what they come to; no engine is asked."""
        self._make_graph(Observed(repository=self.repository))

    def candidates(self, name: str) -> tuple[ObservedImage, ...]:
        """Return what may be promoted as an image instead of a build, as things stand now."""
        with self.mutex:
            self._decide_again(name)
            return self.decisions[name].candidates

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

    def learn(self, name: str) -> bool:
        """Ask for the ONBUILD triggers of an image's upstream images; tell whether they were not known.

        Raises UndecidedError where that copies a file which can't be read.
        """
        from isol8_tasks.lifecycle.build import upstream_triggers  # noqa: PLC0415 - for who builds

        spec = self.graph.image(name)
        found = upstream_triggers(spec, self.engine)
        if found == spec.triggers:
            return False
        self._learned[name] = found
        self._graph = self._make_graph(self.observed)
        if problem := self._graph.image(name).problem:
            raise UndecidedError(problem)
        return True

    def look(self) -> Observed:
        """Ask the engine what it holds now; what was decided stays."""
        self._observed = self._observe()
        return self._observed

    def look_again(self) -> None:
        """Look at the engine again, and decide again."""
        self._graph = self._make_graph(self.look())
        self._decisions = None

    def force(self, *names: str) -> None:
        """Let images be rebuilt without cache, whatever state they are in."""
        with self.mutex:
            for name in {*names} - self.forced:
                self.forced.add(name)
                self._decide_again(name)

    def note_behind(self, behind: Mapping[str, tuple["Reason", ...]]) -> None:
        """Decide from now on with what the sources of some images have that is newer."""
        self.behind = dict(behind)
        self._decisions = None

    def made(self, outcome: "Outcome") -> None:
        """Keep in step with an image that was made."""
        with self.mutex:
            self.forced.discard(outcome.image)
            self.behind.pop(outcome.image, None)
            self._observed = self.observed.moved(outcome.image_id, outcome.labels, *outcome.tags)
            self._decide_again(outcome.image)

    def refuse(self, decision: Decision, why: str) -> Decision:
        """Decide again about an image without the one of the registry that could not be pulled."""
        with self.mutex:
            self.remote.refuse(decision.image, decision.pulled_by, why)
            self._decide_again(decision.image)
            return self.decisions[decision.image]

    def cancel(self, *, for_good: bool = False) -> None:
        """Abort every build under way, of other platforms too; `for_good` lets none begin later."""
        super().cancel(for_good=for_good)
        for each in self.beside:
            each.cancel(for_good=for_good)

    def close(self) -> None:
        """Close the connections to the engine, of other platforms too."""
        super().close()
        for each in self.beside:
            each.close()

    def _decide_again(self, name: str) -> None:
        """Keep the decisions in step with what became of one image."""
        if self._decisions is not None:
            # Asked where something was pending when all was decided.
            remote = self.remote.found if "remote" in self.__dict__ else None
            self._decisions = decide_again(
                name, self._decisions, self.graph, self.observed, self.circumstances(), remote
            )

    def _decide_with_registry(self) -> Mapping[str, Decision]:
        """Decide with what the registry has, in use first, and then built from the inputs of this checkout."""
        graph, observed, circumstances = self.graph, self.observed, self.circumstances()
        self.remote.ask(spec.name for spec in graph.images)
        decisions = decide_all(graph, observed, circumstances, self.remote.found)
        left = [spec for spec in graph.images if decisions[spec.name].state in {"stale", "not-built"}]
        if left and not self.remote.problem:
            self.remote.ask_by_key(left)
            decisions = decide_all(graph, observed, circumstances, self.remote.found)
        return decisions

    def circumstances(self) -> Circumstances:
        """Return what decisions depend on besides the images."""
        return Circumstances(
            checkout=self.workspace.checkout_id,
            forced=frozenset(self.forced),
            behind=dict(self.behind),
            held={name: now() - hold.since for name, hold in self.holds.items()},
            now=now(),
            candidate_age=self._candidate_age,
        )

    @property
    def _candidate_age(self) -> dt.timedelta:
        settings = self.config.refresh
        # Nobody knows of a candidate whether it has versions that are too new.
        if settings.limits_every_build or not self.takes_candidates:
            return dt.timedelta(0)
        return min(LONGEST_TAKEN, settings.max_age or LONGEST_TAKEN)

    def of_the_platform(self, observed: Observed, *specs: ImageSpec) -> Observed:
        """Return what an engine holds without upstream images of these for other platforms than is built for."""
        if "--platform" in self.dockerfile.text:
            # Where a FROM names one itself, its builder finds what is not here.
            return observed
        other = set()
        for reference in {name for spec in specs for name, _ in spec.inputs.upstream}:
            image = observed.tagged(reference)
            detail = self.engine.inspect(image.id) if image else None
            if detail and detail.platform and detail.platform != self.engine.platform():
                other.add(detail.id)
        if other and self.engine.info().store.startswith("containerd"):
            # It keeps several platforms under a name and tells of one; its builder finds what is not here.
            return observed
        images = tuple(image for image in observed.images if image.id not in other)
        return evolve(observed, images=images) if other else observed

    def _observe(self) -> Observed:
        observed = self._listed()
        if not self.config.build.platform:
            return observed
        # Another checkout, or a run for another platform that was killed, may have led a name to its own.
        return self.of_the_platform(observed, *self._make_graph(observed).images)

    def _listed(self) -> Observed:
        if self._engine is None and (listing := list_directly(self.endpoint.url)):
            self._version = listing.version
            return Observed(repository=self.repository, images=listing.images)
        return Observed(repository=self.repository, images=self.engine.images())

    def _make_graph(self, observed: Observed) -> Graph:
        request = evolve(self.request, today=now().date().isoformat())
        return build_graph(
            self.config,
            self.dockerfile,
            self._digests,
            observed,
            request,
            find=self.context.find,
            ignore=self.ignore_file(),
            learned=self._learned,
            builder=self.builder,
        )
