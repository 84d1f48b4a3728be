"""What goes over the wire to an engine, and what its answers say."""

import io
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from isol8_tasks.errors import EngineError
from isol8_tasks.images.references import Reference
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

SWITCHED: Final = 101
ERROR_STATUS: Final = 400
NOT_FOUND: Final = 404


class EngineRefusedError(EngineError):
    """The engine answered a request with an error."""

    def __init__(self, what: str, reason: str, *, status: int) -> None:
        super().__init__(f"{what}: {reason}")
        self.reason = reason
        """The engine's own words, without credentials."""
        self.status = status
        """HTTP's."""


class SilenceError(EngineError):
    """The engine was asked for something, and let nothing be heard for too long."""


def repository_and_tag(reference: str) -> tuple[str, str]:
    """Return repository and tag (or digest) of a reference; a missing tag is `latest`."""
    try:
        found = Reference.parse(reference)
    except ValueError:
        # The engine refuses it in its own words.
        return reference, "latest"
    return found.repository, found.digest or found.tag or "latest"


def quoted(reference: str) -> str:
    """Return a reference as part of a path of the API."""
    return quote(reference, safe="/:@")


def items(chunks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield each item of an answer in pieces, a line each."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (item for line in lines if line.strip() for item in _item(line))
    if rest.strip():
        yield from _item(rest)


def _item(line: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        found = loads(line)
    except ValueError as error:
        raise EngineError(f"the engine's answer can't be read: {redact(repr(line[:80]))}") from error
    if isinstance(found, dict):
        yield found


def is_silence(error: OSError) -> bool:
    """Tell whether a request came to its end because nothing was heard."""
    # What times out while an answer is read comes as a lost connection.
    return "timed out" in str(error)


def raise_refused(status: int, content: bytes, what: str) -> None:
    """Raise EngineRefusedError for an answer that is none."""
    if status < ERROR_STATUS:
        return
    try:
        message = str(loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = content.decode("utf-8", "replace")
    raise EngineRefusedError(what, redact(message).strip() or f"HTTP status {status}", status=status)


class ChunkFile(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return this many bytes, less only at the end."""
        parts = [self._rest]
        missing = size - len(self._rest)
        while missing > 0 and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            missing -= len(chunk)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]
