"""What BuildKit is answered in a session, over HTTP/2 as it asks: by the other end of h2, on a real connection."""

import io
import socket
from collections.abc import Callable, Iterator, Mapping

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, TrailersReceived

from isol8_tasks.engine.builders.session import Answers, attached
from isol8_tasks.errors import UpstreamUnavailableError

SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
LOGIN = "/moby.filesync.v1.Auth/Credentials"
LARGE = bytes(range(256)) * 2000


def login(host: str) -> tuple[str, str] | None:
    if host == "broken":
        raise UpstreamUnavailableError("docker's login for broken can't be read")
    return ("me", "p\N{LATIN SMALL LETTER U WITH DIAERESIS}") if host == "registry.example:5000" else None


class Upgraded:
    """A connection whose engine is this test."""

    def __init__(self) -> None:
        self.far, self._near = socket.socketpair()
        self.far.settimeout(10)
        self._reader = self._near.makefile("rb")
        self.headers: Mapping[str, str] = {}

    def upgraded(self, path: str, what: str, headers: Mapping[str, str]) -> "Upgraded":
        assert (path, what) == ("/session", "open a session for secrets")
        self.headers = headers
        return self

    def __enter__(self) -> tuple[io.BufferedReader, socket.socket]:
        return self._reader, self._near

    def __exit__(self, *_: object) -> None:
        for each in (self._reader, self._near, self.far):
            each.close()


Ask = Callable[[str, bytes], tuple[bytes, dict[str, str]]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Give what calls a method with a message, and returns the answer and what the call ended with."""
    connection = Upgraded()
    answers = Answers(secrets={"pip": b"canary", "large": LARGE}, login=login)
    with attached(connection, answers) as identity:  # type: ignore[arg-type]
        assert connection.headers["X-Docker-Expose-Session-Uuid"] == identity
        http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        http.initiate_connection()

        def call(path: str, message: bytes) -> tuple[bytes, dict[str, str]]:
            stream = http.get_next_available_stream_id()
            head = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "localhost")]
            http.send_headers(stream, [*head, ("content-type", "application/grpc"), ("te", "trailers")])
            http.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
            body, told = bytearray(), dict[str, str]()
            while True:
                connection.far.sendall(http.data_to_send())
                for event in http.receive_data(connection.far.recv(65536)):
                    if isinstance(event, ResponseReceived | TrailersReceived):
                        told |= dict(event.headers)  # type: ignore[arg-type]
                    elif isinstance(event, DataReceived):
                        body += event.data or b""
                        http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                    elif isinstance(event, StreamEnded):
                        return bytes(body), told

        yield call


def string(number: int, value: str) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value.encode()


def test_a_secret(ask: Ask) -> None:
    """By its name; one that nobody has is not found."""
    body, told = ask(SECRET, string(1, "pip"))
    assert body == b"\0\0\0\0\x08\x0a\x06canary"
    assert (told[":status"], told["grpc-status"]) == ("200", "0")
    body, told = ask(SECRET, string(1, "pop"))
    assert (body, told["grpc-status"], told["grpc-message"]) == (b"", "5", "no%20secret%20pop")


def test_a_large_secret(ask: Ask) -> None:
    """It comes whole, in as many pieces as the engine takes; and so does the next one."""
    for _ in range(2):
        body, told = ask(SECRET, string(1, "large"))
        assert told["grpc-status"] == "0"
        assert body[5:] == b"\x0a\x80\xa0\x1f" + LARGE
        assert int.from_bytes(body[1:5], "big") == len(body) - 5


def test_logins(ask: Ask) -> None:
    """Of docker's own configuration; nobody's is empty, and one that can't be read says why."""
    assert ask(LOGIN, string(1, "registry.example:5000"))[0][5:] == string(1, "me") + b"\x12\x03p\xc3\xbc"
    assert ask(LOGIN, string(1, "other.example")) == (
        b"\0\0\0\0\0",
        {":status": "200", "content-type": "application/grpc", "grpc-status": "0"},
    )
    _, told = ask(LOGIN, string(1, "broken"))
    assert (told["grpc-status"], told["grpc-message"]) == (
        "13",
        "docker%27s%20login%20for%20broken%20can%27t%20be%20read",
    )


def test_what_else_is_asked(ask: Ask) -> None:
    """The session is alive, and has nothing more."""
    assert ask("/grpc.health.v1.Health/Check", b"")[0] == b"\0\0\0\0\x02\x08\x01"
    assert ask("/moby.filesync.v1.Auth/FetchToken", string(1, "x"))[1]["grpc-status"] == "12"


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b""])
def test_an_engine_that_speaks_something_else(said: bytes) -> None:
    """It is told nothing, and nothing waits for it."""
    connection = Upgraded()
    answers = Answers(secrets={"pip": b"canary"}, login=login)
    with attached(connection, answers):  # type: ignore[arg-type]
        connection.far.sendall(said)
        connection.far.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: connection.far.recv(65536), b""))
        assert b"canary" not in heard
