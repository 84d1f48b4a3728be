"""What a container prints, read until its end or until its time is over."""

import contextlib
import math
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.errors import EngineError


def printed(
    connection: Connection, container: str, request: RunRequest, output: Iterable[bytes]
) -> tuple[dict[str, Any], bool]:
    """Return what is printed until the end, which comes when the time is over, and whether that was so."""
    ended, over = threading.Event(), threading.Event()

    def watch() -> None:
        began, left = time.monotonic(), min(request.seconds, _SILENT_SECONDS if request.clock else math.inf)
        while left > 0:
            if ended.wait(left):
                return
            passed = time.monotonic() - began
            left = _left(connection, container, request, passed, silent=not kept["output"])
        over.set()
        # Its streams end with it, which wakes the reader; whatever goes wrong here is said by the removal.
        with contextlib.suppress(EngineError):
            connection.call("POST", f"/containers/{container}/kill", f"stop {container}")

    kept = {"stdout": bytearray(), "stderr": bytearray(), "output": bytearray()}
    threading.Thread(target=watch, daemon=True).start()
    try:
        for stream, data in frames(output):
            for each in (stream, "output"):
                kept[each] += data[: _LONGEST - len(kept[each])]
    finally:
        ended.set()
    return {name: bytes(each) for name, each in kept.items()}, over.is_set()


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[Literal["stdout", "stderr"], bytes]]:
    """Cut the stream of a container without a terminal into what it wrote, and where to."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while len(rest) >= _HEADER:
            size = int.from_bytes(rest[4:_HEADER], "big")
            if len(rest) < _HEADER + size:
                break
            yield ("stderr" if rest[0] == _STDERR else "stdout"), rest[_HEADER : _HEADER + size]
            rest = rest[_HEADER + size :]


def _left(
    connection: Connection, container: str, request: RunRequest, passed: float, *, silent: bool
) -> float:
    """Return how many seconds to wait until a container's time may be over; nothing if it is.

    One that has printed nothing, and does nothing either, is not waited for as long as one that works.
    """
    if passed >= request.clock:
        return 0
    try:
        params = {"stream": "0", "one-shot": "1"}
        found = connection.call("GET", f"/containers/{container}/stats", f"measure {container}", params)
        used: float = found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    except (EngineError, KeyError, TypeError):
        # One that can't be measured is given its time by the clock.
        return request.clock - passed
    if used >= request.seconds or (silent and used < _OF_A_START):
        return 0
    # Several processors may work for it.
    return min(max(_LEAST_WAIT, (request.seconds - used) / 2), request.clock - passed)


_SILENT_SECONDS: Final = 60.0
"""After which a container that printed nothing is looked at."""
_OF_A_START: Final = 0.5
"""Seconds of CPU time that a program uses before it does anything."""
_LEAST_WAIT: Final = 0.5
"""Seconds between two measurements of the CPU time."""
_LONGEST: Final = 16 * 1024 * 1024
_HEADER: Final = 8
_STDERR: Final = 2
