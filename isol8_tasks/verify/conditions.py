"""What an image meets in the sandboxes of released clients: their generations, as far as they differ for it.

Generations that give a container the same are one, so that each of a kind of container is run once.
"""

import base64
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from itertools import chain, groupby
from typing import Final

from attrs import evolve, field, frozen

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.verify.clients import GENERATIONS, Filter, Generation

Releases = frozenset[str]

RELEASES: Final = tuple(chain.from_iterable(generation.releases for generation in GENERATIONS))
"""All, oldest first."""


@frozen(kw_only=True)
class Start:
    """A way in which code is started."""

    releases: Releases
    command: tuple[str, ...]
    """With `{code}` for the code, or the name of the file that it is in."""
    file: str = ""
    """Where the code is; empty for code that is a word of the command."""
    write: tuple[str, ...] = ()
    """What writes the file."""


@frozen(kw_only=True)
class Conditions:
    """A container of one kind, with all that is run in it."""

    releases: Releases
    user: str
    """Empty for the image's own."""
    environment: Mapping[str, str] = field(hash=False)
    tmpfs: Mapping[str, str] = field(hash=False)
    denied_system_calls: frozenset[str]
    starts: tuple[Start, ...]
    """What runs the probe first."""
    filter: Filter | None = None
    """As the newest of these clients start it; None if it does not start in images of this runtime."""
    filter_releases: Releases = frozenset()


def conditions(runtime: str, oldest: str = "") -> tuple[Conditions, ...]:
    """Return what images of a runtime meet in clients from a release on, newest clients first."""
    kinds: dict[object, list[Generation]] = {}
    generations = _since(oldest)
    for generation in generations:
        kind = (
            generation.user,
            tuple(generation.environment.items()),
            tuple(generation.tmpfs.items()),
            generation.denied_system_calls,
        )
        kinds.setdefault(kind, []).append(generation)
    found = [_conditions(runtime, alike, generations) for alike in reversed(kinds.values())]
    # What two kinds start alike is started in the newer one.
    return tuple(
        evolve(kind, filter=None) if kind.filter in [each.filter for each in found[:place]] else kind
        for place, kind in enumerate(found)
    )


def released(releases: Iterable[str]) -> str:
    """Return releases in words, as `v0.7.0 and later`."""
    wanted = set(releases)
    places = [place for place, release in enumerate(RELEASES) if release in wanted]
    runs = [
        [place for _, place in run] for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(_span(run[0], run[-1]) for run in runs)


def next_after(releases: Iterable[str]) -> str:
    """Return the release that follows the last of these, without its letter; none where they are the newest."""
    later = RELEASES[max(map(RELEASES.index, releases)) + 1 :]
    return later[0].removeprefix("v") if later else ""


def profile(denied: Iterable[str]) -> str:
    """Return a seccomp profile that forbids these system calls and no others; none if nothing is forbidden."""
    names = sorted(denied)
    if not names:
        return ""
    described = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO"}],
    }
    return json.dumps(described)


def writes(start: Start, text: str) -> str:
    """Return the line of a shell that writes a program as clients write their users' code."""
    values = {"base64": base64.b64encode(text.encode()).decode(), "file": start.file}
    return shlex.join(word.format_map(values) for word in start.write)


def _since(oldest: str) -> tuple[Generation, ...]:
    """Return the generations with these releases and later ones alone; the newest is always among them."""
    if oldest in {"", *_UNNUMBERED}:
        return GENERATIONS
    found = []
    for generation in GENERATIONS:
        later = tuple(each for each in generation.releases if _number(each) >= _number(oldest))
        if later:
            found.append(evolve(generation, releases=later))
    return tuple(found) or GENERATIONS[-1:]


def _conditions(runtime: str, alike: list[Generation], all_kinds: Iterable[Generation]) -> Conditions:
    newest = alike[-1]
    starts: dict[tuple[str, tuple[str, ...]], Start] = {}
    # Code that needs no file first, since that is what probes are made for.
    for inline in (True, False):
        for generation in alike:
            start = _start(runtime, generation, inline=inline)
            if start is None:
                continue
            key = (start.file, start.command)
            before = starts[key].releases if key in starts else frozenset()
            starts[key] = evolve(start, releases=before | start.releases)
    # A program of Node's alone would not start in other images, and no client can help that.
    program = newest.filter.command.partition(" ")[0]
    starts_here = program not in RUNTIMES or program in {runtime, "bash"}
    return Conditions(
        releases=_releases(alike),
        user=newest.user,
        environment=newest.environment,
        tmpfs=newest.tmpfs,
        denied_system_calls=newest.denied_system_calls,
        starts=tuple(starts.values()),
        filter=newest.filter if starts_here else None,
        filter_releases=_releases(each for each in all_kinds if each.filter.command == newest.filter.command),
    )


def _start(runtime: str, generation: Generation, *, inline: bool) -> Start | None:
    releases = frozenset(generation.releases)
    known = RUNTIMES[runtime]
    if inline:
        is_used = generation.inline and known.inline
        return Start(releases=releases, command=known.inline) if is_used else None
    file = generation.files.get(runtime, known.file)
    command = tuple(word.format(file=file) for word in known.command)
    # Later ones hand the same over on the standard input of a program of their own.
    return Start(releases=releases, command=command, file=file, write=GENERATIONS[0].write)


def _releases(generations: Iterable[Generation]) -> Releases:
    return frozenset(chain.from_iterable(generation.releases for generation in generations))


def _span(first: int, last: int) -> str:
    if first == last:
        return RELEASES[first]
    if last == len(RELEASES) - 1:
        return f"{RELEASES[first]} and later"
    if last == first + 1:
        return f"{RELEASES[first]} and {RELEASES[last]}"
    return f"{RELEASES[last]} and before" if first == 0 else f"{RELEASES[first]} to {RELEASES[last]}"


def _number(release: str) -> tuple[int, ...]:
    return (
        tuple(map(int, re.findall(r"[0-9]+", release.partition("-")[0])))
        if release not in _UNNUMBERED
        else ()
    )


_UNNUMBERED: Final = frozenset(GENERATIONS[0].releases)
"""They come before any number."""
