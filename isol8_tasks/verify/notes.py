"""Notes on packages that pass: told apart from what is wrong, and put into words."""

import json
import re
from collections.abc import Iterable
from typing import assert_never

from isol8_tasks.ecosystems.findings import (
    CommandShared,
    ModuleOverwritten,
    PackageDeclines,
    PackageNeeds,
    PackageNote,
    PartUnusable,
)
from isol8_tasks.engine.builders.progress import clean
from isol8_tasks.verify.conditions import Releases
from isol8_tasks.verify.findings import AnyFinding

Found = Iterable[tuple[AnyFinding | PackageNote, Releases]]


def apart(found: Found) -> tuple[tuple[tuple[AnyFinding, Releases], ...], tuple[PackageNote, ...]]:
    """Return findings and notes apart, each note once, whatever was printed with it."""
    findings: list[tuple[AnyFinding, Releases]] = []
    notes: dict[tuple[object, ...], PackageNote] = {}
    for each, releases in found:
        if isinstance(each, PackageDeclines | PartUnusable):
            notes.setdefault((each.package, each.use), each)
        elif isinstance(each, CommandShared | ModuleOverwritten | PackageNeeds):
            notes.setdefault((each,), each)
        else:
            findings.append((each, releases))
    return tuple(findings), tuple(notes.values())


def render_note(note: PackageNote) -> str:
    """Return a note in words, on one line."""
    match note:
        case PackageDeclines(package=package, use=use, output=said):
            words = f"{package} loads only inside another program, it seems: `{use}` fails with {_cut(said)}"
            words += _skip(package)
        case PartUnusable(package=package, use=use, output=said):
            # Python tells the cause in its last line, the loader in its first.
            lines = said.strip().splitlines() or [""]
            what, cause = (use, lines[0]) if use.startswith("its ") else (f"`{use}`", lines[-1])
            words = f"{package} can be used, but {what} can't ({_cut(cause)}){_skip(package)}"
        case CommandShared(command=command, packages=packages, used=used):
            owner = f"it runs that of {used}" if used else "it runs that of the package installed last"
            words = f"{' and '.join(packages)} both provide the command {command}; {owner}"
        case ModuleOverwritten(path=path, packages=packages, used=used):
            whose = (
                f"the file in the image is that of {used}"
                if used
                else "the file in the image is that of neither"
            )
            words = f"{' and '.join(filter(None, (*packages, used)))} both install {path}; {whose}"
        case PackageNeeds(package=package, need=need):
            words = f"{package} {need}"
        case _:
            assert_never(note)
    return clean(words)


def _skip(package: str) -> str:
    name = re.match(r"(?:npm:|jsr:)?@?[^@<>=~!\s\[;]+", package)
    return f"; skip = [{json.dumps(name[0] if name else package)}] under [verify] silences this"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN = 120
