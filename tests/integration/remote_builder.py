"""Builders elsewhere, out of Debian's packages: the BuildKit of another engine, as drivers of buildx see it.

An engine answers `POST /grpc` by BuildKit's own protocol (moby, api/server/router/grpc), which is how buildx's docker
driver speaks to it. What is here makes sockets of that, as those of a buildkitd, which is in no package: one on this
machine, one that wants TLS with certificates of both sides, and one at the end of a container's `buildctl dial-stdio`.
The engine needs containerd's store, as the BuildKit of others exports no image.
"""

import asyncio
import contextlib
import functools
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from docker import APIClient

from isol8_tasks.safety.files import make_folder
from lab.processes import wait_until
from lab.tools import run
from lab.updown import take_down
from tests.newer_engine import newer

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENT: Final = ("docker-cli", "docker-buildx")
NAME: Final = "far"
"""Of the driver remote, on a Unix socket."""
SECURED: Final = "secured"
"""Of the driver remote, on TCP by TLS."""
CONTAINED: Final = "contained"
"""Of the driver docker-container."""
HOST: Final = "ISOL8_TEST_FAR"
"""The engine whose builder they are."""
_UPGRADE: Final = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_BUILDCTL: Final = """#!/bin/sh
case $1 in
    dial-stdio) exec nc 127.0.0.1 {port} ;;
    *) exec nc -z 127.0.0.1 {port} ;;
esac
"""
_RUNC: Final = """#!{python}
import json, os, sys

words = sys.argv[1:]
if "create" in words:
    file = words[words.index("--bundle") + 1] + "/config.json"
    with open(file) as opened:
        found = json.load(opened)
    for each in found["process"].get("capabilities", dict()).values():
        while "CAP_SYS_RESOURCE" in each:
            each.remove("CAP_SYS_RESOURCE")
    with open(file, "w") as opened:
        json.dump(found, opened)
os.execvp("runc", ["runc", *words])
"""
_IMAGE: Final = """FROM alpine:3.21
LABEL org.isol8.tasks.test=1
COPY buildctl buildkitd /usr/bin/
ENTRYPOINT ["buildkitd"]
"""


@contextlib.contextmanager
def remote_builder() -> Iterator[dict[str, str]]:
    """Start it; give the variables by which docker's command has buildx and knows the builders `far` and `secured`."""
    lab = newer(ROOT, "sid", containerd_store=True, more=CLIENT)
    programs = lab.tools.newer or Path("/")
    try:
        make_folder(lab.places.lab)
        lab.start(_silent)
        with (
            tempfile.TemporaryDirectory(prefix="isol8-far-") as folder,
            _far(lab.places.host, _UPGRADE) as far,
        ):
            plugins = Path(folder, "cli-plugins")
            plugins.mkdir()
            plugin = programs / "usr/libexec/docker/cli-plugins/docker-buildx"
            (plugins / "docker-buildx").symlink_to(plugin)
            path = f"{programs / 'usr/bin'}{os.pathsep}{os.environ['PATH']}"
            environ = {"DOCKER_CONFIG": folder, "PATH": path, HOST: lab.places.host}
            url = f"unix://{far.on_a_socket(Path(folder, 'buildkitd.sock'))}"
            buildx(environ, "create", "--name", NAME, "--driver", "remote", url)
            certificates = _certificates(Path(folder))
            url = f"tcp://127.0.0.1:{far.on_a_port(certificates)}"
            options = [f"{name}={certificates / name}.pem" for name in ("cacert", "cert", "key")]
            words = [word for option in options for word in ("--driver-opt", option)]
            buildx(environ, "create", "--name", SECURED, "--driver", "remote", *words, url)
            yield environ
    finally:
        take_down(lab, _silent)


@contextlib.contextmanager
def contained(environ: Mapping[str, str], engine: str) -> Iterator[None]:
    """Let there be the builder `contained` too, in a container beside the others, of an image of another engine's."""
    far = {**environ, "DOCKER_HOST": environ[HOST]}
    image = "isol8test-buildkit:1"
    with tempfile.TemporaryDirectory(prefix="isol8-far-") as folder, _far(environ[HOST], _UPGRADE) as served:
        _allow_privileged(environ[HOST], Path(folder))
        port = served.on_a_port(None)
        programs = {"buildctl": _BUILDCTL.format(port=port), "buildkitd": "#!/bin/sh\nexec sleep 100000\n"}
        for name, text in programs.items():
            Path(folder, name).write_text(text)
            Path(folder, name).chmod(0o755)
        Path(folder, "Dockerfile").write_text(_IMAGE)
        docker({**environ, "DOCKER_HOST": engine}, "save", "-o", f"{folder}/alpine.tar", "alpine:3.21")
        docker(far, "load", "-i", f"{folder}/alpine.tar")
        docker(far, "build", "-q", "-t", image, folder)
        options = ("--driver-opt", f"image={image}", "--driver-opt", "network=host")
        buildx(far, "create", "--name", CONTAINED, "--driver", "docker-container", *options, environ[HOST])
        try:
            yield
        finally:
            buildx(far, "rm", CONTAINED)
            docker(far, "rmi", image)


def _allow_privileged(engine: str, folder: Path) -> None:
    """Let an engine of ours start what wants every capability on a machine that has not all of them."""
    program = folder / "runc"
    program.write_text(_RUNC.format(python=sys.executable))
    program.chmod(0o755)
    places = Path(engine.removeprefix("unix://")).parent
    file = places / "daemon.json"
    runtimes = {"runtimes": {"fewer": {"path": str(program)}}, "default-runtime": "fewer"}
    file.write_text(json.dumps(json.loads(file.read_text()) | runtimes), encoding="utf-8")
    os.kill(int((places / "docker.pid").read_text()), signal.SIGHUP)
    with contextlib.closing(APIClient(base_url=engine)) as api:
        assert wait_until(lambda: api.info()["DefaultRuntime"] == "fewer", seconds=30)


def buildx(environ: Mapping[str, str], *words: str) -> None:
    """Run the plugin."""
    docker(environ, "buildx", *words)


def docker(environ: Mapping[str, str], *words: str) -> None:
    """Run docker's command."""
    given = {**os.environ, **environ}
    done = subprocess.run(["docker", *words], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def secured_engine(engine: str, folder: Path) -> Iterator[dict[str, str]]:
    """Give the variables by which an engine is reached on TCP, by TLS with certificates of both sides."""
    with _far(engine, b"") as far:
        port = far.on_a_port(_certificates(folder), "http/1.1")
        (folder / "ca.pem").symlink_to("cacert.pem")
        yield {
            "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }


class _Far:
    """An engine or its builder, at addresses of its own."""

    def __init__(self, engine: str, first: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self._pass = functools.partial(_pass_on, engine, first)
        self._loop = loop
        self.servers: list[asyncio.Server] = []

    def on_a_socket(self, path: Path) -> Path:
        self._serve(asyncio.start_unix_server(self._pass, path))
        return path

    def on_a_port(self, certificates: Path | None, protocol: str = "h2") -> int:
        """Return the port; with certificates, who has none signed by the same authority gets no answer."""
        context = None
        if certificates:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "cacert.pem")
            context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            context.set_alpn_protocols([protocol])
        server = self._serve(asyncio.start_server(self._pass, "127.0.0.1", 0, ssl=context))
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _serve(self, starting: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.servers.append(server)
        return server


@contextlib.contextmanager
def _far(engine: str, first: bytes) -> Iterator[_Far]:
    """Serve from a thread of its own; on each connection the engine is first told `first`, if that is anything."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    far = _Far(engine.removeprefix("unix://"), first, loop)
    yield far
    asyncio.run_coroutine_threadsafe(_end(far.servers), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end(servers: Sequence[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _pass_on(
    engine: str, first: bytes, client: asyncio.StreamReader, answer: asyncio.StreamWriter
) -> None:
    server, request = await asyncio.open_unix_connection(engine)
    if first:
        request.write(first)
        head = await server.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
    try:
        await asyncio.gather(_pump(client, request), _pump(server, answer))
    finally:
        request.close()
        answer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 18):
            target.write(data)
            await target.drain()
    target.close()


def _certificates(folder: Path) -> Path:
    """Make an authority, and a certificate of it for each side."""
    subject = ("-subj", "/CN=tests")
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    authority = ("-CA", str(folder / "cacert.pem"), "-CAkey", str(folder / "ca-key.pem"))
    for name, more in (
        (("ca-key", "cacert"), ()),
        (("server-key", "server"), ("-addext", "subjectAltName=IP:127.0.0.1", *authority)),
        (("key", "cert"), authority),
    ):
        files = ("-keyout", str(folder / f"{name[0]}.pem"), "-out", str(folder / f"{name[1]}.pem"))
        run(["openssl", "req", "-x509", *key, *subject, *files, *more])
    return folder


def _silent(_text: str) -> None:
    """Say nothing."""
