"""Files written where somebody else may have put a link: none is followed, and no reader sees half a file."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

from isol8_tasks.errors import Isol8Error

PRIVATE: Final = 0o600
"""The mode of a file that may hold what only its owner should read."""
_PAGE: Final = b"<!doctype html>"


def replace(path: Path, text: str, *, mode: int | None = None) -> None:
    """Put a file in the place of another, so that there is one of the two at every moment.

    It keeps the mode of a file of this user's unless one is given. A link in its place goes, and what it led to stays
    as it is; a folder on the way that is another user's link is refused.
    """
    refuse_planted(path.parent)
    # Beside its place, as a rename across file systems would not be atomic.
    new = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, mode or 0o666), "w", encoding="utf-8", newline="") as file:
            if kept := mode or _mode(path):
                os.fchmod(file.fileno(), kept)
            file.write(text)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise Isol8Error(
            f"{path.name}: can't be written ({error.strerror}); {_advice(path, error)}"
        ) from error


def _advice(path: Path, error: OSError) -> str:
    """Say what to do for a file to be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "free space on its disk"
    if path.is_dir():
        return "move the folder of that name away"
    return f"{path.parent.absolute()} must be a folder in which this user can write"


def write_named(path: Path, text: str) -> None:
    """Write a file that a user names: through links of his own and root's, and to what is no regular file, too."""
    refuse_planted(path)
    make_folder(path.parent)
    if path.exists() and not path.is_file():
        # A terminal or a pipe, as /dev/stdout; a folder is the error that it would be anyway.
        path.write_text(text, encoding="utf-8")
    else:
        replace(path.resolve(), text)


def unwritable(path: Path) -> str:
    """Return why `write_named` could not write a file, as far as that shows before; empty if nothing does."""
    if path.is_dir():
        return "Is a directory"
    there = next(each for each in path.resolve().parents if each.exists())
    if not there.is_dir():
        return f"{there} is not a folder"
    written = path if path.exists() and not path.is_file() else there
    return "" if os.access(written, os.W_OK) else f"Permission denied: {written}"


def not_to_be_a_page(path: Path) -> str:
    """Return why no page can or should be written into a file; one that has something else in it is kept."""
    if problem := unwritable(path):
        return problem
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            begin = file.read(len(_PAGE))
    except OSError as error:
        return error.strerror or str(error)
    return "" if begin.lower() in {b"", _PAGE} else "it is there, and no page"


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless a link of another user's leads there."""
    refuse_planted(path)
    path.mkdir(parents=True, exist_ok=True)


def refuse_planted(path: Path) -> None:
    """Raise Isol8Error if the path, or a folder above it, is a link or a pipe of another user's, root aside."""
    for each in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = each.lstat()
            kind = stat.S_IFMT(found.st_mode)
            if kind in {stat.S_IFLNK, stat.S_IFIFO} and found.st_uid not in {0, os.geteuid()}:
                raise Isol8Error(
                    f"{each}: a {'link' if kind == stat.S_IFLNK else 'pipe'} of another user's ({found.st_uid}), "
                    "which is not followed; remove it, or name another file"
                )


def _mode(path: Path) -> int | None:
    """Return the mode of a file of this user's; None where there is none."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            return stat.S_IMODE(found.st_mode)
    return None
