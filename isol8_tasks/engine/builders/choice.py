"""Which builder builds in this run, and building by it."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import evolve

from isol8_tasks.engine import BuildRequest, OnEvent
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.engine.wire import EngineRefusedError, quoted
from isol8_tasks.errors import BuildFailedError, EngineError
from isol8_tasks.safety.redact import redact

if TYPE_CHECKING:
    from isol8_tasks.engine.builders.buildkit import Post

_WAITED_FOR_ANOTHER: Final = "flightcontrol: exceeded retry timeout"
"""BuildKit's own words (util/flightcontrol): a build waited in vain for what another one does as well."""

_UNREAD: Final = "failed to read downloaded context: failed to load cache key"
"""BuildKit's, before Engine 27.5 with containerd's store: it looks on the network for what it is sent (moby#47717)."""


class Builders:
    """The builders of an engine: the one that the settings name, else the first that works."""

    def __init__(
        self, connection: Connection, endpoint: Endpoint, environ: Mapping[str, str], setting: str
    ) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._environ = environ
        self._setting = setting
        self._mutex = threading.RLock()
        self._chosen = ""

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, tag, and return the image's id; else raise BuildFailedError and leave the tag as it was."""
        request = evolve(request, args={**self._connection.proxies(), **request.args})
        builder = self.chosen()
        if builder == "buildkit":
            try:
                return self._build_by_buildkit(request, on_event)
            except (EngineRefusedError, BuildFailedError) as error:
                if self._setting != "auto" or not _is_without_buildkit(error):
                    raise
                builder = self._choose_again()
        if builder == "buildx":
            return self._build_by_buildx(request, on_event)
        return self._build_by_classic(request, on_event)

    def chosen(self) -> str:
        """Return the name of the builder of this run."""
        with self._mutex:
            self._chosen = self._chosen or self._choose()
            return self._chosen

    def _choose(self) -> str:
        podman = self._connection.hello().podman
        if self._setting == "auto":
            return self._without_buildkit() if podman else "buildkit"
        if self._setting == "buildkit" and podman:
            raise EngineError(
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
        from isol8_tasks.engine.builders import buildx  # noqa: PLC0415 - few engines need it

        return "buildx" if buildx.is_usable(self._client_environ()) else "classic"

    def _build_by_buildkit(self, request: BuildRequest, on_event: OnEvent) -> str:
        from isol8_tasks.engine.builders import buildkit  # noqa: PLC0415 - others don't need it

        try:
            with contextlib.ExitStack() as stack:
                return buildkit.build(request, self._poster(request, stack), on_event)
        except BuildFailedError as error:
            if _WAITED_FOR_ANOTHER not in str(error):
                raise
        with contextlib.ExitStack() as stack:
            return buildkit.build(request, self._poster(request, stack), on_event)

    def _build_by_classic(self, request: BuildRequest, on_event: OnEvent) -> str:
        from isol8_tasks.engine.builders import classic  # noqa: PLC0415 - few engines need it

        with contextlib.ExitStack() as stack:
            return classic.build(request, self._poster(request, stack), on_event)

    def _build_by_buildx(self, request: BuildRequest, on_event: OnEvent) -> str:
        from isol8_tasks.engine.builders import buildx  # noqa: PLC0415 - few engines need it

        with self._connection.job() as job:
            buildx.build(request, self._client_environ(), job, on_event)
        try:
            path = f"/images/{quoted(request.tag)}/json"
            return str(self._connection.call("GET", path, f"inspect {request.tag}")["Id"])
        except EngineRefusedError as error:
            raise EngineError(
                f"buildx built {request.tag}, but the engine does not have it: buildx uses another builder\n"
                'Use the engine\'s own (docker buildx use default), or write builder = "auto" under '
                "[build] in deps.toml."
            ) from error

    def _poster(self, request: BuildRequest, stack: contextlib.ExitStack) -> "Post":
        def post(params: Mapping[str, str], body: bytes) -> Iterator[Mapping[str, object]]:
            headers = {"Content-Type": "application/x-tar"}
            what = f"the build of {request.tag}"
            items = self._connection.stream("/build", what, params, body, headers=headers)
            # Closed when the build ends, however it ends: that is what makes the engine give up, too.
            return stack.enter_context(contextlib.closing(items))

        return post

    def _client_environ(self) -> dict[str, str]:
        """Return the environment in which docker's client program speaks to this engine."""
        environ = {name: value for name, value in self._environ.items() if name != "DOCKER_CONTEXT"}
        if self._endpoint.context:
            environ.pop("DOCKER_HOST", None)
            return {**environ, "DOCKER_CONTEXT": self._endpoint.context}
        return {**environ, "DOCKER_HOST": self._endpoint.url}


def _is_without_buildkit(error: EngineRefusedError | BuildFailedError) -> bool:
    """Tell whether the engine refuses BuildKit, or keeps from it what is to be built."""
    if isinstance(error, EngineRefusedError):
        return "buildkit" in error.reason.lower()
    return _UNREAD in str(error)
