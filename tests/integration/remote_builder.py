"""A builder elsewhere, out of Debian's packages: the BuildKit of another engine, as buildx's remote driver sees it.

An engine answers `POST /grpc` by BuildKit's own protocol (moby, api/server/router/grpc), which is how buildx's docker
driver speaks to it. What is here makes a socket of that, as that of a buildkitd. The engine needs containerd's store,
as the BuildKit of others exports no image.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from isol8_tasks.safety.files import make_folder
from lab.updown import take_down
from tests.newer_engine import newer

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENT: Final = ("docker-cli", "docker-buildx")
NAME: Final = "far"
HOST: Final = "ISOL8_TEST_FAR"
"""The engine whose builder it is."""
_UPGRADE: Final = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


@contextlib.contextmanager
def remote_builder() -> Iterator[dict[str, str]]:
    """Start it; give the variables by which docker's command has buildx and knows the builder `far`."""
    lab = newer(ROOT, "sid", containerd_store=True, more=CLIENT)
    programs = lab.tools.newer or Path("/")
    try:
        make_folder(lab.places.lab)
        lab.start(_silent)
        with (
            tempfile.TemporaryDirectory(prefix="isol8-far-") as folder,
            _served(lab.places.host, folder) as url,
        ):
            plugins = Path(folder, "cli-plugins")
            plugins.mkdir()
            plugin = programs / "usr/libexec/docker/cli-plugins/docker-buildx"
            (plugins / "docker-buildx").symlink_to(plugin)
            path = f"{programs / 'usr/bin'}{os.pathsep}{os.environ['PATH']}"
            environ = {"DOCKER_CONFIG": folder, "PATH": path, HOST: lab.places.host}
            command = ["docker", "buildx", "create", "--name", NAME, "--driver", "remote", url]
            subprocess.run(command, env={**os.environ, **environ}, check=True, capture_output=True)
            yield environ
    finally:
        take_down(lab, _silent)


@contextlib.contextmanager
def _served(engine: str, folder: str) -> Iterator[str]:
    path = Path(folder, "buildkitd.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=_serve, args=(listener, engine.removeprefix("unix://")), daemon=True).start()
        yield f"unix://{path}"
        # Closing alone does not wake who accepts.
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, engine: str) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(client, engine), daemon=True).start()


def _pass_on(client: socket.socket, engine: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(engine)
        server.sendall(_UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := server.recv(1)):
            head += byte
        assert head.startswith(b"HTTP/1.1 101"), head
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 18):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _silent(_text: str) -> None:
    """Say nothing."""
