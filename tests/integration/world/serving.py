"""Sources over HTTP that count what they serve, and that fail when they are told to."""

import http.client
import http.server
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from attrs import Factory, define, frozen

_CHUNK: Final = 1 << 16
_OF_ONE_CONNECTION: Final = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "date", "server")
)


@frozen(kw_only=True)
class Answer:
    """What a source has under a path."""

    body: bytes
    kind: str = "application/octet-stream"
    lasts: bool = False
    """It never changes, and may be kept, as the files of PyPI and npm."""


Routes = Callable[[str, Mapping[str, str]], Answer | None]
"""From a path and the headers of the request (names in lower case) to what is there, None for nothing."""


@define(kw_only=True)
class Traffic:
    """What a source was asked for and sent, and how it misbehaves. A test may change every field at any time."""

    requests: int = 0
    sent: int = 0
    """Bytes of bodies."""
    paths: list[str] = Factory(list)
    """Of every request, the method before it: `GET /simple/thing/`."""
    out: bool = False
    """Answer everything with 503."""
    fails: Callable[[str], bool] = lambda _: False
    """Says of a request, written as in `paths`, that it is answered with 503."""
    logins: frozenset[str] = frozenset()
    """What `Authorization` has to be, one of these; empty lets everybody in."""
    delay: float = 0
    """Seconds before each answer."""
    lock: threading.Lock = Factory(threading.Lock)

    def asked(self, request: str) -> bool:
        """Count a request, wait as told, and say whether it is to be answered properly."""
        with self.lock:
            self.requests += 1
            self.paths.append(request)
        if self.delay:
            time.sleep(self.delay)
        return not self.out and not self.fails(request)

    def served(self, size: int) -> None:
        """Count the bytes of a body."""
        with self.lock:
            self.sent += size

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Be out for the time of a `with`."""
        self.out = True
        try:
            yield
        finally:
            self.out = False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing of clients that hang up, as killed ones do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    traffic: Traffic

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Keep out of the tests' output."""

    def refuse(self, status: int) -> None:
        """Answer with a status alone; what is left of the request can't be told from the next one."""
        self.close_connection = True
        self.send_response(status)
        if status == http.HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


@contextmanager
def _running(handler: type[_Handler], host: str) -> Iterator[str]:
    server = _Server((host, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def served(routes: Routes, traffic: Traffic, host: str) -> Iterator[str]:
    """Serve what `routes` find, on any free port; gives `host:port`."""
    serving = type("Serving", (_Serving,), {"routes": staticmethod(routes), "traffic": traffic})
    with _running(serving, host) as address:
        yield address


@contextmanager
def passed_on(target: str, traffic: Traffic, host: str = "127.0.0.1") -> Iterator[str]:
    """Pass every request on to `target` (host:port), with bodies of any length; gives `host:port`."""
    with _running(type("Passing", (_Passing,), {"target": target, "traffic": traffic}), host) as address:
        yield address


class _Serving(_Handler):
    routes: Routes

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if not self.traffic.asked(f"{self.command} {self.path}"):
            self.refuse(503)
            return
        if self.traffic.logins and self.headers.get("Authorization") not in self.traffic.logins:
            self.refuse(401)
            return
        found = self.routes(self.path, {name.lower(): value for name, value in self.headers.items()})
        if found is None:
            self.refuse(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.body)))
        if found.lasts:
            self.send_header("Cache-Control", "max-age=365000000, immutable, public")
        self.end_headers()
        if with_body:
            self.traffic.served(len(found.body))
            self.wfile.write(found.body)


class _Passing(_Handler):
    target: str

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def _forward(self) -> None:
        if not self.traffic.asked(f"{self.command} {self.path}"):
            self.refuse(503)
            return
        onward = http.client.HTTPConnection(self.target, timeout=120)
        try:
            self._send(onward)
            self._answer(onward.getresponse())
        finally:
            onward.close()

    def _send(self, onward: http.client.HTTPConnection) -> None:
        chunked = self.headers.get("Transfer-Encoding", "") == "chunked"
        onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OF_ONE_CONNECTION:
                onward.putheader(name, value)
        if chunked:
            onward.putheader("Transfer-Encoding", "chunked")
        onward.endheaders(self._body(chunked=chunked), encode_chunked=chunked)

    def _body(self, *, chunked: bool) -> Iterator[bytes]:
        if not chunked:
            yield from self._read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            part = self.rfile.read(min(size, _CHUNK))
            if not part:
                raise ConnectionError
            size -= len(part)
            yield part

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        while part := answer.read(_CHUNK):
            self.traffic.served(len(part))
            self.wfile.write(part)
