"""Reads what the programs that ask package sources print."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from attrs import Factory, frozen

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import Pin
from isol8_tasks.engine.containers import Finished
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact


@frozen(kw_only=True)
class Solution:
    """What a tool came to."""

    pins: tuple[Pin, ...]
    """Sorted; all that it would install, what is there already included where the tool lists it."""
    published: Mapping[Package, dt.datetime] = Factory(dict)
    gone: tuple[Package, ...] = ()
    """What would not be there any more, unless it is among the pins."""
    lockfile: str = ""


@frozen(kw_only=True)
class Answer:
    """What a package source had to say, of one image."""

    settled: bool = False
    """Nothing can come out differently; nothing else was asked then."""
    found: Solution | None = None
    """Without what is too new; None where the tool finds none."""
    newest: Solution | None = None
    """With it; None where nothing was too new, and where the tool finds none."""
    untold: frozenset[Package] = frozenset()
    """What counts as too new since nobody tells when it was published."""
    failure: str = ""
    """What the tool printed where it found nothing."""


@frozen(kw_only=True)
class ApkChange:
    """A step that apk would take."""

    name: str
    old: str
    """Empty for a package that comes."""
    new: str
    """Empty for one that goes."""
    built: dt.datetime | None = None


@frozen(kw_only=True)
class ApkAnswer:
    """What apk would do in an image."""

    changes: tuple[ApkChange, ...]


@frozen(kw_only=True)
class Lacking:
    """A Python package of which nothing can be installed on Alpine."""

    name: str
    version: str
    why: Literal["source", "undecided", "glibc", "python", "other"]
    """It has to be compiled, or may have to; or it has no source, and wheels for another C library, Python or system
    alone."""
    asker: str
    """The package that was asked for and needs it, maybe itself."""
    alpine: str
    """The package of Alpine's that brings it; empty where there is none."""
    older: str = ""
    """The newest version with a wheel; empty where there is none."""


def read_lacking(finished: Finished, image: str) -> tuple[Lacking, ...]:
    """Read the answer of programs/wheels.py."""
    answer = _json(finished, image)
    if problem := answer.get("problem"):
        raise SourceUnavailableError(redact(str(problem)))
    return tuple(
        Lacking(name=name, version=version, why=why, asker=asker, alpine=alpine, older=older)
        for name, version, why, asker, alpine, older in answer["lacking"]
    )


def read_answer(finished: Finished, image: str) -> Answer:
    """Read the answer of sources/registry.mjs or sources/index.py."""
    answer = _json(finished, image)
    if problem := answer.get("problem"):
        raise SourceUnavailableError(redact(str(problem)))
    if answer.get("settled"):
        return Answer(settled=True)
    found, newest = answer["found"], answer["newest"]
    return Answer(
        found=_solution(found),
        newest=_solution(newest) if newest else None,
        untold=frozenset(
            Package(ecosystem=ecosystem, name=name, version=version)
            for ecosystem, name, version, when in answer["held"]
            if when is None
        ),
        failure=_failure(found) or (_failure(newest) if newest else ""),
    )


def read_apk_answer(finished: Finished, mark: str, image: str) -> ApkAnswer:
    """Read the answer of sources/apk.sh."""
    text = finished.stdout.decode("utf-8", "replace")
    sections = dict(part.partition("\n")[::2] for part in re.split(rf"^{mark} ", text, flags=re.MULTILINE))
    if "end" not in sections:
        raise SourceUnavailableError(_broken(finished, image))
    for step in ("updated", "upgraded"):
        head = next(each for each in sections if each.startswith(f"{step} "))
        if head != f"{step} 0":
            raise SourceUnavailableError(f"apk: {_last_line(sections[head])}")
    built = _build_times(sections["index"])
    changes = []
    steps = re.findall(_APK_STEP, sections["upgraded 0"], re.MULTILINE)
    if len(steps) != len(re.findall(r"^\( *[0-9]+/", sections["upgraded 0"], re.MULTILINE)):
        # One that is passed over would be an update that nobody hears of.
        raise SourceUnavailableError(f"{image}: apk's answer can't be read")
    for verb, name, inner in steps:
        old, arrow, new = inner.partition(" -> ")
        if verb == "Installing":
            old, new = "", inner
        elif not arrow and verb != "Purging":
            # As "Reinstalling": the same version again.
            continue
        changes.append(ApkChange(name=name, old=old, new=new, built=built.get((name, new))))
    return ApkAnswer(changes=tuple(changes))


def _build_times(index: str) -> dict[tuple[str, str], dt.datetime]:
    """Read when packages were built: of apk 3's JSON, or of the text of an APKINDEX."""
    try:
        entries: Any = loads(index)
    except ValueError:
        entries = [
            {_APK_FIELDS[line[0]]: line[2:] for line in part.splitlines()}
            for part in re.split(r"\n{2,}", index.strip())
        ]
    return {
        (entry["name"], entry["version"]): dt.datetime.fromtimestamp(int(entry["build-time"]), dt.UTC)
        for entry in entries
        if int(entry.get("build-time") or 0)
    }


def _json(finished: Finished, image: str) -> Mapping[str, Any]:
    try:
        answer = loads(finished.stdout)
    except ValueError:
        raise SourceUnavailableError(_broken(finished, image)) from None
    return dict(answer)


def _broken(finished: Finished, image: str) -> str:
    if finished.exit is None:
        return f"{image}: its package sources did not answer in time"
    printed = finished.stderr.decode("utf-8", "replace")
    return f"{image}: its package sources can't be asked (exit code {finished.exit}): {_last_line(printed)}"


def _solution(found: Mapping[str, Any]) -> Solution | None:
    if "pins" not in found:
        return None
    pins = {
        Pin(ecosystem=ecosystem, name=name, version=version, integrity=integrity): published
        for ecosystem, name, version, integrity, published in found["pins"]
    }
    return Solution(
        pins=tuple(sorted(pins)),
        published={
            Package(ecosystem=pin.ecosystem, name=pin.name, version=pin.version): moment
            for pin, published in pins.items()
            if (moment := _moment(published)) is not None
        },
        gone=tuple(
            Package(ecosystem=ecosystem, name=name, version=version)
            for ecosystem, name, version in found["gone"]
        ),
        lockfile=found["lockfile"],
    )


def _moment(text: str | None) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _failure(found: Mapping[str, Any]) -> str:
    return "" if "pins" in found else _error_line(str(found.get("output", "")))


def _error_line(text: str) -> str:
    """Return the line of a tool's output that says what is wrong."""
    lines = [
        redact(line.strip()) for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()
    ]
    errors: Iterator[str] = (line for line in lines if re.match(r"(?i)(npm )?(error|err!)", line))
    return next(errors, lines[-1] if lines else "it printed nothing")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return redact(lines[-1]) if lines else "it printed nothing"


_APK_FIELDS: Final = {"P": "name", "V": "version", "t": "build-time"}
_APK_STEP: Final = r"^\( *[0-9]+/[0-9]+\) (\w+) (\S+) \((.*)\)$"
