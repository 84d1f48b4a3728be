"""Which versions that deps.toml names could be newer: as lines, and as data."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from isol8_tasks.errors import COMMAND
from isol8_tasks.freshness.upgrades import Upgrade


def upgrade_lines(found: Sequence[Upgrade], *, news_only: bool = False) -> Iterator[str]:
    """Give a line for each package that is declared in one version, and one for the others of each list."""
    told = [(each, text, _words(each)) for each, text in _gathered(found) if not news_only or each.new]
    place, package = (
        max(map(len, texts), default=0)
        for texts in ((each.place.words for each, *_ in told), (text for _, text, _ in told))
    )
    for each, text, words in told:
        yield f"{each.place.words.ljust(place)}  {text.ljust(package)}  {words}"


def upgrade_data(each: Upgrade) -> dict[str, Any]:
    """Return the same of one package as data."""
    return {
        "list": each.place.words,
        "package": each.package,
        "new": each.new,
        "major": each.major,
        "too_new": each.young,
        "left": each.left,
    }


def _gathered(found: Sequence[Upgrade]) -> Iterator[tuple[Upgrade, str]]:
    """Give each package, and once those of a list of which nobody was asked."""
    for _, group in groupby(found, key=lambda each: each.place):
        rows = list(group)
        yield from ((each, each.package) for each in rows if not each.left)
        if left := [each for each in rows if each.left]:
            names = [each.package for each in left]
            yield (
                left[0],
                ", ".join(names if len(names) <= _FEW else [*names[:_FEW], f"{len(names) - _FEW} more"]),
            )


def _words(each: Upgrade) -> str:
    if each.left == "held":
        name = each.place.name if each.place.is_image else f"{each.place.name}-custom"
        return f"held; end the hold: {COMMAND} release {name}"
    if each.left:
        return f"no exact version, so {COMMAND} refresh installs what is newer"
    parts = [f"→ {each.new}" if each.new else "is the newest"]
    if each.major:
        parts = parts if each.new else ["is the newest of its major version"]
        parts.append(f"{each.major} with --major")
    if each.young:
        parts.append(f"{each.young} is too new (min_age)")
    return "; ".join(parts)


_FEW = 3
"""How many packages a line names of which there is nothing more to say."""
