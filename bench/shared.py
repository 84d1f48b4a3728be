"""What `plan` takes on an engine without images, with a registry on this machine that has all of them."""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import requests

from bench.measure import Candidate, RunFailedError
from bench.scale import deps, entries, serving
from lab.engine import free_port
from lab.places import Places
from lab.tools import Tools

COUNTS: Final = (12, 1_000)
_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIGURATION: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_SECONDS: Final = 30


def name(count: int) -> str:
    """Return the name of the candidate with so many images."""
    return f"plan, {count:,} images in a registry"


@contextlib.contextmanager
def planned(
    checkout: Path,
    repository: str,
    arguments: Mapping[str, str],
    listing: Sequence[Mapping[str, Any]],
    command: tuple[str, ...],
) -> Iterator[tuple[Candidate, ...]]:
    """Give a plan for each number of images, against an engine that has the upstream images and nothing else.

    The registry has what the engine's own list of the five bases, and entries in the form of these, say of each image.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isol8-shared-")))
        address = stack.enter_context(registry(checkout, folder))
        candidates = []
        for count in COUNTS:
            place = folder / str(count)
            place.mkdir()
            file = place / "deps.toml"
            text = deps(repository, arguments, count)
            file.write_text(f'{text}[registry]\nrepository = "{address}/n{count}"\n', encoding="utf-8")
            tagged = entries(checkout, file, listing)
            _fill(f"http://{address}/v2/n{count}", tagged, f"{repository}:")
            upstream = [each for each in tagged if not _is_ours(each, repository)]
            answer = place / "images.json"
            answer.write_text(json.dumps(upstream), encoding="utf-8")
            stack.enter_context(serving(place / "docker.sock", answer))
            candidates.append(
                Candidate(
                    name=name(count),
                    command=(*command, "plan", "--check"),
                    environment={
                        "ISOL8_DEPS": str(file),
                        "DOCKER_HOST": f"unix://{place / 'docker.sock'}",
                    },
                )
            )
        yield tuple(candidates)


def _is_ours(entry: Mapping[str, Any], repository: str) -> bool:
    return any(tag.startswith((f"{repository}:", f"{repository}_build:")) for tag in entry["RepoTags"] or ())


def _fill(root: str, tagged: Sequence[Mapping[str, Any]], prefix: str) -> None:
    """Push an image of one small layer for each entry, under its public tag."""
    with requests.Session() as session:
        layer = _blob(session, root, b"layer")
        for entry in tagged:
            for tag in entry["RepoTags"] or ():
                if tag.startswith(prefix):
                    document = {
                        "architecture": "amd64",
                        "os": "linux",
                        "config": {"Labels": entry["Labels"]},
                        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
                    }
                    config = _blob(session, root, json.dumps(document).encode())
                    manifest = {
                        "schemaVersion": 2,
                        "mediaType": _MANIFEST,
                        "config": {"mediaType": _CONFIGURATION, **config},
                        "layers": [{"mediaType": _LAYER, **layer}],
                    }
                    session.put(
                        f"{root}/manifests/{tag.removeprefix(prefix)}",
                        data=json.dumps(manifest),
                        headers={"Content-Type": _MANIFEST},
                        timeout=_SECONDS,
                    ).raise_for_status()


def _blob(session: requests.Session, root: str, data: bytes) -> dict[str, str | int]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = session.post(f"{root}/blobs/uploads/", timeout=_SECONDS).headers["Location"]
    session.put(
        place,
        params={"digest": digest},
        data=data,
        headers={"Content-Type": "application/octet-stream"},
        timeout=_SECONDS,
    ).raise_for_status()
    return {"size": len(data), "digest": digest}


@contextlib.contextmanager
def registry(checkout: Path, folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry, as a private engine brings it; give its address."""
    tools = Tools(root=Places.of(checkout, os.environ.get("ISOL8_LAB_CACHE")).fetched / "programs")
    program = tools.find("docker-registry")
    if program is None:
        raise RunFailedError(
            "there is no docker-registry here; the private engine of ./doitw up --lab brings one"
        )
    address, file = f"127.0.0.1:{free_port()}", folder / "registry.yml"
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    configuration = {"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": {"addr": address}}
    file.write_text(json.dumps(configuration), encoding="utf-8")
    server = subprocess.Popen(
        [program, "serve", str(file)],
        env={**os.environ, **tools.environment(program)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while server.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://{address}/v2/", timeout=_SECONDS)
                break
            time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait()
