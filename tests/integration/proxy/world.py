"""The network that the filter is tested in: every address answers here, and each dial is recorded.

Run in a container of its own, in which all addresses are local. It serves names by DNS and answers by HTTP, and what
it saw can be asked for on 127.0.0.1:9900, which no proxy may reach.
"""

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from socketserver import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer, ThreadingUDPServer
from typing import TypeVar
from urllib.parse import unquote_to_bytes

T = TypeVar("T")

NAMESERVER = "192.0.2.53"
CONTROL = 9900
HTTP_PORTS = (80, 443, 8000, 22)
COUNT_PORT = 8001
NEVER_TAKEN = ("20.20.20.20", 8002)
PUBLIC = "93.184.216.34"
FORBIDDEN = "9.9.9.9"
"""An address that only a name on blacklists has."""
PUBLIC_6 = "2606:2800:220:1::1"
ZONE = {
    "public.test": (PUBLIC,),
    "blocked.test": (FORBIDDEN,),
    "other.test": (PUBLIC,),
    "www.public.test": (PUBLIC,),
    "two.test": ("8.8.8.8", "8.8.4.4"),
    "six.test": (PUBLIC_6,),
    "both.test": (PUBLIC, PUBLIC_6),
    "under_score.test": (PUBLIC,),
    "xn--bcher-kva.test": (PUBLIC,),
    "xn--jv8h.test": (PUBLIC,),
    "private.test": ("10.1.2.3",),
    "loopback.test": ("127.0.0.1",),
    "loopback-six.test": ("::1",),
    "metadata.test": ("169.254.169.254",),
    "mixed.test": (PUBLIC, "10.1.2.3"),
    "mixed-last.test": ("8.8.8.8", "8.8.4.4", "192.168.0.1"),
    "mixed-six.test": (PUBLIC, "fd00::1"),
    "mapped.test": ("::ffff:93.184.216.34",),
    "nat64.test": ("64:ff9b::808:808",),
    "six-to-four.test": ("2002:808:808::1",),
    "teredo.test": ("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
    "unspecified.test": ("0.0.0.0",),
    "cgnat.test": ("100.64.0.1",),
    "link-local.test": ("fe80::1",),
    "empty.test": (),
}
SILENT = "silent.test"
"""A name that is not answered for, and neither is any below it."""
FAILING = ("failing.test",)
SEARCH = "test"
"""The domain that a resolver completes names with, unless it is told that they are complete."""
KNOWN = {"known.test": PUBLIC, "known": PUBLIC_6, "known-private.test": "10.1.2.3"}
"""What /etc/hosts says, beside its own."""
REBINDING = "rebinding.test"
"""A name that is public when first asked for, and this machine from then on."""

_dials: list[tuple[str, int]] = []
_queries: list[str] = []
_waiting = threading.Event()


def main() -> None:
    """Serve until the container ends."""
    for family, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        subprocess.run(["ip", family, "route", "add", "local", everything, "dev", "lo"], check=True)
    _serve(ThreadingUDPServer((NAMESERVER, 53), _Names))
    for port in HTTP_PORTS:
        _serve(_Listener(("::", port), _Web))
    _serve(_Listener(("::", COUNT_PORT), _Count))
    full = _never_taken()
    _serve(_Listener(("::ffff:127.0.0.1", CONTROL), _Control))
    threading.Event().wait()
    full.clear()


def _never_taken() -> list[socket.socket]:
    """Listen where no more connections are taken, without a word."""
    sockets = [socket.create_server(NEVER_TAKEN, backlog=0)]
    for _ in range(3):
        sockets.append(socket.socket())
        sockets[-1].settimeout(0)
        sockets[-1].connect_ex(NEVER_TAKEN)
    return sockets


def _serve(server: ThreadingTCPServer | ThreadingUDPServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


class _Listener(ThreadingTCPServer):
    """Listens for both families on one socket."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, object]:
        """Write down where the client thinks it is, before anything else is done."""
        link, client = super().get_request()
        address, port, *_ = link.getsockname()
        if port != CONTROL:
            _dials.append((address.removeprefix("::ffff:"), port))
        return link, client

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: what arrives may be any bytes, and proxies abort."""


class _Names(BaseRequestHandler):
    """A name server for the zone above."""

    def handle(self) -> None:
        query, link = self.request
        name, end = _question(query)
        (kind,) = struct.unpack("!H", query[end : end + 2])
        _queries.append(name)
        if name.endswith(SILENT):
            return
        status = 2 if name in FAILING else 0 if name in ZONE or name == REBINDING else 3
        addresses = ZONE.get(name, ())
        if name == REBINDING:
            addresses = (PUBLIC,) if _queries.count(name) <= 2 else ("127.0.0.1",)
        answers = [data for data in map(_packed, addresses) if kind == (1 if len(data) == 4 else 28)]
        header = query[:2] + struct.pack("!HHHHH", 0x8180 | status, 1, len(answers), 0, 0)
        records = [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data for data in answers]
        link.sendto(header + query[12 : end + 4] + b"".join(records), self.client_address)


def _question(query: bytes) -> tuple[str, int]:
    """Return the name that is asked for, in lower case, and where it ends."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii", "replace").lower())
        at += size + 1
    return ".".join(labels), at + 1


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


class _Count(StreamRequestHandler):
    """Tells how much it was sent, once the other side has said that it sends no more."""

    def handle(self) -> None:
        total = 0
        while data := self.request.recv(65536):
            total += len(data)
        self.request.sendall(b"got %d" % total)


class _Web(StreamRequestHandler):
    """Answers each request with what arrived, or as its path says."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, path, _ = line.decode("latin-1").split(" ", 2)
            fields = self.fields()
            answer = PATHS.get(path.partition("?")[0])
            if answer:
                answer(self, path, fields)
                return
            body, trailers = self.body(fields)
            told = json.dumps([method, path, fields, len(body), sum(body), trailers]).encode()
            self.wfile.write(
                b"HTTP/1.1 201 Made\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: x-hop\r\n"
            )
            self.wfile.write(b"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: %d\r\n\r\n" % len(told))
            self.wfile.write(b"" if method == "HEAD" else told)
            _waiting.clear()

    def fields(self) -> list[list[str]]:
        """Read names and values up to the empty line."""
        fields = []
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            fields.append([name, value.strip()])
        return fields

    def body(self, fields: list[list[str]]) -> tuple[bytes, list[list[str]]]:
        """Read a body, and its trailers."""
        named = {name.lower(): value for name, value in fields}
        if "transfer-encoding" not in named:
            return self.rfile.read(int(named.get("content-length", 0))), []
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            _waiting.set()
        return body, self.fields()


def _raw(web: _Web, path: str, _fields: list[list[str]]) -> None:
    """Answer with the bytes that the query spells out, and close."""
    web.wfile.write(unquote_to_bytes(path.partition("?")[2]))


def _stream(web: _Web, _path: str, _fields: list[list[str]]) -> None:
    """Answer in two parts; the second comes once /release was asked for."""
    web.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    _waiting.wait(10)
    _waiting.clear()
    web.wfile.write(b"3;x=y\r\ntwo\r\n0\r\nX-Sum: 6\r\nContent-Type: no\r\n\r\n")


def _release(web: _Web, _path: str, _fields: list[list[str]]) -> None:
    _waiting.set()
    web.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _wait(web: _Web, _path: str, _fields: list[list[str]]) -> None:
    """Answer once the first chunk of a body has come with another request."""
    seen = _waiting.wait(10)
    _waiting.clear()
    web.wfile.write(b"HTTP/1.1 %d Seen\r\nContent-Length: 0\r\n\r\n" % (200 if seen else 500))


def _continued(web: _Web, _path: str, fields: list[list[str]]) -> None:
    """Ask for the body before reading it, and tell what came."""
    expected = ["Expect", "100-continue"] in fields
    web.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" if expected else b"")
    body, _ = web.body(fields)
    web.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%d%02d" % (expected, len(body)))


def _unwilling(web: _Web, _path: str, _fields: list[list[str]]) -> None:
    """Refuse a body before it is sent."""
    web.wfile.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.5)  # closed at once, what is still on its way would use the answer back


def _websocket(web: _Web, _path: str, fields: list[list[str]]) -> None:
    """Switch protocols and echo."""
    asked = {name.lower(): value for name, value in fields}
    if asked.get("upgrade") != "websocket" or asked.get("connection") != "Upgrade":
        web.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
        return
    web.wfile.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello"
    )
    while data := web.connection.recv(65536):
        web.connection.sendall(data)


def _hang(web: _Web, _path: str, _fields: list[list[str]]) -> None:
    """Never answer."""
    web.connection.recv(1)


def _large(web: _Web, path: str, _fields: list[list[str]]) -> None:
    """Answer with as many bytes as the query says."""
    left = int(path.partition("?")[2])
    web.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    while left:
        left -= web.connection.send(bytes(min(left, 1 << 20)))


PATHS: dict[str, Callable[[_Web, str, list[list[str]]], None]] = {
    "/raw": _raw,
    "/stream": _stream,
    "/release": _release,
    "/wait": _wait,
    "/continue": _continued,
    "/unwilling": _unwilling,
    "/websocket": _websocket,
    "/hang": _hang,
    "/large": _large,
}


def _taken(seen: list[T]) -> list[T]:
    """Take all that is there out of a list; what another thread adds meanwhile is for the next time."""
    taken = seen[:]
    del seen[: len(taken)]
    return taken


class _Control(StreamRequestHandler):
    """Gives what was recorded since it was last asked."""

    def handle(self) -> None:
        self.rfile.readline()
        time.sleep(0.01)  # a dial is recorded by a thread of its own
        told = json.dumps({"dials": _taken(_dials), "queries": _taken(_queries)}).encode()
        self.wfile.write(told)


if __name__ == "__main__":
    main()
