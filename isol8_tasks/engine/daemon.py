"""The ImageEngine that is a real engine: Docker's, or one that speaks its API."""

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from isol8_tasks.engine import (
    BuildRequest,
    EngineInfo,
    ImageDetail,
    ObservedImage,
    OnBytes,
    OnEvent,
    SecretSource,
)
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.engine.listing import QUERY, docker_names, platform_of, tagged
from isol8_tasks.engine.wire import NOT_FOUND, EngineRefusedError, quoted, repository_and_tag
from isol8_tasks.errors import ReplacedError
from isol8_tasks.safety.redact import redact

if TYPE_CHECKING:
    from isol8_tasks.engine.builders.choice import Builders
    from isol8_tasks.engine.builders.pushed import Passage
    from isol8_tasks.engine.containers import Finished, RunRequest
    from isol8_tasks.engine.lease import VolumeLease
    from isol8_tasks.engine.upkeep import Disk
    from isol8_tasks.registry.client import RemoteImage
    from isol8_tasks.registry.writing import RegistryWriter

BuilderSetting = Literal["auto", "buildkit", "buildx", "classic"]

_BESIDE_CONFIG: Final = ("Architecture", "Os", "OsVersion", "Variant", "Author")
_CONFLICT: Final = 409
_DOCKERS_OWN: Final = ("docker.io", "registry-1.docker.io")


class DockerEngine:
    """The engine at an endpoint. Made without work: the first question opens the connection."""

    def __init__(  # noqa: PLR0913 - all but one are named by the caller
        self,
        endpoint: Endpoint,
        *,
        environ: Mapping[str, str],
        builder: BuilderSetting = "auto",
        buildx: str = "",
        cache: str = "",
        platform: str = "",
        secrets: SecretSource | None = None,
        passage: "Passage | None" = None,
    ) -> None:
        self._endpoint = endpoint
        self._environ = environ
        self._settings = builder, buildx, cache
        self._passage = passage
        self._wanted = platform
        self._secrets = secrets
        self._connection = Connection(endpoint, environ)
        self._mutex = threading.Lock()
        self._own = ""
        self._made: Builders | None = None
        self._registries: dict[str, RegistryWriter] = {}
        self._lease: VolumeLease | None = None

    @property
    def _builders(self) -> "Builders":
        from isol8_tasks.engine.builders.choice import Builders, Given, Wanted  # noqa: PLC0415 - most runs build nothing

        builder, buildx, cache = self._settings
        wanted = Wanted(
            builder=builder, buildx=buildx, cache=cache, platform=self._wanted, passage=self._passage
        )
        # The bases are built all at once, and a cached_property makes one for each thread since Python 3.12.
        with self._mutex:
            if self._made is None:
                given = Given(secrets=self._secrets, login=self._login_for, registry=self)
                self._made = Builders(
                    self._connection, self._endpoint, self._environ, wanted=wanted, given=given
                )
            return self._made

    def ping(self) -> None:
        """Return when the engine answers; raise EngineUnreachableError when not."""
        self._connection.greet()

    def info(self) -> EngineInfo:
        """Tell which engine this is."""
        found = self._connection.call("GET", "/info", "report its version")
        hello = self._connection.hello()
        driver = str(found.get("Driver", ""))
        snapshotter = any(
            "io.containerd.snapshotter" in str(pair) for pair in found.get("DriverStatus") or ()
        )
        # Podman makes up a new id for each answer.
        own = f"podman:{found.get('Name')}" if hello.podman else str(found["ID"])
        return EngineInfo(
            endpoint=redact(self._endpoint.url),
            # Engines of one machine may share an id, which older ones keep in a file of the machine's.
            id=f"{own}:{found.get('DockerRootDir')}",
            version=hello.version,
            api=hello.api,
            store=f"containerd ({driver})" if snapshotter else driver,
            builder=self._builders.chosen(),
            root=str(found.get("DockerRootDir") or ""),
        )

    def version(self) -> str:
        """Return the version that the engine told; empty when it was not asked anything yet."""
        greeted = self._connection.greeted
        return greeted.version if greeted else ""

    def product(self) -> str:
        """Return whose engine it is, as far as it was asked: `Docker` or `Podman`."""
        greeted = self._connection.greeted
        return "Podman" if greeted and greeted.podman else "Docker"

    def platform(self) -> str:
        """Return what it pulls and builds for where nothing else is asked for: `linux/amd64`."""
        return self._wanted or self.own_platform()

    def own_platform(self) -> str:
        """Return what it runs on: `linux/amd64`."""
        self._own = self._own or platform_of(self._connection.call("GET", "/version", "tell its platform"))
        return self._own

    def images(self) -> tuple[ObservedImage, ...]:
        """List every image that has a tag, in one call to the engine."""
        found = self._connection.list("/images/json", "list its images", QUERY)
        return tagged(found, podman=self._connection.hello().podman)

    def inspect(self, reference: str) -> ImageDetail | None:
        """Return what is known of an image (a tag or an id); None when it isn't here."""
        try:
            found = self._connection.call("GET", f"/images/{quoted(reference)}/json", f"inspect {reference}")
        except EngineRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        onbuild = (found.get("Config") or {}).get("OnBuild") or ()
        if self._connection.hello().podman:
            from isol8_tasks.engine import podman  # noqa: PLC0415 - few engines need it

            onbuild = podman.triggers(self._connection, found["Id"])
        return ImageDetail(
            id=found["Id"],
            created=found.get("Created") or "",
            size=found.get("Size") or 0,
            tags=docker_names(found.get("RepoTags"), podman=self._connection.hello().podman),
            platform="/".join(filter(None, (found.get("Os"), found.get("Architecture")))),
            onbuild=tuple(onbuild),
            layers=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            environment=tuple((found.get("Config") or {}).get("Env") or ()),
            entrypoint=tuple((found.get("Config") or {}).get("Entrypoint") or ()),
            configuration=_configuration(found),
        )

    def steps(self, reference: str) -> tuple[str, ...]:
        """Return what an image's history says of its steps, oldest first; nothing where it isn't here."""
        try:
            if self._connection.hello().podman:
                from isol8_tasks.engine import podman  # noqa: PLC0415 - few engines need it

                return podman.steps(self._connection, reference)
            found = self._connection.call(
                "GET", f"/images/{quoted(reference)}/history", f"report the history of {reference}"
            )
        except EngineRefusedError as error:
            if error.status == NOT_FOUND:
                return ()
            raise
        return tuple(str(entry.get("CreatedBy") or "") for entry in reversed(found))

    def files(self, reference: str) -> str:
        """Return a digest of all files of an image, without their times; empty where they can't be read."""
        from isol8_tasks.engine import files  # noqa: PLC0415 - for who builds again what is there

        return files.files(self._connection, reference)

    def pull(self, reference: str, on_bytes: OnBytes | None = None) -> None:
        """Fetch and tag an image, with the credentials of docker's own configuration."""
        from isol8_tasks.engine.builders.buildkit import stream_error  # noqa: PLC0415 - a run that pulls is rare
        from isol8_tasks.engine.transfers import Transfer, unavailable  # noqa: PLC0415 - as above

        repository, tag = repository_and_tag(reference)
        transfer = Transfer(on_bytes)
        try:
            params = {"fromImage": repository, "tag": tag, "platform": self._wanted}
            headers = self._connection.credentials(reference)
            for item in self._connection.stream(
                "/images/create", f"the pull of {reference}", params, headers=headers
            ):
                transfer.hear(item)
                if message := stream_error(item):
                    raise unavailable(reference, message)
        except EngineRefusedError as error:
            raise unavailable(reference, error.reason) from error

    def lease(self, folder: str) -> "VolumeLease":
        """Return the lease of a run that works in that folder; once taken, tags move only while that run has it."""
        from isol8_tasks.engine.lease import VolumeLease  # noqa: PLC0415 - most runs change nothing

        self._lease = self._lease or VolumeLease(self._connection, folder)
        return self._lease

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, tag, and return the image's id; else raise BuildFailedError and leave the tag as it was."""
        return self._builders.build(request, on_event)

    def tag(self, source: str, target: str) -> None:
        """Let the tag `target` point to the image `source` (a tag or an id); ReplacedError if there is none."""
        self._ensure_leased()
        repository, tag = repository_and_tag(target)
        path = f"/images/{quoted(source)}/tag"
        try:
            self._connection.call("POST", path, f"tag {source} as {target}", {"repo": repository, "tag": tag})
        except EngineRefusedError as error:
            if error.status != NOT_FOUND:
                raise
            raise ReplacedError(
                f"{target} was not moved: {source} was removed by another run or by hand; run again"
            ) from error

    def untag(self, reference: str) -> None:
        """Take a tag (or an id) away, and the image with its last one; nothing there is no error."""
        self._ensure_leased()
        path = f"/images/{quoted(reference)}"
        try:
            self._connection.call("DELETE", path, f"remove {reference}")
        except EngineRefusedError as error:
            if error.status == NOT_FOUND:
                return
            if error.status != _CONFLICT or reference.startswith("sha256:"):
                raise
            self._untag_in_use(reference, path)

    def run(self, request: "RunRequest") -> "Finished":
        """Run a command in a new container that is gone when this returns or raises."""
        from isol8_tasks.engine import sandboxes  # noqa: PLC0415 - most runs run no image

        return sandboxes.run(self._connection, request, self._secrets)

    def modes(self, image: str, folder: str) -> tuple[tuple[str, int], ...]:
        """List all that is in a folder of the image, itself included, whoever may open it: path and st_mode."""
        from isol8_tasks.engine import sandboxes  # noqa: PLC0415 - as above

        return sandboxes.modes(self._connection, image, folder)

    def entrypoint(self, image: str) -> tuple[str, ...]:
        """Return the ENTRYPOINT of an image; empty where there is none, or no such image."""
        found = self.inspect(image)
        return found.entrypoint if found else ()

    def sweep(self) -> None:
        """Remove containers that a killed run left behind before they were started, or after they ended."""
        from isol8_tasks.engine import sandboxes  # noqa: PLC0415 - as above

        sandboxes.sweep(self._connection)

    def nameless(self) -> tuple[ObservedImage, ...]:
        """List the images with our labels that have no tag; what others made of ours carries them too."""
        from isol8_tasks.engine import upkeep  # noqa: PLC0415 - for who tidies up

        return upkeep.nameless(self._connection)

    def used(self) -> frozenset[str]:
        """Return the ids of the images that a container, running or not, was made of."""
        from isol8_tasks.engine import upkeep  # noqa: PLC0415 - as above

        return upkeep.used(self._connection)

    def disk(self) -> "Disk":
        """Tell how much room the engine takes."""
        from isol8_tasks.engine import upkeep  # noqa: PLC0415 - as above

        return upkeep.disk(self._connection)

    def remote_digest(self, reference: str) -> str:
        """Return the digest that a reference has in its registry now; nothing is pulled."""
        from isol8_tasks.engine import podman, registry  # noqa: PLC0415 - for who looks for news

        if self._connection.hello().podman:
            return podman.digest_by_podman(self._connection, reference, self.remote_writer)
        return registry.remote_digest(self._connection, reference)

    def remote_images(self, repository: str, tags: Iterable[str]) -> Mapping[str, "RemoteImage"]:
        """Return what tags of a repository name, of those that are there; no layer is pulled."""
        return self.remote_writer(repository).images(tags)

    def remote_tags(self, repository: str) -> Mapping[str, str]:
        """Return the digest of every tag of a repository."""
        return self.remote_writer(repository).tags()

    def remote_delete(self, repository: str, digest: str) -> None:
        """Delete the image of that digest from a repository, with every tag that it has."""
        self.remote_writer(repository).delete(digest)

    def has_login(self, repository: str) -> bool:
        """Tell whether docker's own configuration has a login for a repository's registry."""
        from isol8_tasks.engine.registry import login  # noqa: PLC0415 - for who has one

        return login(self._connection, repository) is not None

    def _login_for(self, host: str) -> tuple[str, str] | None:
        """Return docker's login for a registry, by the host that BuildKit asks for."""
        from isol8_tasks.engine.registry import login  # noqa: PLC0415 - for who has one

        # Docker's own goes by another name there.
        return login(self._connection, "any" if host in _DOCKERS_OWN else f"{host}/any")

    def remote_writer(self, repository: str) -> "RegistryWriter":
        """Return what writes to a repository what an engine can't push; it is closed with the engine."""
        from isol8_tasks.engine.registry import login  # noqa: PLC0415 - for who has one
        from isol8_tasks.registry.writing import RegistryWriter  # noqa: PLC0415 - as above

        if repository not in self._registries:
            self._registries[repository] = RegistryWriter(
                repository, credentials=lambda: login(self._connection, repository), platform=self.platform
            )
        return self._registries[repository]

    def push(self, reference: str, on_bytes: OnBytes | None = None) -> str:
        """Send the image under a tag to the registry that the tag names, and return its digest there."""
        from isol8_tasks.engine import registry  # noqa: PLC0415 - for who pushes

        # Some stores end without saying it.
        return registry.push(self._connection, reference, on_bytes) or self.remote_digest(reference)

    def fetch(self, repository: str, digest: str, on_bytes: OnBytes | None = None) -> ObservedImage:
        """Pull the image of that digest; until it is tagged, `repository@digest` is its only name here."""
        from isol8_tasks.engine import registry  # noqa: PLC0415 - for who pulls what another machine pushed

        return registry.fetch(
            self._connection, self.remote_writer(repository), digest, self._wanted, on_bytes
        )

    def forget_builds(self, keep: int) -> None:
        """Let the build cache be no larger than `keep` bytes: what was used last stays, and what images have."""
        from isol8_tasks.engine import upkeep  # noqa: PLC0415 - as above

        upkeep.forget_builds(self._connection, keep)

    def cancel(self, *, for_good: bool = False) -> None:
        """Abort what is under way, from another thread or a signal; it raises EngineError."""
        self._connection.jobs.cancel(for_good=for_good)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        if self._made is not None:
            self._made.close()
        while self._registries:
            self._registries.popitem()[1].close()

    def _ensure_leased(self) -> None:
        if self._lease is not None:
            self._lease.confirm()

    def _untag_in_use(self, reference: str, path: str) -> None:
        """Take the last tag from an image that a container uses; the container keeps what it needs."""
        if self._connection.hello().podman:
            from isol8_tasks.engine import podman  # noqa: PLC0415 - few engines need it

            podman.untag_in_use(self._connection, reference)
        else:
            self._connection.call("DELETE", path, f"remove {reference}", {"force": "1"})


def _configuration(image: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what an image says of how its containers run; builders write what is empty in several ways."""
    said = {**(image.get("Config") or {}), **{name: image.get(name) for name in _BESIDE_CONFIG}}
    # The classic builder names the image of the last step there.
    return {name: value for name, value in said.items() if value and name != "Image"}
