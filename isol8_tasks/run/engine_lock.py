"""The lock by which one run at a time works on an engine: a name that the kernel keeps, and no file.

A file would need a folder that root and the members of group docker both write to, and there whoever owns the file can
put another in its place. A socket's name in the kernel's abstract space can't be written through, moved or left behind.
"""

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import pwd
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from isol8_tasks.errors import COMMAND, LockedError

if TYPE_CHECKING:
    from isol8_tasks.engine import Lease

_POLL_SECONDS: Final = 0.05
_LEASE_POLL_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 2.0
_CARD_BYTES: Final = 1000
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group at the other end of a socket, as the kernel tells them."""


@contextlib.contextmanager
def engine_lock(  # noqa: PLR0913 - all but one are named by the caller
    engine_id: str,
    *,
    holder: str,
    since: str,
    wait: float,
    on_wait: Callable[[str], None] | None = None,
    lease: "Lease | None" = None,
) -> Iterator[None]:
    """Keep a second run off the same engine, whoever starts it and wherever; LockedError says who holds it.

    A `wait` of 0 seconds gives up at once, one below 0 never; before it waits, `on_wait` hears for whom.

    The lock itself is one of this machine, or rather of its network namespace. Machines that share an engine over TCP,
    and containers that are given its socket, are kept apart by the engine's `lease`, which is taken behind it.
    """
    take = _take_name if sys.platform == "linux" else _take_home
    card = f"{holder}, since {since}"
    deadline = math.inf if wait < 0 else time.monotonic() + wait
    with contextlib.ExitStack() as held:

        def take_here() -> str:
            lock = take(engine_id, card)
            if lock is None:
                return _holder(engine_id)
            held.enter_context(lock)
            return ""

        hear = on_wait if wait != 0 else None
        _take_in_time(take_here, deadline, hear, poll=_POLL_SECONDS)
        if lease:
            held.callback(lease.release)
            _take_in_time(lease.take, deadline, hear, poll=_LEASE_POLL_SECONDS)
        yield


def _take_in_time(
    take: Callable[[], str], deadline: float, on_wait: Callable[[str], None] | None, *, poll: float
) -> None:
    """Take what `take` returns the holder of, until it returns none."""
    while holder := take():
        # Not even a deadline that is no number is waited for.
        if not time.monotonic() < deadline:
            raise LockedError(
                f"another run is using this engine: {holder}; nothing was built; "
                f"run again when it is done, or wait longer: {COMMAND} --wait=SECONDS (-1: no limit)"
            )
        if on_wait:
            on_wait(holder)
            on_wait = None
        time.sleep(poll)


def lock_name(engine_id: str) -> bytes:
    """Return the name of an engine's lock, where the kernel keeps such names."""
    # A first byte of zero is what makes it a name of the kernel's and not a file.
    return b"\0isol8-tasks/" + hashlib.sha256(engine_id.encode()).hexdigest().encode()


def _take_name(engine_id: str, card: str) -> contextlib.ExitStack | None:
    """Take the engine's name, and tell whoever asks for it what is on the card; None if it is taken."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            listener.bind(lock_name(engine_id))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None
        listener.listen()
        teller = threading.Thread(target=_tell, args=(listener, card), daemon=True)
        teller.start()
        # Before the socket is closed, which would not wake the thread.
        stack.callback(teller.join)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        return stack.pop_all()
    return None


def _tell(listener: socket.socket, card: str) -> None:
    while True:
        try:
            asker, _ = listener.accept()
        except OSError:
            return
        # It may have gone already.
        with asker, contextlib.suppress(OSError):
            asker.sendall(card.encode("utf-8", "replace")[:_CARD_BYTES])


def _take_home(_engine_id: str, _card: str) -> contextlib.ExitStack | None:
    """Take the user's home folder where the kernel keeps no names: nothing is written, and nobody is told."""
    # By the user database and not by $HOME, in which two runs of one user may differ.
    home = os.open(pwd.getpwuid(os.getuid()).pw_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, home)
        try:
            fcntl.flock(home, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return stack.pop_all()
    return None


def _holder(engine_id: str) -> str:
    """Say who holds the lock: process and user by the kernel's word, the rest by its own."""
    if sys.platform != "linux":
        return "holder unknown"
    try:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(_ANSWER_SECONDS)
            asker.connect(lock_name(engine_id))
            found = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            process, user, _ = _CREDENTIALS.unpack(found)
            whose = "" if user == os.getuid() else f" of {_user(user)}"
            with contextlib.suppress(OSError):
                told = asker.recv(_CARD_BYTES).decode("utf-8", "replace")
                card = "".join(each if each.isprintable() else "?" for each in told)
                return f"process {process}{whose} in {card}" if card else f"process {process}{whose}"
            return f"process {process}{whose}, which does not answer"
    except OSError:
        return "holder unknown"


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
