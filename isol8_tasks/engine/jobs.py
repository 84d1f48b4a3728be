"""What is under way, so that another thread can abort it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from isol8_tasks.errors import EngineError


class Job:
    """One thing under way."""

    def __init__(self) -> None:
        self.cancelled = False
        self._close: Callable[[], object] | None = None
        # A signal may come in the middle of it, and what heeds that aborts, too.
        self._mutex = threading.RLock()

    def closes_with(self, close: Callable[[], object]) -> None:
        """Say what breaks it off; done at once when that was asked for already."""
        with self._mutex:
            self._close = close
            if self.cancelled:
                close()

    def cancel(self) -> None:
        """Abort it, from any thread."""
        with self._mutex:
            self.cancelled = True
            if self._close is not None:
                self._close()


class JobList:
    """Every job under way."""

    def __init__(self) -> None:
        self._jobs: set[Job] = set()
        self._over = False
        self._mutex = threading.RLock()

    @property
    def is_over(self) -> bool:
        """Tell whether none begins any more."""
        return self._over

    @contextlib.contextmanager
    def job(self) -> Iterator[Job]:
        """Hold a job as long as the block runs."""
        job = Job()
        with self._mutex:
            if self._over:
                raise EngineError("not begun, as the run was interrupted")
            self._jobs.add(job)
        try:
            yield job
        finally:
            with self._mutex:
                self._jobs.discard(job)

    def cancel(self, *, for_good: bool = False) -> None:
        """Abort all that is under way now; what begins later is not touched, or does not begin, `for_good`."""
        with self._mutex:
            self._over = self._over or for_good
            jobs = tuple(self._jobs)
        for job in jobs:
            job.cancel()
