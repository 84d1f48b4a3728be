"""The list of an engine's images: read from its JSON, and asked for without Docker's client where that will do.

So is the engine's platform.

Importing Docker's client costs more than all the rest of a run with nothing to do, and such a run asks an engine
for this list and nothing else.
"""

import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from isol8_tasks.images.labels import SCHEMA_LABEL
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.values import ByValue

QUERY: Final = {"filters": '{"dangling":["false"]}'}
"""What is asked for: no image without a tag."""

_PATH: Final = "/images/json?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
_SECONDS: Final = 5
"""What takes longer is asked for again, of an engine that says that it is there."""
_OK: Final = "200"
_LONG_NAMES: Final = ("docker.io/library/", "docker.io/", "localhost/")
"""What Podman puts in front of names that Docker shows short."""


@frozen(kw_only=True, eq=False, repr=False)
class Listing(ByValue):
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
    try:
        head, _, body = _exchanged(url.removeprefix("unix://"), path).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        program, _, version = headers.get("server", "").partition(" ")[0].partition("/")
        # Podman lists more and spells it otherwise, which its own headers on a ping tell.
        if status.split(" ")[1:2] != [_OK] or program != "Docker" or "transfer-encoding" in headers:
            return None
        return version, loads(body)
    except (OSError, ValueError):
        return None


def _exchanged(address: str, path: str) -> bytes:
    """Return all that comes back for a request in HTTP/1.0, whose answer is in one piece and ends with the connection.

    Python's HTTP client would have to be imported, with its readers of mails, certificates and TLS.
    """
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_SECONDS)
        link.connect(address)
        link.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        with link.makefile("rb") as answer:
            return answer.read()


def tagged(entries: Iterable[Mapping[str, Any]], *, podman: bool) -> tuple[ObservedImage, ...]:
    """Return the images of an engine's answer that have a name: a tag, or for one that isn't ours a digest.

    What the Dockerfile names by its digest has no tag. One of ours without a tag is out of use.
    """
    images = (_observed(entry, podman=podman) for entry in entries)
    return tuple(
        image for image in images if image.tags or (image.digests and SCHEMA_LABEL not in image.labels)
    )


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
