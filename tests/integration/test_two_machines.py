"""Runs on two machines that share an engine: they take turns, and none that was stopped or killed does harm."""

import os
import signal
import sys
import time
from pathlib import Path

import docker
import pytest

from isol8_tasks.engine.endpoint import Endpoint
from tests.integration.checkouts import Checkout, new_checkout, wait_for
from tests.integration.machines import SLOT, contained, ended, is_building, leases, slow, started

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a machine of its own needs root on Linux"
)


@pytest.fixture
def far(checkout: Checkout, tmp_path: Path) -> Checkout:
    """Give a checkout on the other machine, with the same repository."""
    return new_checkout(tmp_path / "far", checkout.repository)


def who(api: docker.APIClient, where: Checkout) -> str:
    """Return the checkout of which the image in use is."""
    labels = api.inspect_image(f"{where.repository}:bash")["Config"]["Labels"]
    return str(labels["org.isol8.tasks.checkout"])


def test_they_take_turns(
    built: Checkout, far: Checkout, docker_api: docker.APIClient, endpoint: Endpoint
) -> None:
    """The second waits, says for whom, and finds what the first built; what changes nothing does not wait."""
    assert endpoint.url.startswith("unix://")
    for each in (built, far):
        each.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 12 && echo {far.id}\nCMD ["bash"]')
    with started(far, "base:bash", host="far-away") as first:
        wait_for(lambda: is_building(far), 60)
        assert "on far-away in " in "".join(leases(docker_api))
        # One after the other: each also waits for the other runs of its own machine.
        with started(built, "run", "--wait=0", "base:bash") as refused:
            code, out = ended(refused)
        assert code == 1
        said = f"of user root on far-away in {far.folder}, since 20"
        assert "another run is using this engine: process " in out
        assert said in out
        assert built.doit("plan", "--check", "--only=deno").code == 0
        with started(built, "base:bash") as second:
            assert built.doit("base:deno").code == 0
            assert first.poll() is None
            assert ended(first)[0] == 0
            code, out = ended(second)
    assert code == 0
    assert "waiting for another run on this engine: process " in out
    assert said in out
    assert "1 image up to date" in out
    assert leases(docker_api) == []


def test_a_machine_that_is_gone_keeps_nobody_for_long(
    built: Checkout, far: Checkout, docker_api: docker.APIClient
) -> None:
    """After SIGKILL the next run waits for one slot and a half, and leaves nothing of it."""
    slow(far, 60)
    slow(built, 0)
    with started(far, "base:bash", host="far-away") as first:
        wait_for(lambda: is_building(far), 60)
        first.kill()
    assert leases(docker_api) != []
    began = time.monotonic()
    with started(built, "base:bash") as second:
        wait_for(
            lambda: built.id in "".join(leases(docker_api)) or "far" not in "".join(leases(docker_api)), 90
        )
        assert time.monotonic() - began < SLOT * 1.5 + 3
        assert ended(second)[0] == 0
    assert who(docker_api, built) == built.id
    assert leases(docker_api) == []


def test_a_container_that_is_given_the_socket(
    built: Checkout, far: Checkout, docker_api: docker.APIClient, endpoint: Endpoint
) -> None:
    """It is a machine like any other, though it has the same kernel: it is waited for, until it is killed."""
    slow(far, 60)
    slow(built, 0)
    with contained(docker_api, Path(endpoint.url.removeprefix("unix://")), far, "base:bash") as container:
        wait_for(lambda: is_building(far), 60)
        with started(built, "run", "--wait=0", "base:bash") as refused:
            code, out = ended(refused)
        assert code == 1
        assert f" on in-a-box in {far.folder}, since 20" in out
        docker_api.kill(container)
        with started(built, "base:bash") as second:
            code, out = ended(second)
    assert code == 0, out
    assert " on in-a-box in " in out
    assert who(docker_api, built) == built.id
    assert leases(docker_api) == []


def test_a_run_of_this_machine_that_was_killed_keeps_nobody_waiting(
    built: Checkout, docker_api: docker.APIClient
) -> None:
    """Its process is gone, which can be seen here."""
    slow(built, 60)
    with started(built, "base:bash") as first:
        wait_for(lambda: is_building(built), 60)
        first.kill()
    assert leases(docker_api) != []
    built.edit("docker/Dockerfile", "RUN sleep 60", "RUN sleep 0")
    with started(built, "run", "--wait=0", "base:bash") as second:
        code, out = ended(second)
    assert code == 0, out
    assert leases(docker_api) == []


def test_a_run_that_was_stopped_promotes_nothing_over_another(
    built: Checkout, far: Checkout, docker_api: docker.APIClient
) -> None:
    """It notices that another run had the engine meanwhile, be it done or not; its candidate stays."""
    slow(far, 3)
    slow(built, 0)
    with started(far, "base:bash", host="far-away") as first:
        wait_for(lambda: is_building(far), 60)
        inner = int(Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()[0])
        os.kill(inner, signal.SIGSTOP)
        with started(built, "base:bash") as second:
            code, out = ended(second)
        assert code == 0, out
        assert who(docker_api, built) == built.id
        os.kill(inner, signal.SIGCONT)
        code, out = ended(first)
    assert code == 1
    assert "took over; it changes nothing more: what it built is kept as a candidate, so run again" in out
    assert who(docker_api, built) == built.id
    assert leases(docker_api) == []
    # It wants what it built, and need not build it again.
    with started(far, "base:bash", host="far-away") as third:
        code, out = ended(third)
    assert (code, "1 promoted" in out) == (0, True), out
    assert who(docker_api, built) == far.id


def test_a_run_that_was_stopped_goes_on_where_nobody_was(
    built: Checkout, far: Checkout, docker_api: docker.APIClient
) -> None:
    """As on a laptop that slept."""
    slow(far, 3)
    with started(far, "base:bash", host="far-away") as first:
        wait_for(lambda: is_building(far), 60)
        inner = int(Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()[0])
        os.kill(inner, signal.SIGSTOP)
        time.sleep(SLOT * 2 + 1)
        os.kill(inner, signal.SIGCONT)
        code, out = ended(first)
    assert code == 0, out
    assert who(docker_api, built) == far.id
    assert leases(docker_api) == []
