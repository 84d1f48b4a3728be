"""Engines that the other files don't use: containerd's store and Podman go through the short suite of steps."""

import gzip
import hashlib
import json
import os
import platform
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import LabError
from tests.engines.kinds import KINDS, Kind
from tests.engines.run import closing_registry, on_engine
from tests.integration.conftest import LABEL
from tests.integration.registries import Registry
from tests.newer_engine import archive

PACKED = {
    "application/vnd.oci.image.manifest.v1+json": "+gzip",
    "application/vnd.docker.distribution.manifest.v2+json": ".gzip",
}
"""How layers that are packed are marked, by the kind of manifest."""
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or platform.machine() != "x86_64", reason="a private engine needs root and stand-ins"
)


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for checkouts and the registry."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(name="registry", scope="module")
def make_registry(folder: Path) -> Iterator[Registry]:
    """Give a registry that nothing was pushed to."""
    with closing_registry(folder / "registry") as registry:
        yield registry


@contextmanager
def started(name: str, registry: Registry) -> Iterator[tuple[Kind, str]]:
    """Start an engine, and give its address."""
    kind = next(each for each in KINDS if each.name == name)
    try:
        archive()
    except LabError as error:
        pytest.skip(str(error))
    with kind.start(ROOT, registry=registry.address, say=lambda _: None) as host:
        yield kind, host


@pytest.fixture(name="containerd", scope="module")
def start_containerd(registry: Registry) -> Iterator[tuple[Kind, str]]:
    """Give an engine with containerd's store."""
    with started("docker-28.5-containerd", registry) as found:
        yield found


@pytest.fixture(name="api", scope="module")
def open_api(containerd: tuple[Kind, str]) -> Iterator[docker.APIClient]:
    """Give a client of that engine."""
    with closing(docker.APIClient(containerd[1], "auto", 300)) as api:
        yield api


@pytest.fixture(name="engine", scope="module")
def open_engine(containerd: tuple[Kind, str]) -> Iterator[DockerEngine]:
    """Give that engine as the project sees it."""
    with closing(DockerEngine(Endpoint(url=containerd[1], why="DOCKER_HOST"), environ={})) as engine:
        yield engine


@pytest.fixture(name="pushed", scope="module")
def push(engine: DockerEngine, api: docker.APIClient, registry: Registry) -> Iterator[tuple[str, str]]:
    """Give repository and digest of an image whose first layer is packed otherwise than alpine:3.21's here."""
    repository = f"{registry.address}/parts{secrets.token_hex(4)}"
    text = "FROM alpine:3.21\nRUN echo one >/one\n"
    request = BuildRequest(tag=f"{repository}:a", dockerfile=text, labels=LABEL)
    engine.build(request, lambda _: None)
    engine.push(f"{repository}:a")
    engine.untag(f"{repository}:a")
    yield repository, repacked(registry, repository.partition("/")[2])
    for image in api.images(filters={"label": list(LABEL)}):
        api.remove_image(image["Id"], force=True)


def goes_well(kind: Kind, host: str, registry: Registry, folder: Path) -> None:
    column = on_engine(kind, host, registry, folder / kind.name, smoke=True)
    failed = {step: result for step, result in column.results.items() if result.startswith("failed")}
    assert column.results
    assert not failed


def test_containerd_store(containerd: tuple[Kind, str], registry: Registry, folder: Path) -> None:
    """Built, replaced, rolled back, pushed and pulled, as with any other store."""
    goes_well(*containerd, registry, folder)


def test_podman(registry: Registry, folder: Path) -> None:
    """Podman goes through the same; there too, the user of a verification owns its folder, as Deno wants it."""
    with started("podman-5.4", registry) as (kind, host):
        goes_well(kind, host, registry, folder)
        owns_its_sandbox(host)


def owns_its_sandbox(host: str) -> None:
    request = RunRequest(
        image="alpine:3.21", command=("stat", "-c", "%u:%g", "/sandbox"), user="100:101", seconds=30
    )
    with closing(DockerEngine(Endpoint(url=host, why="DOCKER_HOST"), environ={})) as engine:
        done = engine.run(request)
    assert (done.exit, done.output) == (0, b"100:101\n")


class TestParts:
    """An image of which containerd's store has a layer already, in another compression (moby#49784)."""

    def test_is_pulled_whole(
        self, engine: DockerEngine, api: docker.APIClient, pushed: tuple[str, str]
    ) -> None:
        """What the engine pulls on its own can't be used; afterwards labels can be added to it."""
        repository, digest = pushed
        api.pull(f"{repository}@{digest}")
        assert not available(api, f"{repository}@{digest}")
        is_usable(engine, api, pushed)

    def test_lost_parts_come_back(
        self,
        containerd: tuple[Kind, str],
        engine: DockerEngine,
        api: docker.APIClient,
        pushed: tuple[str, str],
    ) -> None:
        """An engine that has all snapshots of an image, and not all blobs, as Engine 29 is left by such a pull."""
        repository, digest = pushed
        image = engine.fetch(repository, digest)
        engine.tag(image.id, f"{repository}:kept")
        lose_first_layer(api, digest, Path(containerd[1].removeprefix("unix://")).parent)
        assert not available(api, digest)
        is_usable(engine, api, pushed)


def is_usable(engine: DockerEngine, api: docker.APIClient, pushed: tuple[str, str]) -> None:
    """Pull it as this project does, and make an image of it by labels."""
    repository, digest = pushed
    image = engine.fetch(repository, digest)
    assert image.id == digest
    assert available(api, digest)
    engine.tag(image.id, f"{repository}:kept")
    request = BuildRequest(
        tag=f"{repository}:child", dockerfile=f"FROM {repository}:kept\n", labels=LABEL, only_labels=True
    )
    child = engine.inspect(engine.build(request, lambda _: None))
    parent = engine.inspect(image.id)
    assert child is not None
    assert parent is not None
    assert child.layers == parent.layers


def available(api: docker.APIClient, reference: str) -> bool:
    """Tell whether an engine says that it has every blob of an image."""
    answer = api.get(f"{api.base_url}/v1.48/images/{reference}/json", params={"manifests": "1"})
    return any(each["Available"] for each in answer.json().get("Manifests") or ())


def lose_first_layer(api: docker.APIClient, digest: str, folder: Path) -> None:
    """Take a blob from containerd, and leave the snapshot that was made of it."""
    manifest = api.get(f"{api.base_url}/v1.48/images/{digest}/get", stream=True)
    with tarfile.open(fileobj=manifest.raw, mode="r|") as archive_:
        name = f"blobs/sha256/{digest.removeprefix('sha256:')}"
        found = next(archive_.extractfile(member) for member in archive_ if member.name == name)
        assert found is not None
        layer = json.load(found)["layers"][0]["digest"]
    programs = ROOT / ".isol8/engines/sid/usr/bin"
    command = [str(programs / "ctr"), "--address", str(folder / "containerd.sock"), "--namespace", "moby"]
    subprocess.run([*command, "content", "rm", layer], check=True, capture_output=True)


def repacked(registry: Registry, name: str) -> str:
    """Push an image of a registry again, with its first layer packed in another way, and return its digest."""
    root = f"http://{registry.address}/v2/{name}"
    headers = {"Accept": ", ".join(PACKED)}
    manifest: Any = requests.get(f"{root}/manifests/a", headers=headers, timeout=30).json()
    layer = manifest["layers"][0]
    content = requests.get(f"{root}/blobs/{layer['digest']}", timeout=60).content
    # The lab's stand-ins are not packed at all.
    plain = gzip.decompress(content) if layer["mediaType"].endswith("gzip") else content
    # Another one each time, as an engine of an earlier run may still have it.
    packed = gzip.compress(plain, 1, mtime=secrets.randbelow(1 << 31))
    media = f"{layer['mediaType'].partition('.tar')[0]}.tar{PACKED[manifest['mediaType']]}"
    layer |= {
        "mediaType": media,
        "digest": f"sha256:{hashlib.sha256(packed).hexdigest()}",
        "size": len(packed),
    }
    place = requests.post(f"{root}/blobs/uploads/", timeout=30).headers["Location"]
    done = requests.put(place, params={"digest": layer["digest"]}, data=packed, timeout=60)
    done.raise_for_status()
    text = json.dumps(manifest)
    kind = {"Content-Type": manifest["mediaType"]}
    done = requests.put(f"{root}/manifests/b", data=text, headers=kind, timeout=30)
    done.raise_for_status()
    return done.headers["Docker-Content-Digest"]
