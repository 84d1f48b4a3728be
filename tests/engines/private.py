"""What an engine has to itself: programs of another Debian suite, with the C library that they need, and a network.

The programs lie over the machine's own in a mount namespace. The network is reached by slirp4netns.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

from isol8_tasks.safety.files import make_folder
from lab import processes
from lab.debian import Apt
from lab.places import Places
from lab.updown import Lab
from tests.newer_engine import sources

ENTER: Final = r"""
# crun does not work with both hierarchies of control groups.
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
mount -t overlay none -o "lowerdir=$1/usr:/usr" /usr
for folder in lib bin sbin; do
    # Older suites name them outside of /usr.
    if [ -d "$1/$folder" ] && [ ! -L "$1/$folder" ]; then
        mount -t overlay none -o "lowerdir=$1/$folder:/usr/$folder" "/usr/$folder"
    fi
done
"""
"""What a shell does in that namespace before it starts a program; its first argument is where the packages are."""


_FORWARD: Final = """
import socket, sys, threading

def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass

def serve(port):
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            # slirp4netns has the machine's loopback there.
            there = socket.create_connection(("10.0.2.2", port))
            for pair in ((client, there), (there, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

for port in sys.argv[1:]:
    threading.Thread(target=serve, args=(int(port),)).start()
"""
"""What listens in another network, and passes on to this one."""


@contextmanager
def provided(
    checkout: Path, suite: str, name: str, wanted: list[str], ended: tuple[str, ...]
) -> Iterator[tuple[Lab, Path]]:
    """Give a lab of its own, and where the packages of a suite are unpacked; the programs that are `ended` are its own.

    LabError where the packages can't be had.
    """
    folder = checkout / ".isol8/engines" / f"{suite}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    lab = Lab.of(folder)
    root = packages(folder.parent, suite, name, wanted)
    make_folder(lab.places.lab)
    with FileLock(lab.places.lab / "lock"), processes.marked(lab.places.name):
        lab.provide_programs()
        lab.places.run.mkdir(mode=0o700)
        try:
            yield lab, root
        finally:
            processes.end(lab.places.name, ended)
            processes.forget_groups(lab.places.name)
            shutil.rmtree(lab.places.run, ignore_errors=True)


def packages(engines: Path, suite: str, name: str, wanted: list[str]) -> Path:
    """Return where packages of a suite are unpacked, with all that they need; LabError where they can't be had."""
    root = engines / f"{suite}-{name}-packages"
    done = root / "apt/unpacked"
    if not done.exists():
        Apt(state=root / "apt", sources=sources(suite), whole=True).fetch(wanted, root, with_libraries=True)
        done.touch()
    return root


def in_namespace(script: str, *arguments: str, network: bool = False) -> list[str]:
    """Return the command that runs a shell's script in namespaces of its own, which end with it: of mounts at least."""
    kinds = ["--mount", "--propagation", "slave", *(["--net"] if network else [])]
    return ["unshare", *kinds, "sh", "-euc", script, "sh", *arguments]


def path_of(places: Places) -> str:
    """Return a PATH with the programs that Debian's alternatives name, which unpacking alone does not make."""
    programs = places.run / "bin"
    programs.mkdir()
    for name in ("iptables", "ip6tables"):
        (programs / name).symlink_to(f"/usr/sbin/{name}-nft")
    return os.pathsep.join([str(programs), "/usr/sbin", "/usr/bin"])


def forward(places: Places, pid: int, ports: list[str]) -> None:
    """Let the machine's ports be found on the loopback address of a process that has a network of its own."""
    processes.launch(
        ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", _FORWARD, *ports],
        name=places.name,
        log=places.log("forward"),
        env=os.environ,
    )


def connect(places: Places, pid: int) -> None:
    """Let a process that has namespaces of its own reach the network, by the slirp4netns of its own packages."""
    command = [
        "slirp4netns",
        "--configure",
        "--mtu=65520",
        "--netns-type=path",
        f"/proc/{pid}/ns/net",
        "tap0",
    ]
    processes.launch(
        ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", *command],
        name=places.name,
        log=places.log("slirp4netns"),
        env=os.environ,
    )
