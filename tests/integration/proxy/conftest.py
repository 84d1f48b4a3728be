"""The filter in a network where every address answers and each dial is recorded."""

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import docker
import pytest

from tests.integration.proxy.filters import Execute, Filters
from tests.integration.proxy.world import KNOWN, NAMESERVER, SEARCH

if TYPE_CHECKING:
    from subprocess import CompletedProcess

HERE = Path(__file__).parent
PROGRAMS = (
    "world.py",
    "client.py",
    "crowd.py",
    "fuzz.py",
    "load.py",
    "talks.py",
    "patterns.mjs",
    "patterns_check.go",
)
RUNTIMES = ("python", "node", "bun", "deno", "bash")
LABEL = {"org.isol8.tasks.test": "1"}


@pytest.fixture(scope="session")
def start_container(docker_api: docker.APIClient) -> Iterator[Callable[..., str]]:
    """Give `start_container(image, command, **host configuration)`: the id of a container, removed at the end."""
    containers: list[str] = []

    def start(image: str, command: list[str], *, user: str, **host: object) -> str:
        config = docker_api.create_host_config(**cast("dict[str, Any]", host))
        created = docker_api.create_container(image, command, host_config=config, labels=LABEL, user=user)
        containers.append(str(created["Id"]))
        programs = {name: (HERE / name).read_bytes() for name in PROGRAMS}
        docker_api.put_archive(containers[-1], "/", archive(programs))
        docker_api.start(containers[-1])
        return containers[-1]

    yield start
    for container in containers:
        docker_api.remove_container(container, force=True)


@pytest.fixture(scope="session")
def world(base_images: Mapping[str, str], start_container: Callable[..., str], execute: Execute) -> str:
    """Give the container that is the whole network, with all its addresses."""
    container = start_container(
        base_images["python"],
        ["python3", "/world/world.py"],
        user="root",
        network_mode="none",
        cap_add=["NET_ADMIN"],
        dns=[NAMESERVER],
        dns_search=[SEARCH],
        extra_hosts=KNOWN,
        sysctls={
            "net.ipv6.conf.all.disable_ipv6": "0",
            "net.ipv4.ip_unprivileged_port_start": "0",
            # Each request to a server has a port of its own for a minute, and a fast machine makes 60,000 in two.
            "net.ipv4.ip_local_port_range": "10000 65535",
            "net.ipv4.tcp_tw_reuse": "1",
        },
    )
    done = execute(
        container, "sh", "-c", "timeout 10 sh -c 'until nc -z 127.0.0.1 9900; do sleep 0.05; done'"
    )
    assert done.returncode == 0, "the world does not start"
    return container


@pytest.fixture(scope="session")
def filters_of(
    base_images: Mapping[str, str], start_container: Callable[..., str], execute: Execute, world: str
) -> Callable[[str], Filters]:
    """Give `filters_of(runtime)`: a container of that runtime's image in the world, in which filters run."""
    made: dict[str, Filters] = {}

    def give(runtime: str) -> Filters:
        if runtime not in made:
            container = start_container(
                base_images[runtime],
                ["sleep", "7200"],
                user="sandbox",
                network_mode=f"container:{world}",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
            )
            first_port = 8100 + 100 * RUNTIMES.index(runtime)
            made[runtime] = Filters(execute, container=container, world=world, first_port=first_port)
        return made[runtime]

    return give


@pytest.fixture(scope="session")
def filters(filters_of: Callable[[str], Filters]) -> Filters:
    """Give the filters of one image: the program is the same file in all of them."""
    return filters_of("bash")


@pytest.fixture(scope="session")
def in_world(execute: Execute, world: str) -> Callable[..., str]:
    """Give `in_world(program, *arguments)`: what one of the Python programs prints there."""

    def run(program: str, *arguments: str) -> str:
        done: CompletedProcess[str] = execute(world, "python3", f"/world/{program}", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return files as an archive that puts them where containers have the tests' programs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(f"world/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
