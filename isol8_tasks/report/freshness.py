"""How fresh images are, as a table and as data."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isol8_tasks.config.settings import RefreshSettings
from isol8_tasks.config.units import duration
from isol8_tasks.ecosystems.updates import Update, updates_in_words
from isol8_tasks.errors import COMMAND
from isol8_tasks.freshness.alpine import CHECKED, Unsupported
from isol8_tasks.freshness.model import Freshness, Moved
from isol8_tasks.images.references import Reference
from isol8_tasks.report.plan import name_width


def freshness_table(
    found: Sequence[Freshness],
    repository: str,
    settings: RefreshSettings,
    others: Mapping[str, Sequence[Freshness]] | None = None,
) -> str:
    """Return a line for each image below a heading, and what there is to say of Alpine's branches.

    `others` are the images for other platforms.
    """
    width = name_width(repository, [each.image for each in found])
    states = max([10, *(len(each.state) for each in found)])
    lines = ["image".ljust(width) + f"  {'state':<{states}}  why"]
    lines += _rows(found, repository, settings, (width, states))
    for platform, images in (others or {}).items():
        lines += [f"for {platform}:", *_rows(images, repository, settings, (width, states))]
    lines += [support_line(end, names) for end, names in ends_of_support(found, repository)]
    return "\n".join(lines)


def _rows(
    found: Sequence[Freshness], repository: str, settings: RefreshSettings, widths: tuple[int, int]
) -> Iterator[str]:
    width, states = widths
    for each in found:
        words = "; ".join(phrases(each, repository, settings))
        tag = str(Reference(repository, each.image)).ljust(width)
        yield tag + f"  {each.state.replace('-', ' '):<{states}}  {words}".rstrip()


def phrases(fresh: Freshness, repository: str, settings: RefreshSettings) -> Iterator[str]:
    """Give what there is to say of an image, the most important first."""
    if fresh.held is not None:
        yield f"for {duration(fresh.held)} (rolled back); end the hold: {COMMAND} release {fresh.image}"
    yield from news(fresh, repository, settings)
    yield from fresh.problems
    yield from young(fresh, settings)
    if fresh.packages.waiting:
        yield f"{updates_in_words(fresh.packages.waiting)} once the upstream image has it"
    if not fresh.there:
        yield f"not built yet, or not by this project; see {COMMAND} plan"


def news(fresh: Freshness, repository: str, settings: RefreshSettings) -> Iterator[str]:
    """Give what a refresh would build the image for."""
    yield from map(moved_words, fresh.moved)
    if fresh.packages.updates:
        yield updates_in_words(fresh.packages.updates)
    if fresh.age is not None and settings.max_age is not None:
        yield f"built {duration(fresh.age)} ago, longer than [refresh] max_age = {duration(settings.max_age)}"
    if fresh.parent:
        yield f"parent {Reference(repository, fresh.parent)} is behind"


def moved_words(moved: Moved) -> str:
    """Say that an upstream image moved."""
    old = f"{_short(moved.old)} → " if moved.old else ""
    return f"{moved.reference} moved ({old}{_short(moved.new)})"


def young(fresh: Freshness, settings: RefreshSettings) -> Iterator[str]:
    """Give what is too new."""
    # What a young version would no longer need goes with it, and nobody published it.
    for update in (each for each in fresh.packages.young if each.new):
        age = max(settings.min_ages.get(update.name, settings.min_age), fresh.packages.least_age)
        when = (
            f"published {update.published:%Y-%m-%d %H:%M} UTC" if update.published else "published recently"
        )
        yield f"{update.name} {update.new} {when}; accepted once it is {duration(age)} old (min_age)"


def ends_of_support(
    found: Sequence[Freshness], repository: str
) -> tuple[tuple[Unsupported, tuple[str, ...]], ...]:
    """Return the branches of Alpine that get no fixes any more, each with the images on it."""
    names: dict[str, list[str]] = {}
    ends: dict[str, Unsupported] = {}
    for each in found:
        if each.support is not None:
            ends[each.support.branch] = each.support
            names.setdefault(each.support.branch, []).append(str(Reference(repository, each.image)))
    return tuple((ends[branch], tuple(names[branch])) for branch in sorted(ends))


def support_line(end: Unsupported, names: Sequence[str]) -> str:
    """Say that a branch is out of support, which images are on it, and how to move on."""
    images = ", ".join(names)
    move = (
        f"; {end.newer} is supported until {end.until}: for images based on alpine, write "
        f'args = {{ ALPINE_VERSION = "{end.newer}" }} under [build] in deps.toml'
        if end.newer
        else f"; no newer branch was known on {CHECKED}"
    )
    return f"Alpine {end.branch} reached end of life on {end.ended} ({images}){move}"


def freshness_json(
    found: Sequence[Freshness],
    repository: str,
    settings: RefreshSettings,
    others: Mapping[str, Sequence[Freshness]] | None = None,
) -> str:
    """Return the same as JSON."""
    return json.dumps(document(found, repository, settings, others), indent=2, ensure_ascii=False)


def freshness_event(
    found: Sequence[Freshness],
    repository: str,
    settings: RefreshSettings,
    others: Mapping[str, Sequence[Freshness]] | None = None,
) -> str:
    """Return the same as the last event of what is told in JSON."""
    told = document(found, repository, settings, others)
    return json.dumps({"event": "report", **told}, ensure_ascii=False)


def document(
    found: Sequence[Freshness],
    repository: str,
    settings: RefreshSettings,
    others: Mapping[str, Sequence[Freshness]] | None = None,
) -> Mapping[str, Any]:
    """Return what the JSON says."""
    beside = {
        platform: [_image(each, repository, settings) for each in images]
        for platform, images in (others or {}).items()
    }
    return {
        "images": [_image(each, repository, settings) for each in found],
        **({"others": beside} if beside else {}),
        "support": [
            {
                "branch": end.branch,
                "ended": end.ended.isoformat(),
                "newer": end.newer or None,
                "images": list(names),
            }
            for end, names in ends_of_support(found, repository)
        ],
    }


def _image(fresh: Freshness, repository: str, settings: RefreshSettings) -> Mapping[str, Any]:
    return {
        "image": str(Reference(repository, fresh.image)),
        "state": fresh.state,
        "behind": fresh.behind,
        "news": list(news(fresh, repository, settings)),
        "upstream": [
            {"reference": each.reference, "old": each.old or None, "new": each.new} for each in fresh.moved
        ],
        "updates": [update_data(each) for each in fresh.packages.updates],
        "young": [update_data(each) for each in fresh.packages.young],
        "waiting": [update_data(each) for each in fresh.packages.waiting],
        "problems": list(fresh.problems),
    }


def update_data(update: Update) -> Mapping[str, Any]:
    """Return an update as data."""
    return {
        "ecosystem": update.ecosystem,
        "name": update.name,
        "old": update.old or None,
        "new": update.new or None,
        "published": _moment(update.published),
    }


def _moment(time: dt.datetime | None) -> str | None:
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
