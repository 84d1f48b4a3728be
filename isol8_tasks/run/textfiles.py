"""Files of the user's, read as text; and why one can't be, in words."""

import codecs
import io
import os
import stat
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 16_000_000
"""Bytes of a text; reading TOML takes a second for each 4 MB."""
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NoTextError(Exception):
    """A file that is there can't be read: why, and what to do, as the end of a message."""


def read_text(path: Path) -> str:
    """Return a file's text with line ends of Unix; FileNotFoundError or NoTextError if there is none to read.

    What is no regular file is not opened, as a pipe would be waited for without end.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise NoTextError("(not a regular file); expected a UTF-8 text file")
        if problem := too_long(found.st_size):
            raise NoTextError(f"({problem}); expected a text that people write")
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from error
    except OSError as error:
        raise NoTextError(denial(error)) from error
    if problem := not_utf_8(data):
        raise NoTextError(f"({problem}); save it as UTF-8")
    return io.StringIO(data.decode(), newline=None).read()


def too_long(size: int) -> str:
    """Say that a text has more bytes than could be read in a few seconds; empty for any other."""
    return (
        f"it has {size / 1e6:.0f} MB, and the most is {_MOST_BYTES / 1e6:.0f}" if size > _MOST_BYTES else ""
    )


def not_utf_8(data: bytes) -> str:
    """Say in what way a file's content is no UTF-8; empty if it is."""
    if is_utf_16(data):
        return "it is UTF-16"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8"
    return ""


def is_utf_16(data: bytes) -> bool:
    """Tell whether a text was saved in two bytes a character, with a byte order mark or without one."""
    return data.startswith(_UTF_16) or b"\0" in data[:2]


def denial(error: OSError) -> str:
    """Say why the system did not let a file be read, and what to do."""
    if not isinstance(error, PermissionError):
        return f"({error.strerror or error}); fix it or remove it"
    return f"(Permission denied); {_user()} needs the right to read it"


def _user() -> str:
    import pwd  # noqa: PLC0415 - few runs have use for it

    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"user {os.geteuid()}"
