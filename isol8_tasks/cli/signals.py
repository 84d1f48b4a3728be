"""What SIGINT, SIGTERM and SIGHUP do while a command runs: abort what is under way, and raise in the main thread."""

import os
import signal
import threading
import time
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Final

from isol8_tasks.cli.startup import leave
from isol8_tasks.cli.tasks import session
from isol8_tasks.safety.crash import in_threads, internal_error

if TYPE_CHECKING:
    import sys

OF_SIGNALS: Final = 128
"""What a shell adds to the number of the signal that ended a program; its exit code is the sum."""
HEEDED: Final = {
    signal.SIGINT: signal.default_int_handler,
    # As a service manager or a CI sends it, and as a terminal that is closed does.
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
"""The signals that end a command, each with what Python does at it."""


class TerminatedError(KeyboardInterrupt):
    """Somebody asked the process to end: the same as Ctrl-C, by another exit code."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        """The signal."""


def heed_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP abort what is under way, and raise; a second one ends what the first could not.

    Not a second SIGHUP: where a terminal is closed, its shell and the system both send one. Nor one that comes at once:
    `timeout` sends it to the command, and to all of the command's group.
    """
    if threading.current_thread() is threading.main_thread():
        _notice(os.getpid())
        for number, usual in HEEDED.items():
            # Who ignores one, as nohup does for its children, goes on to.
            if signal.getsignal(number) in {usual, leave, _heard}:
                signal.signal(number, _interrupt)


@lru_cache(maxsize=1)
def _notice(_process: int) -> None:
    """Let the main thread of this process handle a signal at once that the system gave to another thread.

    Python handles signals in the main thread, which does not notice one in the middle of a wait for a lock unless the
    system interrupted that wait. Linux may choose any thread: on a busy machine two of 62 runs that were interrupted
    went on to the end of what they waited for.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(_WAKE, _heard)
    main = threading.main_thread().ident or 0

    def wake() -> None:
        while number := int.from_bytes(os.read(heard, 1)):
            # Once is not enough: it may be about to wait.
            while signal.getsignal(number) is _interrupt:
                signal.pthread_kill(main, _WAKE)
                time.sleep(_WAKE_SECONDS)

    threading.Thread(target=wake, daemon=True).start()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, _heard)
    time.sleep(_AT_ONCE)
    if number != signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)
    if session.cache_info().currsize:
        # Threads that a command waits for would else go on to the end of all their work.
        session().abort()
    raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError(number)


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Do nothing more at a signal that has come before."""


def heed_unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """Note what was raised where nothing can be raised; a signal that came there is given once more."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        if lost.exc_value is not None:
            in_threads.append(internal_error("clean-up", lost.exc_value))
        return
    number = interruption(lost.exc_value) - OF_SIGNALS
    signal.signal(number, _interrupt)

    left = threading.Event()

    def again() -> None:
        # In here it would be lost for good.
        left.wait()
        time.sleep(_MOMENT)
        os.kill(os.getpid(), number)

    threading.Thread(target=again, daemon=True).start()
    left.set()


def interruption(error: KeyboardInterrupt) -> int:
    """Return the exit code of a run that was interrupted."""
    return OF_SIGNALS + (error.number if isinstance(error, TerminatedError) else signal.SIGINT)


_WAKE: Final = signal.SIGURG
"""It does nothing where nobody asks for it, and interrupts a wait where somebody does."""
_WAKE_SECONDS: Final = 0.02
"""Until the main thread is woken again that did not handle its signal."""
_AT_ONCE: Final = 0.05
"""Seconds in which a signal that comes again is the same one."""
_MOMENT: Final = 0.01
"""Seconds after which a lost signal comes again."""
