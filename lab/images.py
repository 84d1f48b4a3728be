"""What the private engine holds, and what it can pull."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from isol8_tasks.errors import LabError
from isol8_tasks.safety.redact import redact

if TYPE_CHECKING:
    from pathlib import Path

    from docker import APIClient

STANDIN_LABEL = "org.isol8.lab.standin"
"""Marks a stand-in; its value says which recipe made it."""

_UPSTREAM = ("registry-1.docker.io", 443)

REAL = ""
"""The recipe of an image that is no stand-in."""


def _client(host: str, seconds: int = 600) -> APIClient:
    # Importing docker takes longer than all else here; a run that finds nothing to do should not wait for it.
    from docker import APIClient  # noqa: PLC0415 # see above

    return APIClient(base_url=host, timeout=seconds)


def answers(listening: Path) -> bool:
    """Say whether an engine answers on this socket."""
    # By hand, as docker's client is slow to import, and leaves a socket open for each attempt that fails.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(listening))
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        return b" 200 " in connection.recv(64)
    return False


def mirrors(host: str) -> list[str]:
    """Return the registry mirrors that the engine uses."""
    client = _client(host)
    try:
        found = client.info()["RegistryConfig"]["Mirrors"] or []
        return [str(mirror).rstrip("/") for mirror in found]
    finally:
        client.close()


def recipe_of(host: str, reference: str) -> str | None:
    """Return the recipe that made the stand-in under this name, REAL if it's none, None if it isn't here."""
    client = _client(host)
    try:
        found = client.images(name=reference)
    finally:
        client.close()
    return str((found[0]["Labels"] or {}).get(STANDIN_LABEL, REAL)) if found else None


def likely_to_pull() -> bool:
    """Guess, at once, whether the upstream registry can be reached; what counts is whether a pull succeeds."""
    if any(name.lower() == "https_proxy" for name in os.environ):
        return True
    try:
        socket.create_connection(_UPSTREAM, timeout=3).close()
    except OSError:
        return False
    return True


def pull(host: str, reference: str) -> None:
    """Pull an image; LabError, with the engine's reason, if that can't be done."""
    from docker.errors import APIError  # noqa: PLC0415 # as above

    repository, _, tag = reference.rpartition(":")
    client = _client(host)
    try:
        # The request succeeds when the pull begins; how it ends is said in the stream.
        for event in client.pull(repository, tag=tag, stream=True, decode=True):
            if problem := event.get("error"):
                raise LabError(redact(str(problem)))
    except APIError as problem:
        raise LabError(redact(str(problem.explanation or problem))) from problem
    finally:
        client.close()
