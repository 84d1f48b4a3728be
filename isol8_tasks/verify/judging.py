"""Decides by what was seen in an image what it does not hold, and what is in it."""

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from isol8_tasks.engine.containers import Finished
from isol8_tasks.inventory import (
    Package,
    apk_packages,
    deno_packages,
    node_packages,
    python_packages,
    runtime_package,
    sorted_once,
)
from isol8_tasks.runtimes import RUNTIMES
from isol8_tasks.verify.findings import (
    FileFinding,
    Finding,
    LookBroken,
    LookHung,
    OtherFirstProcess,
    PrivilegedFile,
    RuntimeBroken,
    SignalsLost,
    WritableByAll,
)
from isol8_tasks.verify.probe import Look
from isol8_tasks.verify.wanted import ECOSYSTEMS, ITEMS_IN_ANSWER


def judge(
    runtime: str, packages: tuple[str, ...], look: Look, finished: Finished, seconds: float
) -> Iterator[Finding]:
    """Tell what is wrong with the runtime and with the packages that were asked for."""
    printed = finished.stderr.decode("utf-8", "replace")
    if finished.exit is None:
        yield LookHung(seconds=seconds, output=printed)
        return
    if look.status is None:
        yield LookBroken(exit=finished.exit, output=printed)
        return
    if look.first != "tini":
        yield OtherFirstProcess(name=look.first)
    if not look.forwarded:
        yield SignalsLost()
    answer = _answer(runtime, look)
    if answer is None:
        yield RuntimeBroken(runtime=runtime, output=printed)
        return
    items = answer["items"] if runtime in ITEMS_IN_ANSWER else look.items
    if len(items) != len(packages):
        yield LookBroken(exit=look.status, output=printed)
        return
    yield from ECOSYSTEMS[RUNTIMES[runtime].ecosystem].judge(packages, look, answer)


def inventory(runtime: str, look: Look) -> tuple[Package, ...]:
    """Return what is in the image: Alpine's packages, and those of the runtime."""
    answer = _answer(runtime, look) or {}
    found = [*apk_packages(look.apk)]
    if runtime == "python":
        found += python_packages((name, version) for name, version, _ in answer.get("packages", ()))
    elif runtime in {"node", "bun"}:
        found += node_packages((name, version) for name, version in answer.get("packages", ()))
    elif runtime == "deno":
        found += deno_packages(look.cached)
    # Alpine's package manager did not bring these two, and knows nothing of them.
    if runtime in {"bun", "deno"} and "version" in answer:
        found.append(runtime_package(runtime, str(answer["version"])))
    return sorted_once(found)


def is_loose(mode: int) -> bool:
    """Tell whether a file gives its owner's rights to whoever runs it, or may be written to by everybody."""
    if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
        return True
    apart = stat.S_ISLNK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    shared = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    return bool(mode & stat.S_IWOTH) and not apart and not shared


def loose_files(found: Iterable[tuple[str, int]], known: Iterable[tuple[str, int]]) -> Iterator[FileFinding]:
    """Tell which of the files are loose, apart from those that are so in the upstream image."""
    for path, mode in sorted(set(found) - set(known)):
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            yield PrivilegedFile(path=path, mode=stat.S_IMODE(mode))
        elif is_loose(mode):
            yield WritableByAll(path=path, mode=stat.S_IMODE(mode))


def _answer(runtime: str, look: Look) -> Mapping[str, Any] | None:
    """Return what the runtime said of itself; None if it ran no code, as it should have."""
    if runtime == "bash":
        return {} if look.runtime.startswith(f"{_ANSWER} ") else None
    try:
        # What Deno itself prints comes first.
        answer = json.loads(look.runtime.splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return answer if isinstance(answer, dict) and answer.get("answer") == _ANSWER else None


_ANSWER: Final = 42
