"""What BuildKit asks of a client in a build through the engine's API: secrets, and logins of registries.

The client opens a session (`POST /session`, moby's api/server/router/session), and the engine then asks on that
connection by gRPC over HTTP/2: `moby.buildkit.secrets.v1.Secrets/GetSecret`, `moby.filesync.v1.Auth/Credentials`, and
whether the client is still there. What is not here, as tokens of a registry, is declined; BuildKit then does without.
"""

import contextlib
import io
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from attrs import define, field, frozen
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error

from isol8_tasks.engine.builders.buildkit import protobuf_fields
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.pool import shut
from isol8_tasks.errors import Isol8Error
from isol8_tasks.safety.redact import redact

LoginFor = Callable[[str], tuple[str, str] | None]
"""Gets the host of a registry, and returns name and password; None for nobody's."""


@frozen(kw_only=True)
class Answers:
    """What there is to answer."""

    secrets: Mapping[str, bytes]
    login: LoginFor

    def to(self, path: str, message: bytes) -> bytes:
        """Return the answer to a call; raise DeclinedError."""
        asked = dict(protobuf_fields(message))
        if path == "/grpc.health.v1.Health/Check":
            return _SERVING
        if path == "/moby.buildkit.secrets.v1.Secrets/GetSecret":
            name = _text(asked.get(1))
            if name not in self.secrets:
                raise DeclinedError(_NOT_FOUND, f"no secret {name}")
            return _bytes_field(1, self.secrets[name])
        if path == "/moby.filesync.v1.Auth/Credentials":
            try:
                found = self.login(_text(asked.get(1)))
            except Isol8Error as error:
                raise DeclinedError(_INTERNAL, redact(str(error))) from error
            return b"".join(_bytes_field(number, word.encode()) for number, word in enumerate(found or (), 1))
        raise DeclinedError(_UNIMPLEMENTED, "")


class DeclinedError(Exception):
    """A call that gets no answer: gRPC's status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def attached(connection: Connection, answers: Answers) -> Iterator[str]:
    """Hold a session for a build, and give its id; EngineRefusedError says that the engine has none."""
    identity = secrets.token_hex(16)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "h2c",
        "X-Docker-Expose-Session-Uuid": identity,
        "X-Docker-Expose-Session-Name": "isol8-tasks",
        "X-Docker-Expose-Session-Sharedkey": identity,
    }
    with connection.upgraded("/session", "open a session for secrets", headers) as (reader, sock):
        peer = _Peer(reader=reader, sock=sock, answers=answers)
        thread = threading.Thread(target=peer.serve, daemon=True)
        thread.start()
        try:
            yield identity
        finally:
            shut(sock)
            thread.join()


@define(kw_only=True, eq=False)
class _Peer:
    """The client's end of the session: a server of gRPC's, of calls with one message and one answer."""

    reader: io.BufferedReader
    sock: socket.socket
    answers: Answers
    _http: H2Connection = field(factory=lambda: H2Connection(H2Configuration(client_side=False)), init=False)
    _paths: dict[int, str] = field(factory=dict, init=False)
    """Of calls that are not complete yet, by their streams."""
    _messages: dict[int, bytearray] = field(factory=dict, init=False)
    _waiting: dict[int, bytes] = field(factory=dict, init=False)
    """What is left of answers, until the engine takes more."""

    def serve(self) -> None:
        """Answer until the connection ends, or says what is no call; whoever waits at its other end is told by that."""
        try:
            with contextlib.suppress(OSError, ValueError, IndexError, H2Error):
                self._http.initiate_connection()
                self._send()
                while data := self.reader.read1(_PIECE):
                    for event in self._http.receive_data(data):
                        self._take(event)
                    self._send()
        finally:
            shut(self.sock)

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream)):
                self._paths[stream] = dict(event.headers or ()).get(b":path", b"").decode()
                self._messages[stream] = bytearray()
            case DataReceived(stream_id=int(stream), data=bytes(data)):
                self._messages.setdefault(stream, bytearray()).extend(data)
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            case StreamEnded(stream_id=int(stream)):
                # Before the message stand a flag and its length.
                self._answer(stream, bytes(self._messages.pop(stream))[_PREFIX:])
            case StreamReset(stream_id=int(stream)):
                for each in (self._paths, self._messages, self._waiting):
                    each.pop(stream, None)

    def _answer(self, stream: int, message: bytes) -> None:
        head = [(":status", "200"), ("content-type", "application/grpc")]
        try:
            answer = self.answers.to(self._paths.pop(stream), message)
        except DeclinedError as error:
            said = [("grpc-status", str(error.status)), ("grpc-message", quote(str(error)))]
            self._http.send_headers(stream, [*head, *said], end_stream=True)
            return
        self._http.send_headers(stream, head)
        self._waiting[stream] = b"\0" + len(answer).to_bytes(4, "big") + answer

    def _send(self) -> None:
        """Send what the engine takes now; of long answers it takes the rest later."""
        for stream, left in [*self._waiting.items()]:
            rest = left
            while rest and (room := self._room(stream)) > 0:
                self._http.send_data(stream, rest[:room])
                rest = rest[room:]
            self._waiting[stream] = rest
            if not rest:
                del self._waiting[stream]
                self._http.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        self.sock.sendall(self._http.data_to_send())

    def _room(self, stream: int) -> int:
        return min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size)


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _bytes_field(number: int, value: bytes) -> bytes:
    """Return a field of a protobuf message."""
    length, size = bytearray(), len(value)
    while size > _LOW_BITS:
        length.append(size & _LOW_BITS | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + value


_SERVING: Final = b"\x08\x01"
_NOT_FOUND, _UNIMPLEMENTED, _INTERNAL = 5, 12, 13
"""Of gRPC's status codes."""
_LOW_BITS: Final = 0x7F
_PREFIX: Final = 5
_PIECE: Final = 65536
