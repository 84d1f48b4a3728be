"""BuildKit through the engine's own API: no client program."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from isol8_tasks.engine import BuildRequest, OnEvent
from isol8_tasks.engine.builders.archive import pack
from isol8_tasks.engine.builders.progress import Progress, Vertex
from isol8_tasks.errors import EngineError

Post = Callable[[Mapping[str, str], bytes], Iterator[Mapping[str, object]]]
"""Sends parameters and an archive to the engine's /build, and gives what it answers, item by item."""

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5


def build(request: BuildRequest, post: Post, on_event: OnEvent) -> str:
    """Build by BuildKit, and return the image's id."""
    archive = pack(request, request.dockerfile)
    progress = Progress(on_event)
    image_id = ""
    for item in post({**parameters(request), "version": "2", "dockerfile": archive.dockerfile}, archive.data):
        if message := stream_error(item):
            raise progress.failure(request.tag, message)
        aux = item.get("aux")
        if item.get("id") == "moby.buildkit.trace" and isinstance(aux, str):
            read_trace(aux, progress)
        elif item.get("id") == "moby.image.id":
            image_id = id_of(item)
    if not image_id:
        raise EngineError(
            f"the engine ended the build of {request.tag} without an image and without an error"
        )
    return image_id


def parameters(request: BuildRequest) -> dict[str, str]:
    """Return what the API is told of a build, the same for both its builders."""
    found = {
        "t": request.tag,
        "buildargs": json.dumps(dict(request.args)),
        "labels": json.dumps(dict(request.labels)),
        "rm": "1",
        "forcerm": "1",
    }
    if request.target is not None:
        found["target"] = request.target
    if request.platform:
        found["platform"] = request.platform
    if request.no_cache:
        found["nocache"] = "1"
    return found


def stream_error(item: Mapping[str, object]) -> str:
    """Return the error in an item of the engine's stream, new style or old; empty when it holds none."""
    detail = item.get("errorDetail")
    message = detail.get("message") if isinstance(detail, dict) else None
    found = message or item.get("error")
    return str(found) if found else ""


def id_of(item: Mapping[str, object]) -> str:
    """Return the image's id in an item of the engine's stream; empty when it holds none."""
    aux = item.get("aux")
    found = aux.get("ID") if isinstance(aux, dict) else None
    return found if isinstance(found, str) else ""


def read_trace(aux: str, progress: Progress) -> None:
    """Tell progress what stands in a StatusResponse (moby/buildkit, api/services/control/control.proto)."""
    try:
        message = base64.b64decode(aux, validate=True)
        for number, value in protobuf_fields(message):
            if number == 1 and isinstance(value, bytes):
                progress.vertex(_vertex(value))
            elif number == 3 and isinstance(value, bytes):  # noqa: PLR2004 - the field's number there
                output = dict(protobuf_fields(value))
                progress.output(_text(output.get(1)), _bytes(output.get(4)))
    except (binascii.Error, IndexError) as error:
        raise EngineError(f"the engine's build progress can't be read: {error}") from error


def _vertex(data: bytes) -> Vertex:
    found = dict(protobuf_fields(data))
    return Vertex(
        digest=_text(found.get(1)),
        name=_text(found.get(3)),
        cached=bool(found.get(4)),
        started=bool(found.get(5)),
        completed=bool(found.get(6)),
        error=_text(found.get(7)),
    )


def protobuf_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protobuf message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        value: int | bytes
        if key & 7 == _VARINT:
            value, position = _varint(data, position)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(key & 7, -1)
            if key & 7 == _BYTES:
                length, position = _varint(data, position)
            if length < 0 or position + length > len(data):
                raise IndexError(f"not a protobuf message at byte {position}")
            value, position = data[position : position + length], position + length
        yield key >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value, position


def _bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: int | bytes | None) -> str:
    return _bytes(value).decode("utf-8", "replace")
