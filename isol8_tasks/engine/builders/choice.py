"""Which builder builds in this run, and building by it."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from isol8_tasks.engine import BuildRequest, OnEvent, SecretSource
from isol8_tasks.engine.builders import buildx
from isol8_tasks.engine.builders.buildx import BuildxRun
from isol8_tasks.engine.builders.layouts import Layouts
from isol8_tasks.engine.builders.plugin import BuildxBuilder, builder_elsewhere, is_answering, is_usable
from isol8_tasks.engine.builders.pushed import (
    Passage,
    ResultRegistry,
    digest_in,
    may_pass,
    parent_in,
    pull_pushed,
    pushing,
)
from isol8_tasks.engine.builders.results import into_layout, load_result
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.engine.jobs import Job, JobList
from isol8_tasks.engine.listing import platform_of
from isol8_tasks.engine.watch import Watch, patience
from isol8_tasks.engine.wire import NOT_FOUND, EngineRefusedError, quoted
from isol8_tasks.errors import BuildFailedError, EngineError, EngineUnreachableError, PlanError
from isol8_tasks.safety.redact import redact

if TYPE_CHECKING:
    from isol8_tasks.engine.builders.buildkit import Post
    from isol8_tasks.engine.builders.session import LoginFor

_UNHEEDED: Final = ("BUILDX_BUILDER", "DOCKER_DEFAULT_PLATFORM")
"""Variables by which docker's command would build elsewhere, or for another platform, than was decided here."""
_WAITED_FOR_ANOTHER: Final = "flightcontrol: exceeded retry timeout"
"""BuildKit's own words (util/flightcontrol): a build waited in vain for what another one does as well."""
_UNREAD: Final = "failed to read downloaded context: failed to load cache key"
"""BuildKit's, before Engine 27.5 with containerd's store: it looks on the network for what it is sent (moby#47717)."""


@frozen(kw_only=True)
class Given:
    """What builds are given beside their requests."""

    secrets: SecretSource | None
    login: "LoginFor"
    """Finds the login for a registry's host."""
    registry: ResultRegistry
    """Has what one elsewhere pushed."""


@frozen(kw_only=True)
class Wanted:
    """What deps.toml and flags say of how images are built."""

    builder: str = "auto"
    """Of the engine's own."""
    buildx: str = ""
    """The name of one that is not inside the engine; empty where the engine builds."""
    cache: str = ""
    """The repository in which that one keeps its cache; empty for none."""
    platform: str = ""
    """What is built for; empty for the engine's own platform."""
    passage: Passage | None = None
    """How results of one elsewhere may come."""


class Builders:
    """The builders of an engine: the one that the settings name, else the first that works.

    With a name of one of buildx's builders, that one builds, wherever it is, and the engine gets what comes of it.
    """

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        environ: Mapping[str, str],
        *,
        wanted: Wanted,
        given: Given,
    ) -> None:
        self._connection = connection
        self._remote = given.registry
        self._endpoint = endpoint
        self._environ = environ
        # Where another one builds all else, whatever the engine has adds labels.
        self._setting = "auto" if wanted.buildx else wanted.builder
        self._name = wanted.buildx
        self._cache = wanted.cache
        self._platform = wanted.platform
        self._login = given.login
        self._source = given.secrets
        self._passage = wanted.passage or Passage()
        self._mutex = threading.RLock()
        self._chosen = ""
        self._layouts = Layouts(connection)
        self._far = JobList()
        self._watch = Watch(
            lambda seconds: is_answering(self._name, self._client_environ(), seconds),
            self._far.cancel,
            lambda: patience(environ),
        )

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, tag, and return the image's id; else raise BuildFailedError and leave the tag as it was."""
        wanted = request.platform or self._platform
        request = evolve(
            request,
            args={**self._connection.proxies(), **request.args},
            # Not every builder takes one, be it the engine's own.
            platform=wanted if wanted and wanted != self._own_platform else "",
        )
        if self._name and not request.only_labels:
            return self._build_elsewhere(request, on_event)
        if self._cache and not request.only_labels:
            raise PlanError(
                "[build] cache needs a builder that can write it, and the engine's own can't\n"
                'Name one by --builder, or by buildx = "NAME" under [build], or remove the line.'
            )
        builder = self._chosen_here()
        if builder == "buildkit":
            try:
                return self._build_by_buildkit(request, on_event)
            except (EngineRefusedError, BuildFailedError) as error:
                if self._setting != "auto" or not _is_without_buildkit(error):
                    raise
                builder = self._choose_again()
        if builder == "buildx":
            how = BuildxRun(builder=self._own, environ=self._client_environ())
            return self._build_by_buildx(request, on_event, how)
        if request.secrets:
            podman = self._connection.hello().podman
            own = "Podman has none" if podman else "this engine's is the classic builder"
            several = "s" if len(request.secrets) > 1 else ""
            # Nobody tried whether one of buildx's builds for Podman.
            or_buildx = (
                "" if podman else ', or name a builder of docker buildx by buildx = "NAME" under [build]'
            )
            raise PlanError(
                f"{request.image or request.tag} needs the secret{several} {', '.join(request.secrets)}, and only "
                f"BuildKit keeps secrets out of images: {own}\nUse an engine with BuildKit{or_buildx}."
            )
        return self._build_by_classic(request, on_event)

    def chosen(self) -> str:
        """Return the name of the builder of this run; one elsewhere is not asked."""
        return f"buildx {self._name}" if self._name else self._chosen_here()

    def close(self) -> None:
        """Remove what builders elsewhere were given."""
        self._layouts.close()

    @cached_property
    def _builder(self) -> BuildxBuilder:
        return builder_elsewhere(self._name, self._platform or self._own_platform, self._client_environ())

    @cached_property
    def _own_platform(self) -> str:
        return platform_of(self._connection.call("GET", "/version", "tell its platform"))

    @property
    def _own(self) -> str:
        """The name of buildx's builder inside this engine: docker makes one for each context."""
        return self._endpoint.context or "default"

    def _build_elsewhere(self, request: BuildRequest, on_event: OnEvent) -> str:
        with self._mutex:
            builder = self._builder
        # Its own platform may be another than the engine's.
        request = evolve(request, platform=request.platform or self._own_platform)
        try:
            return self._build_there(request, on_event, builder)
        except EngineError as error:
            self._raise_gone(builder, error)
            raise

    def _raise_gone(self, builder: BuildxBuilder, error: EngineError) -> None:
        """Say of a builder that ended or hung in a build that it did; it is none of the image's failures."""
        if self._watch.silent is not None:
            problem = f"said nothing for {self._watch.silent:g} s in the middle of a build"
        elif isinstance(error, BuildFailedError) and not is_answering(builder.name, self._client_environ()):
            problem = f"stopped in the middle of a build: {str(error).partition(': ')[2]}"
        else:
            return
        raise EngineUnreachableError(
            f"the builder {builder.name!r} (driver {builder.driver}) {problem}\n"
            f"Look at docker buildx inspect {builder.name}, and run again: images in use are untouched."
        ) from error

    def _build_there(self, request: BuildRequest, on_event: OnEvent, builder: BuildxBuilder) -> str:
        if may_pass(request, self._passage, self._connection, self._environ):
            with self._job_there() as job:
                try:
                    return self._build_through_registry(request, on_event, builder.name, job)
                except EngineError as error:
                    # It is about the registry, and the steps are in the builder's cache by now.
                    if job.cancelled or self._passage.repository not in str(error):
                        raise
        # Saved before the folder is made that has their layers.
        how = self._how(request, builder.name, ())
        parents = tuple(request.built_on.values())
        with self._layouts.seeded(parents) as folder:
            how = evolve(how, options=(*into_layout(folder), *how.options), tagged=False)
            return self._build_by_buildx(
                request, on_event, how, lambda: load_result(self._connection, folder, request.tag, parents)
            )

    @contextlib.contextmanager
    def _job_there(self) -> Iterator[Job]:
        """Hold a build elsewhere; it is aborted where the builder says nothing any more."""
        with self._connection.job() as job, self._far.job() as far, self._watch.waiting():
            far.closes_with(job.cancel)
            yield job

    def _how(
        self, request: BuildRequest, name: str, output: tuple[str, ...], *, near: bool = False
    ) -> BuildxRun:
        """Return how a builder elsewhere is asked; with `near` it gets parents from the registry that has them."""
        options = [*output]
        for reference, image_id in request.built_on.items():
            there = parent_in(self._passage, image_id, self._connection) if near else ""
            options.append(f"--build-context={reference}={there or self._layouts.of(image_id)}")
        if self._cache:
            where = f"type=registry,ref={self._cache}:{request.image}"
            options += [f"--cache-from={where}", f"--cache-to={where},mode=max,ignore-error=true"]
        return BuildxRun(builder=name, environ=self._client_environ(), options=tuple(options))

    def _build_through_registry(self, request: BuildRequest, on_event: OnEvent, name: str, job: Job) -> str:
        """Build, and pull what was pushed by digest."""
        with tempfile.TemporaryDirectory(prefix="isol8-pushed-") as folder:
            file = Path(folder, "metadata.json")
            how = self._how(request, name, pushing(self._passage, file), near=True)
            buildx.build(request, evolve(how, tagged=False), job, on_event)
            digest = digest_in(file)
        return pull_pushed(self._connection, self._passage, digest, request.tag, self._remote)

    def _chosen_here(self) -> str:
        with self._mutex:
            self._chosen = self._chosen or self._choose()
            return self._chosen

    def _choose(self) -> str:
        podman = self._connection.hello().podman
        if self._setting == "auto":
            return self._without_buildkit() if podman else "buildkit"
        if self._setting == "buildkit" and podman:
            raise PlanError(
                f"the engine at {redact(self._endpoint.url)} is Podman, which has no BuildKit\n"
                'Write builder = "auto" under [build] in deps.toml.'
            )
        return self._setting

    def _choose_again(self) -> str:
        """Return what builds where BuildKit can't."""
        with self._mutex:
            self._chosen = self._without_buildkit()
            return self._chosen

    def _without_buildkit(self) -> str:
        return "buildx" if is_usable(self._own, self._client_environ()) else "classic"

    def _build_by_buildkit(self, request: BuildRequest, on_event: OnEvent) -> str:
        from isol8_tasks.engine.builders import buildkit  # noqa: PLC0415 - others don't need it

        def build() -> str:
            with contextlib.ExitStack() as stack:
                post = self._poster(request, stack, self._session(request, stack))
                return buildkit.build(request, post, on_event)

        try:
            return build()
        except BuildFailedError as error:
            if _WAITED_FOR_ANOTHER not in str(error):
                raise
        return build()

    def _build_by_classic(self, request: BuildRequest, on_event: OnEvent) -> str:
        from isol8_tasks.engine.builders import classic  # noqa: PLC0415 - few engines need it

        with contextlib.ExitStack() as stack:
            return classic.build(request, self._poster(request, stack, {}), on_event)

    def _build_by_buildx(
        self,
        request: BuildRequest,
        on_event: OnEvent,
        how: BuildxRun,
        bring: Callable[[], None] = lambda: None,
    ) -> str:
        options = [f"--secret={self._secrets.option(name)}" for name in self._values(request)]
        with self._job_there() if how.builder == self._name else self._connection.job() as job:
            buildx.build(request, evolve(how, options=(*how.options, *options)), job, on_event)
        bring()
        try:
            path = f"/images/{quoted(request.tag)}/json"
            return str(self._connection.call("GET", path, f"inspect {request.tag}")["Id"])
        except EngineRefusedError as error:
            if error.status != NOT_FOUND:
                raise
            raise EngineError(
                f"buildx built {request.tag}, but the engine does not have it\n"
                f"Look at docker buildx inspect {how.builder}: its images have to come into the engine at "
                f"{redact(self._endpoint.url)}."
            ) from error

    @property
    def _secrets(self) -> SecretSource:
        if self._source is None:
            raise AssertionError("a build wants secrets of an engine that was given none")
        return self._source

    def _values(self, request: BuildRequest) -> dict[str, bytes]:
        """Return the secrets of a build; ConfigError says why one can't be had, before anything is built."""
        return {name: self._secrets.value(name) for name in request.secrets}

    def _session(self, request: BuildRequest, stack: contextlib.ExitStack) -> Mapping[str, str]:
        """Open what a build finds its secrets and logins by, and return what the engine is told of it."""
        # An upstream image for another platform may be fetched by the builder itself.
        if not request.secrets and (request.only_labels or not request.platform):
            return {}
        from isol8_tasks.engine.builders.session import Answers, attached  # noqa: PLC0415 - few need it

        answers = Answers(secrets=self._values(request), login=self._login)
        try:
            return {"session": stack.enter_context(attached(self._connection, answers))}
        except EngineRefusedError:
            if request.secrets:
                raise
            return {}

    def _poster(
        self, request: BuildRequest, stack: contextlib.ExitStack, session: Mapping[str, str]
    ) -> "Post":
        def post(params: Mapping[str, str], body: bytes) -> Iterator[Mapping[str, object]]:
            headers = {"Content-Type": "application/x-tar"}
            what = f"the build of {request.tag}"
            items = self._connection.stream("/build", what, {**params, **session}, body, headers=headers)
            # Closed when the build ends, however it ends: that is what makes the engine give up, too.
            return stack.enter_context(contextlib.closing(items))

        return post

    def _client_environ(self) -> dict[str, str]:
        """Return the environment in which docker's client program speaks to this engine."""
        environ = {name: value for name, value in self._environ.items() if name not in _UNHEEDED}
        if self._endpoint.context:
            environ.pop("DOCKER_HOST", None)
            return {**environ, "DOCKER_CONTEXT": self._endpoint.context}
        environ.pop("DOCKER_CONTEXT", None)
        return {**environ, "DOCKER_HOST": self._endpoint.url}


def _is_without_buildkit(error: EngineRefusedError | BuildFailedError) -> bool:
    """Tell whether the engine refuses BuildKit, or keeps from it what is to be built."""
    if isinstance(error, EngineRefusedError):
        return "buildkit" in error.reason.lower()
    return _UNREAD in str(error)
