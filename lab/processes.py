"""Daemons that outlive the process that starts them, and how they are found and ended.

They are known by what the kernel says of them: our name in their environment, or the control group that the
engine puts containers in. So a reused process id is never taken for one, and none is forgotten in a crash.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from isol8_tasks.errors import COMMAND, LabError

MARK = "ISOL8_LAB"
"""The environment variable that every daemon of an engine, and what it starts, carries."""

_GROUPS = Path("/sys/fs/cgroup")
_POLL = 0.05
_POLITE_SECONDS = 4
_KILL_SECONDS = 20
# How often nothing must be found: a process has no environment to be read while it becomes another program.
_LOOKS = 2


@contextmanager
def marked(name: str) -> Iterator[None]:
    """Mark what is started meanwhile as the engine's, so that it's ended even if we are killed."""
    before = os.environ.get(MARK)
    os.environ[MARK] = name
    try:
        yield
    finally:
        del os.environ[MARK]
        if before is not None:
            os.environ[MARK] = before


def launch(command: list[str], *, name: str, log: Path, env: Mapping[str, str]) -> int:
    """Start a daemon in a session of its own, holding nothing of ours open, and return its process id."""
    # The shell ends at once, so the daemon becomes init's child, and none of ours to wait for.
    script = 'log=$1; shift; setsid "$@" </dev/null >"$log" 2>&1 & echo $!'
    started = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(log), *command],
        cwd="/",
        env={**env, MARK: name},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return int(started.stdout)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def of_engine(name: str) -> dict[int, str]:
    """Return the processes of the engine with this name, containers included, and their programs."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end while we look
            carries = f"{MARK}={name}".encode() in (folder / "environ").read_bytes().split(b"\0")
            if (carries or _grouped(folder, name)) and alive(int(folder.name)):
                found[int(folder.name)] = (
                    (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                )
    return found


def _grouped(folder: Path, name: str) -> bool:
    groups = (folder / "cgroup").read_text(encoding="utf-8").splitlines()
    return any(name in group.split(":", 2)[2].split("/") for group in groups)


def end(name: str, programs: tuple[str, ...]) -> None:
    """End the engine with this name: its daemons politely, one after the other, then whatever is left."""
    ended: set[int] = set()
    for program in programs:
        asked = {pid for pid, command in of_engine(name).items() if command == program}
        _send(asked, signal.SIGTERM)
        wait_until(partial(_none_alive, asked), seconds=_POLITE_SECONDS)
        ended |= asked
    deadline = time.monotonic() + _KILL_SECONDS
    empty = 0
    while empty < _LOOKS:
        left = of_engine(name)
        empty = 0 if left else empty + 1
        if left and time.monotonic() > deadline:
            raise LabError(
                f"process {min(left)} ({left[min(left)]}) of the private engine does not end when killed: "
                f"see what it waits for, then run {COMMAND} down again."
            )
        _send(left, signal.SIGKILL)
        ended |= set(left)
        time.sleep(_POLL)
    # Their new parent, init, takes a moment to clear them away.
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ended), seconds=_POLITE_SECONDS)


def _none_alive(pids: Iterable[int]) -> bool:
    return not any(map(alive, pids))


def _send(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def forget_groups(name: str) -> None:
    """Remove the empty control groups that the engine's containers ran in."""
    for top in (*_GROUPS.glob(name), *_GROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):  # the kernel drops a group a moment after its last process
                Path(folder).rmdir()


def wait_until(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until something holds, and say whether it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
