"""What an engine is asked of the registries behind it."""

from typing import Any, Protocol

from isol8_tasks.engine.connection import Connection, RefusedError, quoted
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.redact import redact


class RegistryEngine(Protocol):
    """An engine that also speaks to registries. Every method raises EngineError (or a subclass)."""

    def remote_digest(self, reference: str) -> str:
        """Return the digest (`sha256:…`) that a reference has in its registry now; nothing is pulled.

        SourceUnavailableError says that the registry could not be asked, or has no such image.
        """


def remote_digest(connection: Connection, reference: str) -> str:
    """Do what RegistryEngine.remote_digest promises (docs.docker.com/reference/api/engine, DistributionInspect)."""
    try:
        found: Any = connection.call(
            "GET",
            f"/distribution/{quoted(reference)}/json",
            f"learn of {reference} from its registry",
            headers=connection.credentials(reference),
        )
        return str(found["Descriptor"]["digest"])
    except (RefusedError, KeyError, TypeError) as error:
        reason = error.reason if isinstance(error, RefusedError) else "its answer can't be read"
        raise SourceUnavailableError(
            f"{reference} could not be asked for: {redact(reason).strip()}"
        ) from error
