"""A private engine, for real: what it can do, what it leaves alone, and that nothing of it is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

import lab
from lab import processes
from lab.machine import certificates
from lab.pins import recipe
from lab.places import Places
from lab.standins import UPSTREAM
from lab.tools import Tools

CHECKOUT = Path(__file__).parents[2]
HERE = Path(__file__).parent
DEEP = Path(*["a-folder-with-a-rather-long-name"] * 6)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a private engine needs root on Linux"
)


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(autouse=True, scope="module")
def cache() -> Iterator[Path]:
    """Share downloads and stand-ins with the project's own lab, so that they are fetched and made once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = os.environ.get("ISOL8_LAB_CACHE") or str(CHECKOUT / ".isol8/lab/fetched")
        patch.setenv("ISOL8_LAB_CACHE", folder)
        yield Path(folder)


@pytest.fixture
def make_checkout(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give `make_checkout(name)`: a folder, very deep, whose engine is taken down in the end."""
    made: list[Path] = []

    def make(name: str) -> Path:
        checkout = tmp_path / name / DEEP
        checkout.mkdir(parents=True)
        made.append(checkout)
        return checkout

    yield make
    for checkout in made:
        lab.down(checkout, quiet)
        shutil.rmtree(checkout / ".isol8", ignore_errors=True)  # images, which pytest would keep for long


def traces(checkout: Path, cache: Path) -> dict[str, list[str]]:
    """Return what this machine shows of a checkout's engine: links, rules, mounts, processes, control groups."""
    places = Places.of(checkout, str(cache))
    tools = Tools(root=cache / "programs")
    shown = {
        "link": tools.run("ip", "-br", "link"),
        "rule": tools.run("iptables-nft-save"),
        "mount": Path("/proc/self/mounts").read_text(encoding="utf-8"),
        "process": subprocess.run(
            ["ps", "-eo", "args", "-ww"], check=True, capture_output=True, text=True
        ).stdout,
        "group": "\n".join(str(folder) for folder in Path("/sys/fs/cgroup").glob(f"**/{places.name}")),
        "run": "\n".join(str(folder) for folder in Path("/run").iterdir()),
    }
    own = (places.name, places.bridge, str(checkout))
    return {
        kind: [line for line in text.splitlines() if any(name in line for name in own)]
        for kind, text in shown.items()
    }


NOTHING: dict[str, list[str]] = {kind: [] for kind in ("link", "rule", "mount", "process", "group", "run")}


def run_in(host: str, *command: str) -> str:
    """Run a command in a container and return what it printed."""
    client = docker.DockerClient(base_url=host)
    try:
        output: bytes = client.containers.run("alpine:3.21", list(command), remove=True)
        return output.decode()
    finally:
        client.close()


def downloads(host: str) -> bool:
    """Say whether a container reaches a package registry, which takes names and routes."""
    script = "apk add --no-cache py3-pip >/dev/null && pip download -q --no-deps -d /tmp idna && ls /tmp"
    return "idna" in run_in(host, "sh", "-c", script)


def keeps_its_address(places: Places, cache: Path) -> bool:
    """Say whether the bridge is known by the same address with a container on it and without one."""
    client = docker.DockerClient(base_url=places.host)

    def address() -> str:
        shown = Tools(root=cache / "programs").run("ip", "-j", "link", "show", places.bridge)
        return str(json.loads(shown)[0]["address"])

    alone = address()
    container = client.containers.run("alpine:3.21", ["sleep", "60"], detach=True)
    beside = address()
    container.remove(force=True)
    client.close()
    return alone == beside


@pytest.mark.thorough
def test_two_engines_live_side_by_side_and_leave_nothing(
    make_checkout: Callable[[str], Path], cache: Path
) -> None:
    """Each pulls and has the network, the one also when the other is gone, and then nothing is left of either."""
    one, two = make_checkout("one"), make_checkout("two")
    first = lab.up(one, quiet)
    second = lab.up(two, quiet)
    said: list[str] = []
    started = time.monotonic()
    assert lab.up(one, said.append) == first
    assert said == []
    assert time.monotonic() - started < 10
    assert first != second
    assert downloads(first)
    assert keeps_its_address(Places.of(one, str(cache)), cache)
    client = docker.APIClient(base_url=first)
    for reference in UPSTREAM:
        client.remove_image(reference, force=True)
    client.close()
    lab.up(one, quiet)
    assert run_in(first, "echo", "again") == "again\n"
    assert lab.down(one, quiet)
    assert not lab.down(one, quiet)
    assert traces(one, cache) == NOTHING
    assert downloads(second)
    assert lab.down(two, quiet)
    assert traces(two, cache) == NOTHING


def test_images_outlive_the_engine(make_checkout: Callable[[str], Path]) -> None:
    """What was built is there after `down` and `up`, with the very same upstream images under it."""
    checkout = make_checkout("one")
    client = docker.APIClient(base_url=lab.up(checkout, quiet))
    before = {reference: client.inspect_image(reference)["Id"] for reference in UPSTREAM}
    client.tag(UPSTREAM[0], "kept", "1")
    client.close()
    lab.down(checkout, quiet)
    client = docker.APIClient(base_url=lab.up(checkout, quiet))
    assert {reference: client.inspect_image(reference)["Id"] for reference in UPSTREAM} == before
    assert [image["RepoTags"] for image in client.images("kept:1")]
    assert client.inspect_distribution(UPSTREAM[0])["Descriptor"]["digest"].startswith("sha256:")
    client.close()


@pytest.mark.thorough
def test_stand_ins_of_an_older_recipe_are_replaced(make_checkout: Callable[[str], Path], cache: Path) -> None:
    """An engine that was started before an update serves what the update needs, and keeps its images."""
    checkout = make_checkout("updated")
    host = lab.up(checkout, quiet)
    record = Places.of(checkout, str(cache)).record
    before = json.loads(record.read_text())
    record.write_text(json.dumps(before | {"recipe": "older"}))
    assert lab.up(checkout, quiet) == host
    after = json.loads(record.read_text())
    assert after["recipe"] == recipe(certificates())
    assert after["registry_port"] != before["registry_port"]
    lab.up(checkout, quiet)
    assert json.loads(record.read_text()) == after


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize(
    "programs",
    [
        pytest.param(("dockerd",), id="dockerd"),
        pytest.param(("containerd",), id="containerd"),
        pytest.param(("dockerd", "containerd", "docker-registry"), id="all"),
    ],
)
def test_killed_daemons_are_cleaned_up_after(
    make_checkout: Callable[[str], Path], cache: Path, programs: tuple[str, ...]
) -> None:
    """After kill -9, `up` brings the engine back, and `down` leaves no container, network or rule of it."""
    checkout = make_checkout("one")
    places = Places.of(checkout, str(cache))
    host = lab.up(checkout, quiet)
    client = docker.DockerClient(base_url=host)
    client.networks.create("of-a-user", driver="bridge")
    client.containers.run("alpine:3.21", ["sleep", "1000"], detach=True, network="of-a-user")
    bridges = {str(network.id)[:12] for network in client.networks.list(names=["of-a-user"])}
    client.close()
    links = Tools(root=cache / "programs")
    assert all(bridge in links.run("ip", "-br", "link") for bridge in bridges)
    for pid, program in processes.of_engine(places.name).items():
        if program in programs:
            os.kill(pid, signal.SIGKILL)
    assert lab.up(checkout, quiet) == host
    assert run_in(host, "echo", "back") == "back\n"
    for pid, program in processes.of_engine(places.name).items():
        if program in programs:
            os.kill(pid, signal.SIGKILL)
    assert lab.down(checkout, quiet)
    assert traces(checkout, cache) == NOTHING
    assert not any(bridge in links.run("ip", "-br", "link") for bridge in bridges)


def test_half_an_engine_is_taken_down(make_checkout: Callable[[str], Path], cache: Path) -> None:
    """When `up` is killed on its way, `down` finds what there is, and the next `up` works."""
    checkout = make_checkout("one")
    places = Places.of(checkout, str(cache))
    program = f"import lab, pathlib; lab.up(pathlib.Path({str(checkout)!r}), print)"
    starting = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    assert processes.wait_until(lambda: "containerd" in processes.of_engine(places.name).values(), seconds=60)
    starting.kill()
    starting.wait()
    assert lab.down(checkout, quiet)
    assert traces(checkout, cache) == NOTHING
    assert run_in(lab.up(checkout, quiet), "echo", "up") == "up\n"


@pytest.mark.thorough
def test_a_machine_is_put_back_and_another_docker_left_alone(
    make_checkout: Callable[[str], Path], cache: Path
) -> None:
    """On a machine with no rule and no forwarding none remain; beside a Docker whose policy is DROP both work."""
    checkout = make_checkout("one")
    lab.up(checkout, quiet)  # so that all programs are at hand
    lab.down(checkout, quiet)
    if not (cache / f"stand-ins-{recipe(certificates())[:12]}").exists():
        pytest.skip(
            "the upstream images can be pulled here, so there are no stand-ins to work without a network"
        )
    alone = 'mount -t tmpfs tmpfs /run && echo 0 > /proc/sys/net/ipv4/ip_forward && exec "$@"'
    done = subprocess.run(
        [
            *("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", alone, "sh"),
            *(sys.executable, str(HERE / "lab_alone.py"), str(checkout)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    before, after = seen.pop("before"), seen.pop("after")
    # Mounts of others may go meanwhile, but none may be new.
    assert set(after.pop("mounts")) <= set(before.pop("mounts"))
    assert before["rules"] == []
    assert before["forwarding"] == "0"
    assert after == before
    assert seen == {
        "reached": True,
        "policy": True,
        "beside one that was there before": [True, True],
        "beside one that came later": [True, True],
        "the other after down": True,
    }
