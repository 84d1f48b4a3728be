"""Container images made of folders, written where a registry finds them."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@frozen(kw_only=True)
class Blob:
    """Something that the registry keeps, known by its digest."""

    media_type: str
    digest: str
    size: int

    def descriptor(self) -> dict[str, object]:
        """Return how a manifest refers to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@frozen(kw_only=True)
class Storage:
    """A registry's folder on disk, in the layout of the reference implementation."""

    root: Path

    @property
    def _v2(self) -> Path:
        return self.root / "docker/registry/v2"

    def _keep(self, file: Path, media_type: str) -> Blob:
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        blob = Blob(media_type=media_type, digest=f"sha256:{sha256}", size=file.stat().st_size)
        target = self._v2 / "blobs/sha256" / sha256[:2] / sha256 / "data"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
        return blob

    def _keep_json(self, value: Mapping[str, object], media_type: str) -> Blob:
        self.root.mkdir(parents=True, exist_ok=True)
        file = self.root / "new.json"
        file.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
        return self._keep(file, media_type)

    def layer(self, folder: Path) -> Blob:
        """Keep a folder as a layer: not compressed, since it only ever travels within this machine."""
        self.root.mkdir(parents=True, exist_ok=True)
        file = self.root / "new.tar"
        with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(folder, arcname=".")
        return self._keep(file, _LAYER_TYPE)

    def image(self, reference: str, layers: tuple[Blob, ...], config: Mapping[str, object]) -> None:
        """Keep an image of these layers under a name as `library/alpine:3.21`."""
        repository, _, tag = reference.rpartition(":")
        image = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            "history": [{"created_by": "isol8-tasks lab", "comment": "stand-in"} for _ in layers],
        }
        described = self._keep_json(image, _CONFIG_TYPE)
        manifest = self._keep_json(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST_TYPE,
                "config": described.descriptor(),
                "layers": [layer.descriptor() for layer in layers],
            },
            _MANIFEST_TYPE,
        )
        folder = self._v2 / "repositories" / repository
        for blob in (described, *layers):
            self._link(folder / "_layers", blob)
        self._link(folder / "_manifests/revisions", manifest)
        tags = folder / "_manifests/tags" / tag
        self._link(tags / "index", manifest)
        (tags / "current").mkdir(parents=True)
        (tags / "current/link").write_text(manifest.digest, encoding="utf-8")

    def _link(self, folder: Path, blob: Blob) -> None:
        file = folder / blob.digest.replace(":", "/") / "link"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(blob.digest, encoding="utf-8")
