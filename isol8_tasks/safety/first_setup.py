"""What ./doitw tells of the environment that it makes, by pip's log; runs before any package is installed."""

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path


def how_far(log: str, lock: str) -> str:
    """Return how far pip is: the packages and megabytes that came, and the one that it is at."""
    packages = re.findall(r"^(?:Collecting|Processing) (?:\S*/)?(\S+)", log, re.MULTILINE)
    sizes = re.findall(r"^ *Downloading .*\(([0-9.]+) (kB|MB)\)", log, re.MULTILINE)
    came = sum(float(size) * (1 if unit == "MB" else 0.001) for size, unit in sizes)
    if re.search(r"^Installing collected packages", log, re.MULTILINE):
        return f"installing {len(packages)} packages"
    if packages:
        count = len(re.findall(r"^[A-Za-z0-9][^ ]*==", lock, re.MULTILINE))
        size = f"{came:.1f} MB, " if came > _LITTLE else ""
        return f"{size}package {len(packages)} of {count}: {_plain(packages[-1])}"
    return "waiting for pip and its package index" if "\n" in log.strip() else "making an environment"


def tell(log: str, lock: str, parent: str) -> None:
    """Say how far it is until somebody ends this process, or the one that began it, by its number, is gone.

    On a terminal that is no CI's in a line that changes; elsewhere every five seconds in one that stays.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: sys.exit())
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    began, pause = time.monotonic(), _LIVE_PAUSE if live else _PAUSE
    try:
        while os.getppid() == int(parent):
            time.sleep(pause)
            _say(log, lock, time.monotonic() - began, live=live)
    finally:
        if live:
            _write("\r\x1b[K")


def _say(log: str, lock: str, seconds: float, *, live: bool) -> None:
    try:
        texts = [Path(each).read_text(encoding="utf-8", errors="replace") for each in (log, lock)]
    except OSError:
        return
    line = f"doitw: {seconds:.0f} s: {how_far(*texts)}"
    if live:
        _write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
    else:
        _write(f"{line}; log: {log}\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _plain(name: str) -> str:
    """Return the name of a file without what a terminal would obey."""
    return "".join(each for each in name if each.isprintable())


_LITTLE = 0.05
"""Megabytes that are not worth a figure."""
_PAUSE = 5.0
"""Seconds between two lines that stay."""
_LIVE_PAUSE = 1.0
