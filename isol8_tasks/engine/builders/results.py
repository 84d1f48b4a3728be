"""What a builder elsewhere built, brought to the engine without the layers that are there already.

buildx writes it into an OCI layout that has the blobs of what it is built on, and lets no builder send one again. The
engine gets it in the form of `docker save`: an engine that keeps layers by itself misses none there that it has
(moby, image/tarexport/load.go), others are given all.
"""

import contextlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from isol8_tasks.engine.builders.archive import tar_header, tar_padding
from isol8_tasks.engine.builders.buildkit import stream_error
from isol8_tasks.engine.builders.layouts import BLOBS
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.wire import EngineRefusedError, quoted
from isol8_tasks.errors import EngineError
from isol8_tasks.safety.jsontext import loads

_PIECE: Final = 1 << 20
_TAR: Final = {"Content-Type": "application/x-tar"}


def into_layout(folder: Path) -> tuple[str, ...]:
    """Return how buildx is told to write a result there.

    Layers come plain: the engine unpacks them at once, so that to pack them costs more than they take on the way.
    """
    return (f"--output=type=oci,tar=false,dest={folder},compression=uncompressed,force-compression=true",)


def load_result(connection: Connection, folder: Path, tag: str, parents: Sequence[str]) -> None:
    """Give the engine, under a tag, what is in a layout; it has the images `parents`. EngineError says what failed."""
    try:
        (described,) = loads((folder / "index.json").read_bytes())["manifests"]
        config = loads(_blob(folder, described["digest"]).read_bytes())["config"]["digest"]
        layers = loads(_blob(folder, config).read_bytes())["rootfs"]["diff_ids"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"docker buildx ended without the image for {tag}: {error}") from error
    there = (
        0
        if _wants_all(connection)
        else max((_shared(connection, each, layers) for each in parents), default=0)
    )
    for left_out in dict.fromkeys((there, 0)):
        problem = _load(connection, tag, _archive(folder, tag, [config, *layers], left_out))
        if not problem:
            return
    raise EngineError(f"the load of {tag} failed: {problem}")


def _wants_all(connection: Connection) -> bool:
    """Tell whether the engine has containerd's store."""
    found = connection.call("GET", "/info", "tell how it stores images")
    return "io.containerd.snapshotter" in str(found.get("DriverStatus"))


def _shared(connection: Connection, image_id: str, layers: Sequence[str]) -> int:
    """Return how many of these layers, from the first on, an image of the engine has too."""
    found = connection.call("GET", f"/images/{quoted(image_id)}/json", f"inspect {image_id}")
    own = found["RootFS"].get("Layers") or ()
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(own, layers, strict=False)))


def _load(connection: Connection, tag: str, archive: Iterator[bytes]) -> str:
    """Return why the engine did not take an archive; empty if it did."""
    items = connection.stream("/images/load", f"the load of {tag}", {"quiet": "1"}, archive, headers=_TAR)
    try:
        with contextlib.closing(items):
            return next((message for item in items if (message := stream_error(item))), "")
    except EngineRefusedError as error:
        return error.reason


def _archive(folder: Path, tag: str, digests: Sequence[str], left_out: int) -> Iterator[bytes]:
    """Yield an archive with the configuration, which comes first, and the layers, of which the first are left out."""
    config, *layers = (each.removeprefix("sha256:") for each in digests)
    manifest = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": layers}]).encode()
    yield tar_header("manifest.json", len(manifest)) + manifest + tar_padding(len(manifest))
    for name in dict.fromkeys((config, *layers[left_out:])):
        file = _blob(folder, name)
        size = file.stat().st_size
        yield tar_header(name, size)
        with file.open("rb") as opened:
            yield from iter(lambda: opened.read(_PIECE), b"")
        yield tar_padding(size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _blob(folder: Path, digest: str) -> Path:
    return folder / BLOBS / digest.removeprefix("sha256:")
