"""A registry with copies of the upstream images, whose tags can be moved."""

import datetime as dt
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker
import requests
from attrs import Factory, define, frozen

from lab.engine import free_port
from lab.tools import Tools

_INDEX: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_STAMP: Final = "2026-01-01T00:00:00Z"


@frozen(kw_only=True)
class Layer:
    """A layer of an image."""

    data: bytes

    @property
    def digest(self) -> str:
        """What a registry knows it by."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def content(self) -> bytes:
        """The tar file itself."""
        return gzip.decompress(self.data) if self.data[:2] == b"\x1f\x8b" else self.data

    @property
    def kind(self) -> str:
        """How a manifest calls it."""
        return _LAYER + ("+gzip" if self.data[:2] == b"\x1f\x8b" else "")


def layer_of(files: Mapping[str, bytes]) -> Layer:
    """Make a layer that adds or replaces these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return Layer(data=buffer.getvalue())


@frozen(kw_only=True)
class Image:
    """An image as a registry has it."""

    config: Mapping[str, Any]
    layers: tuple[Layer, ...]

    def with_layer(self, layer: Layer, labels: Mapping[str, str] | None = None) -> "Image":
        """Return the image with a layer on top, and other labels if they are given."""
        config = json.loads(json.dumps(self.config))
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer.content).hexdigest()}")
        config["history"].append({"created": _STAMP, "created_by": "isol8-tasks tests"})
        if labels is not None:
            config["config"]["Labels"] = dict(labels)
        return Image(config=config, layers=(*self.layers, layer))

    def lean(self, folder: str) -> "Image":
        """Return the image without what is in a folder, its layers packed, as images are that are published."""
        layers = tuple(_without(layer, folder) for layer in self.layers)
        config = json.loads(json.dumps(self.config))
        config["rootfs"]["diff_ids"] = [
            f"sha256:{hashlib.sha256(each.content).hexdigest()}" for each in layers
        ]
        return Image(config=config, layers=layers)

    def file(self, path: str) -> bytes | None:
        """Return the content of a file, None if there is none; links are not followed."""
        found = None
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer.content)) as archive:
                for member in archive:
                    if member.isfile() and member.name.removeprefix("./") == path:
                        content = archive.extractfile(member)
                        found = content.read() if content else found
        return found


def _without(layer: Layer, folder: str) -> Layer:
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(layer.content)) as archive,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as kept,
    ):
        for member in archive:
            if not member.name.removeprefix("./").startswith(folder):
                kept.addfile(member, archive.extractfile(member) if member.isreg() else None)
    return Layer(data=gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0))


def images_of(api: docker.APIClient, references: tuple[str, ...]) -> dict[str, Image]:
    """Take images out of an engine."""
    with tempfile.TemporaryFile() as file:
        answer = api.get(f"{api.base_url}/images/get", params={"names": list(references)}, stream=True)
        answer.raise_for_status()
        for part in answer.iter_content(1 << 20):
            file.write(part)
        file.seek(0)
        found: dict[str, Image] = {}
        layers: dict[str, Layer] = {}
        with tarfile.open(fileobj=file) as archive:

            def read(name: str) -> bytes:
                content = archive.extractfile(name)
                assert content is not None, name
                return content.read()

            for entry in json.loads(read("manifest.json")):
                for name in entry["Layers"]:
                    layers.setdefault(name, Layer(data=read(name)))
                image = Image(
                    config=json.loads(read(entry["Config"])),
                    layers=tuple(layers[name] for name in entry["Layers"]),
                )
                found.update(dict.fromkeys(entry["RepoTags"] or (), image))
    return {reference: found[reference] for reference in references}


@define(kw_only=True)
class Registry:
    """A registry that can be pushed to, by its own interface."""

    address: str
    """Where it listens itself, with nobody who counts before it."""
    there: set[tuple[str, str]] = Factory(set)

    def push(self, reference: str, image: Image) -> str:
        """Put an image under a name as `alpine:3.21`, and return its digest."""
        repository, _, tag = reference.rpartition(":")
        config = json.dumps(image.config, sort_keys=True).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _INDEX,
            "config": self._keep(repository, config, _CONFIG),
            "layers": [self._keep(repository, layer.data, layer.kind) for layer in image.layers],
        }
        body = json.dumps(manifest, sort_keys=True).encode()
        self._call("PUT", f"/v2/{repository}/manifests/{tag}", data=body, headers={"Content-Type": _INDEX})
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _keep(self, repository: str, data: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if (repository, digest) not in self.there:
            begun = self._call("POST", f"/v2/{repository}/blobs/uploads/")
            place = begun.headers["Location"]
            requests.put(place, params={"digest": digest}, data=data, timeout=120).raise_for_status()
            self.there.add((repository, digest))
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' own words
        answer = requests.request(method, f"http://{self.address}{path}", timeout=120, **more)
        answer.raise_for_status()
        return answer


@contextmanager
def registry(folder: Path, tools: Tools) -> Iterator[Registry]:
    """Run Debian's docker-registry with its storage below the folder."""
    port = free_port()
    file = folder / "registry.yml"
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    file.write_text(json.dumps(settings), encoding="utf-8")  # which is YAML, too
    program = tools.find("docker-registry")
    assert program is not None, "docker-registry is neither on this machine nor in the lab's folder"
    with (folder / "registry.log").open("wb") as log:
        running = subprocess.Popen(
            [program, "serve", str(file)],
            env={"PATH": "/usr/bin:/bin", **tools.environment(program)},
            stdout=log,
            stderr=log,
        )
    try:
        found = Registry(address=f"127.0.0.1:{port}")
        _wait(found, running)
        yield found
    finally:
        running.terminate()
        running.wait()


def _wait(found: Registry, running: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while True:
        try:
            requests.get(f"http://{found.address}/v2/", timeout=5).raise_for_status()
        except requests.ConnectionError:
            assert running.poll() is None, "docker-registry ended at once"
            assert time.monotonic() < until, "docker-registry does not answer"
            time.sleep(0.05)
        else:
            return


def long_ago() -> dt.datetime:
    """Return a time at which everything is old enough."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=30)
