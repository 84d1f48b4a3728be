"""The engine, the images and the sandboxes that the integration tests share."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import docker
import pytest

import lab
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine import BuildRequest, FileContent
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint, find
from isol8_tasks.errors import EngineUnreachableError
from lab.places import Places
from lab.tools import Tools
from tests import quick_engine
from tests.executed import read
from tests.integration.checkouts import Checkout, new_checkout, remove_tags, tags_of
from tests.integration.engines import take_engine
from tests.integration.world import World, open_world

CHECKOUT = Path(__file__).parents[2]
REPOSITORY = "isol8test"
LABEL = {"org.isol8.tasks.test": "1"}
UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")
STANDIN_ARGUMENT = "org.isol8.lab.arg."

take_engine(os.environ)


@pytest.fixture(scope="session")
def endpoint() -> Endpoint:
    """Tell which engine the tests use."""
    return find(CHECKOUT, os.environ)


@pytest.fixture(scope="module", autouse=True)
def _runtime(request: pytest.FixtureRequest, endpoint: Endpoint) -> Iterator[None]:
    """Let the files of tests that may use crun have it, and leave nothing nameless on the tests' own engine."""
    with quick_engine.suited(endpoint.url, request.path):
        yield


@pytest.fixture(scope="session")
def engine(endpoint: Endpoint) -> Iterator[DockerEngine]:
    """Give the engine as the project sees it; where none answers, these tests prove nothing and fail."""
    engine = DockerEngine(endpoint, environ=os.environ)
    try:
        engine.ping()
    except EngineUnreachableError as error:
        pytest.fail(str(error), pytrace=False)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def docker_api(endpoint: Endpoint, engine: DockerEngine) -> Iterator[docker.APIClient]:
    """Give a client of the same engine for what the project never does: running containers."""
    engine.ping()
    client = docker.from_env(timeout=300, environment={**os.environ, "DOCKER_HOST": endpoint.url})
    yield client.api
    client.close()


@pytest.fixture(scope="session")
def build_image(engine: DockerEngine) -> Iterator[Callable[..., str]]:
    """Give `build_image(name, dockerfile, context={}, target=None, args={})`: a tag, removed at the end."""
    tags: list[str] = []

    def build(
        name: str,
        dockerfile: str,
        context: Mapping[str, FileContent] | None = None,
        target: str | None = None,
        args: Mapping[str, str] | None = None,
    ) -> str:
        tag = f"{REPOSITORY}:{name}"
        tags.append(tag)
        request = BuildRequest(
            tag=tag,
            dockerfile=dockerfile,
            context=context or {},
            target=target,
            args=args or {},
            labels=LABEL,
        )
        engine.build(request, lambda _: None)
        return tag

    yield build
    for tag in tags:
        engine.untag(tag)


@pytest.fixture(scope="session")
def build_stage(build_image: Callable[..., str]) -> Callable[..., str]:
    """Give `build_stage(name, target, args)`, which builds a stage of the project's own Dockerfile."""
    folder = CHECKOUT / "docker"
    dockerfile = (folder / "Dockerfile").read_text()
    context = {
        str(path.relative_to(folder)): FileContent(
            data=path.read_bytes(), executable=os.access(path, os.X_OK)
        )
        for path in folder.rglob("*")
        if path.is_file() and path.name != "Dockerfile"
    }

    def build(name: str, target: str, args: Mapping[str, str]) -> str:
        return build_image(name, dockerfile, context, target, args)

    return build


@pytest.fixture(scope="session")
def inspect_image(docker_api: docker.APIClient) -> Callable[[str], Any]:
    """Give what the engine knows of an image."""
    return cast("Callable[[str], Any]", docker_api.inspect_image)  # which the stubs leave without types


@pytest.fixture(scope="session")
def build_args(engine: DockerEngine, inspect_image: Callable[[str], Any]) -> Mapping[str, str]:
    """Give what the upstream images' labels ask for; the environment can name Bun's install URL."""
    args = {name: os.environ[name] for name in ("BUN_INSTALL_URL",) if name in os.environ}
    for reference in UPSTREAM:
        if engine.inspect(reference) is None:
            engine.pull(reference)
        labels = inspect_image(reference)["Config"]["Labels"] or {}
        args |= {
            label.removeprefix(STANDIN_ARGUMENT): value
            for label, value in labels.items()
            if label.startswith(STANDIN_ARGUMENT)
        }
    return args


@pytest.fixture(scope="session")
def base_images(build_stage: Callable[..., str], build_args: Mapping[str, str]) -> Mapping[str, str]:
    """Give the tag of each runtime's base image, built side by side."""

    def build(runtime: str) -> str:
        return build_stage(runtime, runtime, build_args)

    with ThreadPoolExecutor() as pool:
        return dict(zip(RUNTIMES, pool.map(build, RUNTIMES), strict=True))


@pytest.fixture(scope="session")
def start_sandbox(docker_api: docker.APIClient) -> Iterator[Callable[..., str]]:
    """Give `start_sandbox(image)`: the id of an idle container, locked down as isol8's clients do it."""
    containers: list[str] = []

    def start(image: str, network: str = "none", hosts: dict[str, str] | None = None) -> str:
        host = docker_api.create_host_config(
            read_only=True,
            tmpfs={
                "/sandbox": "rw,exec,nosuid,nodev,size=64m,uid=100,gid=101",
                "/tmp": "rw,noexec,nosuid,nodev,size=64m",
            },
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=64,
            network_mode=network,
            extra_hosts=hosts,
        )
        created = docker_api.create_container(
            image, ["sleep", "600"], host_config=host, labels=LABEL, user="sandbox"
        )
        container = str(created["Id"])
        containers.append(container)
        docker_api.start(container)
        return container

    yield start
    for container in containers:
        # A test whose image goes before the session ends has taken its container away.
        with contextlib.suppress(docker.errors.NotFound):
            docker_api.remove_container(container, force=True)


@pytest.fixture(scope="session")
def execute(docker_api: docker.APIClient) -> Callable[..., CompletedProcess[str]]:
    """Give `execute(container, *command, environment={}, detach=False)`: it acts as user sandbox."""

    def run(
        container: str, *command: str, environment: dict[str, str] | None = None, detach: bool = False
    ) -> CompletedProcess[str]:
        made = docker_api.exec_create(container, list(command), environment=environment, user="sandbox")
        if detach:
            docker_api.exec_start(made["Id"], detach=True)
            return CompletedProcess(command, 0, "", "")
        stdout, stderr = read(docker_api, made)
        status = docker_api.exec_inspect(made["Id"])["ExitCode"]
        return CompletedProcess(command, status, stdout, stderr)

    return run


@pytest.fixture
def make_checkout(docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Callable[..., Checkout]]:
    """Return what makes checkouts; their images are taken away at the end."""
    repositories: list[str] = []

    def make(name: str = "checkout", repository: str = "") -> Checkout:
        checkout = new_checkout(tmp_path / name, repository)
        repositories.append(checkout.repository)
        return checkout

    yield make
    for repository in repositories:
        remove_tags(docker_api, repository)


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout]) -> Checkout:
    """One checkout, nothing built."""
    return make_checkout()


@pytest.fixture(scope="session")
def template(
    docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ...]]:
    """Build the five bases and two custom images once, and return their tags."""
    checkout = new_checkout(tmp_path_factory.mktemp("folder") / "template")
    checkout.deps('bun = ["zod"]\nbash = ["jq"]')
    assert checkout.built() == {*RUNTIMES, "bun-custom", "bash-custom"}
    yield tags_of(docker_api, checkout.repository)
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def built(checkout: Checkout, template: tuple[str, ...], docker_api: docker.APIClient) -> Checkout:
    """Give a checkout its five bases and two custom images: the template's, under tags of its own."""
    checkout.deps('bun = ["zod"]\nbash = ["jq"]')
    for tag in template:
        repository, _, name = tag.partition(":")
        private = "_build" if repository.endswith("_build") else ""
        docker_api.tag(tag, f"{checkout.repository}{private}", name)
    return checkout


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Give the programs that a private engine uses."""
    return Tools(root=Places.of(CHECKOUT, os.environ.get("ISOL8_LAB_CACHE")).fetched / "programs")


@pytest.fixture(scope="module")
def world(
    docker_api: docker.APIClient,
    build_args: Mapping[str, str],
    tools: Tools,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Give sources of images and packages that a test can move; a world for each file of tests."""
    assert build_args is not None  # with which the upstream images are on the engine
    with open_world(docker_api, tools, tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of another engine, which has none of our images."""
    folder = tmp_path_factory.mktemp("second") / "checkout"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        cache = os.environ.get("ISOL8_LAB_CACHE") or str(CHECKOUT / ".isol8/lab/fetched")
        patch.setenv("ISOL8_LAB_CACHE", cache)
        yield lab.up(folder, lambda _: None)
        lab.down(folder, lambda _: None)
    shutil.rmtree(folder / ".isol8", ignore_errors=True)
