"""What is written to a registry and no engine can push: images that differ by labels alone, and indexes.

The protocol is the OCI distribution specification's (github.com/opencontainers/distribution-spec, "Push"), the form of
an index that of opencontainers/image-spec, image-index.md.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from attrs import define
from requests import Response

from isol8_tasks.errors import RegistryError
from isol8_tasks.registry.client import RegistryClient, content_digest
from isol8_tasks.registry.connections import SILENT_SECONDS
from isol8_tasks.safety.jsontext import loads

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_REFUSALS: Final = frozenset({401, 403, 405})
_ERROR: Final = 400


@define(eq=False)
class RegistryWriter(RegistryClient):
    """A repository that is written to, too.

    Each method raises RegistryError where the registry does not take something, and SourceUnavailableError where it
    could not be asked.
    """

    def ensure_writable(self) -> None:
        """Return if this login may write."""
        with self._told():
            self._connect()
            self._session.delete(self._upload(), timeout=SILENT_SECONDS)

    def relabel(self, digest: str, labels: Mapping[str, str], tags: Iterable[str] = ()) -> str:
        """Put an image beside the one of that digest, which has exactly these labels; return its digest.

        No layer is sent. It gets the tags in their order, the digest first.
        """
        with self._told():
            manifest = loads([*self.manifests(digest).values()][-1])
            described = manifest["config"]
            config = loads(self._content(f"/blobs/{described['digest']}", described["digest"]))
            config["config"] = {**(config.get("config") or {}), "Labels": dict(labels)}
            content = json.dumps(config).encode()
            blob = content_digest(content)
            self._put(self._upload(), content, "application/octet-stream", digest=blob)
            manifest["config"] = {**described, "digest": blob, "size": len(content)}
            return self._put_manifest(manifest, manifest.get("mediaType", _MANIFEST), tags)

    def put_index(self, tag: str, images: Mapping[str, tuple[str, Mapping[str, str]]]) -> str:
        """Let a tag lead to an image for each platform, given by its digest, with annotations; return its digest."""
        with self._told():
            self._connect()
            manifests = []
            for platform, (digest, annotations) in images.items():
                content = self._content(f"/manifests/{digest}", digest)
                system, _, processor = platform.partition("/")
                manifests.append(
                    {
                        "mediaType": loads(content).get("mediaType", _MANIFEST),
                        "digest": digest,
                        "size": len(content),
                        "platform": {"os": system, "architecture": processor},
                        "annotations": dict(annotations),
                    }
                )
            document = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}
            return self._put_manifest(document, _INDEX, [tag])

    def _put_manifest(self, document: Mapping[str, Any], kind: str, tags: Iterable[str]) -> str:
        content = json.dumps(document).encode()
        digest = content_digest(content)
        for reference in (digest, *tags):
            self._put(f"{self._root}/manifests/{reference}", content, kind)
        return digest

    def _upload(self) -> str:
        """Begin to send a blob, and return the address that takes it."""
        answer = self._session.post(f"{self._root}/blobs/uploads/", timeout=SILENT_SECONDS)
        self._ensure_taken(answer)
        place = urljoin(self._root, answer.headers["Location"])
        # No registry sends a login elsewhere.
        if urlsplit(place).netloc != urlsplit(self._root).netloc:
            raise ValueError(f"it sends for the upload to {urlsplit(place).netloc}")
        return place

    def _put(self, place: str, content: bytes, kind: str, **params: str) -> None:
        headers = {"Content-Type": kind}
        self._ensure_taken(
            self._session.put(place, content, params=params, headers=headers, timeout=SILENT_SECONDS)
        )

    def _ensure_taken(self, answer: Response) -> None:
        if answer.status_code >= _ERROR:
            refused = answer.status_code in _REFUSALS
            why = "access denied: " if refused else ""
            raise RegistryError(
                f"{self.repository} does not take it: {why}{answer.status_code} {answer.reason}",
                lasting=refused,
            )
