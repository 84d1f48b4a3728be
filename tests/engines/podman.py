"""Podman of a Debian suite, with programs and a network of its own, as a user who is root starts it."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import engine, processes
from lab.machine import daemon_environment
from lab.places import Places
from tests.engines.private import ENTER, connect, forward, in_namespace, path_of, provided

PACKAGES = ["podman", "crun", "netavark", "iptables", "nftables", "slirp4netns"]
_PROGRAMS = ("podman", "docker-registry")
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{lab}/storage"
runroot = "{run}/storage"
"""
_REGISTRIES = """\
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "{mirror}"
insecure = true
[[registry]]
location = "{pushed}"
insecure = true
"""
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


@contextmanager
def podman(checkout: Path, suite: str, *, registry: str, say: Callable[[str], None]) -> Iterator[str]:
    """Start Podman with stand-ins to pull, and give its DOCKER_HOST; `registry` may be spoken to without TLS."""
    del say
    with provided(checkout, suite, "podman", PACKAGES, _PROGRAMS) as (lab, root):
        mirror = lab.start_mirror().removeprefix("http://")
        pid = _start(lab.places, root, _configured(lab.places, mirror, registry))
        connect(lab.places, pid)
        forward(lab.places, pid, [each.rpartition(":")[2] for each in (mirror, registry)])
        yield lab.places.host


def _configured(places: Places, mirror: str, registry: str) -> dict[str, str]:
    """Write what Podman reads, and return by which variables it finds that."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    written = {
        "CONTAINERS_CONF": _CONTAINERS.format(files=files),
        "CONTAINERS_STORAGE_CONF": _STORAGE.format(lab=places.lab, run=places.run),
        "CONTAINERS_REGISTRIES_CONF": _REGISTRIES.format(mirror=mirror, pushed=registry),
    }
    for name, text in written.items():
        (places.run / name).write_text(text, encoding="utf-8")
    policy = places.run / ".config/containers"
    policy.mkdir(parents=True)
    (policy / "policy.json").write_text(_POLICY, encoding="utf-8")
    return {"HOME": str(places.run), **{name: str(places.run / name) for name in written}}


def _start(places: Places, root: Path, environment: dict[str, str]) -> int:
    service = processes.launch(
        in_namespace(
            f'{ENTER}exec podman system service --time=0 "$2"', str(root), places.host, network=True
        ),
        name=places.name,
        log=places.log("podman"),
        env={"PATH": path_of(places), **daemon_environment(), **environment},
    )
    engine.wait_for(places, "podman", service, places.socket.exists)
    return service
