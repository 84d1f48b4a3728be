"""Decides from what the probe saw in an image what is wrong with it, and what is in it."""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.findings import PackageNote, Seen
from isol8_tasks.ecosystems.inventory import (
    Package,
    apk_packages,
    runtime_package,
    sorted_once,
)
from isol8_tasks.ecosystems.loading import read_asked
from isol8_tasks.ecosystems.runtimes import RUNTIMES, verification
from isol8_tasks.engine.containers import Finished
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.verify.clients import Filter
from isol8_tasks.verify.conditions import Conditions, Releases
from isol8_tasks.verify.findings import (
    EVERY,
    AnyFinding,
    FileFinding,
    FilterBroken,
    LookBroken,
    LookHung,
    OtherFirstProcess,
    PrivilegedFile,
    RuntimeBroken,
    SignalsLost,
    WritableByAll,
)
from isol8_tasks.verify.probe import Look


def judge_look(  # noqa: PLR0913 - all that was asked and answered
    runtime: str,
    packages: tuple[str, ...],
    look: Look,
    finished: Finished,
    *,
    seconds: float,
    kind: Conditions,
    whole: bool,
    filtered: bool = False,
) -> Iterator[tuple[AnyFinding | PackageNote, Releases]]:
    """Tell what is wrong with the runtime and with the packages that were asked for, and in which releases."""
    printed = finished.stderr.decode("utf-8", "replace")
    if finished.exit is None:
        yield LookHung(seconds=seconds, output=printed), kind.releases
        return
    if look.status is None:
        yield LookBroken(exit=finished.exit, output=printed), kind.releases
        return
    is_partial = look.loader is not None and read_asked(look.loader) is None
    if is_partial or (whole and not look.searched) or (filtered and kind.filter and not look.filter):
        # A part of the look that said nothing found nothing, and that is no good sign.
        yield LookBroken(exit=look.status, output=printed), kind.releases
        return
    if whole and look.first != "tini":
        yield OtherFirstProcess(name=look.first), kind.releases
    if whole and not look.forwarded:
        yield SignalsLost(), kind.releases
    if kind.filter and look.filter:
        yield from ((each, kind.filter_releases) for each in _filter(kind.filter, *look.filter))
    answer = _answer(runtime, look)
    yield from _starts(runtime, look, kind, printed)
    if answer is None:
        return
    seen = _seen(runtime, look, answer)
    if len(seen.items) != len(packages):
        yield LookBroken(exit=look.status, output=printed), kind.releases
        return
    yield from ((each, kind.releases) for each in verification(runtime).judge(packages, seen))
    if whole:
        yield from ((each, EVERY) for each in verification(runtime).judge_once(packages, seen))


def _starts(
    runtime: str, look: Look, kind: Conditions, printed: str
) -> Iterator[tuple[RuntimeBroken, Releases]]:
    """Tell which ways to start code don't, each with the releases that go that way."""
    if _answer(runtime, look) is None:
        yield RuntimeBroken(runtime=runtime, output=printed), kind.starts[0].releases
    for place, start in enumerate(kind.starts[1:]):
        status, text = look.starts[place] if place < len(look.starts) else ("", "")
        if status != "0" or not re.search(rf"^{_ANSWER}$", text, re.MULTILINE):
            yield RuntimeBroken(runtime=runtime, output=text), start.releases


def _filter(started: Filter, states: str, text: str) -> Iterator[FilterBroken]:
    """Tell what the network filter does not do. A kernel that lacks what its rules need is no fault of the image."""
    left, _, status = states.partition(" ")
    answer, _, said = text.partition("\n")
    if left == "0":
        yield FilterBroken(command=started.command, fault="does not listen", output=said)
    elif not re.match(r"HTTP/1\.[01] 403\b", answer):
        yield FilterBroken(
            command=started.command, fault="does not refuse a private address with 403", output=answer
        )
    if left != "0" and (status in _UNUSABLE or not status.isdigit()):
        yield FilterBroken(command=started.rules[0].partition(" ")[0], fault="does not run", output=said)


def inventory(runtime: str, look: Look) -> tuple[Package, ...]:
    """Return what is in the image: Alpine's packages, and those of the runtime."""
    answer = _answer(runtime, look) or {}
    found = [*apk_packages(look.apk), *verification(runtime).installed(_seen(runtime, look, answer))]
    if RUNTIMES[runtime].unpackaged and "version" in answer:
        found.append(runtime_package(runtime, str(answer["version"]), str(answer.get("checksum", ""))))
    return sorted_once(found)


def _seen(runtime: str, look: Look, answer: Mapping[str, Any]) -> Seen:
    items = answer.get("items", ()) if RUNTIMES[runtime].answers == "json" else look.items
    asked = read_asked(look.loader or "") or ()
    return Seen(items=items, answer=answer, apk=look.apk, cached=look.cached, asked=asked)


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
    if RUNTIMES[runtime].answers == "sections":
        return {} if look.runtime.startswith(f"{_ANSWER} ") else None
    try:
        # What Deno itself prints comes first.
        answer = loads(look.runtime.splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return answer if isinstance(answer, dict) and answer.get("answer") == _ANSWER else None


_ANSWER: Final = 42
_UNUSABLE: Final = {"2", "126", "127"}
"""How a shell ends where there is no such program, and iptables where it lacks a part of its own."""
