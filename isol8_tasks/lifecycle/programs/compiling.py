"""Runs pip, and compiles what it installed as pip would: on all processors, and not again what is kept.

Its words: a folder, or nothing in its place, and a command of pip that compiles nothing. What is in it is used only for
a source with the very hash that Python compares before it runs what was compiled of it.
"""

import compileall
import contextlib
import csv
import importlib.util
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

CHECKED = importlib.util.MAGIC_NUMBER + (3).to_bytes(4, "little")
"""The beginning of what is compiled for the hash of a source, which Python is to compare."""
PART = 64
"""How many modules a process compiles."""
SUM = 8
"""Bytes behind what is kept, by which one that was cut off shows."""


def main(folder: str, *command: str) -> int:
    """Return the exit code of pip, or 1 where something could not be written."""
    before = records()
    code = os.spawnvp(os.P_WAIT, command[0], command)  # noqa: S606 - the program of the step
    if code:
        return code if code > 0 else 128 - code
    sources = {each: listed(each) for each, changed in records().items() if before.get(each) != changed}
    every = sorted({source for found in sources.values() for source in found})
    if not side_by_side(every, lambda source: compile_one(source, folder)):
        sys.stderr.write("ERROR: what pip installed could not be compiled\n")
        return 1
    for record, found in sources.items():
        add(record, [target for each in found if (target := compiled(each)).exists()])
    return 0


def records() -> dict[Path, int]:
    """Return pip's lists of installed files, each with when it was changed last."""
    found = (each for folder in sys.path if folder for each in Path(folder).glob("*.dist-info/RECORD"))
    return {each: each.stat().st_ctime_ns for each in found}


def listed(record: Path) -> list[Path]:
    """Return the sources in a list."""
    found = (record.parent.parent / path for path, *_ in rows(record) if path.endswith(".py"))
    return [each for each in found if each.is_file()]


def rows(record: Path) -> list[list[str]]:
    """Read a list."""
    with record.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row]


def add(record: Path, targets: Iterable[Path]) -> None:
    """Add what was compiled to a list, as pip does."""
    more = [[os.path.relpath(target, record.parent.parent), "", ""] for target in targets]
    found = sorted([*rows(record), *more])
    with record.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(found)


def compiled(source: Path) -> Path:
    """Return where Python looks for what is compiled of a source."""
    return Path(importlib.util.cache_from_source(str(source)))


def side_by_side(sources: Sequence[Path], work: Callable[[Path], None]) -> bool:
    """Work on all processors.

    What is compiled has traces of what its process compiled before, so the parts do not depend on the machine.
    """
    free = len(os.sched_getaffinity(0))
    states = []
    for at in range(0, len(sources), PART):
        if not free:
            states.append(os.wait()[1])
            free += 1
        free -= 1
        if not os.fork():
            code = 1
            try:
                for source in sources[at : at + PART]:
                    work(source)
                code = 0
            except Exception:  # noqa: BLE001 - whatever it is, the build ends by it
                traceback.print_exc()
            finally:
                os._exit(code)
    with contextlib.suppress(ChildProcessError):
        while True:
            states.append(os.wait()[1])
    return not any(states)


def compile_one(source: Path, folder: str) -> None:
    """Compile a source, or take what is kept of it; one with a fault is passed over, as pip does."""
    target = compiled(source)
    kept = Path(f"{folder}{target}")
    wanted = CHECKED + importlib.util.source_hash(source.read_bytes())
    if folder and (data := read(kept, wanted)):
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        mode = source.stat().st_mode & 0o666 | 0o200
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        return
    compileall.compile_file(source, force=True, quiet=2)
    if folder and target.exists() and (data := target.read_bytes()).startswith(wanted):
        # Where there is no room for it, the next build compiles.
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data + importlib.util.source_hash(data))


def read(kept: Path, wanted: bytes) -> bytes:
    """Return what is kept of a source; empty where that is of another, or not whole."""
    try:
        found = kept.read_bytes()
    except OSError:
        return b""
    data, end = found[:-SUM], found[-SUM:]
    return data if data.startswith(wanted) and importlib.util.source_hash(data) == end else b""


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    sys.exit(main(*sys.argv[1:]))
