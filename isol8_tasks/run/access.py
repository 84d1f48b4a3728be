"""What a run reads of its checkout, and its connection to the engine: each made when it is first asked for."""

import contextlib
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, evolve, field

from isol8_tasks.config.deps import Config
from isol8_tasks.dockerfile.closure import Dockerfile, parse
from isol8_tasks.ecosystems.runtimes import PROXY_ARGS
from isol8_tasks.engine.endpoint import Endpoint, find
from isol8_tasks.engine.listing import platform_directly
from isol8_tasks.errors import EngineError, Isol8Error
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.context import BuildContext, Digests
from isol8_tasks.run.workspace import OF_ALL, Workspace
from isol8_tasks.safety.credentials import Redactor

_SEVERAL: Final = 2

if TYPE_CHECKING:
    from isol8_tasks.engine import FileContent
    from isol8_tasks.engine.builders.pushed import Passage
    from isol8_tasks.engine.containers import SandboxEngine
    from isol8_tasks.engine.registry import RegistryEngine
    from isol8_tasks.engine.upkeep import UpkeepEngine
    from isol8_tasks.run.pulls import Pulls
    from isol8_tasks.run.remote import RemoteImages
    from isol8_tasks.run.secret_values import SecretValues

    class WholeEngine(UpkeepEngine, SandboxEngine, RegistryEngine, Protocol):
        """All that is asked of an engine."""


@define(kw_only=True, eq=False, slots=False, repr=False)
class Access:
    """A checkout and its engine: what is in the one, and how the other is reached. Made without work."""

    workspace: Workspace
    environ: Mapping[str, str]
    _engine: "WholeEngine | None" = field(default=None, alias="engine")
    """The connection to the engine, once something is asked that needs one."""
    use_registry: bool = field(default=True, init=False)
    """Let images come from the registry of deps.toml."""
    buildx: str = field(default="", init=False)
    """The builder of docker buildx that the flags name; empty for that of deps.toml."""
    _version: str = field(default="", init=False)
    _unreachable: EngineError | None = field(default=None, init=False)
    """Why the engine could not be asked; it is not tried twice."""
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

    @cached_property
    def own_platform(self) -> str:
        """The engine's own platform, for which few Dockerfiles ask."""
        found = platform_directly(self.endpoint.url) if self._engine is None else None
        return found or self.engine.own_platform()

    def cancel(self, *, for_good: bool = False) -> None:
        """Abort every build under way; `for_good` lets none begin later."""
        if self._engine is not None:
            self._engine.cancel(for_good=for_good)

    def close(self) -> None:
        """Close the connections to the engine."""
        if "_pulls" in self.__dict__:
            self._pulls.close()
        if self._engine is not None:
            self._engine.close()

    def ignore_file(self) -> str:
        """Return the text of the build context's ignore file, the Dockerfile's own before the general one."""
        for name in ("Dockerfile.dockerignore", ".dockerignore"):
            if name in self.context:
                return self.context[name].data.decode("utf-8", "surrogateescape")
        return ""
