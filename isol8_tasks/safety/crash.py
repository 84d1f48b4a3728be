"""What nobody foresaw: one line for people, and the traceback in a file for whoever mends it."""

import contextlib
import datetime as dt
import os
import re
import sys
import threading
import traceback
from pathlib import Path
from typing import Final

from isol8_tasks.errors import COMMAND, InternalError, Isol8Error
from isol8_tasks.safety.files import refuse_planted
from isol8_tasks.safety.printing import without_credentials

CRASHES: Final = Path(".isol8", "logs")
"""Where tracebacks are kept, in the folder worked in."""
_KEPT: Final = 20
"""Tracebacks that are kept: a nightly job may crash every night."""
_NAME: Final = r"crash-\d{8}T\d{6}Z-[0-9a-f]{6}\.txt"
_LONGEST: Final = 200
"""Characters of an exception's own words in the line about it."""

in_threads: list[InternalError] = []
"""What crashed in threads that nobody waits for; a command that ends with any of it has failed."""


def internal_error(where: str, error: BaseException) -> InternalError:
    """Return what is said of an exception that is a bug; its traceback is kept, readable for its owner alone."""
    said = " ".join(
        "".join(each if each.isprintable() else " " for each in without_credentials(_words(error))).split()
    )
    if len(said) > _LONGEST:
        said = said[: _LONGEST - 1] + "…"
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    advice = "this is a bug; please report it"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in {"isol8_tasks", "lab"}:
        advice = f"files of the package are missing, which git status lists, or {advice}"
    elif isinstance(error, ModuleNotFoundError):
        again = f"install {COMMAND} again"
        if COMMAND.startswith("./"):
            # Of the system's own Python nothing is to be removed.
            is_ours = sys.prefix != sys.base_prefix
            again = "remove that folder and run again" if is_ours else f"run {COMMAND}, which has its own"
        advice = f"a package of {sys.prefix} is missing: {again}, or {advice}"
    advice = f"{advice}{_kept(error)}"
    return InternalError(f"internal error in {where}: {what} ({advice})")


def as_error(where: str, error: Exception) -> Isol8Error:
    """Return the error of ours that an exception is told as: a file or a disk that refuses is no bug."""
    if isinstance(error, Isol8Error):
        return error
    return (
        Isol8Error(without_credentials(system_words(error)))
        if isinstance(error, OSError)
        else internal_error(where, error)
    )


def system_words(error: OSError) -> str:
    """Return what the system said of a file, without its number."""
    if not error.strerror:
        return str(error)
    return (
        f"{os.fsdecode(error.filename)}: {error.strerror}"
        if isinstance(error.filename, str | bytes)
        else error.strerror
    )


def watch_threads() -> None:
    """Let a thread that crashes be noted in `in_threads`, where Python would print its traceback."""
    threading.excepthook = _noted


def _noted(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and not isinstance(crash.exc_value, SystemExit):
        name = crash.thread.name if crash.thread else "a thread"
        in_threads.append(internal_error(name, crash.exc_value))


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a message that can't be made must not hide what went wrong
        return ""


def _kept(error: BaseException) -> str:
    """Keep a traceback, and say where it is."""
    try:
        return f" with the file {_written(_trace(error))}"
    except OSError as problem:
        return f"; the traceback can't be written to {CRASHES}: {problem.strerror}"
    except Isol8Error as problem:
        return f"; the traceback can't be written: {problem}"
    except Exception as problem:  # noqa: BLE001 - as where there is no memory left
        return f"; the traceback can't be written to {CRASHES}: {type(problem).__name__}"


def _trace(error: BaseException) -> str:
    words = [without_credentials(word) for word in sys.argv]
    # Not the values of variables, which may be anybody's secrets.
    lines = traceback.format_exception(error)
    return without_credentials("".join([f"{' '.join(words)}\nPython {sys.version.split()[0]}\n\n", *lines]))


def _written(text: str) -> Path:
    refuse_planted(CRASHES)
    CRASHES.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"crash-{dt.datetime.now(tz=dt.UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}.txt"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(CRASHES / name, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    # Somebody may keep notes beside them.
    for old in sorted(each for each in CRASHES.iterdir() if re.fullmatch(_NAME, each.name))[:-_KEPT]:
        with contextlib.suppress(OSError):
            old.unlink()
    return CRASHES / name
