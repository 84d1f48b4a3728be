"""A Docker Engine without root's rights, as its own users start it: by rootlesskit, in namespaces of a user's own.

Users have a line in /etc/passwd, subordinate ids and a /dev/net/tun that all may open; here they are made in a mount
namespace, so that nothing of the machine changes.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab import engine, processes
from lab.images import answers
from lab.machine import daemon_environment
from lab.places import Places
from tests.engines.private import ENTER, forward, in_namespace, path_of, provided

PACKAGES: Final = [
    *("docker.io", "containerd", "runc", "rootlesskit", "uidmap", "slirp4netns", "iproute2", "iptables"),
]
_PROGRAMS: Final = ("dockerd", "containerd", "docker-registry")
_USER: Final = 4242
_FIRST_ID, _IDS = 1_000_000, 65_536
_START: Final = (
    ENTER
    + r"""
mount -t overlay none -o "lowerdir=$2/etc:/etc" /etc
mount --bind "$2/tun" /dev/net/tun
exec setpriv --reuid="$3" --regid="$3" --clear-groups rootlesskit --state-dir="$2/rootlesskit" \
    --net=slirp4netns --mtu=65520 --disable-host-loopback=false --copy-up=/etc --copy-up=/run --propagation=rslave \
    sh -euc "$4" sh "$5"
"""
)
_INSIDE: Final = r"""
rm -f /run/docker /run/containerd /run/xtables.lock
exec dockerd --config-file "$1"
"""


@contextmanager
def rootless(checkout: Path, suite: str, *, registry: str, say: Callable[[str], None]) -> Iterator[str]:
    """Start it with stand-ins to pull, and give its DOCKER_HOST; `registry` may be spoken to without TLS."""
    del say
    with provided(checkout, suite, "rootless", PACKAGES, _PROGRAMS) as (lab, root):
        mirror = lab.start_mirror()
        _prepare(lab.places, mirror)
        ports = [address.rpartition(":")[2] for address in (mirror, registry)]
        _start(lab.places, root, ports)
        yield lab.places.host


def _prepare(places: Places, mirror: str) -> None:
    """Write what a user's engine finds on a machine that is set up for it."""
    etc, data = places.run / "etc", places.lab / "rootless"
    etc.mkdir()
    data.mkdir(exist_ok=True)
    for name, line in {
        "passwd": f"rootless:x:{_USER}:{_USER}::{data}:/bin/sh",
        "group": f"rootless:x:{_USER}:",
        "subuid": f"rootless:{_FIRST_ID}:{_IDS}",
        "subgid": f"rootless:{_FIRST_ID}:{_IDS}",
    }.items():
        machine = Path("/etc", name)
        (etc / name).write_text((machine.read_text() if machine.exists() else "") + line + "\n")
    tun = places.lab / "tun"
    tun.unlink(missing_ok=True)
    os.mknod(tun, 0o020666, os.makedev(10, 200))
    tun.chmod(0o666)
    (places.run / "tun").symlink_to(tun)
    configuration = {
        "hosts": [places.host],
        "data-root": str(data / "docker"),
        "exec-root": str(places.run / "exec"),
        "pidfile": str(places.run / "docker.pid"),
        "registry-mirrors": [mirror],
        "storage-driver": "overlay2",
        "features": {"containerd-snapshotter": False},
        "userland-proxy": False,
    }
    (places.run / "daemon.json").write_text(json.dumps(configuration), encoding="utf-8")
    for path in (places.run, data, etc):
        os.chown(path, _USER, _USER)
        path.chmod(0o755)


def _start(places: Places, root: Path, ports: list[str]) -> None:
    environment = {
        "PATH": path_of(places),
        **daemon_environment(),
        "HOME": str(places.lab / "rootless"),
        "XDG_RUNTIME_DIR": str(places.run),
    }
    arguments = (root, places.run, _USER, _INSIDE, places.run / "daemon.json")
    daemon = processes.launch(
        in_namespace(_START, *map(str, arguments)),
        name=places.name,
        log=places.log("dockerd"),
        env=environment,
    )
    engine.wait_for(places, "dockerd", daemon, lambda: answers(places.socket))
    (pid,) = (pid for pid, name in processes.of_engine(places.name).items() if name == "dockerd")
    forward(places, pid, ports)
