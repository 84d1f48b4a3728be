"""Saved images as OCI layouts."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.engine.builders.layouts import write_layout

LAYERS = [b"first layer", b"second layer"]


def digest(data: bytes) -> str:
    """Return the digest of a blob without its algorithm."""
    return hashlib.sha256(data).hexdigest()


CONFIG = json.dumps({"rootfs": {"diff_ids": [f"sha256:{digest(each)}" for each in LAYERS]}}).encode()


def saved(files: Mapping[str, bytes], links: Mapping[str, str]) -> Iterator[bytes]:
    """Yield an archive in pieces."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    whole = stream.getvalue()
    yield from (whole[start : start + 700] for start in range(0, len(whole), 700))


def manifest(config: str, layers: list[str]) -> bytes:
    """Return what an engine says of the image in it."""
    return json.dumps([{"Config": config, "RepoTags": None, "Layers": layers}]).encode()


def blob(folder: Path, named: str) -> bytes:
    """Return a blob of a layout, which has to be what its digest says."""
    data = (folder / "blobs/sha256" / named.removeprefix("sha256:")).read_bytes()
    assert f"sha256:{digest(data)}" == named
    return data


def read(folder: Path, named: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return the configuration and the layers, with their types, of a layout's image."""
    (index,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    assert index["digest"] == named
    assert (folder / "oci-layout").exists()
    found: dict[str, Any] = json.loads(blob(folder, named))
    for each in (found["config"], *found["layers"]):
        assert each["size"] == len(blob(folder, each["digest"]))
    layers = [
        (each["mediaType"].rpartition(".")[2], blob(folder, each["digest"])) for each in found["layers"]
    ]
    return blob(folder, found["config"]["digest"]), layers


def test_of_an_older_engine(tmp_path: Path) -> None:
    """Layers lie in folders, and one of the same content as another is a link to it."""
    files = {"a/layer.tar": LAYERS[0], "b/layer.tar": LAYERS[1], "c.json": CONFIG}
    archive = saved({**files, "manifest.json": manifest("c.json", ["a/layer.tar", "b/layer.tar"])}, {})
    config, layers = read(tmp_path / "new", write_layout(archive, tmp_path / "new"))
    assert (config, layers) == (CONFIG, [("tar", LAYERS[0]), ("tar", LAYERS[1])])
    twice = json.dumps({"rootfs": {"diff_ids": [f"sha256:{digest(LAYERS[0])}"] * 2}}).encode()
    files = {"a/layer.tar": LAYERS[0], "c.json": twice}
    said = manifest("c.json", ["a/layer.tar", "b/layer.tar"])
    archive = saved({**files, "manifest.json": said}, {"b/layer.tar": "../a/layer.tar"})
    assert read(tmp_path / "twice", write_layout(archive, tmp_path / "twice"))[1] == [("tar", LAYERS[0])] * 2


@pytest.mark.parametrize(("start", "media"), [(b"\x1f\x8b", "tar+gzip"), (b"\x28\xb5", "tar+zstd")])
def test_of_a_newer_engine(tmp_path: Path, start: bytes, media: str) -> None:
    """Blobs lie by their digests, packed or not."""
    packed = gzip.compress(LAYERS[1]) if media == "tar+gzip" else start + b"\x2f\xfd more"
    blobs = [CONFIG, LAYERS[0], packed]
    paths = [f"blobs/sha256/{digest(each)}" for each in blobs]
    files = dict(zip(paths, blobs, strict=True))
    archive = saved({**files, "manifest.json": manifest(paths[0], paths[1:])}, {})
    config, layers = read(tmp_path / "new", write_layout(archive, tmp_path / "new"))
    assert (config, layers) == (CONFIG, [("tar", LAYERS[0]), (media, packed)])


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive" * 100,
        b"".join(saved({"other": b""}, {})),
        b"".join(saved({"manifest.json": b"[]"}, {})),
        b"".join(saved({"manifest.json": manifest("c.json", []), "c.json": b"{}"}, {})),
        b"".join(saved({"manifest.json": manifest("c.json", ["a"]), "c.json": CONFIG}, {})),
        b"".join(saved({"../out": b""}, {})),
    ],
    ids=["nothing", "noise", "no manifest", "no image", "no layers", "too few layers", "a way out"],
)
def test_what_is_none(tmp_path: Path, archive: bytes) -> None:
    """Every kind of it is an error that the caller knows."""
    with pytest.raises((tarfile.TarError, KeyError, ValueError, TypeError, OSError)):
        write_layout(iter([archive]), tmp_path / "new")
