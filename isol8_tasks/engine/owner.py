"""Processes by names that no other gets, so that what one left on an engine is told from what one still uses."""

from functools import cache
from pathlib import Path


def this_process() -> str:
    """Return the name of this process; empty where the system has none that lasts."""
    return _name("self")


def is_alive(name: str) -> bool | None:
    """Tell whether there is the process of that name; None where nobody here can know."""
    here, _, number = name.rpartition("/")
    namespace, _, pid = here.rpartition("/")
    if not name or not pid.isdigit() or not number.isdigit() or namespace != _namespace():
        return None
    return _name(pid) == name


def _name(process: str) -> str:
    try:
        pid, _, rest = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").partition(" ")
        )
    except OSError:
        return ""
    state, *fields = rest.rpartition(")")[2].split()
    # Numbers of processes come again; with the moment of its start one is the only one.
    return f"{_namespace()}/{pid}/{fields[_STARTED]}" if _namespace() and state not in "ZX" else ""


@cache
def _namespace() -> str:
    """Return what numbers of processes hold for: one start of one machine, and one container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


_STARTED = 18
"""Where proc(5) has the moment of the start, behind the state."""
