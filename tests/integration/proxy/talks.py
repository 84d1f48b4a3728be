"""Longer conversations through the filter, each of them a function that prints what it saw.

Run beside the world: `talks.py PORT NAME`.
"""

import http.client
import json
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable

from client import PATIENCE, recorded  # type: ignore[import-not-found]  # a neighbour where it runs

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
HEAD = "{} http://public.test{} HTTP/1.1\r\nHost: public.test\r\n{}\r\n"


class Link:
    """A connection to the filter."""

    def __init__(self, text: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)
        self.stream = self.socket.makefile("rb")
        self.send(text)

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode("latin-1"))

    def head(self) -> list[str]:
        """Read a head: its lines, in lower case."""
        lines = []
        while line := self.stream.readline().decode("latin-1").strip():
            lines.append(line.lower())
        return lines

    def status(self) -> int:
        return int((self.head() or ["- 0"])[0].split(" ")[1])

    def answer(self) -> tuple[int, bytes]:
        """Read a response that tells its length."""
        lines = self.head()
        (length,) = (int(line.split(": ")[1]) for line in lines if line.startswith("content-length: "))
        return int(lines[0].split(" ")[1]), self.stream.read(length)


def show(*values: object) -> None:
    print(json.dumps(values))  # noqa: T201 - the tests read it


def keep_alive() -> None:
    """Send three requests on a connection, the last two at once."""
    link = Link(HEAD.format("GET", "/a", ""))
    first = json.loads(link.answer()[1])[1]
    link.send(HEAD.format("POST", "/b", "Content-Length: 3\r\n") + "abc" + HEAD.format("GET", "/c", ""))
    show(first, *[json.loads(link.answer()[1])[1:4:2] for _ in range(2)])


def close() -> None:
    """Ask for a close, and see it."""
    link = Link(HEAD.format("GET", "/", "Connection: close\r\n"))
    head = link.head()
    show("connection: close" in head, len(link.stream.read()) > 0)


def old_client() -> None:
    """Ask as a client of HTTP/1.0, which gets no chunks."""
    link = Link("GET http://public.test/stream HTTP/1.0\r\n\r\n")
    threading.Timer(0.2, lambda: Link(HEAD.format("GET", "/release", "")).status()).start()
    head = link.head()
    show(head[0], [line for line in head if "chunked" in line], link.stream.read().decode())


def stream() -> None:
    """See the first part of an answer before the second is sent, and trailers at its end."""
    link = Link(HEAD.format("GET", "/stream", ""))
    head = link.head()
    first = link.stream.readline() + link.stream.readline()
    Link(HEAD.format("GET", "/release", "")).head()
    rest = b"".join(iter(link.stream.readline, b"\r\n"))
    show("transfer-encoding: chunked" in head, first.decode(), rest.decode())


def upload() -> None:
    """Have the server see a chunk before the next is sent, and trailers without what they must not change."""
    link = Link(HEAD.format("POST", "/", "Transfer-Encoding: chunked\r\n") + "3\r\none\r\n")
    seen = Link(HEAD.format("GET", "/wait", "")).status()
    link.send("3\r\ntwo\r\n0\r\nX-Sum: 6\r\nHost: elsewhere\r\nContent-Length: 9\r\nAuthorization: x\r\n\r\n")
    show(seen, *json.loads(link.answer()[1])[3:])


def expect() -> None:
    """Wait for the server's 100 before sending a body, and get its refusal instead."""
    link = Link(HEAD.format("POST", "/continue", "Expect: 100-Continue\r\nContent-Length: 2\r\n"))
    interim = link.status()
    link.send("ab")
    final = link.answer()
    unwilling = Link(HEAD.format("POST", "/unwilling", "Expect: 100-continue\r\nContent-Length: 9\r\n"))
    refused = Link(
        HEAD.format("POST", "/", "Expect: 100-continue\r\nContent-Length: 9\r\n").replace("public", "private")
    )
    show(
        interim,
        final[0],
        final[1].decode(),
        unwilling.head()[0],
        unwilling.stream.read().decode(),
        refused.status(),
    )


def early_answer() -> None:
    """Get an answer to a body that is still being sent, which ends the connection."""
    link = Link(HEAD.format("POST", "/unwilling", "Content-Length: 100000000\r\n"))
    link.send("x" * 100_000)
    head = link.head()
    show(head[0], "connection: close" in head)


def websocket() -> None:
    """Upgrade, which becomes a tunnel if the server accepts it, and an answer if not."""
    link = Link(
        HEAD.format("GET", "/websocket", "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n")
        + "early"
    )
    head = link.head()
    told = link.stream.read(10).decode()
    link.send(" and late")
    told += link.stream.read(9).decode()
    link.socket.shutdown(socket.SHUT_WR)
    rest = link.stream.read().decode()
    other = Link(
        HEAD.format(
            "GET",
            "/websocket",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
        )
    )
    show(head[0], "upgrade: websocket" in head, told, rest, other.status())


def half_close() -> None:
    """Say all, and only then hear from the server at the end of a tunnel."""
    link = Link("CONNECT public.test:8001 HTTP/1.1\r\nHost: public.test:8001\r\n\r\nearly")
    status = link.status()
    for _ in range(100):
        link.send("x" * 100_000)
    link.socket.shutdown(socket.SHUT_WR)
    show(status, link.stream.read().decode())


def back_pressure() -> None:
    """Read nothing for a while, so that what is sent waits at the server, and then all of it."""
    size = 200_000_000
    links = [
        Link(HEAD.format("GET", f"/large?{size}", "")),
        Link("CONNECT public.test:80 HTTP/1.1\r\nHost: public.test\r\n\r\n"),
    ]
    links[1].head()
    links[1].send(f"GET /large?{size} HTTP/1.1\r\n\r\n")
    for link in links:
        link.head()
    time.sleep(1)
    totals = []
    for link in links:
        left = size
        while left and (piece := link.stream.read1(min(left, 1 << 20))):
            left -= len(piece)
        totals.append(left)
    show(*totals)


def rebinding() -> None:
    """Ask for a name that changes: it is resolved once for each request, and vetted each time."""
    recorded()
    tunnel = "CONNECT rebinding.test:443 HTTP/1.1\r\nHost: rebinding.test\r\n\r\n"
    statuses = [Link(tunnel).status() for _ in range(3)]
    told = recorded()
    show(statuses, told["dials"], [name for name in told["queries"] if name == "rebinding.test"])


def python_clients() -> None:
    """Use http.client and urllib, with the proxy settings that they have."""
    proxy = {"http": f"http://127.0.0.1:{PORT}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxy))
    with opener.open("http://public.test/urllib", data=b"abc", timeout=PATIENCE) as reply:
        first = json.loads(reply.read())[1:4:2]
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    connection.set_tunnel("public.test", 80)
    connection.request("GET", "/tunnel")
    second = json.loads(connection.getresponse().read())[1]
    blocked = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    blocked.set_tunnel("private.test", 443)
    try:
        blocked.request("GET", "/")
    except OSError as error:
        show(first, second, str(error))


def turned_away() -> None:
    """Open the three connections that there may be, see a fourth answered at once, and make room."""
    tunnels = [Link("CONNECT public.test:443 HTTP/1.1\r\nHost: public.test\r\n\r\n") for _ in range(3)]
    opened = [tunnel.status() for tunnel in tunnels]
    fourth = Link().status()
    tunnels[0].socket.shutdown(socket.SHUT_RDWR)
    tunnels[0].socket.close()
    tunnels[0].stream.close()
    time.sleep(0.3)
    show(opened, fourth, Link(HEAD.format("GET", "/", "")).status())


def slow_head() -> None:
    """Send no head, half of one, and one in drops; none is waited for."""
    silent, began = Link(), time.monotonic()
    half = Link("GET http://public.test/ HTTP/1.1\r\nHost:")
    drops = Link()
    threading.Thread(target=_drip, args=(drops,), daemon=True).start()
    statuses = [link.status() for link in (silent, half, drops)]
    show(statuses, 0.9 < time.monotonic() - began < 4)


def _drip(link: Link) -> None:
    for letter in HEAD.format("GET", "/", "X-A: " + "a" * 99):
        time.sleep(0.1)
        try:
            link.send(letter)
        except OSError:
            return


def silence() -> None:
    """Say nothing for too long, as server, client or tunnel, which ends it; a tunnel that speaks stays."""
    began = time.monotonic()
    kept = Link(HEAD.format("GET", "/", ""))
    kept.answer()
    hung = Link(HEAD.format("GET", "/hang", ""))
    upload = Link(HEAD.format("POST", "/", "Content-Length: 9\r\n") + "abc")
    tunnel = Link("CONNECT public.test:443 HTTP/1.1\r\nHost: public.test\r\n\r\n")
    lively = Link(HEAD.format("GET", "/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
    tunnel.head()
    lively.head()
    for _ in range(8):
        lively.send("x")
        time.sleep(0.25)
    lively.send("y")
    ended = [kept.stream.read(), _until_end(tunnel)]
    show([hung.status(), upload.status()], [len(data) for data in ended], lively.stream.read(14).decode())
    show(time.monotonic() - began < 6)


def _until_end(link: Link) -> bytes:
    try:
        return link.stream.read()
    except ConnectionError:
        return b""


def slow_dial() -> None:
    """Ask for a name that nobody resolves and a server that takes no connection; neither is waited for."""
    began = time.monotonic()
    unnamed = Link("CONNECT silent.test:443 HTTP/1.1\r\nHost: silent.test\r\n\r\n")
    untaken = Link("CONNECT 20.20.20.20:8002 HTTP/1.1\r\nHost: 20.20.20.20\r\n\r\n")
    show([unnamed.status(), untaken.status()], 0.9 < time.monotonic() - began < 4)


def blanks() -> None:
    """Send heads that are blanks for the most part, which cost no more to read than letters do."""
    best = {}
    for fill in "a ":
        lines = f"X-A: a{fill * 16_000}a\r\n" * 4
        tries = []
        for _ in range(7):
            began = time.monotonic()
            tries.append((Link(HEAD.format("GET", "/", lines)).status(), time.monotonic() - began))
        best[fill] = min(took for status, took in tries if status == 201)
    show(best[" "] < 5 * best["a"] + 0.05)


def many_lookups() -> None:
    """Ask for names that nobody resolves, one after the other: those that are given up on are bounded."""
    show(*[Link(HEAD.format("GET", "/", "").replace("public", "silent")).status() for _ in range(6)])
    show(Link("GET http://8.8.8.8/ HTTP/1.1\r\nHost: 8.8.8.8\r\n\r\n").status())


def flooded_log() -> None:
    """Open a tunnel, fill the log that nobody reads with refusals, and end the tunnel."""
    tunnel = Link("CONNECT public.test:443 HTTP/1.1\r\nHost: public.test\r\n\r\n")
    opened = tunnel.status()
    name = f"{'a' * 60}." * 4 + "test"
    request = f"GET http://{name}:81/ HTTP/1.1\r\nHost: {name}:81\r\n\r\n"
    statuses = {Link(request).status() for _ in range(2_500)}
    tunnel.socket.shutdown(socket.SHUT_WR)
    show(opened, sorted(statuses), len(tunnel.stream.read()))


def deaf_log() -> None:
    """Fill the log that nobody reads, until requests are refused, and not kept waiting."""
    for number in range(20_000):
        status = Link(HEAD.format("GET", "/", "Content-Length: x\r\n")).status()
        if number % 100 == 0 and (status := Link(HEAD.format("GET", "/", "")).status()) != 201:
            show(status)
            return
    show("never refused")


def drained() -> None:
    """Watch the filter end: it finishes an answer, closes an idle connection, cuts a tunnel at the limit."""
    idle = Link(HEAD.format("GET", "/", ""))
    idle.answer()
    running = Link(HEAD.format("GET", "/stream", ""))
    running.head()
    tunnel = Link("CONNECT public.test:443 HTTP/1.1\r\nHost: public.test\r\n\r\n")
    tunnel.head()
    print("ready", flush=True)  # noqa: T201 - the tests wait for it
    closed = idle.stream.read()
    with socket.create_connection(("public.test", 80)) as direct:
        direct.sendall(b"GET /release HTTP/1.1\r\n\r\n")
        direct.recv(100)
    rest = running.stream.read()
    try:
        Link()
        taken = True
    except ConnectionError:
        taken = False
    began = time.monotonic()
    cut = _until_end(tunnel)
    show(len(closed), rest.endswith(b"0\r\nX-Sum: 6\r\n\r\n"), taken, len(cut), time.monotonic() - began < 5)


TALKS: dict[str, Callable[[], None]] = {
    talk.__name__: talk
    for talk in (
        keep_alive,
        close,
        old_client,
        stream,
        upload,
        expect,
        early_answer,
        websocket,
        half_close,
        back_pressure,
        rebinding,
        python_clients,
        turned_away,
        slow_head,
        silence,
        slow_dial,
        blanks,
        many_lookups,
        flooded_log,
        deaf_log,
        drained,
    )
}

if __name__ == "__main__":
    TALKS[sys.argv[2]]()
