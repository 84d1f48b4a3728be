"""The history of images as lines of JSON, one for each change.

A line says what is different from the line before it about the same image, so that a history of many builds stays
small: packages, inputs and configuration stand there as a whole only where the line before does not lead to them.
"""

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve

from isol8_tasks.images.journal import HistoryEntry, PastBuild, Versions
from isol8_tasks.safety.jsontext import loads

_FORMAT: Final = 1
_FIRST_YEAR: Final = 1970
"""No clock of a computer shows an earlier one."""


def history_line(entry: HistoryEntry, before: PastBuild | None) -> str:
    """Return a line for a change; `before` is what the line before about the same image leads to, None for none."""
    old, new = entry.old, entry.new
    document: dict[str, object] = {
        "v": _FORMAT,
        "at": entry.at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "image": entry.image,
        "repository": entry.repository,
        "engine": entry.engine,
        "how": entry.how,
        "why": list(entry.why),
        "verified": entry.verified,
        "seconds": round(entry.seconds, 1),
        "checkout": entry.checkout,
        "parent": entry.parent,
        "old": old and _short(old),
        "new": new and {**_short(new), "build": new.build, "built": new.built, "alpine": new.alpine},
    }
    document |= {
        name: found
        for name, found in (
            ("problem", entry.problem),
            ("counts", dict(entry.counts)),
            ("bytes", dict(entry.transferred)),
        )
        if found
    }
    if updates := entry.updates:
        document["changed"] = [[each.ecosystem, each.name, each.old, each.new] for each in updates]
    if new:
        document |= _as_a_whole(new, before if old and before and before.id == old.id else None)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def read_history(text: str) -> tuple[tuple[HistoryEntry, ...], tuple[int, ...]]:
    """Return the changes in a history, oldest first, and the numbers of the lines that are none.

    What can't be followed, as lines are gone, is unknown in the changes behind it, until a line has it as a whole.
    """
    found: list[HistoryEntry] = []
    wrong = []
    last: dict[tuple[str, str, str], int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = _document(line)
            place = (_text(document["engine"]), _text(document["repository"]), _text(document["image"]))
            before = found[last[place]] if place in last else None
            entry = _entry(document, before.new if before else None)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            wrong.append(number)
            continue
        if entry.how != "pushed":
            if entry.is_change:
                last[place] = len(found)
            found.append(entry)
        elif before and before.new and entry.new and before.new.id == entry.new.id:
            found[last[place]] = with_push(before, entry.new.digest, entry.transferred.get("pushed", 0))
    return tuple(found), tuple(wrong)


def with_push(entry: HistoryEntry, digest: str, sent: int) -> HistoryEntry:
    """Return a change with the digest that its image has in a registry, and the bytes that were sent there."""
    moved = {**entry.transferred, **({"pushed": sent} if sent else {})}
    return evolve(entry, new=entry.new and evolve(entry.new, digest=digest), transferred=moved)


def render_history(entries: Iterable[HistoryEntry]) -> str:
    """Return the lines of changes, each as short as the one before it allows."""
    last: dict[tuple[str, str, str], PastBuild | None] = {}
    lines = []
    for each in entries:
        lines.append(history_line(each, last.get(each.place)))
        if each.is_change:
            last[each.place] = each.new
    return "".join(lines)


def _short(build: PastBuild) -> dict[str, object]:
    return {"id": build.id, "key": build.key, "digest": build.digest or None, "size": build.size}


def _as_a_whole(new: PastBuild, before: PastBuild | None) -> dict[str, object]:
    """Return what the line before does not lead to."""
    known = before or PastBuild(id="")
    found: dict[str, object] = {}
    if new.packages is None or known.packages is None:
        grouped: dict[str, dict[str, str]] = {}
        for (ecosystem, name), version in (new.packages or {}).items():
            grouped.setdefault(ecosystem, {})[name] = version
        if new.packages != known.packages:
            found["packages"] = None if new.packages is None else grouped
    if new.inputs != known.inputs:
        found["inputs"] = new.inputs
    if new.configuration != known.configuration:
        found["configuration"] = None if new.configuration is None else dict(new.configuration)
    return found


def _document(line: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = loads(line)
    if found["v"] != _FORMAT:
        raise ValueError("another format")
    return found


def _entry(document: Mapping[str, Any], before: PastBuild | None) -> HistoryEntry:
    """Return the change in a line; an exception says that it is none."""
    old = _build(document.get("old"))
    new = _build(document.get("new"))
    known = before if old and before and before.id == old.id else None
    at = dt.datetime.fromisoformat(_text(document["at"]))
    seconds = float(document.get("seconds", 0))
    if at.tzinfo is None or at.year < _FIRST_YEAR or not 0 <= seconds < math.inf:
        raise ValueError("a time without its zone or of no clock, or no duration")
    entry = HistoryEntry(
        at=at.astimezone(dt.UTC),
        image=_text(document["image"]),
        repository=_text(document["repository"]),
        engine=_text(document["engine"]),
        how=_text(document["how"]),
        why=tuple(map(_text, document.get("why", []))),
        parent=_text(document.get("parent", "")),
        seconds=seconds,
        verified=document.get("verified") is True,
        checkout=_text(document.get("checkout", "")),
        problem=_text(document.get("problem", "")),
        counts=_numbers(document.get("counts", {})),
        transferred=_numbers(document.get("bytes", {})),
        old=(known or old) if old else None,
        new=new,
    )
    return entry if new is None else evolve(entry, new=_led_to(new, document, known or PastBuild(id="")))


def _led_to(new: PastBuild, document: Mapping[str, Any], known: PastBuild) -> PastBuild:
    """Return a build with what its line says, or else leaves as it was."""
    packages: Versions | None
    if "packages" not in document:
        packages = _changed(known.packages, document.get("changed", []))
    elif document["packages"] is None:
        packages = None
    else:
        packages = {
            (_text(ecosystem), _text(name)): _text(version)
            for ecosystem, found in document["packages"].items()
            for name, version in found.items()
        }
    configuration = document.get("configuration", known.configuration)
    return evolve(
        new,
        packages=packages,
        inputs=_text(document.get("inputs", known.inputs)),
        configuration=configuration and {_text(name): _text(value) for name, value in configuration.items()},
    )


def _changed(packages: Versions | None, updates: Iterable[Sequence[object]]) -> Versions | None:
    """Return packages with what changed; None where that does not begin with what there is."""
    if packages is None:
        return None
    found = {**packages}
    for ecosystem, name, old, new in updates:
        key = _text(ecosystem), _text(name)
        if found.pop(key, "") != _text(old):
            return None
        if _text(new):
            found[key] = _text(new)
    return found


def _build(value: Any) -> PastBuild | None:  # noqa: ANN401 - JSON
    if value is None:
        return None
    return PastBuild(
        id=_text(value["id"]),
        key=_text(value.get("key", "")),
        build=_text(value.get("build", "")),
        digest=_text(value.get("digest") or ""),
        size=_bytes(value.get("size", 0)),
        built=_text(value.get("built", "")),
        alpine=_text(value.get("alpine", "")),
    )


def _bytes(value: Any) -> int:  # noqa: ANN401 - JSON
    if (found := int(value)) < 0:
        raise ValueError(value)
    return found


def _numbers(value: Any) -> Mapping[str, int]:  # noqa: ANN401 - JSON
    return {_text(name): int(number) for name, number in value.items() if int(number) > 0}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
