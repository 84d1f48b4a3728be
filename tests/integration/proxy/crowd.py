"""Keeps a filter busy with one kind of work, and tells how long ordinary requests take beside it.

Run beside the world: `crowd.py PORT WORK COUNT`. It prints the seconds of each ordinary request, and how often the name
server was asked for names that it does not answer for.
"""

import contextlib
import json
import multiprocessing
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event

from client import recorded  # type: ignore[import-not-found]  # a neighbour where it runs

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
SERVER = ("20.20.20.30", 8003)
"""A server of its own, so that the one which answers ordinary requests has nothing else to do."""
REQUESTS = 8
PATIENCE = 15
HEAD = "{} http://20.20.20.30:8003{} HTTP/1.1\r\nHost: 20.20.20.30:8003\r\n{}\r\n"
SMALL = b"1\r\nx\r\n" * 10_000


def connect(text: str = "", source: str = "127.0.0.1") -> socket.socket:
    """Connect to the filter, and say something."""
    link = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE, source_address=(source, 0))
    link.sendall(text.encode())
    return link


def silent(count: int) -> Iterator[None]:
    """Ask for names whose server does not answer, each of them another one."""
    links = [
        connect(f"CONNECT n{number}.silent.test:443 HTTP/1.1\r\nHost: x\r\n\r\n") for number in range(count)
    ]
    yield
    del links


def one_silent(count: int) -> Iterator[None]:
    """Ask for one such name again and again."""
    links = [connect("CONNECT one.silent.test:443 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(count)]
    yield
    del links


def small_chunks(count: int) -> Iterator[None]:
    """Upload bodies in chunks of one byte."""
    yield from _repeat(count, HEAD.format("POST", "/sink", "Transfer-Encoding: chunked\r\n"), SMALL)


def small_answers(count: int) -> Iterator[None]:
    """Have answers in chunks of one byte."""
    yield from _repeat(count, HEAD.format("GET", "/chunks", ""))


def interim(count: int) -> Iterator[None]:
    """Have interim responses without end."""
    yield from _repeat(count, HEAD.format("GET", "/interim", ""))


def huge_heads(count: int) -> Iterator[None]:
    """Send heads that are longer than may be, again and again."""
    yield from _repeat(count, HEAD.format("GET", "/", ""), b"X-A: " + b"a" * 16_000 + b"\r\n")


def refused(count: int) -> Iterator[None]:
    """Ask for what is refused, again and again."""
    yield from _repeat(count, "GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def slow_heads(count: int) -> Iterator[None]:
    """Send as many heads as there may be connections, a letter at a time."""
    links = [connect("GET http://public.test/ HTTP/1.1\r\n") for _ in range(count)]
    threading.Thread(target=_drip, args=(links,), daemon=True).start()
    yield


def _drip(links: list[socket.socket]) -> None:
    while True:
        time.sleep(0.5)
        for link in links:
            with contextlib.suppress(OSError):
                link.sendall(b"x")


def idle_tunnels(count: int) -> Iterator[None]:
    """Open tunnels, and say nothing."""
    links = [connect("CONNECT 20.20.20.30:8003 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(count)]
    assert all(link.recv(100).startswith(b"HTTP/1.1 200") for link in links)
    yield
    del links


def many_of_one(count: int) -> Iterator[None]:
    """Open as many tunnels as there may be connections, from an address that is not the ordinary client's."""
    tunnel = "CONNECT 20.20.20.30:8003 HTTP/1.1\r\nHost: x\r\n\r\n"
    links = [connect(tunnel, source="20.20.20.40") for _ in range(count)]
    for link in links:
        with contextlib.suppress(ConnectionError):
            link.recv(100)
    yield
    del links


def _repeat(count: int, text: str, more: bytes = b"") -> Iterator[None]:
    """Do it on many connections at once, again and again."""
    for _ in range(count):
        threading.Thread(target=_keep_asking, args=(text, more), daemon=True).start()
    yield


def _keep_asking(text: str, more: bytes) -> None:
    while True:
        with contextlib.suppress(OSError), connect(text) as link:
            if more:
                threading.Thread(target=_keep_sending, args=(link, more), daemon=True).start()
            while link.recv(65536):
                pass


def _keep_sending(link: socket.socket, more: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            link.sendall(more)


def serve(ready: Event) -> None:
    """Be the server that the work is sent to."""
    listener = socket.create_server(SERVER, backlog=1024)
    ready.set()
    while True:
        link, _ = listener.accept()
        threading.Thread(target=_answer, args=(link,), daemon=True).start()


def _answer(link: socket.socket) -> None:
    endless = {
        b"/chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", SMALL),
        b"/interim": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1_000),
    }
    with contextlib.suppress(OSError):
        data = link.recv(65536)
        first, more = endless.get([*data.split(b" "), b"", b""][1], (b"", b""))
        link.sendall(first)
        while more:
            link.sendall(more)
        while link.recv(1 << 20):
            pass


WORK: dict[str, Callable[[int], Iterator[None]]] = {
    work.__name__: work
    for work in (
        silent,
        one_silent,
        small_chunks,
        small_answers,
        interim,
        huge_heads,
        refused,
        slow_heads,
        idle_tunnels,
        many_of_one,
    )
}


def keep_busy(name: str, count: int, ready: Event) -> None:
    """Do that work until the process is ended."""
    for _ in WORK[name](count):
        ready.set()
        threading.Event().wait()


def ordinary() -> bool:
    """Tell whether an ordinary request is answered."""
    with contextlib.suppress(OSError):
        link = connect("GET http://public.test/ HTTP/1.1\r\nHost: public.test\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := link.recv(65536):
            answer += piece
        return answer.startswith(b"HTTP/1.1 201 ")
    return False


def main() -> None:
    """Start the work, and measure beside it."""
    recorded()
    for target, words in ((serve, ()), (keep_busy, (sys.argv[2], int(sys.argv[3])))):
        ready = multiprocessing.Event()
        multiprocessing.Process(target=target, args=(*words, ready), daemon=True).start()
        assert ready.wait(PATIENCE), "the work does not start"
    time.sleep(0.3)
    took = []
    for _ in range(REQUESTS):
        began = time.monotonic()
        took.append(round(time.monotonic() - began, 3) if ordinary() else PATIENCE)
        time.sleep(0.1)
    asked = [name for name in recorded()["queries"] if name.endswith("silent.test")]
    print(json.dumps([took, len(asked)]))  # noqa: T201 - the tests read it


if __name__ == "__main__":
    main()
