"""A file to which several processes add lines at its end; none is lost, and no reader sees half of one."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from isol8_tasks.errors import Isol8Error
from isol8_tasks.safety.files import refuse_planted, replace

_MOST_BYTES: Final = 256 << 20
"""Of a file that is read; of a larger one the end."""


def append(path: Path, text: str) -> None:
    """Add lines to the end of a file, in one write; OSError or Isol8Error if that can't be done.

    What an interrupted write left at the end stays a line of its own.
    """
    refuse_planted(path)
    path = path.resolve()
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        file = os.open(path, flags, 0o666)
        try:
            # Where a file system has no locks, what is added during a `rewrite` may be lost.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise Isol8Error("not a regular file")
            if not _is_still(path, found):
                continue
            is_whole = not found.st_size or os.pread(file, 1, found.st_size - 1) == b"\n"
            data = f"{'' if is_whole else chr(10)}{text}".encode("utf-8", "replace")
            if os.write(file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
        return


def rewrite(path: Path, change: Callable[[str], str]) -> bool:
    """Replace a file by what `change` makes of its text; tell whether: not while another process adds to it."""
    refuse_planted(path)
    path = path.resolve()
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        is_there = _is_still(path, os.fstat(file.fileno()))
        if is_there:
            replace(path, change(file.read().decode("utf-8", "replace")))
        return is_there


def read_end(path: Path) -> str:
    """Return the text of a file, whatever its bytes are; empty where there is none."""
    refuse_planted(path)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Isol8Error("not a regular file")
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _is_still(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, path.stat())
    except FileNotFoundError:
        return False
