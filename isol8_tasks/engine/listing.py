"""The list of an engine's images: read from its JSON, and asked for without Docker's client where that will do.

So is the engine's platform.

Importing Docker's client costs more than all the rest of a run with nothing to do, and such a run asks an engine
for this list and nothing else.
"""

import http.client
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from isol8_tasks.images.labels import SCHEMA_LABEL
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.safety.jsontext import loads

QUERY: Final = {"filters": '{"dangling":["false"]}'}
"""What is asked for: no image without a tag."""

_PATH: Final = "/images/json?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
_SECONDS: Final = 5
"""What takes longer is asked for again, of an engine that says that it is there."""
_OK: Final = 200
_LONG_NAMES: Final = ("docker.io/library/", "docker.io/", "localhost/")
"""What Podman puts in front of names that Docker shows short."""


@frozen(kw_only=True)
class Listing:
    """What an engine answered."""

    version: str
    """The engine's own."""
    images: tuple[ObservedImage, ...]


def list_directly(url: str) -> Listing | None:
    """Ask the engine at a unix socket for its tagged images; None where that does not do.

    Whatever goes wrong is for Docker's client to find again, whose words say what to do about it.
    """
    found = _answer(url, _PATH)
    return found and Listing(version=found[0], images=tagged(found[1], podman=False))


def platform_directly(url: str) -> str | None:
    """Ask the engine at a unix socket for its platform; None where that does not do."""
    found = _answer(url, "/version")
    return found and platform_of(found[1])


def platform_of(version: Mapping[str, Any]) -> str:
    """Return what an engine that tells its version builds for: `linux/amd64`."""
    return f"{version['Os']}/{version['Arch']}"


def _answer(url: str, path: str) -> tuple[str, Any] | None:
    """Return the version and the answer of the engine at a unix socket."""
    if not url.startswith("unix://"):
        return None
    connection = _UnixConnection("localhost", timeout=_SECONDS)
    connection.path = url.removeprefix("unix://")
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        program, _, version = response.getheader("Server", "").partition(" ")[0].partition("/")
        # Podman lists more and spells it otherwise, which its own headers on a ping tell.
        if response.status != _OK or program != "Docker":
            return None
        return version, loads(response.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def tagged(entries: Iterable[Mapping[str, Any]], *, podman: bool) -> tuple[ObservedImage, ...]:
    """Return the images of an engine's answer that have a name: a tag, or for one that isn't ours a digest.

    What the Dockerfile names by its digest has no tag. One of ours without a tag is out of use.
    """
    images = (_observed(entry, podman=podman) for entry in entries)
    return tuple(
        image for image in images if image.tags or (image.digests and SCHEMA_LABEL not in image.labels)
    )


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at `path`."""

    path: str

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def _observed(entry: Mapping[str, Any], *, podman: bool) -> ObservedImage:
    return ObservedImage(
        id=entry["Id"],
        tags=docker_names(entry.get("RepoTags"), podman=podman),
        digests=docker_names(entry.get("RepoDigests"), podman=podman),
        labels=entry.get("Labels") or {},
        created=entry.get("Created") or 0,
        size=entry.get("Size") or 0,
    )


def docker_names(found: list[str] | None, *, podman: bool) -> tuple[str, ...]:
    """Return the names of an image as Docker shows them, sorted."""
    names = [name for name in found or () if not name.startswith("<none>")]
    if podman:
        names = [_short(name) for name in names]
    return tuple(sorted(set(names)))


def _short(name: str) -> str:
    prefix = next((prefix for prefix in _LONG_NAMES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)
