"""What a run knows: what it reads, what the engine holds, and what follows from both, each found out once."""

import contextlib
import datetime as dt
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, evolve, field

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits, writes_values
from isol8_tasks.dockerfile.closure import Dockerfile, parse
from isol8_tasks.ecosystems.runtimes import PROXY_ARGS
from isol8_tasks.engine.endpoint import Endpoint, find
from isol8_tasks.engine.listing import list_directly, platform_directly
from isol8_tasks.errors import EngineError, Isol8Error, UndecidedError
from isol8_tasks.images.candidates import LONGEST_TAKEN
from isol8_tasks.images.holds import Hold, holds
from isol8_tasks.images.observed import Observed, ObservedImage, marker_tag
from isol8_tasks.images.references import Reference
from isol8_tasks.images.triggers import Triggers
from isol8_tasks.plan.decision import Circumstances, Decision
from isol8_tasks.plan.graph import Graph, build_graph
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.plan.staleness import decide_again, decide_all
from isol8_tasks.run.context import BuildContext, Digests
from isol8_tasks.run.workspace import OF_ALL, Workspace, now
from isol8_tasks.safety.credentials import Redactor

_SEVERAL: Final = 2

if TYPE_CHECKING:
    from isol8_tasks.engine import FileContent
    from isol8_tasks.engine.builders.pushed import Passage
    from isol8_tasks.engine.containers import SandboxEngine
    from isol8_tasks.engine.registry import RegistryEngine
    from isol8_tasks.engine.upkeep import UpkeepEngine
    from isol8_tasks.lifecycle.build import Outcome
    from isol8_tasks.plan.reasons import Reason
    from isol8_tasks.run.pulls import Pulls
    from isol8_tasks.run.remote import RemoteImages
    from isol8_tasks.run.secret_values import SecretValues

    class WholeEngine(UpkeepEngine, SandboxEngine, RegistryEngine, Protocol):
        """All that is asked of an engine."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class View:
    """A checkout and its engine, as one run sees them. Made without work; each part is read when first asked for."""

    workspace: Workspace
    environ: Mapping[str, str]
    _engine: "WholeEngine | None" = field(default=None, alias="engine")
    """The connection to the engine, once something is asked that needs one."""
    request: FlagRequest = field(factory=FlagRequest)
    use_registry: bool = field(default=True, init=False)
    """Let images come from the registry of deps.toml."""
    buildx: str = field(default="", init=False)
    """The builder of docker buildx that the flags name; empty for that of deps.toml."""
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
    _version: str = field(default="", init=False)
    _unreachable: EngineError | None = field(default=None, init=False)
    """Why the engine could not be asked; it is not tried twice."""
    _graph: Graph | None = field(default=None, init=False)
    _learned: dict[str, tuple[Triggers, ...]] = field(factory=dict, init=False)
    """What the engine was asked about upstream images in this run, by the image that is built on them."""
    _decisions: Mapping[str, Decision] | None = field(default=None, init=False)
    mutex: threading.RLock = field(factory=threading.RLock, init=False)
    """Held while several parts of it change together."""

    @cached_property
    def config(self) -> Config:
        """What deps.toml says."""
        try:
            arguments = self.dockerfile.declared_args | PROXY_ARGS
        except Isol8Error:
            # That is told when somebody needs the Dockerfile; what else is wrong with deps.toml is told first.
            arguments = None
        found = self.workspace.read_config(arguments)
        return found if len(found.build.platforms) < _SEVERAL else self._own_first(found)

    def _own_first(self, config: Config) -> Config:
        """Return the configuration with the engine's own platform in front, for which images are in use there."""
        try:
            own = self._ask_own_platform()
        except EngineError as error:
            # Where nobody knows which it is, nothing is done on that engine, should it answer later.
            self._unreachable = error
            return config
        platforms = tuple(sorted(config.build.platforms, key=lambda each: each != own))
        return evolve(config, build=evolve(config.build, platforms=platforms))

    def _ask_own_platform(self) -> str:
        """Return the engine's own platform without what deps.toml says of the engine."""
        if self._engine is not None:
            return self._engine.own_platform()
        if own := platform_directly(self.endpoint.url):
            return own
        from isol8_tasks.engine.daemon import DockerEngine  # noqa: PLC0415 - as for the engine

        with contextlib.closing(DockerEngine(self.endpoint, environ=self.environ)) as engine:
            return engine.own_platform()

    @property
    def redactor(self) -> Redactor:
        """Hides the credentials of the environment, and those of deps.toml once it is read."""
        return self._redactor if "config" in self.__dict__ else self._redactor_of_environment

    @cached_property
    def _redactor(self) -> Redactor:
        secrets = self.secrets.known() if self.secrets else ()
        return Redactor.of(self.config.build.args.items(), self.environ, secrets)

    @cached_property
    def secrets(self) -> "SecretValues | None":
        """The secrets of [build.secrets]; None where there are none."""
        if not self.config.build.secrets:
            return None
        from isol8_tasks.run.secret_values import SecretValues  # noqa: PLC0415 - few have any

        return SecretValues(config=self.config, environ=self.environ, folder=self.workspace.deps.parent)

    @cached_property
    def _redactor_of_environment(self) -> Redactor:
        return Redactor.of((), self.environ)

    @cached_property
    def context(self) -> BuildContext:
        """The files below docker/."""
        return self.workspace.read_context()

    @cached_property
    def _digests(self) -> Digests:
        return Digests(self.context)

    def context_of(self, spec: ImageSpec) -> Mapping[str, "FileContent"]:
        """Return the files that the build of an image needs."""
        needed = (*OF_ALL, *(path for path, _ in spec.inputs.files))
        return {path: self.context[path] for path in needed if path in self.context}

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """The Dockerfile, read."""
        return parse(self.context["Dockerfile"].data.decode("utf-8", "surrogateescape"))

    @cached_property
    def endpoint(self) -> Endpoint:
        """The engine in use."""
        return find(self.workspace.root, self.environ)

    @property
    def engine(self) -> "WholeEngine":
        """A connection to the engine, not yet tried."""
        with self.mutex:
            if self._engine is None:
                # Here, since a run with nothing to do needs no Docker, whose import takes longer than all of it.
                from isol8_tasks.engine.daemon import DockerEngine  # noqa: PLC0415

                settings = self.config.build
                buildx = self.buildx or settings.buildx
                self._engine = DockerEngine(
                    self.endpoint,
                    environ=self.environ,
                    builder=settings.builder,
                    buildx=buildx,
                    cache=settings.cache,
                    platform=settings.platform,
                    secrets=self.secrets,
                    passage=self._passage() if buildx else None,
                )
            return self._engine

    def _passage(self) -> "Passage | None":
        """Return what results of a builder elsewhere may go through; None where nothing is pushed."""
        from isol8_tasks.engine.builders.pushed import Passage  # noqa: PLC0415 - few have such a builder

        found = self.config.registry
        if not (found.repository and found.push and self.use_registry):
            return None
        return Passage(repository=found.repository, standins=found.standins, credentials=found.credentials)

    @property
    def pulls(self) -> "Pulls":
        """The pulls of this run."""
        # A cached_property makes one for each thread since Python 3.12.
        with self.mutex:
            return self._pulls

    def take_bytes(self, references: Iterable[str] | None = None) -> int:
        """Return how many bytes of these upstream images this run pulled, or of all, that nobody took before."""
        return self._pulls.take_bytes(references) if "_pulls" in self.__dict__ else 0

    @cached_property
    def _pulls(self) -> "Pulls":
        from isol8_tasks.run.pulls import Pulls  # noqa: PLC0415 - a run that pulls is rare

        return Pulls(self.engine)

    @property
    def asks_registry(self) -> bool:
        """Tell whether images may come from a registry instead of a build."""
        return bool(self.config.registry.repository) and self.use_registry

    @cached_property
    def remote(self) -> "RemoteImages":
        """What the registry has of the images of the graph, as far as it was asked."""
        from isol8_tasks.run.remote import RemoteImages  # noqa: PLC0415 - for who has a registry

        return RemoteImages(self.config.registry.repository, self.engine)

    @property
    def registry_problems(self) -> tuple[str, Mapping[str, str]]:
        """Why the registry could not be asked, and what can't be read of it, by the tag; empty where all went well."""
        asked = self.remote if "remote" in self.__dict__ else None
        return (asked.problem, asked.unreadable) if asked else ("", {})

    @property
    def engine_version(self) -> str:
        """The engine's version, as it told with its last answer; empty when it was not asked."""
        return self._version or (self._engine.version() if self._engine else "")

    @property
    def engine_product(self) -> str:
        """Whose engine it is: `Docker` or `Podman`."""
        return self._engine.product() if self._engine else "Docker"

    @property
    def repository(self) -> str:
        """What stands before the colon of every tag."""
        return self.config.build.repository

    @property
    def lock_platform(self) -> str:
        """The platform that the lock's file is of; empty where there is one lock."""
        build = self.config.build
        return build.platform if len(build.platforms) >= _SEVERAL else ""

    @property
    def lock_name(self) -> str:
        """The lock's file, as messages name it."""
        return self.workspace.lock_name(self.lock_platform)

    def read_lock(self) -> str | None:
        """Return the text of the lock; None if there is none."""
        return self.workspace.read_lock(self.lock_platform)

    def public_tag(self, name: str) -> str:
        """Return the public tag of an image, whether an engine answers or not."""
        return str(Reference(self.repository, name))

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

    @cached_property
    def own_platform(self) -> str:
        """The engine's own platform, for which few Dockerfiles ask."""
        found = platform_directly(self.endpoint.url) if self._engine is None else None
        return found or self.engine.own_platform()

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
        """Abort every build under way; `for_good` lets none begin later."""
        if self._engine is not None:
            self._engine.cancel(for_good=for_good)
        for each in self.beside:
            each.cancel(for_good=for_good)

    def close(self) -> None:
        """Close the connections to the engine."""
        if "_pulls" in self.__dict__:
            self._pulls.close()
        if self._engine is not None:
            self._engine.close()
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

    def _observe(self) -> Observed:
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
            ignore=self._ignore(),
            learned=self._learned,
            builder=self.builder,
        )

    def _ignore(self) -> str:
        """Return the text of the build context's ignore file, the Dockerfile's own before the general one."""
        for name in ("Dockerfile.dockerignore", ".dockerignore"):
            if name in self.context:
                return self.context[name].data.decode("utf-8", "surrogateescape")
        return ""
