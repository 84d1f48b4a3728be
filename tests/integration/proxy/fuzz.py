"""Sends filters mutated requests, and watches that none hangs and nothing is dialled that they must not dial.

Run beside the world: `fuzz.py SECONDS SEED PORT…`; it prints what it did as JSON. The filters have to refuse
blocked.test and 9.9.9.9, and to give up on silence after a few seconds.
"""

import errno
import ipaddress
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from client import recorded  # type: ignore[import-not-found]  # a neighbour where it runs

PATIENCE = 120
"""Far more than any limit of the filters: what takes so long on a busy machine hangs, and nothing else does."""
LARGEST = 1 << 20
FORBIDDEN = "9.9.9.9"
CARRIERS = [
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "2002::/16", "2001::/32", "::ffff:0:0/96")
]
METADATA = ipaddress.ip_address("168.63.129.16")
HOSTS = [
    "public.test",
    "PUBLIC.test.",
    "two.test",
    "six.test",
    "both.test",
    "xn--bcher-kva.test",
    "blocked.test",
    "BLOCKED.test.",
    "bl%6fcked.test",
    "private.test",
    "mixed.test",
    "mixed-six.test",
    "metadata.test",
    "mapped.test",
    "nat64.test",
    "rebinding.test",
    "missing.test",
    "localhost",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "8.8.8.8",
    "134744072",
    "9.9.9.9",
    "0x9.0x9.0x9.0x9",
    "151587081",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:9.9.9.9]",
    "[2606:2800:220:1::1]",
    "[fe80::1%25eth0]",
    "[64:ff9b::808:808]",
    "[2002:7f00:1::]",
    "0",
]
TEMPLATES = [
    "GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "GET http://{0}/a?b HTTP/1.1\r\nHost: {1}\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n",
    "GET http://{0}@{1}/ HTTP/1.1\r\nHost: {1}\r\n\r\n",
    "GET http://{0}\\@{1}/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "GET http://{0}#@{1}/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "GET http://{0}:80/ HTTP/1.0\r\n\r\n",
    "HEAD http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "POST http://{0}/ HTTP/1.1\r\nHost: {0}\r\nContent-Length: 5\r\n\r\nabcde",
    "POST http://{0}/ HTTP/1.1\r\nHost: {0}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    "POST http://{0}/ HTTP/1.1\r\nHost: {0}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "POST http://{0}/ HTTP/1.1\r\nHost: {0}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET http://{0}/websocket HTTP/1.1\r\nHost: {0}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nabc",
    "GET http://{0}/raw?{2} HTTP/1.1\r\nHost: {0}\r\n\r\n",
    "GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\nGET http://{1}/ HTTP/1.1\r\nHost: {1}\r\n\r\n",
    "CONNECT {0}:443 HTTP/1.1\r\nHost: {0}:443\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "CONNECT {0}:80 HTTP/1.1\r\nHost: {1}\r\n\r\n",
    "CONNECT {0}:8000 HTTP/1.1\r\nHost: {0}\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nabc",
]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"@", b"/", b"\\", b"#", b"%", b"%00", b"%0d%0a", b"[", b"]",
    b"\xff", b"\xe2\x84\xaa",     b"Host: 9.9.9.9\r\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"http://9.9.9.9/", b"\r\n folded", b"0\r\n\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"CONNECT ", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"A" * 20000,
]  # fmt: skip


class Fuzzer:
    """One filter's share: counts what came of it, and keeps what must not happen."""

    def __init__(self, port: int, seed: str) -> None:
        self.port = port
        self.random = random.Random(f"{seed} {port}")  # noqa: S311 - to be repeated, not to be secret
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0

    def run(self, until: float) -> None:
        """Send requests until then, or until something fails."""
        while time.monotonic() < until and not self.failures:
            data = self.request()
            began = time.monotonic()
            try:
                self.counts[self.exchange(data)] += 1
            except OSError as error:
                self.failures.append(f"port {self.port}: {error!r} after {data[:2000]!r}")
            self.slowest = max(self.slowest, time.monotonic() - began)

    def request(self) -> bytes:
        """Make up a request."""
        pick = self.random.choice
        answer = "".join(f"%{byte:02x}" for byte in self.mutated(pick(ANSWERS)))
        text = pick(TEMPLATES).format(pick(HOSTS), pick(HOSTS), answer)
        data = text.encode()
        return data if self.random.random() < 0.2 else self.mutated(data)

    def mutated(self, data: bytes) -> bytes:
        """Change some bytes."""
        changed = bytearray(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            at = self.random.randrange(len(changed) + 1)
            self.random.choice(CHANGES)(self, changed, at)
        return bytes(changed)

    def exchange(self, data: bytes) -> str:
        """Send it in pieces, and return what kind of answer came; a connection that does not end is an error."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as link:
            ending = self.random.randrange(8)
            try:
                for piece in self.pieces(data):
                    link.sendall(piece)
                if ending == 0:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return "aborted"
                link.shutdown(socket.SHUT_WR)
                answer = b""
                while len(answer) < LARGEST and (piece := link.recv(65536)):
                    answer += piece
            except OSError as error:
                # A link that the other side has reset is no longer there to be shut.
                if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN:
                    return "reset"
                raise
        if answer and not answer.startswith(b"HTTP/1.1 "):
            self.failures.append(f"port {self.port}: {answer[:200]!r} came back for {data[:2000]!r}")
        return answer[9:12].decode("latin-1") or "closed"

    def pieces(self, data: bytes) -> list[bytes]:
        """Cut it once or twice, or not at all."""
        cuts = sorted(self.random.randrange(len(data) + 1) for _ in range(self.random.choice((0, 0, 1, 2))))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _insert(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    data[at:at] = fuzzer.random.choice(TOKENS)


def _replace(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    data[at : at + 1] = bytes([fuzzer.random.randrange(256)])


def _delete(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    del data[at : at + fuzzer.random.choice((1, 1, 2, 10))]


def _repeat(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + fuzzer.random.choice((1, 5, 40))]


def _other_host(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    data[at:at] = fuzzer.random.choice(HOSTS).encode()


def _flip(fuzzer: Fuzzer, data: bytearray, at: int) -> None:
    if at < len(data):
        data[at] ^= 1 << fuzzer.random.randrange(8)


CHANGES: list[Callable[[Fuzzer, bytearray, int], None]] = [
    _insert,
    _insert,
    _replace,
    _delete,
    _repeat,
    _other_host,
    _flip,
]


def is_vetted(address: str, port: int) -> bool:
    """Tell, by Python's own idea of what is public, whether a filter may have dialled that."""
    parsed = ipaddress.ip_address(address)
    special = any(parsed in network for network in CARRIERS if network.version == parsed.version)
    public = parsed.is_global and not parsed.is_multicast and not special and parsed != METADATA
    return public and address != FORBIDDEN and port in {80, 443}


def main() -> None:
    """Fuzz every port at once, and look at the dials all along."""
    seconds, seed, *ports = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    fuzzers = [Fuzzer(int(port), seed) for port in ports]
    threads = [threading.Thread(target=fuzzer.run, args=(until,)) for fuzzer in fuzzers]
    recorded()
    for thread in threads:
        thread.start()
    dials: Counter[str] = Counter()
    unvetted: list[str] = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.5)
        for address, port in recorded()["dials"]:
            dials[f"{address} {port}"] += 1
            if not is_vetted(str(address), int(str(port))):
                unvetted.append(f"{address} {port}")
    told = {
        "counts": {fuzzer.port: dict(fuzzer.counts) for fuzzer in fuzzers},
        "slowest": {fuzzer.port: round(fuzzer.slowest, 1) for fuzzer in fuzzers},
        "failures": [failure for fuzzer in fuzzers for failure in fuzzer.failures],
        "dials": dials,
        "unvetted": unvetted,
    }
    print(json.dumps(told))  # noqa: T201 - the tests read it


if __name__ == "__main__":
    main()
