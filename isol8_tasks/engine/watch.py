"""Whether an engine that somebody waits for is there at all: one that hangs keeps its connections, and says nothing."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from isol8_tasks.errors import ConfigError

VARIABLE: Final = "ISOL8_ENGINE_SECONDS"
_SECONDS: Final = 60.0


def patience(environ: Mapping[str, str]) -> float:
    """Return for how many seconds an engine may leave the question unanswered whether it is there."""
    text = environ.get(VARIABLE, "")
    try:
        seconds = float(text) if text else _SECONDS
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 86400:  # noqa: PLR2004 - what a person may mean
        raise ConfigError(f"{VARIABLE}={text!r} is not a number of seconds from 1 to 86400")
    return seconds


class Watch:
    """Asks an engine again and again whether it is there, as long as something waits for it."""

    def __init__(
        self, ping: Callable[[float], bool], give_up: Callable[[], object], seconds: Callable[[], float]
    ) -> None:
        self._ping = ping
        """Gets the seconds that an answer may take, and tells whether it came."""
        self._give_up = give_up
        """Aborts all that waits."""
        self._seconds = seconds
        self._mutex = threading.Lock()
        self._waiting = 0
        self._looking = False
        self.silent: float | None = None
        """For how many seconds there was no answer, once it was given up."""

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Watch the engine while the block runs; a short one costs nothing but a thread that sleeps."""
        with self._mutex:
            self._waiting += 1
            if not self._looking and self.silent is None:
                self._looking = True
                threading.Thread(target=self._look, args=(self._seconds(),), daemon=True).start()
        try:
            yield
        finally:
            with self._mutex:
                self._waiting -= 1

    def _look(self, seconds: float) -> None:
        while True:
            time.sleep(seconds / 4)
            with self._mutex:
                self._looking = self._waiting > 0
                if not self._looking:
                    return
            if not self._ping(seconds * 3 / 4):
                self.silent = seconds
                self._give_up()
                return
