"""Imported before everything else of a command: what Ctrl-C does until then, and how garbage is collected.

What a run makes while it starts, classes and modules, stays to its end; looking through it again and again took a
tenth of a run with nothing to do, and once more at its end a twentieth. Who imports this package as a library keeps
the interpreter's own settings.
"""

import atexit
import gc
import os
import signal

gc.set_threshold(500_000, 20, 20)
atexit.register(gc.freeze)


def leave(number: int, _frame: object) -> None:
    """End the process at once, as there is nothing to bring to an end: nothing has begun yet, or all is done."""
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(128 + number)


def leave_on_interrupt() -> None:
    """Let Ctrl-C end the process until a command heeds it, and once it is done; who ignores it goes on to."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    # doitw lets it wait until now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
