"""What a refresh came to, in the order of importance: as text, as Markdown and as data."""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from attrs import Factory, evolve, frozen

from isol8_tasks.config import units
from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.freshness.changes import Change
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.images.references import Reference
from isol8_tasks.report import freshness as words
from isol8_tasks.report.plan import name_width


@frozen(kw_only=True)
class Failed:
    """Something that could not be done."""

    subject: str
    """The image's tag, or the task's name."""
    lines: tuple[str, ...]
    """What is said of it, the first without the subject."""


@frozen(kw_only=True)
class Account:
    """All that a refresh has to tell."""

    at: dt.datetime
    seconds: float
    repository: str
    settings: RefreshSettings
    found: tuple[Freshness, ...]
    """How fresh the images were found before anything was done, in the order of every list."""
    failed: tuple[Failed, ...] = ()
    changed: tuple[Change, ...] = ()
    others: Mapping[str, Mapping[str, str]] = Factory(dict)
    """What came of images for other platforms: by platform and name `built`, `promoted` or `failed`."""
    beside: Mapping[str, int] = Factory(dict)
    """How many of these came to what, in words."""
    pulled: int = 0
    """How many images came from the registry, as they were up to date there and not here."""
    instead: frozenset[str] = frozenset()
    """Names of those among them that came in the place of a build, as another machine was first."""

    @property
    def held(self) -> tuple[Freshness, ...]:
        """The images that were left alone since somebody rolled them back."""
        return tuple(each for each in self.found if each.held is not None)

    @property
    def unknown(self) -> tuple[Freshness, ...]:
        """The images of which a source could not be asked."""
        return tuple(each for each in self.found if each.problems)

    @property
    def fresh(self) -> int:
        """How many images are as new as their sources now."""
        tags = {each.subject for each in self.failed}
        done = self._replaced
        return sum(
            (each.state == "fresh" or each.image in done)
            and not each.problems
            and str(Reference(self.repository, each.image)) not in tags
            for each in self.found
        )

    @property
    def left(self) -> tuple[Freshness, ...]:
        """How fresh the images are now: those that were replaced have what was newer."""
        done = self._replaced
        return tuple(
            evolve(
                each, there=True, parent="", moved=(), age=None, packages=evolve(each.packages, updates=())
            )
            if each.image in done
            else each
            for each in self.found
        )

    @property
    def _replaced(self) -> frozenset[str]:
        return self.instead | {each.image for each in self.changed}

    @property
    def counts(self) -> Mapping[str, int]:
        """How many images it found or left in which state; none that is 0."""
        found = {
            "behind": sum(each.state == "behind" for each in self.found),
            "held": len(self.held),
            "failed": len(self.failed),
            "undetermined": len(self.unknown),
            "changed": len(self.changed),
            "pulled": self.pulled,
            "fresh": self.fresh,
        }
        return {name: count for name, count in found.items() if count}

    @property
    def has_news(self) -> bool:
        """Tell whether there is more to say than that all is well."""
        return bool(self.failed or self.changed or self.unknown or self.beside)


def text(account: Account) -> str:
    """Return the account for a terminal or a log; one line if there is no news."""
    lines = [_heading(account)]
    if account.has_news:
        width = name_width(account.repository, [each.image for each in account.found])
        lines += _section("held", _held(account, width))
        lines += _section("failed", _failed(account, width))
        lines += _section("undetermined", _unknown(account, width))
        lines += _section("changed", _changed(account, width))
        lines += _section("too new", _to_come(account, width))
    lines += [
        words.support_line(end, names)
        for end, names in words.ends_of_support(account.found, account.repository)
    ]
    return "\n".join(lines)


def markdown(account: Account) -> str:
    """Return the account as Markdown."""
    lines = [f"# isol8 images, {account.at:%Y-%m-%d %H:%M} UTC", "", _figures(account), ""]
    lines += [f"- **held** {_line(account, each)}" for each in account.held]
    for failed in account.failed:
        first, *more = failed.lines
        lines.append(f"- **failed** `{failed.subject}`: {_plain(first)}")
        if more:
            fence = "`" * (3 + max(map(_backticks, more)))
            lines += ["", f"  {fence}", *(f"  {line}" for line in more), f"  {fence}", ""]
    for each in account.unknown:
        lines.append(
            f"- **undetermined** `{Reference(account.repository, each.image)}`: {_plain('; '.join(each.problems))}"
        )
    if account.changed:
        lines += ["", "| image | why | what changed | size | seconds |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(account, change) for change in account.changed]
    comes = list(_to_come(account, 0))
    if comes:
        lines += ["", "Too new:", "", *(f"- {_plain(line.strip())}" for line in comes)]
    ends = words.ends_of_support(account.found, account.repository)
    if ends:
        lines += ["", *(f"- {words.support_line(end, names)}" for end, names in ends)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def account_json(account: Account) -> str:
    """Return the account as JSON."""
    return json.dumps(_document(account), indent=2, ensure_ascii=False) + "\n"


def account_event(account: Account) -> str:
    """Return the account as the last event of a run that is told of in JSON."""
    return json.dumps({"event": "report", **_document(account)}, ensure_ascii=False)


def _document(account: Account) -> dict[str, Any]:
    return {
        "at": account.at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(account.seconds, 1),
        "fresh": account.fresh,
        "pulled": account.pulled,
        "others": {
            platform: {str(Reference(account.repository, name)): result for name, result in found.items()}
            for platform, found in account.others.items()
        },
        "held": [str(Reference(account.repository, each.image)) for each in account.held],
        "failed": [{"subject": each.subject, "lines": list(each.lines)} for each in account.failed],
        "changed": [_change_data(account, each) for each in account.changed],
        **words.document(account.found, account.repository, account.settings),
    }


def _heading(account: Account) -> str:
    return f"{account.at:%Y-%m-%d %H:%M} UTC · {_figures(account)}"


def _figures(account: Account) -> str:
    if not account.has_news:
        parts, left = [f"{account.fresh} image{'' if account.fresh == 1 else 's'} fresh"], {"behind", "fresh"}
    else:
        parts, left = [], {"behind"}
    parts += [f"{count} {what}" for what, count in account.counts.items() if what not in left]
    parts += [f"{count} {what}" for what, count in account.beside.items()]
    return " · ".join([*parts, f"{account.seconds:.1f} s"])


def _section(title: str, lines: Iterator[str]) -> list[str]:
    found = list(lines)
    return [title, *found] if found else []


def _held(account: Account, width: int) -> Iterator[str]:
    for each in account.held:
        yield f"  {_tag(account, each.image, width)}  {_line_words(account, each)}"


def _failed(account: Account, width: int) -> Iterator[str]:
    for each in account.failed:
        first, *more = each.lines
        yield f"  {each.subject.ljust(width)}  {first}"
        yield from (f"  {line}" for line in more)


def _unknown(account: Account, width: int) -> Iterator[str]:
    for each in account.unknown:
        yield f"  {_tag(account, each.image, width)}  {'; '.join(each.problems)}"


def _changed(account: Account, width: int) -> Iterator[str]:
    for change in account.changed:
        yield f"  {_tag(account, change.image, width)}  {' · '.join(change_facts(change))}"
        for ecosystem, updates in by_ecosystem(change.packages):
            yield f"      {ecosystem:<8}{', '.join(each.words for each in updates)}"


def _to_come(account: Account, width: int) -> Iterator[str]:
    for each in account.found:
        tag = _tag(account, each.image, width)
        yield from (f"  {tag}  {said}" for said in words.young(each, account.settings))


def change_facts(change: Change) -> Iterator[str]:
    """Give what there is to say of a change in one line."""
    if change.built is None:
        yield "new"
    if change.why:
        yield "; ".join(change.why)
    if change.release is not None:
        yield f"alpine {change.release[0] or '?'} → {change.release[1] or '?'}"
    if change.like_parent:
        yield "the same changes as in its parent"
    elif not change.packages and change.built is not None and change.release is None:
        yield _nothing_else(change)
    yield _size(change)
    yield f"{change.seconds:.1f} s"


def _nothing_else(change: Change) -> str:
    if change.same:
        return "the same result, so nothing was replaced"
    return "the same packages" if change.compared else "what changed in it is undetermined"


def _size(change: Change) -> str:
    old, new = change.size
    if new is None:
        return "size undetermined"
    if not old or old == new:
        return units.size(new)
    shown = units.size(old), units.size(new)
    if shown[0] != shown[1]:
        return f"{shown[0]} → {shown[1]}"
    return f"{shown[1]} ({'+' if new > old else _MINUS}{units.size(abs(new - old))})"


def by_ecosystem(updates: Sequence[Update]) -> Iterator[tuple[str, tuple[Update, ...]]]:
    """Yield each ecosystem with its updates, which are given in that order."""
    for ecosystem, group in groupby(updates, key=lambda each: each.ecosystem):
        yield ecosystem, tuple(group)


def _row(account: Account, change: Change) -> str:
    packages = "<br>".join(_plain(each.words) for each in change.packages)
    facts = [f"alpine {' → '.join(change.release)}"] if change.release else []
    facts += ["as its base did"] if change.like_parent else [packages] if packages else []
    cells = (
        f"`{Reference(account.repository, change.image)}`",
        _plain("; ".join(change.why)),
        "<br>".join(facts) or ("new" if change.built is None else _nothing_else(change)),
        _size(change),
        f"{change.seconds:.1f}",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _line(account: Account, fresh: Freshness) -> str:
    return f"`{Reference(account.repository, fresh.image)}`: {_plain(_line_words(account, fresh))}"


def _plain(text: str) -> str:
    """Return what others wrote so that Markdown shows it, and makes no HTML, link or code of it."""
    return re.sub(r"[<`]|(?<=])(?=\()", lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", text)


def _backticks(line: str) -> int:
    return max((len(run) - 2 for run in re.findall("`{3,}", line)), default=0)


def _line_words(account: Account, fresh: Freshness) -> str:
    held = units.duration(fresh.held) if fresh.held is not None else ""
    waiting = list(words.news(fresh, account.repository, account.settings))
    what = (
        f"{len(waiting)} update{'' if len(waiting) == 1 else 's'} waiting" if waiting else "nothing waiting"
    )
    return "; ".join((f"for {held} (rolled back), {what}", *waiting))


def _tag(account: Account, name: str, width: int) -> str:
    return str(Reference(account.repository, name)).ljust(width)


def _change_data(account: Account, change: Change) -> Mapping[str, Any]:
    return {
        "image": str(Reference(account.repository, change.image)),
        "new": change.built is None,
        "why": list(change.why),
        "alpine": list(change.release) if change.release else None,
        "packages": [words.update_data(each) for each in change.packages],
        "same": change.same,
        "size": list(change.size),
        "seconds": round(change.seconds, 1),
    }


_MINUS: Final = "\N{MINUS SIGN}"
