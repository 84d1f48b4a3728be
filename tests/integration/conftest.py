"""The engine, the images and the sandboxes that the integration tests share."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import docker
import docker.errors
import pytest

CONTEXT = Path(__file__).parents[2] / "docker"
REPOSITORY = "isol8test"
LABEL = {"org.isol8.tasks.test": "1"}
RUNTIMES = ("python", "node", "bun", "deno", "bash")
UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")
STANDIN_ARGUMENT = "org.isol8.lab.arg."


@pytest.fixture(scope="session")
def docker_api() -> Iterator[docker.APIClient]:
    """Give a client of the engine that docker's variables name; without one, these tests fail."""
    try:
        client = docker.from_env(timeout=300)
        client.ping()
    except docker.errors.DockerException as error:
        pytest.fail(
            f"no Docker Engine answers ({error}): set DOCKER_HOST, or see `./doitw up --lab`", pytrace=False
        )
    yield client.api
    client.close()


@pytest.fixture(scope="session")
def build_image(docker_api: docker.APIClient) -> Iterator[Callable[..., str]]:
    """Give `build_image(name, context, target=None, args={})`: a tag, taken away at the end."""
    tags: list[str] = []

    def build(
        name: str,
        context: Mapping[str, bytes],
        target: str | None = None,
        args: Mapping[str, str] | None = None,
    ) -> str:
        tag = f"{REPOSITORY}:{name}"
        tags.append(tag)
        _build(docker_api, tag, context, {"target": target, "buildargs": json.dumps(args or {})})
        return tag

    yield build
    for tag in tags:
        try:
            docker_api.remove_image(tag, force=True)
        except docker.errors.ImageNotFound:
            continue  # its build failed, as some tests want


@pytest.fixture(scope="session")
def context() -> Mapping[str, bytes]:
    """Give the files of docker/, by name."""
    return {path.name: path.read_bytes() for path in CONTEXT.iterdir()}


@pytest.fixture(scope="session")
def inspect_image(docker_api: docker.APIClient) -> Callable[[str], Any]:
    """Give what the engine knows of an image."""
    return cast("Callable[[str], Any]", docker_api.inspect_image)  # which the stubs leave without types


@pytest.fixture(scope="session")
def build_args(docker_api: docker.APIClient, inspect_image: Callable[[str], Any]) -> Mapping[str, str]:
    """Give what the upstream images' labels ask for; the environment can name Bun's install URL."""
    args = {name: os.environ[name] for name in ("BUN_INSTALL_URL",) if name in os.environ}
    for reference in UPSTREAM:
        if not docker_api.images(reference):
            docker_api.pull(reference)
        labels = inspect_image(reference)["Config"]["Labels"] or {}
        args |= {
            label.removeprefix(STANDIN_ARGUMENT): value
            for label, value in labels.items()
            if label.startswith(STANDIN_ARGUMENT)
        }
    return args


@pytest.fixture(scope="session")
def base_images(
    build_image: Callable[..., str], context: Mapping[str, bytes], build_args: Mapping[str, str]
) -> Mapping[str, str]:
    """Give the tag of each runtime's base image, built side by side."""

    def build(runtime: str) -> str:
        return build_image(runtime, context, target=runtime, args=build_args)

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
        stdout, stderr = docker_api.exec_start(made["Id"], demux=True)
        status = docker_api.exec_inspect(made["Id"])["ExitCode"]
        return CompletedProcess(command, status, (stdout or b"").decode(), (stderr or b"").decode())

    return run


def _build(api: Any, tag: str, context: Mapping[str, bytes], params: Mapping[str, str | None]) -> None:  # noqa: ANN401  # the stubs lack the methods called here
    """Build with the engine's own BuildKit, for which docker-py has no parameter."""
    response = api._post(  # noqa: SLF001  # the only door to version=2
        api._url("/build"),  # noqa: SLF001  # as above
        data=_tar(context),
        params={"version": "2", "t": tag, "labels": json.dumps(LABEL), **params},
        headers={"Content-Type": "application/x-tar"},
        stream=True,
        timeout=None,
    )
    for item in api._stream_helper(response, decode=True):  # noqa: SLF001  # as above
        problem = item.get("errorDetail", {}).get("message") or item.get("error")
        if problem:
            raise RuntimeError(problem)


def _tar(context: Mapping[str, bytes]) -> bytes:
    """Pack files so that all may read and run them, whatever the umask of the checkout was."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in sorted(context.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
