"""Runs the programs that ask package sources, each in the image that the packages are installed on."""

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from attrs import Factory, frozen

from isol8_tasks.config.secret_list import Secret, secrets_for
from isol8_tasks.ecosystems.inventory import Package, apk_packages
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES, ecosystem_of, is_location_of_packages
from isol8_tasks.ecosystems.specs import parse_spec, shell_word
from isol8_tasks.engine.containers import Finished, NoSuchImageError, RunRequest, SandboxEngine
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.freshness.answers import (
    Answer,
    ApkAnswer,
    Lacking,
    read_answer,
    read_apk_answer,
    read_lacking,
)
from isol8_tasks.plan.secret_steps import secret_setup

_SECONDS: Final = 180
_WHEELS_SECONDS: Final = 25
"""Longer nobody waits before a build that can tell the same."""
_LIBRARIES_SECONDS: Final = 20


@frozen(kw_only=True)
class AskedIn:
    """Where package tools are asked, and what they are given."""

    image: str
    ecosystem: str
    """Whose tools they are; secrets that these know are given to them."""
    arguments: Mapping[str, str] = Factory(dict)
    secrets: Mapping[str, Secret] = Factory(dict)


@frozen(kw_only=True)
class Question:
    """What is asked of a package source."""

    runtime: str
    image: str
    """The image to ask in, which is the one that the packages are installed on."""
    specs: tuple[str, ...]
    alpine: tuple[str, ...] = ()
    """Alpine packages that are there when these are installed, and the image does not have."""
    arguments: Mapping[str, str] = Factory(dict)
    """The build arguments, of which those that say where to fetch from count."""
    secrets: Mapping[str, Secret] = Factory(dict)
    """Those that the tools of the ecosystem know are given to them."""
    installed: tuple[Package, ...] = ()
    """What is there, and was accepted already."""
    own: tuple[Package, ...] = ()
    """Those of them that the image on which they are installed does not have."""
    cutoff: dt.datetime | None = None
    """What was published later is too new; None for nothing."""
    cutoffs: Mapping[str, dt.datetime | None] = Factory(dict)
    """The same for single packages, by their canonical names."""
    only: bool = False
    """Let in what is there, and nothing else."""


def ask(question: Question, engine: SandboxEngine) -> Answer:
    """Return what the ecosystem's own tool resolves the packages to, now and without what is too new.

    Raises:
        SourceUnavailableError: a source did not answer, or the program that asks could not be run.

    """
    ecosystem = ecosystem_of(question.runtime)
    if not ecosystem.is_dated:
        raise SourceUnavailableError(
            f"{question.image}: this project can't look up newer versions of {ecosystem.name} packages"
        )
    asked = _index(question) if ecosystem.source == "index" else _registry(question)
    return read_answer(_run(asked, _place(question), engine), question.image)


def ask_wheels(question: Question, engine: SandboxEngine, *, compiler: bool) -> tuple[Lacking, ...]:
    """Return the Python packages that can't be installed in an image; raises SourceUnavailableError as `ask` does.

    It takes seconds; with a `compiler`, what has to be compiled is taken for what can be.
    """
    described = {"specs": question.specs, "compiler": compiler, "seconds": _WHEELS_SECONDS}
    command = _python("wheels", json.dumps(described), question.alpine)
    seconds = _WHEELS_SECONDS * (4 + bool(question.alpine))
    finished = _run(command, _place(question), engine, seconds=seconds)
    return read_lacking(finished, question.image)


def ask_libraries(names: Sequence[str], place: AskedIn, engine: SandboxEngine) -> Mapping[str, str]:
    """Return the Alpine packages that bring shared libraries, as far as the repositories of an image have any.

    The names are patterns of apk's, for each library several behind one another, the likeliest first.
    """
    command = ("sh", "-c", _text("libraries.sh"), "sh", *names)
    finished = _run(command, place, engine, seconds=_LIBRARIES_SECONDS)
    found: dict[str, str] = {}
    for line in finished.stdout.decode("utf-8", "replace").splitlines():
        name, _, package = line.partition(" ")
        found.setdefault(name, package)
    return found


def ask_lacking(names: Sequence[str], place: AskedIn, engine: SandboxEngine) -> tuple[str, ...]:
    """Return which of npm's packages no registry of an image has, as far as its registries tell."""
    command = _program("node", "lacking.mjs", *names)
    finished = _run(command, place, engine, seconds=_LIBRARIES_SECONDS)
    printed = finished.stdout.decode("utf-8", "replace").splitlines()
    return tuple(name for name in names if name in printed)


def ask_release(name: str, place: AskedIn, engine: SandboxEngine) -> Answer:
    """Return the newest release of a runtime that npm's registry has under its own name, asked in its image."""
    command = _program(name, "registry.mjs", json.dumps({"tool": "release", "specs": [name]}))
    return read_answer(_run(command, place, engine), place.image)


def ask_apk(place: AskedIn, engine: SandboxEngine, names: Iterable[str] = ()) -> ApkAnswer:
    """Return what apk would upgrade in an image, or do to have packages of these names as new as they are.

    Raises SourceUnavailableError as `ask` does.
    """
    mark = secrets.token_hex(8)
    command = ("sh", "-c", _text("apk.sh"), "sh", mark, *names)
    return read_apk_answer(_run(command, place, engine), mark, place.image)


def upstream_packages(references: Iterable[str], engine: SandboxEngine) -> frozenset[Package]:
    """Return apk's packages of the upstream images that are on the engine."""
    found: set[Package] = set()
    for reference in references:
        command = ("sh", "-c", "cat /lib/apk/db/installed /usr/lib/apk/db/installed 2>/dev/null")
        request = RunRequest(image=reference, command=command, user="0:0", entrypoint=(), seconds=_SECONDS)
        try:
            finished = engine.run(request)
        except NoSuchImageError:
            continue
        if finished.exit is None:
            raise SourceUnavailableError(f"{reference}: its packages could not be listed within {_SECONDS} s")
        found.update(apk_packages(finished.stdout.decode("utf-8", "replace")))
    return frozenset(found)


def _index(question: Question) -> tuple[str, ...]:
    own = ecosystem_of(question.runtime).name
    described = {
        "specs": question.specs,
        "installed": _versions(question.installed, own),
        "looked": sorted({package.name for package in question.own if package.ecosystem == own})
        if not question.only
        else (),
        "cutoff": question.cutoff.timestamp() if question.cutoff else None,
        "cutoffs": {name: each.timestamp() if each else None for name, each in question.cutoffs.items()},
        "only": question.only,
    }
    return _python("index", json.dumps(described), question.alpine)


def _python(program: str, described: str, alpine: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs a program of programs/ with the Python of an image."""
    modules = ("ecosystems/compilers", *(f"freshness/programs/{name}" for name in _MODULES))
    # In folders of their names, so that they import one another there as here.
    script = _added(alpine) + (
        'cd "$(mktemp -d)"; mkdir -p isol8_tasks/freshness/programs isol8_tasks/ecosystems; '
        f'for name in {" ".join(modules)}; do printf %s "$1" >isol8_tasks/$name.py; shift; done; '
        f'exec python3 -m isol8_tasks.freshness.programs.{program} "$@"'
    )
    texts = (_module(name) for name in modules)
    return ("sh", "-ec", script, "sh", *texts, *_words(described))


def _added(alpine: tuple[str, ...]) -> str:
    """Return the shell command that adds Alpine packages before something is asked."""
    return f"apk add --no-cache --quiet {' '.join(map(shell_word, alpine))} >&2; " if alpine else ""


def _registry(question: Question) -> tuple[str, ...]:
    runtime = RUNTIMES[question.runtime]
    kinds = {kind for each in ECOSYSTEMS.values() if each.source == "registry" for kind in each.inventory}
    described = {
        "tool": runtime.tool,
        "specs": [_dependency(runtime.ecosystem, spec) for spec in question.specs]
        if runtime.tool == "npm"
        else question.specs,
        "installed": {kind: _versions(question.installed, kind) for kind in sorted(kinds)},
        "cutoff": _milliseconds(question.cutoff),
        "cutoffs": {name: _milliseconds(each) for name, each in question.cutoffs.items()},
        "only": question.only,
    }
    return _program(runtime.name, "registry.mjs", *_words(json.dumps(described)))


def _dependency(ecosystem: str, spec: str) -> tuple[str, str]:
    """Write a spec as package.json has it; without a version npm takes what is tagged as the latest."""
    parsed = parse_spec(ecosystem, spec)
    return parsed.name, parsed.constraint.removeprefix("@") or "latest"


def _program(runtime: str, program: str, *words: str) -> tuple[str, ...]:
    """Return the command that runs a program of programs/ with the runtime of an image."""
    # From files, since each of the three has other ideas of a program on its command line.
    script = (
        f'folder=$(mktemp -d); printf %s "$0" >"$folder/versions.mjs"; printf %s "$1" >"$folder/{program}"; '
        f'shift; exec {RUNTIMES[runtime].asks} "$folder/{program}" "$@"'
    )
    return ("sh", "-ec", script, _text("versions.mjs"), _text(program), *words)


def _place(question: Question) -> AskedIn:
    return AskedIn(
        image=question.image,
        ecosystem=ecosystem_of(question.runtime).name,
        arguments=question.arguments,
        secrets=question.secrets,
    )


def _run(
    command: tuple[str, ...], place: AskedIn, engine: SandboxEngine, *, seconds: float = _SECONDS
) -> Finished:
    environment = {
        name: value for name, value in place.arguments.items() if is_location_of_packages(name) and value
    }
    known = secrets_for(place.ecosystem, place.secrets)
    if known:
        command = ("sh", "-ec", f'{secret_setup(known, _NPMRC)}exec "$@"', "sh", *command)
    return engine.run(
        RunRequest(
            image=place.image,
            command=command,
            secrets=tuple(each.name for each in known),
            user="root",
            entrypoint=None,
            environment={**_NODE, **environment},
            seconds=seconds,
            online=True,
        )
    )


def _versions(packages: Iterable[Package], ecosystem: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for package in packages:
        if package.ecosystem == ecosystem:
            found.setdefault(package.name, []).append(package.version)
    return found


def _milliseconds(moment: dt.datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None


def _words(text: str) -> tuple[str, ...]:
    """Cut a text into words, none longer than Linux takes (MAX_ARG_STRLEN)."""
    return tuple(text[at : at + _LONGEST_WORD] for at in range(0, len(text), _LONGEST_WORD))


@cache
def _module(name: str) -> str:
    return (files("isol8_tasks") / f"{name}.py").read_text(encoding="utf-8")


@cache
def _text(name: str) -> str:
    return (files("isol8_tasks.freshness.programs") / name).read_text(encoding="utf-8")


_NPMRC: Final = "ISOL8_NPMRC"
"""registry.mjs reads it, so that what tools ask goes by the registry on their own machine."""
_MODULES: Final = ("pages", "standins", "index", "archives", "wheels")
_LONGEST_WORD: Final = 30_000
"""In characters, each of at most four bytes."""
# Node's own fetch takes neither proxies nor Alpine's certificates unless it is told to.
_NODE: Final = {"NODE_USE_ENV_PROXY": "1", "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"}
