"""What an engine is asked of the registries behind it."""

import base64
import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from isol8_tasks.engine import ImageEngine, ObservedImage, OnBytes
from isol8_tasks.engine.builders.buildkit import stream_error
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.listing import docker_names
from isol8_tasks.engine.transfers import Transfer
from isol8_tasks.engine.wire import NOT_FOUND, EngineRefusedError, SilenceError, quoted, repository_and_tag
from isol8_tasks.errors import EngineError, NotInRegistryError, RegistryError, SourceUnavailableError
from isol8_tasks.images.references import Reference
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact
from isol8_tasks.safety.troubles import told

if TYPE_CHECKING:
    from isol8_tasks.registry.client import RegistryClient, RemoteImage

SILENCE: Final = 300
"""Seconds after which a registry that lets nothing be heard is given up."""
_NOBODY: Final = {"X-Registry-Auth": "e30="}
"""`{}`: the engine wants the header, credentials or not."""
_REFUSED: Final = re.compile(
    r"\b(?:denied|unauthorized|forbidden|no basic auth|authentication)\b", re.IGNORECASE
)
_DIGEST: Final = re.compile(r"digest: (sha256:[0-9a-f]{64})\b")


class RegistryEngine(ImageEngine, Protocol):
    """An engine that also speaks to registries. Every method raises EngineError (or a subclass)."""

    def remote_digest(self, reference: str) -> str:
        """Return the digest (`sha256:…`) that a reference has in its registry now; nothing is pulled.

        NotInRegistryError says that the registry has no such image, SourceUnavailableError that it could not be asked.
        """

    def remote_images(self, repository: str, tags: Iterable[str]) -> Mapping[str, "RemoteImage"]:
        """Return what tags of a repository name, of those that are there; no layer is pulled.

        SourceUnavailableError says that the registry could not be asked.
        """

    def remote_tags(self, repository: str) -> Mapping[str, str]:
        """Return the digest of every tag of a repository; SourceUnavailableError as above."""

    def remote_delete(self, repository: str, digest: str) -> None:
        """Delete the image of that digest from a repository, with every tag that it has.

        RegistryError says that the registry does not do that, SourceUnavailableError that it could not be asked.
        """

    def has_login(self, repository: str) -> bool:
        """Tell whether docker's own configuration has a login for a repository's registry."""

    def push(self, reference: str, on_bytes: OnBytes | None = None) -> str:
        """Send the image under a tag to the registry that the tag names, and return its digest there.

        With the credentials of docker's own configuration. RegistryError says that the registry did not take it.
        """

    def fetch(self, repository: str, digest: str, on_bytes: OnBytes | None = None) -> ObservedImage:
        """Pull the image of that digest; until it is tagged, `repository@digest` is its only name here.

        RegistryError says that the registry did not give it.
        """


def remote_digest(connection: Connection, reference: str) -> str:
    """Do what RegistryEngine.remote_digest promises (docs.docker.com/reference/api/engine, DistributionInspect)."""
    try:
        found: Any = connection.call(
            "GET",
            f"/distribution/{quoted(reference)}/json",
            f"look up {reference} in its registry",
            headers=connection.credentials(reference),
        )
        return str(found["Descriptor"]["digest"])
    except (EngineRefusedError, SilenceError, KeyError, TypeError) as error:
        reason = "its answer can't be read"
        kind = SourceUnavailableError
        if isinstance(error, SilenceError):
            reason = "it does not answer"
        elif isinstance(error, EngineRefusedError):
            reason = error.reason
            kind = NotInRegistryError if error.status == NOT_FOUND else SourceUnavailableError
        raise kind(f"{reference} could not be looked up: {redact(reason).strip()}") from error


def login(connection: Connection, repository: str) -> tuple[str, str] | None:
    """Return name and password for a repository's registry, of docker's own configuration; None for nobody's."""
    header = connection.credentials(repository).get("X-Registry-Auth")
    found: Any = loads(base64.urlsafe_b64decode(header)) if header else {}
    # Docker's client writes them small or large, by where it found them.
    known = {key.lower(): value for key, value in found.items()}
    name, password = known.get("username"), known.get("password")
    return (name, password) if name and password else None


def push(connection: Connection, reference: str, on_bytes: OnBytes | None = None) -> str:
    """Do what RegistryEngine.push promises, but for a digest that the engine does not say: it is empty then."""
    repository, tag = repository_and_tag(reference)
    what = f"the push of {reference}"
    headers = connection.credentials(reference) or _NOBODY
    digest = ""
    path = f"/images/{quoted(repository)}/push"
    transfer = Transfer(on_bytes)
    for item in _heard(connection, path, what, {"tag": tag}, headers):
        transfer.hear(item)
        digest = _digest_of(item) or digest
    return digest


def fetch(
    connection: Connection,
    registry: "RegistryClient",
    digest: str,
    platform: str,
    on_bytes: OnBytes | None = None,
) -> ObservedImage:
    """Do what RegistryEngine.fetch promises; an empty platform is the engine's own."""
    from isol8_tasks.engine import whole  # noqa: PLC0415 - for who pulls what another machine pushed

    repository = registry.repository
    reference = str(Reference(repository).at(digest))
    what = f"the pull of {reference}"
    params = {"fromImage": repository, "tag": digest, "platform": platform}
    transfer = Transfer(on_bytes)
    for item in _heard(connection, "/images/create", what, params, connection.credentials(reference)):
        transfer.hear(item)
    try:
        found: Any = connection.call("GET", f"/images/{quoted(reference)}/json", f"inspect {reference}")
    except EngineRefusedError as error:
        raise _failed(what, "the engine reported success, but does not have it") from error
    if not whole.is_whole(connection, reference, found):
        connection.call("DELETE", f"/images/{quoted(reference)}", f"remove {reference}")
        whole.load(connection, registry, digest)
        # Its id is its digest in that store.
        found = connection.call("GET", f"/images/{digest}/json", f"inspect {digest}")
        if not whole.is_whole(connection, digest, found):
            raise _failed(what, "the engine was given all of it, and has only a part")
    podman = connection.hello().podman
    return ObservedImage(
        id=found["Id"],
        tags=docker_names(found.get("RepoTags"), podman=podman),
        digests=docker_names(found.get("RepoDigests"), podman=podman),
        labels=(found.get("Config") or {}).get("Labels") or {},
        size=found.get("Size") or 0,
    )


def is_refusal(reason: str) -> bool:
    """Tell whether a registry's words say that somebody may not do this, or that it does not know him."""
    return bool(_REFUSED.search(reason))


def _heard(
    connection: Connection, path: str, what: str, params: Mapping[str, str], headers: Mapping[str, str]
) -> Iterator[Mapping[str, object]]:
    """Yield what the engine tells of a transfer, and raise RegistryError for what goes wrong with it."""
    try:
        with contextlib.closing(
            connection.stream(path, what, params, headers=headers, silence=SILENCE)
        ) as items:
            for item in _news(items):
                if message := stream_error(item):
                    raise _failed(what, message)
                yield item
    except EngineRefusedError as error:
        raise _failed(what, error.reason) from error
    except SilenceError as error:
        raise _failed(what, f"no progress for {SILENCE} s") from error


def _news(items: Iterator[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Yield what was not said before; SilenceError says that for too long nothing else came."""
    said: dict[object, Mapping[str, object]] = {}
    since = time.monotonic()
    for item in items:
        # Some stores say the same ten times a second as long as they wait.
        if said.get(item.get("id")) != item:
            said[item.get("id")], since = item, time.monotonic()
            yield item
        elif time.monotonic() - since > SILENCE:
            raise SilenceError("nothing new")


def _failed(what: str, reason: str) -> EngineError:
    steps = told(
        reason,
        source="[registry] in deps.toml",
        login="docker's login (docker login)",
        proxy="the engine's own configuration",
    )
    said = "\n".join(filter(None, (redact(reason).strip(), steps)))
    return RegistryError(f"{what} failed: {said}", lasting=is_refusal(reason))


def _digest_of(item: Mapping[str, object]) -> str:
    """Return the digest in an item of the engine's stream; empty when it holds none."""
    aux = item.get("aux")
    found = aux.get("Digest") if isinstance(aux, dict) else None
    if isinstance(found, str):
        return found
    said = _DIGEST.search(str(item.get("status", "")))
    return said[1] if said else ""
