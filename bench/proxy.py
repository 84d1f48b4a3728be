"""Measures tunnels of a gigabyte through the network filter, in turns with a plain socat relay between the same ends.

It needs containers on the host's own network, and socat, which it unpacks from Debian's packages where it is not
installed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import docker

SIZE: Final = 1 << 30
RUNTIMES: Final = ("bash",)
DIRECT: Final = "no relay"
SOCAT: Final = "socat"
_PIECE: Final = bytes(1 << 20)
_PATIENCE: Final = 20


def measure(
    images: Mapping[str, str], host: str, scratch: Path, *, runs: int
) -> dict[str, tuple[float, ...]]:
    """Return the seconds that a gigabyte takes by every way there is, run by run; the ways take turns."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(_server())
        ways = {DIRECT: target}
        socat = find_socat(scratch)
        if socat:
            ways[SOCAT] = stack.enter_context(_relay(socat, target))
        for runtime, image in images.items():
            ways[runtime] = stack.enter_context(_filter(image, host, target))
        found: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(runs + 1):
            for way, port in ways.items():
                seconds = _seconds(port, target, connects=way in images)
                if turn:
                    found[way].append(seconds)
    return {way: tuple(seconds) for way, seconds in found.items()}


def find_socat(scratch: Path) -> tuple[str, Path] | None:
    """Return socat and the folder of its libraries: as installed, else unpacked from Debian; None without."""
    installed = shutil.which("socat")
    if installed:
        return installed, Path(installed).parent
    folder = scratch / "socat"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "usr" / "bin" / "socat"
    if not program.exists():
        try:
            command = ["apt-get", "-qq", "download", "socat", "libwrap0"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            for package in folder.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
    libraries = next(iter(folder.rglob("libwrap.so.0")), program)
    return (str(program), libraries.parent) if program.exists() else None


@contextlib.contextmanager
def _server() -> Iterator[int]:
    """Serve a gigabyte to whoever asks, from a process of its own; give the port."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.proxy", str(port)])
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _relay(socat: tuple[str, Path], target: int) -> Iterator[int]:
    port = _free_port()
    program, libraries = socat
    command = [program, f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"TCP:127.0.0.1:{target}"]
    process = subprocess.Popen(command, env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _filter(image: str, host: str, target: int) -> Iterator[int]:
    port = _free_port()
    client = docker.APIClient(base_url=host, version="auto")
    container = client.create_container(
        image,
        ["isol8-proxy"],
        user="sandbox",
        environment={
            "ISOL8_PROXY_PORT": str(port),
            "ISOL8_ALLOW_NETS": "127.0.0.0/8",
            "ISOL8_ALLOW_PORTS": str(target),
        },
        host_config=client.create_host_config(network_mode="host", cap_drop=["ALL"]),
    )["Id"]
    try:
        client.start(container)
        _wait_for(port)
        yield port
    finally:
        client.remove_container(container, force=True)
        client.close()


def _seconds(port: int, target: int, *, connects: bool) -> float:
    """Return how long it takes until all of it came through."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        if connects:
            authority = f"127.0.0.1:{target}"
            link.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += link.recv(1)
            if b" 200 " not in answer:
                raise SystemExit(answer.decode())
        buffer, left = bytearray(1 << 20), SIZE
        began = time.perf_counter()
        link.sendall(b"go")
        while left and (size := link.recv_into(buffer)):
            left -= size
        if left:
            raise SystemExit(f"{left} bytes are missing")
        return time.perf_counter() - began


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            link, _ = listener.accept()
            threading.Thread(target=_send, args=(link,), daemon=True).start()


def _send(link: socket.socket) -> None:
    left = SIZE
    with link, contextlib.suppress(OSError):
        if link.recv(2):
            while left:
                left -= link.send(_PIECE[: min(left, len(_PIECE))])


def main(argv: list[str]) -> None:
    """Serve what is measured."""
    _serve(int(argv[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
