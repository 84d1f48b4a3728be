"""Images of the engine as OCI layouts, for builders that are elsewhere and see none of them.

An engine saves an image as an archive with a `manifest.json` (moby, image/spec/v1.2.md); those of 25 and later name its
blobs in there by digest, older ones its layers by folders. Both become the same layout (opencontainers/image-spec,
image-layout.md), so that no registry is needed on the way.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.wire import ChunkFile, quoted
from isol8_tasks.errors import EngineError
from isol8_tasks.safety.jsontext import loads

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_PACKED: Final = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
"""How packed layers begin."""
_PREFIX: Final = "isol8-layouts-"
BLOBS: Final = Path("blobs", "sha256")
_NEW_SECONDS: Final = 60


class Layouts:
    """The layouts of a run: each image is saved once, however many are built on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mutex = threading.Lock()
        self._folder = ""
        self._held = -1
        """Open, and locked, as long as the folder is in use."""
        self._made: dict[str, tuple[Path, str]] = {}
        """Folder and digest, by the image's id."""

    def of(self, image_id: str) -> str:
        """Return where the layout of an image is, as buildx's `--build-context` has it: `oci-layout://FOLDER@DIGEST`."""
        with self._mutex:
            if image_id not in self._made:
                self._folder = self._folder or self._begin()
                folder = Path(self._folder, str(len(self._made)))
                # What a copy left that failed.
                shutil.rmtree(folder, ignore_errors=True)
                self._made[image_id] = folder, self._save(image_id, folder)
            return "oci-layout://{}@{}".format(*self._made[image_id])

    @contextlib.contextmanager
    def seeded(self, image_ids: Iterable[str]) -> Iterator[Path]:
        """Give a folder for a new layout, which has every blob of theirs, and is removed."""
        with self._mutex:
            self._folder = self._folder or self._begin()
            parents = [self._made[each][0] for each in image_ids if each in self._made]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            blobs = Path(folder, BLOBS)
            blobs.mkdir(parents=True)
            for parent in parents:
                for blob in (parent / BLOBS).iterdir():
                    with contextlib.suppress(FileExistsError):
                        os.link(blob, blobs / blob.name)
            yield Path(folder)

    def close(self) -> None:
        """Remove them."""
        with self._mutex:
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                os.close(self._held)
            self._folder, self._made = "", {}

    def _begin(self) -> str:
        _remove_abandoned()
        folder = tempfile.mkdtemp(prefix=_PREFIX)
        self._held = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        return folder

    def _save(self, image_id: str, folder: Path) -> str:
        path, what = f"/images/{quoted(image_id)}/get", f"the copy of {image_id}"
        chunks = self._connection.read(path, what, {}, method="GET")
        with contextlib.closing(chunks):
            next(chunks)
            try:
                return write_layout(chunks, folder)
            except (tarfile.TarError, KeyError, ValueError, TypeError, OSError) as error:
                raise EngineError(f"{what} for the builder failed: {error}") from error


def _remove_abandoned() -> None:
    """Remove the folders of runs that were killed: a process that ends, however it does, locks nothing any more."""
    for each in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Somebody else's, one that is locked, or gone meanwhile.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            folder = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.callback(os.close, folder)
            # A new one may not be locked yet.
            if time.time() - os.fstat(folder).st_mtime > _NEW_SECONDS:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(each)


def write_layout(archive: Iterator[bytes], folder: Path) -> str:
    """Write a saved image as an OCI layout into a new folder, and return the digest of its manifest."""
    saved, blobs = folder / "saved", folder / BLOBS
    saved.mkdir(parents=True)
    blobs.mkdir(parents=True)
    with tarfile.open(fileobj=ChunkFile(archive), mode="r|") as members:
        members.extractall(saved, filter="data")
    (image,) = loads((saved / "manifest.json").read_bytes())
    config = (saved / image["Config"]).read_bytes()
    layers = [
        _layer(saved / path, diff_id, blobs)
        for path, diff_id in zip(image["Layers"], loads(config)["rootfs"]["diff_ids"], strict=True)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _described(_CONFIG, _blob(config, blobs), blobs),
        "layers": layers,
    }
    digest = _blob(json.dumps(manifest).encode(), blobs)
    index = {"schemaVersion": 2, "manifests": [_described(_MANIFEST, digest, blobs)]}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
    shutil.rmtree(saved)
    return digest


def _layer(path: Path, diff_id: str, blobs: Path) -> dict[str, Any]:
    """Put a layer among the blobs, and return its descriptor."""
    with path.open("rb") as file:
        packed = _PACKED.get(file.read(2), "")
    # A packed one is named by its own digest, a plain one is what the configuration names.
    digest = f"sha256:{path.name}" if packed else diff_id
    if not (blob := blobs / digest.removeprefix("sha256:")).exists():
        # A layer may be a link to another one of the same content.
        os.link(path.resolve(), blob)
    return _described(f"{_LAYER}{packed}", digest, blobs)


def _blob(data: bytes, blobs: Path) -> str:
    name = hashlib.sha256(data).hexdigest()
    (blobs / name).write_bytes(data)
    return f"sha256:{name}"


def _described(media: str, digest: str, blobs: Path) -> dict[str, Any]:
    size = (blobs / digest.removeprefix("sha256:")).stat().st_size
    return {"mediaType": media, "digest": digest, "size": size}
