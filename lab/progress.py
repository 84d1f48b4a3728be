"""What `up --lab` is at: the step under way, and how many bytes of it have come."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import define, field

_PAUSE: Final = 1.0
"""Seconds between two looks at what has come."""


def untold(_what: str, _came: int) -> None:
    """Tell nobody."""


@define(eq=False)
class Progress:
    """Tells of the step that began last; some are done side by side."""

    tell: Callable[[str, int], None] = untold
    """Hears what is done, first when it begins and then every second, and how many bytes of it have come."""
    _steps: list[tuple[str, Path | None, int]] = field(factory=list, init=False)
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    @contextmanager
    def step(self, what: str, folder: Path | None = None) -> Iterator[None]:
        """Tell of something as long as it is done; by how much a folder grows is how much has come."""
        step = (what, folder, _size(folder))
        with self._mutex:
            self._steps.append(step)
            self.tell(what, 0)
        try:
            yield
        finally:
            with self._mutex:
                self._steps.remove(step)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every second at what has come."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_PAUSE):
            with self._mutex:
                if self._steps:
                    what, folder, before = self._steps[-1]
                    self.tell(what, max(_size(folder) - before, 0))


def _size(folder: Path | None) -> int:
    """Return how many bytes are in a folder, whose files come and go meanwhile."""
    total = 0
    for file in folder.rglob("*") if folder else ():
        try:
            total += file.lstat().st_size
        except OSError:
            continue
    return total
