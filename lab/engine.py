"""The daemons of a private engine: containerd and dockerd, in a mount namespace of their own."""

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from isol8_tasks.errors import LabError
from lab import processes
from lab.images import answers, mirrors
from lab.machine import daemon_environment
from lab.places import Places
from lab.tools import Tools, last_line

PROGRAMS = ("dockerd", "containerd", "docker-registry")
"""What runs for an engine, in the order in which it is ended."""

# Files that dockerd and containerd make outside of the folders that they are given.
_STRAYS = (Path("/etc/docker/key.json"),)
_STRAY_FOLDERS = (
    Path("/etc/docker"),
    Path("/run/containerd/s"),
    Path("/run/containerd"),
    Path("/run/docker/plugins"),
    Path("/run/docker"),
)

_CONTAINERD = """\
version = 2
root = {root}
state = {state}
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = {address}
"""


def _containerd_socket(places: Places) -> Path:
    return places.run / "containerd.sock"


def data_root(places: Places) -> Path:
    """Where the engine keeps its images."""
    return places.lab / "docker"


def configuration(places: Places, mirror: str | None) -> dict[str, object]:
    """Return dockerd's configuration: nothing in it is shared with another engine."""
    return {
        "hosts": [places.host],
        "data-root": str(data_root(places)),
        "exec-root": str(places.run / "exec"),
        "pidfile": str(places.run / "docker.pid"),
        "containerd": str(_containerd_socket(places)),
        "bridge": places.bridge,
        # Rules of dockerd's own would replace those of another dockerd on this machine.
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "cgroup-parent": f"/{places.name}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "shutdown-timeout": 3,
        "registry-mirrors": [mirror] if mirror else [],
        **({"features": {"containerd-snapshotter": True}} if places.containerd_store else {}),
    }


def _configure(places: Places, mirror: str | None) -> Path:
    file = places.run / "daemon.json"
    file.write_text(json.dumps(configuration(places, mirror), indent=2), encoding="utf-8")
    return file


def start(places: Places, tools: Tools, mirror: str | None) -> None:
    """Start the engine and wait until it answers."""
    strays = [file for file in _STRAYS if not file.exists()]
    environment = {
        # dockerd runs itself again for steps of its work, and the end of each comes before garbage needs collecting.
        "GOGC": "400",
        **daemon_environment(),
        **tools.environment(_path(tools, "dockerd")),
        "PATH": os.pathsep.join(tools.folders()),
    }
    toml = places.run / "containerd.toml"
    toml.write_text(
        _CONTAINERD.format(
            root=json.dumps(str(places.lab / "containerd")),
            state=json.dumps(str(places.run / "containerd")),
            address=json.dumps(str(_containerd_socket(places))),
        ),
        encoding="utf-8",
    )
    # Mounts made in a namespace of their own end with its last process, however that ends.
    containerd = processes.launch(
        ["unshare", "--mount", "--propagation", "slave", _path(tools, "containerd"), "--config", str(toml)],
        name=places.name,
        log=places.log("containerd"),
        env=environment,
    )
    wait_for(places, "containerd", containerd, lambda: _containerd_socket(places).exists())
    dockerd = processes.launch(
        [
            *("nsenter", f"--mount=/proc/{containerd}/ns/mnt", "--", _path(tools, "dockerd")),
            *("--config-file", str(_configure(places, mirror))),
        ],
        name=places.name,
        log=places.log("dockerd"),
        env=environment,
    )
    wait_for(places, "dockerd", dockerd, lambda: answers(places.socket))
    for file in strays:
        file.unlink(missing_ok=True)


def _path(tools: Tools, program: str) -> str:
    path = tools.find(program)
    if path is None:
        raise LabError(f"{program} is neither on this machine nor in the packages that were unpacked for it.")
    return path


def wait_for(places: Places, program: str, pid: int, ready: Callable[[], bool]) -> None:
    """Wait until a daemon is ready; LabError, with the last line of its log, if it ends or takes too long."""
    in_time = processes.wait_until(lambda: ready() or not processes.alive(pid), seconds=60)
    if in_time and processes.alive(pid):
        return
    log = places.log(program)
    said = last_line(log.read_text(encoding="utf-8", errors="replace"))
    problem = "did not start" if in_time else "does not answer after a minute"
    raise LabError(f"{program} of the private engine {problem}: {said} (its log: {log})")


def start_registry(places: Places, tools: Tools, storage: Path, port: int) -> None:
    """Start the registry that serves the stand-ins, and wait until it does."""
    configuration_file = places.run / "registry.yml"
    configuration_file.write_text(
        json.dumps(  # which is YAML, too
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {
                    "filesystem": {"rootdirectory": str(storage)},
                    "maintenance": {"readonly": {"enabled": True}},
                },
                "http": {"addr": f"127.0.0.1:{port}"},
            }
        ),
        encoding="utf-8",
    )
    program = _path(tools, "docker-registry")
    registry = processes.launch(
        [program, "serve", str(configuration_file)],
        name=places.name,
        log=places.log("docker-registry"),
        env=tools.environment(program),
    )
    wait_for(places, "docker-registry", registry, lambda: _listens(port))


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def use_mirror(places: Places, mirror: str) -> None:
    """Make the running engine pull from a mirror first, without a restart."""
    _configure(places, mirror)
    for pid, program in processes.of_engine(places.name).items():
        if program == "dockerd":
            os.kill(pid, signal.SIGHUP)
    if not processes.wait_until(lambda: mirror in mirrors(places.host), seconds=10):
        raise LabError(
            f"The private engine does not accept the mirror {mirror}: see {places.log('dockerd')}."
        )


def runs(places: Places, *, with_registry: bool) -> bool:
    """Say whether all daemons run and the engine answers."""
    needed = set(PROGRAMS if with_registry else PROGRAMS[:2])
    return needed <= set(processes.of_engine(places.name).values()) and answers(places.socket)


def end(places: Places) -> None:
    """End everything that runs for the engine, whoever started it."""
    processes.end(places.name, PROGRAMS)
    processes.forget_groups(places.name)


def absent_folders() -> list[str]:
    """Return those folders outside of the checkout that an engine will make, since they aren't there."""
    return [str(folder) for folder in _STRAY_FOLDERS if not folder.exists()]


def foreign_docker(places: Places) -> bool:
    """Say whether a dockerd that is not of this checkout uses this machine's network."""
    own = processes.of_engine(places.name)
    network = Path("/proc/self/ns/net").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end while we look
            is_docker = (folder / "comm").read_bytes() == b"dockerd\n" and int(folder.name) not in own
            if is_docker and (folder / "ns/net").readlink() == network:
                return True
    return False
