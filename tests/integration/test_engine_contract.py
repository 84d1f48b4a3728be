"""The contract of engines, on the real engine and each of its builders."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from isol8_tasks.engine import BuildRequest, ImageEngine
from isol8_tasks.engine.builders.plugin import is_usable
from isol8_tasks.engine.daemon import BuilderSetting, DockerEngine
from isol8_tasks.engine.endpoint import Endpoint, find
from isol8_tasks.engine.listing import list_directly, platform_directly
from isol8_tasks.engine.registry import RegistryEngine
from tests.engine_contract import BASE, REPOSITORY, EngineContract, ignore, listed, reference
from tests.integration.registries import Registry
from tests.registry_contract import RegistryContract

BUILDERS: tuple[BuilderSetting, ...] = ("buildkit", "buildx", "classic")


class TestDockerEngine(EngineContract):
    """The contract, kept by what runs the images."""

    @pytest.fixture(params=BUILDERS)
    def engine(self, request: pytest.FixtureRequest) -> Iterator[ImageEngine]:
        """Give the engine with the upstream image on it, and take away afterwards what was built."""
        builder: BuilderSetting = request.param
        if builder == "buildx" and not is_usable("default", os.environ):
            pytest.skip("docker's client has no buildx, or its builder is not the engine's own")
        engine = DockerEngine(find(Path.cwd(), os.environ), environ=os.environ, builder=builder)
        if engine.inspect(BASE) is None:
            engine.pull(BASE)
        yield engine
        for image in engine.images():
            for tag in image.tags:
                if tag.startswith(f"{REPOSITORY}:"):
                    engine.untag(tag)
        engine.close()


@pytest.fixture(name="registry", scope="module")
def make_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry that nothing was pushed to."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "contract").start()
    yield registry
    registry.kill()


class TestRegistry(RegistryContract):
    """The contract of registries, with one beside the engine."""

    @pytest.fixture
    def repository(
        self, registry: Registry, engine: RegistryEngine, docker_api: docker.APIClient
    ) -> Iterator[str]:
        """Give a repository of a test's own, whose names are taken away afterwards."""
        repository = f"{registry.address}/r{secrets.token_hex(4)}"
        yield repository
        for image in docker_api.images():
            for name in {*(image["RepoTags"] or []), *(image["RepoDigests"] or [])}:
                if name.startswith((f"{repository}:", f"{repository}@", f"{REPOSITORY}:")):
                    engine.untag(name)


@pytest.fixture(name="extra")
def make_extra(engine: DockerEngine) -> Iterator[str]:
    """Give a tag that is taken away afterwards."""
    tag = reference("extra")
    yield tag
    engine.untag(tag)


def test_a_child_that_differs_by_labels_alone_runs_as_its_parent_does(
    engine: DockerEngine, inspect_image: Callable[[str], Any], extra: str
) -> None:
    """Entrypoint, command, environment, user and folder survive a build that only adds labels."""
    text = f'FROM {BASE}\nENTRYPOINT ["tini", "--"]\nCMD ["sh"]\nENV A=b\nWORKDIR /sandbox\nUSER 100:101\n'
    engine.build(BuildRequest(tag=extra, dockerfile=text), ignore)
    parent = inspect_image(extra)
    child = BuildRequest(tag=extra, dockerfile=f"FROM {reference('extra')}\n", labels={"x": "y"})
    engine.build(child, ignore)
    config = inspect_image(extra)["Config"]
    for key in ("Entrypoint", "Cmd", "Env", "WorkingDir", "User"):
        assert config[key] == parent["Config"][key], key
    assert config["Labels"]["x"] == "y"


def test_upstream_images_can_be_pulled_again(engine: DockerEngine) -> None:
    """A pull of what is here leaves it here, under its tag."""
    engine.pull(BASE)
    assert engine.inspect(BASE) is not None


def test_a_tag_can_be_taken_from_an_image_that_a_container_uses(
    engine: DockerEngine, docker_api: docker.APIClient, extra: str
) -> None:
    """A container that someone left running does not keep an old tag alive."""
    engine.build(BuildRequest(tag=extra, dockerfile=f"FROM {BASE}\n", labels={"n": "7"}), ignore)
    container = docker_api.create_container(extra, ["sleep", "60"])
    docker_api.start(container["Id"])
    try:
        engine.untag(extra)
        assert engine.inspect(extra) is None
    finally:
        docker_api.remove_container(container["Id"], force=True)


def test_the_direct_listing_is_the_clients(engine: DockerEngine, endpoint: Endpoint) -> None:
    """What is asked for without Docker's client is what the client gets."""
    direct = list_directly(endpoint.url)
    assert direct is not None
    assert sorted(direct.images, key=lambda image: image.id) == sorted(
        engine.images(), key=lambda image: image.id
    )
    assert direct.version == engine.version()
    assert platform_directly(endpoint.url) == engine.platform()


def test_the_platform_is_the_builders(engine: DockerEngine, extra: str) -> None:
    """What the engine tells of its platform is what its builder sets."""
    steps = "ARG TARGETOS\nARG BUILDARCH\nLABEL p=$TARGETOS/$BUILDARCH\n"
    text = f"FROM {BASE}\n{steps}"
    engine.build(BuildRequest(tag=extra, dockerfile=text), ignore)
    image = listed(engine, extra)
    assert image is not None
    assert image.labels["p"] == engine.platform()
