"""Builds by a builder that is not inside the engine: a real one of buildx's remote driver."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import docker
import pytest
from attrs import evolve

from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import LabError
from isol8_tasks.lifecycle.baking import MOST_TARGETS
from tests.archives import saved_parts
from tests.integration.checkouts import Checkout, remove_tags
from tests.integration.registries import Registry
from tests.integration.remote_builder import CONTAINED, HOST, NAME, SECURED, buildx, contained, remote_builder
from tests.newer_engine import archive

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a private engine needs root on Linux"
)

BAKED = int(os.environ.get("ISOL8_BAKED", "2"))


@pytest.fixture(scope="module")
def far() -> Iterator[dict[str, str]]:
    """Give the variables by which the builder `far` is there."""
    try:
        archive()
    except LabError as error:
        pytest.skip(str(error))
    with remote_builder() as environ:
        yield environ


@pytest.fixture(scope="module")
def near(far: dict[str, str], endpoint: Endpoint) -> Iterator[dict[str, str]]:
    """Give those by which the builder `contained` is there, too."""
    with contained(far, endpoint.url):
        yield far


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry."""
    made = Registry(tmp_path / "registry").start()
    yield made
    made.kill()


@pytest.mark.thorough
def test_images_of_a_builder_elsewhere(
    checkout: Checkout, far: dict[str, str], docker_api: docker.APIClient
) -> None:
    """Base and custom image are built there, verified and in use here; the engine takes them as its own."""
    checkout.deps('bash = ["jq"]', f'buildx = "{NAME}"')
    done = checkout.doit("setup", "--only=bash", **far)
    assert (done.code, "2 built · " in done.out) == (0, True), done.out + done.err
    layers = {
        name: docker_api.inspect_image(f"{checkout.repository}:{name}")["RootFS"]["Layers"]
        for name in ("bash", "bash-custom")
    }
    assert layers["bash-custom"][: len(layers["bash"])] == layers["bash"]
    assert checkout.manifest()["runtimes"]["bash"]["packages"] == ["jq"]
    checkout.deps('bash = ["jq"]')
    assert checkout.stale("--only=bash") == set()
    assert checkout.doit("verify", "bash-custom").code == 0


@pytest.mark.thorough(every=2)
@pytest.mark.parametrize("name", [SECURED, CONTAINED])
def test_other_drivers(checkout: Checkout, near: dict[str, str], name: str) -> None:
    """By TCP with certificates, and through a container that buildx starts and asks."""
    checkout.deps('bash = ["jq"]', f'buildx = "{name}"')
    done = checkout.doit("setup", "--only=bash", **near)
    assert (done.code, "2 built · " in done.out) == (0, True), done.out + done.err
    checkout.deps('bash = ["jq"]')
    assert checkout.stale("--only=bash") == set()


def test_certificate_that_is_not_accepted(checkout: Checkout, far: dict[str, str]) -> None:
    """Nothing is built, and the reason is told."""
    address = (
        subprocess.run(
            ["docker", "buildx", "inspect", SECURED],
            env={**os.environ, **far},
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.partition("tcp://")[2]
        .split()[0]
    )
    buildx(far, "create", "--name", "stranger", "--driver", "remote", f"tcp://{address}")
    done = checkout.doit("setup", "--only=bash", "--builder=stranger", **far)
    assert done.code == 4, done.out
    assert f"the builder 'stranger' (driver remote) does not answer at tcp://{address}: " in done.out
    assert "Check the network" not in done.out


def test_secrets(built: Checkout, far: dict[str, str], tmp_path: Path) -> None:
    """A step there mounts a variable and a file, and what fails tells nothing of them."""
    values = {"v": "canary-V4riable", "f": "canary-F1le"}
    (tmp_path / "token").write_text(values["f"])
    mounts = "".join(f"--mount=type=secret,id={name},required=true " for name in values)
    sums = "".join(
        f" && echo '{hashlib.sha256(value.encode()).hexdigest()}  /run/secrets/{name}' | sha256sum -c"
        for name, value in values.items()
    )
    built.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN {mounts}true{sums}\nCMD ["bash"]')
    secrets = f'secrets = {{ v = {{ env = "V" }}, f = {{ file = "{tmp_path}/token" }} }}'
    built.deps("", f'buildx = "{NAME}"\n{secrets}')
    done = built.doit("setup", "--only=bash", V=values["v"], **far)
    assert (done.code, "1 built · " in done.out) == (0, True), done.out + done.err
    built.edit("docker/Dockerfile", f"{mounts}true", f"{mounts}cat /run/secrets/*; false")
    done = built.doit("setup", "--only=bash", V=values["v"], **far)
    assert done.code == 1
    for text in (done.out + done.err, (built.folder / ".isol8/logs/bash.log").read_text()):
        assert "***" in text
        assert not [value for value in values.values() if value in text]
    done = built.doit("setup", "--only=bash", **far)
    assert done.code == 3
    assert "the variable V is not set; export it" in done.out


def test_the_other_way_round(built: Checkout, far: dict[str, str]) -> None:
    """What the engine built is up to date for a builder elsewhere, and what is stale is built there on it."""
    built.edit("docker/Dockerfile", 'CMD ["bash"]', 'CMD ["bash", "--help"]')
    assert built.stale(f"--builder={NAME}") == {"bash", "bash-custom"}
    far = {**far, "BUILDX_BUILDER": "other", "DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    done = built.doit("setup", f"--builder={NAME}", **far)
    assert (done.code, "2 built · 5 up to date" in done.out) == (0, True), done.out + done.err
    assert "BUILDX_BUILDER=other has no effect; name a builder by --builder=other" in done.out
    assert "DOCKER_DEFAULT_PLATFORM=linux/arm64 has no effect; images are built for the engine's" in done.out


def test_failures(built: Checkout, far: dict[str, str]) -> None:
    """A step that fails there is told as one that fails here; so is a builder that is none."""
    built.edit("docker/Dockerfile", 'CMD ["bash"]', 'RUN echo no such thing; false\nCMD ["bash"]')
    for words in ((), (f"--builder={NAME}",)):
        done = built.doit("setup", "--only=bash", *words, **far)
        assert done.code == 1
        assert (
            ":bash         failed      step 1/1: echo no such thing; false\n    no such thing\n" in done.out
        )
    done = built.doit("setup", "--only=bash", "--builder=nearer", **far)
    assert done.code == 3
    assert "docker buildx has no builder 'nearer'\n  Choose one that docker buildx ls shows" in done.out
    done = built.doit("setup", "--only=bash", "--builder=default", **far)
    assert done.code == 3
    assert "the builder 'default' is an engine's own (driver docker)" in done.out


@pytest.mark.thorough
def test_cache_in_a_registry(checkout: Checkout, far: dict[str, str], registry: Registry) -> None:
    """The steps of an image are written there and found there; the engine's own builder, which can't, refuses."""
    cache = f"{registry.address}/cache"
    checkout.deps("", f'buildx = "{NAME}"\ncache = "{cache}"')
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN echo {checkout.repository}\nCMD ["bash"]')
    assert checkout.doit("base:bash", **far).code == 0
    assert set(registry.tags("cache")) == {"bash"}
    # As another builder has it: nothing of its own.
    forget = ["docker", "buildx", "prune", "--force", "--all", f"--builder={NAME}"]
    subprocess.run(forget, env={**os.environ, **far}, check=True, capture_output=True)
    assert checkout.doit("clean", "base:bash").code == 0
    asked = len(registry.paths())
    assert checkout.doit("base:bash", **far).code == 0
    assert any(path.startswith("/v2/cache/blobs/sha256:") for path in registry.paths()[asked:])
    checkout.deps("", f'cache = "{cache}"')
    done = checkout.doit("base:bash", "--force", **far)
    assert done.code == 3
    assert (
        "[build] cache needs a builder that can write it, and the engine's own can't\n  Name one" in done.out
    )


def test_results_through_a_registry(checkout: Checkout, far: dict[str, str], registry: Registry) -> None:
    """They are pushed by digest and pulled, and only what was verified gets a tag there; a stand-in's stay away."""
    repository = f"{registry.address}/isol8"
    build = f'buildx = "{NAME}"\n[registry]\nrepository = "{repository}"\n'
    checkout.deps('bash = ["jq"]', build)
    assert checkout.doit("base:bash", **far).code == 0
    assert "PUT" not in registry.requests()
    checkout.deps('bash = ["jq"]', f"{build}standins = true\n")
    done = checkout.doit("setup", "--only=bash", **far)
    assert (done.code, "1 built · 1 up to date · 2 pushed" in done.out) == (0, True), done.out + done.err
    asked = list(zip(registry.requests(), registry.paths(), strict=True))
    (pushed,) = [path for method, path in asked if method == "PUT" and "/manifests/sha256:" in path]
    assert [path for method, path in asked if method == "DELETE"] == [pushed]
    # It is built on what the registry has of its parent, and comes without it if that is gone.
    checkout.deps('bash = ["jq", "unzip"]', f"{build}standins = true\n")
    done = checkout.doit("setup", "--only=bash", **far)
    assert (done.code, "1 built · 1 up to date · 1 pushed" in done.out) == (0, True), done.out + done.err
    registry.kill()
    checkout.deps('bash = ["jq"]', f"{build}standins = true\n")
    done = checkout.doit("setup", "--only=bash", **far)
    assert "1 built · 1 up to date" in done.out, done.out + done.err


def test_baked_images_are_promoted(checkout: Checkout, far: dict[str, str], endpoint: Endpoint) -> None:
    """What bake built of a chain is verified and in use, and nothing of it is built again."""
    checkout.deps('bash = ["jq"]')
    done = checkout.doit("bake", "bash", "bash-custom")
    assert done.code == 0, done.err

    # As from a registry; Docker 20.10's own builder knows no contexts of a bake file.
    here = {**far, "DOCKER_HOST": endpoint.url}
    run(["load"], {**far, "DOCKER_HOST": far[HOST]}, given=run(["save", "alpine:3.21"], here))
    run(["buildx", "bake", f"--builder={NAME}", "-f", "docker-bake.json"], here, folder=checkout.folder)
    assert checkout.stale("--only=bash") == {"bash", "bash-custom"}
    done = checkout.doit("setup", "--only=bash")
    assert (done.code, "2 promoted · " in done.out) == (0, True), done.out
    assert " built · " not in done.out
    assert checkout.stale("--only=bash") == set()


def test_baked_files_of_many_images(
    make_checkout: Callable[..., Checkout], far: dict[str, str], endpoint: Endpoint
) -> None:
    """What bake built by an engine's own builder is verified and in use there, and nothing of it is built again.

    `ISOL8_BAKED=300` makes the long form of it, of several files.
    """
    checkout = make_checkout()
    checkout.deps()
    with (checkout.folder / "deps.toml").open("a") as deps:
        for number in range(BAKED):
            deps.write(f'[images.i{number}]\nruntime = "bash"\npackages = ["jq"]\nsetup = "echo {number}"\n')
    environ = {**far, "DOCKER_HOST": far[HOST]}
    client = docker.APIClient(base_url=far[HOST])
    try:
        saved = run(["save", "alpine:3.21"], {**far, "DOCKER_HOST": endpoint.url})
        run(["load"], environ, given=saved)
        done = checkout.doit("bake", "bash", *(f"i{number}" for number in range(BAKED)), **environ)
        assert done.code == 0, done.err
        files = list(checkout.folder.glob("docker-bake*.json"))
        # Each has the base.
        assert len(files) == -(-BAKED // (MOST_TARGETS - 1))
        for file in files:
            run(["buildx", "bake", "--progress=plain", "-f", str(file)], environ, folder=checkout.folder)
        done = evolve(checkout, longest=3600).doit("setup", "--only=bash", **environ)
        assert done.code == 0, done.out
        sys.stdout.write(done.out[-200:])
        assert re.search(rf"^{BAKED + 1} promoted · [^b]*s · ", done.out, re.MULTILINE), done.out
        assert not re.search(r"^\S+ +built ", done.out, re.MULTILINE), done.out
        assert checkout.doit("plan", "--check", "--only=bash", **environ).code == 0
    finally:
        remove_tags(client, checkout.repository)
        client.close()


def test_baked_with_secrets(
    make_checkout: Callable[..., Checkout], far: dict[str, str], endpoint: Endpoint, tmp_path: Path
) -> None:
    """The command that bake prints builds with a variable and a file elsewhere, and a run without them promotes it."""
    checkout = make_checkout()
    values = {"v": "canary-V4riable", "f": "canary-F1le"}
    (tmp_path / "a token").write_text(values["f"])
    mounts = "".join(f"--mount=type=secret,id={name},required=true " for name in values)
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN {mounts}cat /run/secrets/*\nCMD ["bash"]')
    checkout.deps("", f'[build.secrets]\nv = {{ env = "V" }}\nf = {{ file = "{tmp_path}/a token" }}')
    environ = {**far, "DOCKER_HOST": far[HOST]}
    client = docker.APIClient(base_url=far[HOST])
    try:
        run(["load"], environ, given=run(["save", "alpine:3.21"], {**far, "DOCKER_HOST": endpoint.url}))
        baked = checkout.doit("bake", "bash", **environ)
        command = baked.out.rpartition("build and promote: ")[2].partition(" && ")[0]
        assert command == f"docker buildx bake '--allow=fs.read={tmp_path}/a token' -f docker-bake.json"
        words = shlex.split(command)[1:]
        # Without that option it is refused.
        refused = subprocess.run(
            ["docker", *words[:2], *words[3:]],
            cwd=checkout.folder,
            env={**os.environ, **environ, "V": values["v"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (refused.returncode, "additional privileges requested" in refused.stderr) == (1, True)
        run(words, {**environ, "V": values["v"]}, folder=checkout.folder)
        (tmp_path / "a token").unlink()
        done = checkout.doit("setup", "--only=bash", **environ)
        assert (done.code, "1 promoted · " in done.out) == (0, True), done.out
        found = [baked.out, done.out, json.dumps(client.history(f"{checkout.repository}:bash"))]
        found += [path.read_text("utf-8", "replace") for path in checkout.folder.rglob("*") if path.is_file()]
        found += [
            part.decode("utf-8", "replace")
            for _, part in saved_parts(client, f"{checkout.repository}:bash", 1)
        ]
        assert not [value for value in values.values() for text in found if value in text]
    finally:
        remove_tags(client, checkout.repository)
        client.close()


def run(
    words: list[str], environ: Mapping[str, str], *, folder: Path | None = None, given: bytes = b""
) -> bytes:
    """Run docker's command, and return what it prints."""
    ended = subprocess.run(
        ["docker", *words],
        cwd=folder,
        env={**os.environ, **environ},
        input=given,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-3000:]
    return ended.stdout
