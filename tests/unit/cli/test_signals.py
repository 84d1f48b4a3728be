"""What a signal does while a command runs."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from isol8_tasks.cli.signals import TerminatedError, heed_signals, heed_unraisable


@pytest.fixture(autouse=True)
def _heeded() -> None:
    """Let signals be heeded, with no command under way, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    heed_signals()


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TerminatedError)]
)
def test_signal_that_another_thread_receives_interrupts_the_main_one(
    number: int, error: type[BaseException]
) -> None:
    """Though it waits for a lock, in which Python notices no signal but its own."""
    began = time.monotonic()

    def receive() -> None:
        signal.pthread_kill(threading.get_ident(), number)
        time.sleep(1)

    threading.Timer(0.3, receive).start()
    with pytest.raises(error):
        threading.Event().wait(60)
    assert time.monotonic() - began < 50


def test_signal_that_comes_twice_at_once_is_one() -> None:
    """`timeout` of coreutils sends it to the command, and to all of the command's group."""
    code = """
import os, signal, threading, time
from isol8_tasks.cli import signals
signals._AT_ONCE = 5
signals.heed_signals()
first = signal.getsignal(signal.SIGTERM)
def send():
    os.kill(os.getpid(), signal.SIGTERM)
    while signal.getsignal(signal.SIGTERM) is first:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Timer(0.2, send).start()
try:
    time.sleep(60)
except signals.TerminatedError:
    time.sleep(0.5)
    print("told")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "told\n"


def test_signal_where_nothing_can_be_raised_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a destructor, whose exceptions Python only prints."""
    monkeypatch.setattr(sys, "unraisablehook", heed_unraisable)

    class Late:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)

    def wait() -> None:
        Late()
        time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        wait()
