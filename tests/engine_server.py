"""A small server that speaks as an engine does, for tests of the engine's client."""

import json
import re
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from isol8_tasks.engine.daemon import BuilderSetting, DockerEngine
from isol8_tasks.engine.endpoint import Endpoint

DOCKER = {"Api-Version": "1.41", "Server": "Docker/20.10.24 (linux)"}
PODMAN = {"Api-Version": "1.41", "Server": "Libpod/4.3.1 (linux)", "Libpod-Api-Version": "4.3.1"}

Answer = tuple[int, object] | Callable[["Handler"], None]


class Engine:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.headers = dict(DOCKER)
        self.answers: dict[str, Answer] = {}
        """By method and path, the version left out."""
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent: list[dict[str, str]] = []
        """The headers of each request."""
        self.connections = 0
        """How many were opened to it."""
        self.stopped = threading.Event()
        """It keeps its connections, and says nothing, as a process does that was stopped."""
        self.url = ""
        self.clients: list[DockerEngine] = []

    def client(self, builder: BuilderSetting = "auto", **environ: str) -> DockerEngine:
        """Return a client of this engine."""
        endpoint = Endpoint(url=self.url, why="DOCKER_HOST")
        client = DockerEngine(endpoint, environ={"PATH": "", **environ}, builder=builder)
        self.clients.append(client)
        return client

    def hang(self) -> None:
        """Wait as long as it is stopped."""
        while self.stopped.is_set():
            time.sleep(0.01)

    def paths(self) -> list[str]:
        """Return what was asked."""
        return [what for what, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another."""

    protocol_version = "HTTP/1.1"
    engine: Engine
    body = b""
    """What was sent."""

    def setup(self) -> None:
        """Count the connection."""
        self.engine.connections += 1
        super().setup()

    def handle(self) -> None:
        """Answer until the client goes away, which it may do before it has its answer."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def address_string(self) -> str:
        """Return nothing, as a Unix socket has no address."""
        return ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer whatever was prepared."""
        self._answer()

    def do_POST(self) -> None:
        """Answer whatever was prepared."""
        self.body = self._read()
        self._answer()

    def do_DELETE(self) -> None:
        """Answer whatever was prepared."""
        self._answer()

    def chunk(self, data: bytes) -> None:
        """Send a piece of a stream."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def begin_stream(self) -> None:
        """Begin an answer in pieces."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def stream(self, *items: object) -> None:
        """Send a whole stream."""
        self.begin_stream()
        for item in items:
            self.chunk(json.dumps(item).encode() + b"\r\n")
        self.chunk(b"")

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _answer(self) -> None:
        self.engine.hang()
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+", "", parts.path)
        what = f"{self.command} {path}"
        self.engine.asked.append((what, {name: values[0] for name, values in parse_qs(parts.query).items()}))
        self.engine.sent.append(dict(self.headers.items()))
        if path == "/_ping":
            self._send(200, "OK", self.engine.headers)
            return
        answer = self.engine.answers.get(what, (404, {"message": "no such image"}))
        if callable(answer):
            answer(self)
        else:
            self._send(*answer)

    def _send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens at a path, each connection in a thread."""

    daemon_threads = True


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give a server that answers as it is told, and a docker configuration that says nothing."""
    engine = Engine()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", folder)
        path = Path(folder) / "s"
        engine.url = f"unix://{path}"
        handler = type("OwnHandler", (Handler,), {"engine": engine})
        with Server(str(path), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield engine
            engine.stopped.clear()
            for client in engine.clients:
                client.close()
            server.shutdown()
            thread.join()
