"""A sandbox on an internal network, whose only way out is the filter, as in docs/filtered-network.md."""

import json
from collections.abc import Callable, Iterator, Mapping
from subprocess import CompletedProcess
from time import monotonic, sleep

import docker
import pytest
from attrs import frozen

LABEL = {"org.isol8.tasks.test": "1"}
SERVER = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=80, bind='0.0.0.0')"
RAW = """
import socket, sys
for host in sys.argv[1:]:
    try:
        socket.create_connection((host, 80), timeout=3)
        print(host, "connected")
    except OSError:
        print(host, "nowhere")
"""


@frozen(kw_only=True)
class Setting:
    """The containers, by id, and the server's address."""

    sandbox: str
    proxy: str
    server_address: str
    proxy_outside: str
    """The proxy's address on the network that leads out."""


@pytest.fixture(scope="module")
def networks(docker_api: docker.APIClient) -> Iterator[tuple[str, str]]:
    """Give an internal network and one that leads out."""
    made = [
        str(docker_api.create_network(f"isol8test-{name}", internal=internal, labels=LABEL)["Id"])
        for name, internal in (("inside", True), ("outside", False))
    ]
    yield made[0], made[1]
    for network in made:
        docker_api.remove_network(network)


@pytest.fixture(scope="module")
def start(
    docker_api: docker.APIClient,
    networks: tuple[str, str],  # noqa: ARG001 - they can be removed once the containers are gone
) -> Iterator[Callable[..., str]]:
    """Give `start(image, command, network, environment=, hosts=)`: the id of a container, removed at the end."""
    containers: list[str] = []

    def run(  # noqa: PLR0913 - all that differs between the four containers
        image: str,
        command: list[str],
        network: str,
        *,
        environment: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        holds_network: bool = False,
    ) -> str:
        host = docker_api.create_host_config(
            network_mode=network,
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"] if holds_network else None,
            security_opt=["no-new-privileges"],
            read_only=True,
            dns=["127.0.0.1"] if hosts else None,
            extra_hosts=dict(hosts or {}),
        )
        created = docker_api.create_container(
            image,
            command,
            host_config=host,
            environment=dict(environment or {}),
            labels=LABEL,
            user="root" if holds_network else "sandbox",
        )
        containers.append(str(created["Id"]))
        docker_api.start(containers[-1])
        return containers[-1]

    yield run
    for container in reversed(containers):
        docker_api.remove_container(container, force=True)


@pytest.fixture(scope="module")
def setting(
    docker_api: docker.APIClient,
    base_images: Mapping[str, str],
    start: Callable[..., str],
    networks: tuple[str, str],
    execute: Callable[..., CompletedProcess[str]],
) -> Setting:
    """Start a server outside, the filter on both networks, and the sandbox inside."""
    inside, outside = networks
    server = start(base_images["python"], ["python3", "-c", SERVER], outside)
    address = _address(docker_api, server, outside)
    policy = {
        "ISOL8_PROXY_HOST": "0.0.0.0",
        "ISOL8_WHITELIST": json.dumps([r"^allowed\.test$"]),
        "ISOL8_ALLOW_NETS": f"{address}/32",
    }
    known = {"allowed.test": address}
    proxy = start(base_images["node"], ["isol8-proxy"], outside, environment=policy, hosts=known)
    docker_api.connect_container_to_network(proxy, inside)
    proxy_inside = _address(docker_api, proxy, inside)
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    environment = dict.fromkeys(names, f"http://{proxy_inside}:8118")
    # Its network is another container's, which has thrown away the way to anywhere but the filter's network: some
    # engines leave the firewall alone, and then route from an internal network to others.
    cut = ["sh", "-c", "ip route del default; exec sleep 600"]
    holder = start(base_images["bash"], cut, inside, hosts=known, holds_network=True)
    sandbox = start(base_images["python"], ["sleep", "600"], f"container:{holder}", environment=environment)
    for container, host, port in ((server, "127.0.0.1", "80"), (sandbox, proxy_inside, "8118")):
        deadline = monotonic() + 20
        while execute(container, "nc", "-z", host, port).returncode:
            assert monotonic() < deadline, docker_api.logs(proxy).decode()
            sleep(0.1)
    return Setting(
        sandbox=sandbox,
        proxy=proxy,
        server_address=address,
        proxy_outside=_address(docker_api, proxy, outside),
    )


def _address(docker_api: docker.APIClient, container: str, network: str) -> str:
    networks = docker_api.inspect_container(container)["NetworkSettings"]["Networks"].values()
    return str(next(each["IPAddress"] for each in networks if each["NetworkID"] == network))


def _curl(execute: Callable[..., CompletedProcess[str]], setting: Setting, url: str) -> str:
    """Return the status that curl gets, 000 if none."""
    command = ("curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code} %{http_connect}", url)
    return execute(setting.sandbox, *command).stdout


def test_the_filter_is_the_only_way_out(
    docker_api: docker.APIClient, setting: Setting, execute: Callable[..., CompletedProcess[str]]
) -> None:
    """An allowed host answers, a refused one gets 403, raw sockets get nowhere, and no filter means no network."""
    assert _curl(execute, setting, "http://allowed.test/") == "200 000"
    assert _curl(execute, setting, "http://other.test/") == "403 000"
    assert _curl(execute, setting, "https://other.test/") == "000 403"
    assert _curl(execute, setting, f"http://{setting.server_address}/") == "403 000"
    urllib = "import urllib.request; print(urllib.request.urlopen('http://allowed.test/', timeout=10).status)"
    assert execute(setting.sandbox, "python3", "-c", urllib).stdout == "200\n"

    hosts = ["allowed.test", setting.server_address, setting.proxy_outside, "8.8.8.8"]
    raw = execute(setting.sandbox, "python3", "-c", RAW, *hosts)
    assert raw.stdout.splitlines() == [f"{host} nowhere" for host in hosts]

    lines = [json.loads(line) for line in docker_api.logs(setting.proxy, stdout=False).decode().splitlines()]
    refused = [(line["host"], line["rule"]) for line in lines if line.get("decision") == "refuse"]
    assert refused == [
        ("other.test", "whitelist: no match"),
        ("other.test", "whitelist: no match"),
        (setting.server_address, "whitelist: no match"),
    ]

    docker_api.kill(setting.proxy)
    assert _curl(execute, setting, "http://allowed.test/") == "000 000"
    raw = execute(setting.sandbox, "python3", "-c", RAW, *hosts)
    assert raw.stdout.splitlines() == [f"{host} nowhere" for host in hosts]
