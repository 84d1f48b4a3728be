"""Images that an engine pulls only in part, brought to it whole.

An engine with containerd's store leaves out a layer that it has already, in whatever compression: the image then lacks
a blob that its manifest names (https://github.com/moby/moby/issues/49784). Before Engine 29 such an image can't be used
at all; since then containers of it start, and nothing can be built on it or made of it.
"""

import contextlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from isol8_tasks.engine.builders.archive import tar_header, tar_padding
from isol8_tasks.engine.builders.buildkit import stream_error
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.wire import EngineRefusedError, quoted
from isol8_tasks.errors import RegistryError, SourceUnavailableError
from isol8_tasks.safety.jsontext import loads

if TYPE_CHECKING:
    from isol8_tasks.registry.client import RegistryClient

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_TELLS: Final = (1, 48)
"""The API since which an engine tells whether it has every part of an image."""


def is_whole(connection: Connection, reference: str, inspected: Mapping[str, Any]) -> bool:
    """Tell whether an engine has every part of an image, as far as it tells."""
    if not inspected.get("Architecture"):
        return False
    hello = connection.hello()
    if hello.podman or tuple(map(int, hello.newest.split("."))) < _TELLS:
        return True
    path = f"/v{'.'.join(map(str, _TELLS))}/images/{quoted(reference)}/json"
    found = connection.call("GET", path, f"inspect {reference}", {"manifests": "1"})
    # Only containerd's store knows of manifests.
    images = [each for each in found.get("Manifests") or () if each.get("Kind") == "image"]
    return not images or any(each.get("Available") for each in images)


def load(connection: Connection, registry: "RegistryClient", digest: str) -> None:
    """Give an engine every part of the image of that digest, as an OCI layout; RegistryError says what went wrong."""
    what = f"the pull of {registry.repository}@{digest}"
    headers = {"Content-Type": "application/x-tar"}
    items = connection.stream(
        "/images/load", what, {"quiet": "1"}, _layout(registry, digest), headers=headers
    )
    try:
        with contextlib.closing(items):
            for item in items:
                if message := stream_error(item):
                    raise RegistryError(f"{what} failed: {message}")
    except (EngineRefusedError, SourceUnavailableError) as error:
        raise RegistryError(f"{what} failed: {error}") from error


def _layout(registry: "RegistryClient", digest: str) -> Iterator[bytes]:
    """Yield the image as an archive, which is never there as a whole (opencontainers/image-spec, image-layout.md)."""
    manifests = registry.manifests(digest)
    top = manifests[digest]
    index = {"schemaVersion": 2, "manifests": [_described(digest, top)]}
    yield from _file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    yield from _file("index.json", json.dumps(index).encode())
    for each, content in manifests.items():
        yield from _file(_place(each), content)
    parts = {
        part["digest"]: part["size"] for content in manifests.values() for part in _parts(loads(content))
    }
    for each, size in parts.items():
        yield tar_header(_place(each), size)
        yield from registry.blob(each)
        yield tar_padding(size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _parts(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [manifest["config"], *manifest["layers"]] if "config" in manifest else []


def _described(digest: str, content: bytes) -> Mapping[str, Any]:
    media = loads(content).get("mediaType", _MANIFEST)
    return {"mediaType": media, "digest": digest, "size": len(content)}


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield tar_header(name, len(content)) + content + tar_padding(len(content))
