"""The history of images in words and as data, and what differs between two builds."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from isol8_tasks.config import units
from isol8_tasks.ecosystems.updates import Update, updates_in_words
from isol8_tasks.freshness.changes import Change
from isol8_tasks.images.journal import HistoryEntry, PastBuild, updates_between
from isol8_tasks.images.references import Reference
from isol8_tasks.plan.fingerprint import RecordedInputs, Summary, decode_inputs
from isol8_tasks.report.freshness import update_data
from isol8_tasks.report.refresh import by_ecosystem, change_facts

_DIGITS: Final = 12
_HASHES: Final = ("stage ", "file ", "the setup script", "package ", "system package ", "build package ")
"""Inputs whose values say nothing to people."""


@frozen(kw_only=True)
class Numbered:
    """An entry, and by which number a change is meant."""

    entry: HistoryEntry
    number: int | None
    """Of `NAME@N`: 0 is the newest of its image; None for what is no change."""
    own: tuple[Update, ...] = ()
    """The packages that changed in it, and not in its parent before."""

    @property
    def name(self) -> str:
        """What `diff` knows it by: `isol8:web@1`; the image alone for what is no change, `refresh` for a whole one."""
        if not self.entry.image:
            return "refresh"
        tag = str(Reference(self.entry.repository, self.entry.image))
        return tag if self.number is None else f"{tag}@{self.number}"


def numbered(entries: Sequence[HistoryEntry]) -> tuple[Numbered, ...]:
    """Return the entries of one engine, given oldest first, newest first and with the numbers of changes."""
    left = Counter(each.image for each in entries if each.is_change)
    updates: dict[str, tuple[Update, ...]] = {}
    found = []
    for each in entries:
        if not each.is_change:
            found.append(Numbered(entry=each, number=None))
            continue
        left[each.image] -= 1
        updates[each.image] = each.updates
        theirs = updates.get(each.parent, ())
        own = tuple(update for update in each.updates if update not in theirs)
        found.append(Numbered(entry=each, number=left[each.image], own=own))
    found.sort(key=lambda each: each.entry.at)
    return tuple(reversed(found))


def log_lines(changes: Iterable[Numbered], *, whole: bool) -> Iterator[str]:
    """Yield a line for each change; with `whole` every package that changed, on lines of its own."""
    rows = [*changes]
    width = max((len(each.name) for each in rows), default=0)
    hows = max((len(each.entry.how) for each in rows), default=0)
    for each in rows:
        facts = [*_facts(each)]
        if each.own and not whole:
            facts.insert(len(each.entry.why) > 0, updates_in_words(each.own))
        line = f"{each.entry.at:%Y-%m-%d %H:%M}  {each.name.ljust(width)}  {each.entry.how.ljust(hows)}"
        yield f"{line}  {' · '.join(facts)}".rstrip()
        for ecosystem, updates in by_ecosystem(each.own) if whole else ():
            yield f"    {ecosystem:<8}{', '.join(update.words for update in updates)}"


def log_json(changes: Iterable[Numbered], wrong: Sequence[int]) -> str:
    """Return the entries as data, with the numbers of the lines that can't be read."""
    document = {"changes": [_change_data(each) for each in changes], "left_out": [*wrong]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def diff_lines(names: tuple[str, str], one: PastBuild, other: PastBuild) -> Iterator[str]:
    """Yield what differs between two builds, which are called by these names."""
    width = max(map(len, names))
    for name, build in zip(names, (one, other), strict=True):
        where = f"  {build.digest}" if build.digest else ""
        key = build.key[:_DIGITS] or "none of ours"
        built = build.built[:16].replace("T", " ") or "at an unknown time"
        yield f"{name.ljust(width)}  built {built}  key {key}{where}"
    rows = [*_rows(one, other)]
    columns = max((len(what) for what, _ in rows), default=0)
    yield from (f"  {what.ljust(columns)}  {text}" for what, text in rows)
    if not rows:
        yield "  the same packages, size, inputs and configuration"


def diff_json(names: tuple[str, str], one: PastBuild, other: PastBuild) -> str:
    """Return what differs between two builds as data."""
    inputs, configuration = _inputs(one, other), _values(one.configuration, other.configuration)
    known = one.packages is not None and other.packages is not None
    updates = updates_between(one.packages, other.packages)
    document = {
        "old": {"image": names[0], **_build_data(one)},
        "new": {"image": names[1], **_build_data(other)},
        "packages": [update_data(each) for each in updates] if known else None,
        "inputs": None if inputs is None else [_pair_data(each) for each in inputs],
        "configuration": None if configuration is None else [_pair_data(each) for each in configuration],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _facts(each: Numbered) -> Iterator[str]:
    entry = each.entry
    old, new = entry.old, entry.new
    if not entry.is_change:
        yield from (*entry.why, *filter(None, [entry.problem]))
        yield from (f"{count} {what}" for what, count in entry.counts.items())
        yield from _moved(entry)
        yield f"{entry.seconds:.1f} s"
    if new is None:
        return
    change = Change(
        image=entry.image,
        why=entry.why,
        release=(old.alpine, new.alpine)
        if old and old.alpine != new.alpine and old.alpine and new.alpine
        else None,
        packages=each.own,
        like_parent=bool(entry.updates) and not each.own,
        size=(old.size if old else 0, new.size or None),
        same=entry.how == "same",
        compared=old is not None and None not in (old.packages, new.packages),
        seconds=entry.seconds,
        built=entry.at if old else None,
    )
    *found, seconds = change_facts(change)
    yield from (*found, *_moved(entry), *([seconds] if entry.seconds else []))


def _moved(entry: HistoryEntry) -> Iterator[str]:
    for how in ("pulled", "pushed"):
        if count := entry.transferred.get(how):
            yield f"{units.size(count)} {how}"


def _rows(one: PastBuild, other: PastBuild) -> Iterator[tuple[str, str]]:
    """Yield what differs, each with what it is about."""
    if one.size and other.size and one.size != other.size:
        sign = "+" if other.size > one.size else "\N{MINUS SIGN}"
        change = f"{sign}{units.size(abs(other.size - one.size))}"
        yield "size", f"{units.size(one.size)} → {units.size(other.size)} ({change})"
    if one.alpine != other.alpine and one.alpine and other.alpine:
        yield "alpine", f"{one.alpine} → {other.alpine}"
    if one.packages is None or other.packages is None:
        yield "packages", _UNKNOWN
    else:
        for ecosystem, updates in by_ecosystem(updates_between(one.packages, other.packages)):
            yield from ((ecosystem, update.words) for update in updates)
    for what, pairs in (
        ("input", _inputs(one, other)),
        ("configuration", _values(one.configuration, other.configuration)),
    ):
        if pairs is None:
            yield what, _UNKNOWN
            continue
        for name, before, after in pairs:
            shown = f": {before or '(unset)'} → {after or '(unset)'}"
            if name.startswith(_HASHES):
                shown = " was added" if not before else " was removed" if not after else " changed"
            yield what, f"{name}{shown}"


Difference = tuple[str, str, str]
"""What differs: its name, and its values before and after; empty for none."""


def _inputs(one: PastBuild, other: PastBuild) -> tuple[Difference, ...] | None:
    """Return the inputs that differ; None where one of both is not known."""
    old, new = decode_inputs(one.inputs), decode_inputs(other.inputs)
    return _values(dict(_input_values(old)), dict(_input_values(new))) if old and new else None


def _input_values(inputs: RecordedInputs) -> Iterator[tuple[str, str]]:
    yield "recipe", str(inputs.recipe)
    yield "runtime", inputs.runtime
    yield "the setup script", inputs.setup
    for name, pairs in (
        ("stage", inputs.stages),
        ("file", inputs.files),
        ("argument", inputs.args),
        ("upstream image", inputs.images),
    ):
        if isinstance(pairs, Summary):
            yield f"{name}s", f"{pairs.size} ({pairs.digest})"
        else:
            yield from ((f"{name} {key}", value) for key, value in pairs)
    for name, texts in (
        ("package", inputs.packages),
        ("system package", inputs.system),
        ("build package", inputs.build),
    ):
        if isinstance(texts, Summary):
            yield f"{name}s", f"{texts.size} ({texts.digest})"
        else:
            yield from ((f"{name} {text}", text) for text in texts)


def _values(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> tuple[Difference, ...] | None:
    if old is None or new is None:
        return None
    names = [*old, *(name for name in new if name not in old)]
    return tuple(
        (name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name, "") != new.get(name, "")
    )


def _change_data(each: Numbered) -> Mapping[str, Any]:
    entry = each.entry
    return {
        "at": entry.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "image": str(Reference(entry.repository, entry.image)) if entry.image else None,
        "number": each.number,
        "how": entry.how,
        "why": list(entry.why),
        "problem": entry.problem or None,
        "images": dict(entry.counts),
        "bytes": dict(entry.transferred),
        "verified": entry.verified,
        "seconds": entry.seconds,
        "checkout": entry.checkout,
        "parent": entry.parent or None,
        "old": entry.old and _build_data(entry.old),
        "new": entry.new and _build_data(entry.new),
        "packages": [update_data(update) for update in entry.updates],
    }


def _build_data(build: PastBuild) -> Mapping[str, Any]:
    return {
        "id": build.id,
        "key": build.key or None,
        "digest": build.digest or None,
        "size": build.size or None,
        "built": build.built or None,
        "alpine": build.alpine or None,
    }


def _pair_data(pair: Difference) -> Mapping[str, str | None]:
    name, old, new = pair
    return {"name": name, "old": old or None, "new": new or None}


_UNKNOWN: Final = "undetermined: the history does not say it of one of both"
