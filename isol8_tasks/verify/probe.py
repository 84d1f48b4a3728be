"""The look into an image: the command that looks, with what it looks for as data, and what it says in the end."""

import math
import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from attrs import frozen

from isol8_tasks.config.settings import LOAD_TIMEOUT
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.verify.clients import SANDBOX_FOLDER, Filter
from isol8_tasks.verify.conditions import Conditions, Start, profile, writes


@frozen(kw_only=True)
class Look:
    """What was seen in an image."""

    first: str = ""
    """The name of process 1."""
    release: str = ""
    """Alpine's."""
    apk: str = ""
    """The database of apk, as it is."""
    modes: tuple[tuple[str, int], ...] = ()
    """Path and st_mode of what is setuid, setgid or writable by everybody, and nothing else."""
    searched: bool = False
    """Files were searched for these: without that nothing found means nothing."""
    closed: tuple[str, ...] = ()
    """Folders that the user of the sandbox may not look into."""
    runtime: str = ""
    """The runtime's own answer."""
    cached: str = ""
    """What is in Deno's cache."""
    items: tuple[tuple[str, str], ...] = ()
    """For each package, in their order: the rest of the line that begins its part of the answer, and the part."""
    starts: tuple[tuple[str, str], ...] = ()
    """For each way to start code but the first: exit code, and what was printed."""
    loader: str | None = None
    """What the dynamic loader said of files; None if it was asked about none."""
    filter: tuple[str, str] | None = None
    """Of the network filter: the turns that were left and the exit code of its rules, and what was answered; below it
    what the rules said."""
    status: int | None = None
    """The exit code of the runtime; None if the look did not come to its end."""
    forwarded: bool = False
    """A signal to process 1 came through."""


def request(  # noqa: PLR0913 - all but three are named by the caller
    image: str,
    runtime: str,
    items: tuple[str, ...],
    *,
    mark: str,
    kind: Conditions,
    whole: bool,
    filtered: bool = False,
    patience: int = 1,
    load_timeout: float = LOAD_TIMEOUT,
    environment: Mapping[str, str] | None = None,
) -> RunRequest:
    """Return what to run; `whole` asks for all that no client changes as well, and `filtered` for the network filter.

    A package may take `load_timeout` seconds of CPU time, and with `patience` everything so many times as long.
    """
    # A whole number, as BusyBox wants it.
    per_package = math.ceil(load_timeout * patience)
    # A little more than each package has, so that what hangs is told by its name.
    seconds = LOOK_SECONDS * patience + (per_package + 2) * len(items)
    look = _head(runtime, kind, whole=whole, items=bool(items)) + _text("image.sh")
    by = kind.filter if filtered else None
    return RunRequest(
        image=image,
        command=(
            *("sh", "-c", *((_before(kind, by), look) if by else (look, "sh"))),
            *(mark, RUNTIMES[runtime].answers, _program(runtime, kind.starts[0]), *items),
        ),
        user="" if by else kind.user,
        environment={
            **kind.environment,
            **(environment or {}),
            _SECONDS: str(per_package),
            _CLOCK: str(per_package * SLOWEST),
        },
        tmpfs=kind.tmpfs,
        seccomp=profile(kind.denied_system_calls),
        capabilities=by.capabilities if by else (),
        seconds=seconds,
        clock=seconds * SLOWEST,
        folders=CLOSED if whole else (),
    )


def upstream_request(image: str, *, mark: str, patience: int = 1) -> RunRequest:
    """Return what to run in an upstream image, which has no user of ours: only the modes of its files count."""
    return RunRequest(
        image=image,
        command=("sh", "-c", _ALONE + _text("image.sh"), "sh", mark, "none", ""),
        user="100:101",
        entrypoint=(),
        seconds=LOOK_SECONDS * patience,
        clock=LOOK_SECONDS * patience * SLOWEST,
        folders=CLOSED,
    )


def read_look(answer: str, mark: str) -> Look:
    """Read what was printed; what is missing is left at its default."""
    sections: dict[str, str] = {}
    items: list[tuple[str, str]] = []
    starts: list[tuple[str, str]] = []
    filtered: tuple[str, str] | None = None
    end = ""
    for part in re.split(rf"^{mark} ", answer, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        name, _, rest = head.partition(" ")
        if name == "item":
            items.append((rest, text.strip()))
        elif name == "start":
            starts.append((rest, text.strip()))
        elif name == "filter":
            filtered = (rest, text.strip())
        elif name == "end":
            end = rest
        else:
            sections[name] = text.strip()
    status, _, forwarded = end.partition(" ")
    lines = sections.get("modes", "").splitlines()
    return Look(
        first=sections.get("first", ""),
        release=sections.get("release", ""),
        apk=sections.get("apk", ""),
        modes=tuple((found[2], int(found[1], 16)) for line in lines if (found := re.match(_MODE, line))),
        searched=any(line == "seen /etc" or line.endswith(" /etc") for line in lines),
        closed=tuple(line.removeprefix("closed ") for line in lines if line.startswith("closed ")),
        runtime=sections.get("runtime", ""),
        cached=sections.get("cached", ""),
        items=tuple(items),
        starts=tuple(starts),
        loader=sections.get("loader"),
        filter=filtered,
        status=int(status) if status.isdigit() else None,
        forwarded=forwarded == "yes",
    )


def _head(runtime: str, kind: Conditions, *, whole: bool, items: bool) -> str:
    """Return the part of the shell's script that is made for a kind of client."""
    first, *others = kind.starts
    known = RUNTIMES[runtime]
    files = [
        writes(
            start,
            _program(runtime, start) if start is first else known.programs[start.file.rpartition(".")[2]],
        )
        for start in kind.starts
        if start.file
    ]
    runs = [
        f'output=$({shlex.join(each.command)} 2>&1 </dev/null); section "start $?"; printf \'%s\\n\' "$output"'
        for each in others
    ]
    words = ['"$program"' if word == "{code}" else shlex.quote(word) for word in first.command]
    if not first.file:
        words += known.before_words
    load = (*first.command[:-1], "--cached-only", "--no-prompt", f"{SANDBOX_FOLDER}/item.mts")
    return "\n".join(
        (
            f"whole={'yes' if whole else ''}",
            f"load={shlex.quote(' '.join(load))}",
            *([f"loader={shlex.quote(_text('loader.sh'))}"] if whole and items else []),
            _function("prepare", files),
            _function("main", [" ".join((*words, '"$@"'))]),
            _function("others", runs),
            "",
        )
    )


def _function(name: str, lines: list[str]) -> str:
    return "\n".join((f"{name}() {{", *(lines or [":"]), "}"))


def _before(kind: Conditions, started: Filter) -> str:
    """Return what root runs before the look, which is its word 0: the filter's part, and what asks process 1."""
    # An image whose own user is another one has nobody who could change it.
    become = f'[ "$(id -u)" != 0 ] || exec su -s /bin/sh -c {_AFTER} {kind.user} sh "$@"'
    return "\n".join(
        (
            "mark=$1",
            f"filter={shlex.quote(started.command)}",
            f"rules={shlex.quote(' && '.join(started.rules))}",
            "forwarded=no\ntrap 'forwarded=yes' TERM\nkill -TERM 1 2>/dev/null",
            # The filter takes as long as the look, so that both are done side by side.
            f"{{ (\n{_text('filter.sh')}\n) >{_STARTED} 2>&1; : >{_STARTED}.done; }} &",
            # A signal on its way would end what comes next, before that can be asked what it does with one.
            "for _ in 1 2 3 4 5 6 7 8 9 10; do [ $forwarded = no ] || break; sleep 0.02; done",
            become if kind.user else "",
            f'exec sh -c {_AFTER} sh "$@"',
        )
    )


def _program(runtime: str, start: Start) -> str:
    text = _probe(runtime)
    return _AS_MODULE + text if start.file.endswith(".mjs") else text


@cache
def _probe(runtime: str) -> str:
    return RUNTIMES[runtime].probe.text()


@cache
def _text(name: str) -> str:
    return (files("isol8_tasks.verify.probes") / name).read_text(encoding="utf-8")


CLOSED: Final = ("/root",)
"""What the upstream images close to others. It is listed in any case, since a container more costs more than that."""
LOOK_SECONDS: Final = 60
"""CPU time that the look itself may take."""
SLOWEST: Final = 10
"""How many times as long something may take by the clock: a busy machine gives it a part of a processor, and what
sleeps uses none."""
_ALONE: Final = "whole=yes\nprepare() { :; }\nothers() { :; }\n"
"""The head for an image that no client runs."""
_STARTED: Final = "/tmp/filter"  # noqa: S108 - inside the container
"""What came of the filter; beside it stands an empty file once that is all."""
_AFTER: Final = f'"forwarded=$forwarded\nstarted={_STARTED}\n$0"'
_AS_MODULE: Final = (
    'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);\n'
)
_SECONDS: Final = "ISOL8_CHECK_SECONDS"
_CLOCK: Final = "ISOL8_CHECK_CLOCK"
_MODE: Final = r"([0-9a-f]{4,6}) (/.*)"
