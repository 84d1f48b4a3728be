"""doit with a line for each question to the engine: when it was asked, for how long, and by which thread."""

import atexit
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from doit.doit_cmd import DoitMain

from isol8_tasks.engine.connection import Connection

_BEGAN: Final = time.perf_counter() - time.process_time()
_IDS: Final = re.compile(r"\b(?:sha256:)?[0-9a-f]{52,64}")
_asked: list[tuple[float, float, str, str]] = []
_call, _read = Connection.call, Connection.read


def timed_call(self: Connection, method: str, path: str, what: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the original
    """Ask, and note how long it took."""
    began = time.perf_counter()
    try:
        return _call(self, method, path, what, *arguments, **named)
    finally:
        _note(began, f"{method} {path}", what)


def timed_read(self: Connection, path: str, what: str, *arguments: Any, **named: Any) -> Iterator[bytes]:  # noqa: ANN401 - as the original
    """Read, and note how long it took to the end."""
    began = time.perf_counter()
    try:
        yield from _read(self, path, what, *arguments, **named)
    finally:
        _note(began, f"{named.get('method', 'POST')} {path}", what)


def _note(began: float, request: str, what: str) -> None:
    short = _IDS.sub(lambda found: found[0].removeprefix("sha256:")[:6], f"{request}  ({what})")
    _asked.append((began, time.perf_counter(), threading.current_thread().name, short))


def _print() -> None:
    for began, ended, thread, text in sorted(_asked):
        sys.stderr.write(f"{began - _BEGAN:7.3f} {ended - began:7.3f} {thread[:22]:22} {text}\n")
    sys.stderr.write(f"{time.perf_counter() - _BEGAN:7.3f} end\n")


Connection.call = timed_call  # type: ignore[method-assign] # that is what it is for
Connection.read = timed_read  # type: ignore[method-assign,assignment] # as above
atexit.register(_print)
sys.exit(DoitMain().run(sys.argv[1:]))
