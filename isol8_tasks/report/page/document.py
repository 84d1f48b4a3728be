"""What the page shows, as data that JSON can hold."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import Factory, frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.freshness.alpine import CHECKED, ENDS
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.images.choice import Choice, Requests, choose, client_choices
from isol8_tasks.images.holds import Hold
from isol8_tasks.images.journal import FAILED, REFRESHED, HistoryEntry, Versions
from isol8_tasks.images.observed import Observed, ObservedImage, short_digest
from isol8_tasks.images.references import tag_of
from isol8_tasks.plan.decision import Decision
from isol8_tasks.plan.graph import Graph
from isol8_tasks.report.containing import PART_OF
from isol8_tasks.report.freshness import news, young
from isol8_tasks.report.page.answers import NO_BUILD, SAME_RESULT, answers, last_change
from isol8_tasks.report.pictures import Node, graph_nodes, tree_rows

MOST_BUILDS: Final = 5000
"""Changes of the history on a page; older ones are left out."""
_NO_YEAR: Final = 1970
"""Of an image whose builder wrote no time: year 1, or the begin of the epoch."""
Cleaned = dict[str, Any]
"""What JSON can hold, and no credential or control character is in."""


@frozen(kw_only=True)
class Snapshot:
    """All that a page is made of, as it was at one moment."""

    at: dt.datetime
    engine: str
    """As people know it: `Docker 28.5.2`."""
    platform: str
    """`linux/amd64`; empty where the engine did not tell."""
    config: Config
    graph: Graph
    decisions: Mapping[str, Decision]
    observed: Observed
    holds: Mapping[str, Hold] = Factory(dict)
    found: Sequence[Freshness] | None = None
    """How fresh the images are; None where no source was asked."""
    history: Sequence[HistoryEntry] = ()
    """Oldest first."""


def page_document(snapshot: Snapshot, redact: Callable[[str], str]) -> Cleaned:
    """Return what the page shows; `redact` takes the credentials and control characters out of a text."""
    packages = _Packages()
    nodes = graph_nodes(snapshot.graph, snapshot.decisions, snapshot.config, snapshot.observed)
    rows = [*tree_rows(nodes)]
    numbers = {node.name: number for number, (_, node) in enumerate(rows)}
    changes = [each for each in snapshot.history if each.is_change]
    builds = _builds(changes[-MOST_BUILDS:], packages)
    failures, failed = _failures(snapshot.history)
    order = {each.image: number for number, each in enumerate(changes) if each.how not in NO_BUILD}
    images = [
        {**_image(branch, node, snapshot, packages), "parent": numbers.get(node.parent)}
        for branch, node in rows
    ]
    for image in images:
        name = "" if image["kind"] == "upstream" else tag_of(image["name"])
        image["builds"], image["failures"] = builds.get(name, []), failures.get(name, [])
        image["last"] = last_change(image["builds"])
        image["failed"] = failed.get(name)
        # The place of its last change among those of all images.
        image["order"] = order.get(name, -1)
    document = {
        "at": _moment(snapshot.at),
        "repository": snapshot.observed.repository,
        "engine": snapshot.engine,
        "platform": snapshot.platform,
        "images": images,
        "packages": packages.listed,
        "parts": PART_OF,
        "history": bool(snapshot.history),
        "nights": [_night(each) for each in snapshot.history if each.how == REFRESHED],
        "left_out": max(len(changes) - MOST_BUILDS, 0),
        "clients": [*_clients(snapshot)],
        "freshness": None if snapshot.found is None else [*_freshness(snapshot)],
        "support": _support(images, snapshot.at.date()),
        "checked": CHECKED.isoformat(),
    }
    cleaned = _cleaned(document, {}, redact)
    cleaned["answers"] = answers(cleaned)
    found: Cleaned = cleaned
    return found


class _Packages:
    """Each package in a version, once, by its number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}

    def of(self, found: Versions) -> list[int]:
        return [self._number(*key, version) for key, version in found.items()]

    def each_of(self, found: Iterable[Package]) -> list[int]:
        """Return those of an inventory, which counts each version of a package that npm has several of."""
        return [self._number(each.ecosystem, each.name, each.version) for each in found]

    def _number(self, *package: str) -> int:
        return self._numbers.setdefault(package, len(self._numbers))

    @property
    def listed(self) -> list[list[str]]:
        return [[*each] for each in self._numbers]


def _image(branch: str, node: Node, snapshot: Snapshot, packages: _Packages) -> dict[str, Any]:
    """Return all that is known of an image, or of an upstream image, now."""
    observed = snapshot.observed
    image = observed.tagged(node.name)
    found: dict[str, Any] = {
        "name": node.name,
        "branch": branch,
        "kind": node.kind or "named",
        "state": node.state,
        "why": [*node.why],
        "copies": [*node.copies],
        "there": image is not None,
        "built": None,
        "packages": None,
    }
    if image is not None:
        found |= {
            "built": _moment(image.built) if image.built.year > _NO_YEAR else None,
            "size": image.size,
            "id": image.id,
            "digests": [*image.digests],
        }
    if node.kind == "upstream":
        return found
    name = tag_of(node.name)
    return {**found, **_own(name, image, observed, packages), **_standing(name, snapshot)}


def _own(name: str, image: ObservedImage | None, observed: Observed, packages: _Packages) -> dict[str, Any]:
    """Return what labels of ours say of an image."""
    record, inventory = observed.record(name), observed.inventory(name)
    rejected = observed.public(f"{name}-rejected")
    return {
        "runtime": (image.labels.get("org.isol8.runtime") or name.partition("-")[0]) if image else "",
        "ours": record is not None,
        "verified": inventory is not None,
        "key": record.key if record else "",
        "checkout": record.checkout if record else "",
        "upstream": record.upstream if record else "",
        "standin": bool(record and record.standin),
        "declared": [*record.packages] if record else [],
        "flags": [package for package, _ in record.flags] if record else [],
        "alpine": inventory[0] if inventory else "",
        "packages": packages.each_of(inventory[1]) if inventory else None,
        "notes": [*observed.notes(name)],
        "rejected": _moment(rejected.built) if rejected else None,
    }


def _standing(name: str, snapshot: Snapshot) -> dict[str, Any]:
    hold = snapshot.holds.get(name)
    return {
        "task": snapshot.decisions[name].task if name in snapshot.decisions else "",
        "held": _moment(hold.since) if hold else None,
    }


def _failures(
    history: Iterable[HistoryEntry],
) -> tuple[Mapping[str, list[dict[str, Any]]], Mapping[str, dict[str, Any]]]:
    """Return what went wrong with each image, and of it what is the last that is known of the image."""
    found: dict[str, list[dict[str, Any]]] = {}
    last: dict[str, dict[str, Any]] = {}
    for each in history:
        if each.is_change:
            last.pop(each.image, None)
        elif each.how == FAILED:
            last[each.image] = {
                "at": _moment(each.at),
                "why": [*each.why],
                "problem": each.problem,
                "seconds": round(each.seconds, 1),
                **_moved(each),
            }
            found.setdefault(each.image, []).append(last[each.image])
    return found, last


def _night(entry: HistoryEntry) -> dict[str, Any]:
    """Return what a refresh came to."""
    return {
        "at": _moment(entry.at),
        "images": dict(entry.counts),
        "seconds": round(entry.seconds, 1),
        **_moved(entry),
    }


def _moved(entry: HistoryEntry) -> dict[str, Any]:
    return {"bytes": dict(entry.transferred)} if entry.transferred else {}


def _builds(history: Iterable[HistoryEntry], packages: _Packages) -> Mapping[str, list[dict[str, Any]]]:
    """Return the changes of each image, oldest first.

    Packages stand there as a whole where the change before does not lead to them, and else by what changed.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    last: dict[str, HistoryEntry] = {}
    for each in history:
        before = last.get(each.image)
        build: dict[str, Any] = {
            "at": _moment(each.at),
            "how": SAME_RESULT if each.how == "same" else each.how,
            "why": [*each.why],
            "seconds": round(each.seconds, 1),
            "verified": each.verified,
            "was": each.old.size if each.old else None,
            **_moved(each),
        }
        if each.new:
            known = before.new if before else None
            build |= {
                "id": short_digest(each.new.id),
                "size": each.new.size or None,
                "digest": each.new.digest,
                "alpine": each.new.alpine,
            }
            follows = known is not None and each.old is not None and known.id == each.old.id
            if each.new.packages is not None:
                if follows and known and known.packages is not None:
                    build["changed"] = [[u.ecosystem, u.name, u.old, u.new] for u in each.updates]
                else:
                    build["packages"] = packages.of(each.new.packages)
            if not known or each.new.configuration != known.configuration:
                build["settings"] = dict(each.new.configuration or {})
        found.setdefault(each.image, []).append(build)
        last[each.image] = each
    return found


def _clients(snapshot: Snapshot) -> Iterator[Mapping[str, Any]]:
    """Yield what requests get: one for each runtime without packages, and one for those of each image."""
    observed = snapshot.observed
    among = Requests(observed)
    asked = dict.fromkeys((runtime, ()) for runtime in RUNTIMES) | dict.fromkeys(
        (spec.runtime, spec.packages) for spec in snapshot.graph.images if spec.packages
    )
    for runtime, packages in asked:
        found = choose(observed, runtime, packages, among=among)
        if found.image:
            yield {
                "runtime": runtime,
                "packages": [*packages],
                "image": found.image,
                "clients": [*_generations(observed, found, among)],
            }


def _generations(observed: Observed, found: Choice, among: Requests) -> Iterator[Mapping[str, Any]]:
    for each in client_choices(observed, found, among=among):
        notes = [
            *(["which one depends on the order in which the engine lists images"] if each.by_order else []),
            *(["installs the missing packages at each start"] if each.lacks else []),
        ]
        yield {
            "client": each.client,
            "image": each.image,
            "there": observed.tagged(each.image) is not None,
            "same": each.same,
            "notes": notes,
        }


def _freshness(snapshot: Snapshot) -> Iterator[Mapping[str, Any]]:
    settings, observed = snapshot.config.refresh, snapshot.observed
    for each in snapshot.found or ():
        yield {
            "name": observed.public_tag(each.image),
            "state": each.state,
            "news": [*news(each, observed.repository, settings)],
            "young": [*young(each, settings)],
            "waiting": [update.words for update in each.packages.waiting],
            "problems": [*each.problems],
            "told": bool(each.behind or each.problems or each.packages.young or each.packages.waiting),
        }


def _support(images: Iterable[Mapping[str, Any]], today: dt.date) -> list[dict[str, Any]]:
    """Return when the support of Alpine's branches ends: those of images, and newer ones to move to."""
    used: dict[str, list[str]] = {}
    for image in images:
        branch = ".".join(image.get("alpine", "").split(".")[:2])
        if branch in ENDS:
            used.setdefault(branch, []).append(image["name"])
    return [
        {
            "branch": branch,
            "end": end.isoformat(),
            "days": (end - today).days,
            "images": used.get(branch, []),
        }
        for branch, end in ENDS.items()
        if branch in used or (used and end >= max(today, *(ENDS[each] for each in used)))
    ]


def _cleaned(value: Any, known: dict[str, str], redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    """Return data with each text cleaned, keys of foreign mappings included."""
    if isinstance(value, str):
        if value not in known:
            known[value] = redact(value)
        return known[value]
    if isinstance(value, dict):
        return {_cleaned(key, known, redact): _cleaned(each, known, redact) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, known, redact) for each in value]
    return value


def _moment(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
