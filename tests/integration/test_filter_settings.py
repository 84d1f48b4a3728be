"""[filter] of deps.toml on a real engine: what it allows holds in every image, whoever starts the filter."""

from collections.abc import Callable
from subprocess import CompletedProcess

import docker

from tests.integration.checkouts import Checkout, wait_for

IMAGES = '[images.ready]\nruntime = "node"\nsetup = "true"\n'
FILTER = '[filter]\nallow_nets = ["127.0.0.0/8"]\nallow_ports = [8080]\n'
SERVER = "require('http').createServer((_, answer) => answer.end('hello')).listen(8080, '127.0.0.1')"


def ask_through_the_filter(
    image: str,
    docker_api: docker.APIClient,
    start_sandbox: Callable[..., str],
    execute: Callable[..., CompletedProcess[str]],
) -> str:
    """Start the filter as the image has it, and return what an internal host on port 8080 answers through it."""
    container = start_sandbox(image)
    execute(container, "node", "-e", SERVER, detach=True)
    execute(container, "sh", "-c", "isol8-proxy >/tmp/log 2>&1", detach=True)
    for port in ("8080", "8118"):
        wait_for(lambda port=port: not execute(container, "nc", "-z", "127.0.0.1", port).returncode)  # type: ignore[misc]
    asked = ("curl", "-s", "-x", "http://127.0.0.1:8118", "-w", " %{http_code}", "http://127.0.0.1:8080/")
    answer = execute(container, *asked).stdout
    docker_api.remove_container(container, force=True)
    return answer


def test_an_internal_host_and_port(
    built: Checkout,
    docker_api: docker.APIClient,
    start_sandbox: Callable[..., str],
    execute: Callable[..., CompletedProcess[str]],
) -> None:
    """It is refused without [filter] and reached with it; every base is stale then, and children have it too."""
    file = built.folder / "deps.toml"
    plain = file.read_text()
    image = f"{built.repository}:node"
    assert ask_through_the_filter(image, docker_api, start_sandbox, execute).endswith(" 403")
    variables = docker_api.inspect_image(image)["Config"]["Env"]
    file.write_text(plain + IMAGES + FILTER)

    line = file.read_text().splitlines().index("[filter]") + 1
    why = (
        "stale",
        [
            f"deps.toml:{line + 1} filter.allow_nets: 127.0.0.0/8 added",
            f"deps.toml:{line + 2} filter.allow_ports: 8080 added",
        ],
    )
    plan = built.plan()
    assert [plan[name] for name in ("python", "node", "bun", "deno", "bash")] == [why] * 5
    assert built.built("base:node", "image:ready") == {"node", "ready"}
    assert ask_through_the_filter(image, docker_api, start_sandbox, execute) == "hello 200"
    allowed = ["ISOL8_ALLOW_NETS=127.0.0.0/8", "ISOL8_ALLOW_PORTS=8080"]
    for name in ("node", "ready"):
        found = docker_api.inspect_image(f"{built.repository}:{name}")["Config"]["Env"]
        assert found == [*variables, *allowed]
    assert built.plan()["node"] == ("up-to-date", [])

    file.write_text(plain)
    assert built.plan()["node"] == (
        "stale",
        [
            "deps.toml filter.allow_nets: 127.0.0.0/8 removed",
            "deps.toml filter.allow_ports: 8080 removed",
        ],
    )
