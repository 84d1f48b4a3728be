"""What the tests' engines are spared is done all the same."""

from collections.abc import Mapping

import docker


def test_a_container_has_its_network_and_no_ipv6(
    docker_api: docker.APIClient, build_args: Mapping[str, str]
) -> None:
    """Both are errands for which dockerd 20.10 starts itself again: see quick_engine.c."""
    assert build_args is not None  # with which the upstream images are on the engine
    look = "cat /proc/sys/net/ipv6/conf/all/disable_ipv6; ls /sys/class/net; ip -4 -o addr show eth0 | wc -l"
    made = docker_api.create_container("alpine:3.21", ["sh", "-c", look])
    try:
        docker_api.start(made["Id"])
        assert docker_api.wait(made["Id"])["StatusCode"] == 0
        assert docker_api.logs(made["Id"]).decode().split() == ["1", "eth0", "lo", "1"]
    finally:
        docker_api.remove_container(made["Id"], force=True)
