"""BuildKit's answers, read byte by byte."""

import base64
import json
from collections.abc import Iterator, Mapping

import pytest

from isol8_tasks.engine import BuildEvent, BuildRequest
from isol8_tasks.engine.builders.buildkit import build
from isol8_tasks.errors import BuildFailedError, EngineError


def field(number: int, value: bytes | int) -> bytes:
    """Write a field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """Write a number as protobuf does."""
    head = b""
    while value > 0x7F:
        head, value = head + bytes([value & 0x7F | 0x80]), value >> 7
    return head + bytes([value])


def trace(*fields: bytes) -> dict[str, object]:
    """Return a piece of the trace as the engine sends it."""
    return {"id": "moby.buildkit.trace", "aux": base64.b64encode(b"".join(fields)).decode()}


STARTED = field(5, field(1, 1_700_000_000) + field(2, 5))
COMPLETED = field(6, field(1, 1_700_000_001))
STEP = field(1, field(1, b"d1") + field(2, b"d0") + field(3, b"[1/1] RUN a") + STARTED)
OUTPUT = field(3, field(1, b"d1") + field(2, b"") + field(3, 1) + field(4, b"x" * 200 + b"\n"))
UNKNOWN = varint(9 << 3 | 1) + b"12345678" + varint(9 << 3 | 5) + b"1234" + field(2, b"status")
FAILED = field(
    1, field(1, b"d1") + field(3, b"[1/1] RUN a") + STARTED + COMPLETED + field(7, b"exit code: 1")
)
DONE: dict[str, object] = {"id": "moby.image.id", "aux": {"ID": "sha256:1"}}
REQUEST = BuildRequest(
    tag="a:b", dockerfile="FROM x\n", target="t", args={"A": "1"}, labels={"l": "2"}, no_cache=True
)


class Answers:
    """Stands for the engine's /build."""

    def __init__(self, *items: Mapping[str, object]) -> None:
        self.items = items
        self.params: Mapping[str, str] = {}
        self.body = b""

    def __call__(self, params: Mapping[str, str], body: bytes) -> Iterator[Mapping[str, object]]:
        """Remember what was sent, and answer."""
        self.params, self.body = params, body
        return iter(self.items)


def test_the_request_says_it_all() -> None:
    """Arguments, labels, target and cache reach the engine; the Dockerfile is in the archive."""
    answers = Answers(DONE)
    assert build(REQUEST, answers, lambda _event: None) == "sha256:1"
    assert answers.params == {
        "version": "2",
        "t": "a:b",
        "dockerfile": ".isol8.Dockerfile",
        "target": "t",
        "nocache": "1",
        "rm": "1",
        "forcerm": "1",
        "buildargs": json.dumps({"A": "1"}),
        "labels": json.dumps({"l": "2"}),
    }
    assert b"FROM x\n" in answers.body


def test_the_trace_becomes_events() -> None:
    """Vertices and logs are read; what is not known is passed over."""
    events: list[BuildEvent] = []
    build(REQUEST, Answers(trace(UNKNOWN, STEP), trace(OUTPUT), {"stream": "x"}, DONE), events.append)
    assert events == [
        BuildEvent(kind="step", step="RUN a", number=1, total=1),
        BuildEvent(kind="log", step="RUN a", number=1, total=1, line="x" * 200),
    ]


@pytest.mark.parametrize(
    "item",
    [{"errorDetail": {"message": "exit code: 1"}}, {"error": "exit code: 1"}],
    ids=["errorDetail", "error"],
)
def test_an_error_ends_the_build(item: Mapping[str, object]) -> None:
    """Both ways in which engines tell of an error are understood."""
    with pytest.raises(BuildFailedError) as caught:
        build(REQUEST, Answers(trace(STEP, OUTPUT), trace(FAILED), item), lambda _event: None)
    assert str(caught.value) == "a:b could not be built: [1/1] RUN a: exit code 1"
    assert caught.value.output == ("x" * 200,)


def test_an_answer_without_an_image_is_an_error() -> None:
    """Success is what names an image, not what stays silent."""
    with pytest.raises(EngineError) as caught:
        build(REQUEST, Answers(trace(STEP)), lambda _event: None)
    assert str(caught.value) == "the engine ended the build of a:b without an image and without an error"


@pytest.mark.parametrize(
    "aux", ["!", base64.b64encode(b"\x0a\x7f").decode(), base64.b64encode(b"\x0b").decode(), "gA=="]
)
def test_a_broken_trace_is_an_error(aux: str) -> None:
    """Bytes that are no protobuf message are told as that."""
    with pytest.raises(EngineError, match=r"^the engine's build progress can't be read: "):
        build(REQUEST, Answers({"id": "moby.buildkit.trace", "aux": aux}, DONE), lambda _event: None)
