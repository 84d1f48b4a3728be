"""resolved-images.json: which image each runtime runs, and what is known of it."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.plan.labels import Record, read
from isol8_tasks.plan.observed import Observed, ObservedImage
from isol8_tasks.runtimes import RUNTIMES

SCHEMA: Final = 1
"""Version of the manifest's form; docs/manifest.schema.json describes it."""


def resolve(observed: Observed, runtime: str) -> str | None:
    """Return the reference of the image that a runtime runs: the custom one where it exists, else the base.

    This is isol8's resolveImage(): tags decide, whoever made the images.
    """
    for name in (f"{runtime}-custom", runtime):
        if observed.public(name) is not None:
            return f"{observed.repository}:{name}"
    return None


def render(observed: Observed) -> str:
    """Return the manifest of what the engine holds; the same images give the same bytes."""
    images = {
        f"{observed.repository}:{name}": entry
        for name in (*RUNTIMES, *(f"{runtime}-custom" for runtime in RUNTIMES))
        if (entry := _entry(observed, name)) is not None
    }
    runtimes: dict[str, Mapping[str, Any]] = {}
    for runtime in RUNTIMES:
        reference = resolve(observed, runtime)
        if reference is not None:
            runtimes[runtime] = images[reference]
    manifest = {"schema": SCHEMA, "runtimes": runtimes, "images": dict(sorted(images.items()))}
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def changes(old: str | None, new: str) -> tuple[str, ...]:
    """Name the images that differ between two manifests; all of them where the old one can't be read."""
    before: Mapping[str, object] = {}
    if old is not None:
        try:
            loaded = json.loads(old)
            before = loaded["images"] if isinstance(loaded["images"], dict) else {}
        except (ValueError, KeyError, TypeError):
            before = {}
    after: Mapping[str, object] = json.loads(new)["images"]
    names = [name for name in after if before.get(name) != after[name]]
    names += [name for name in before if name not in after]
    return tuple(name.rpartition(":")[2] for name in names)


def _entry(observed: Observed, name: str) -> Mapping[str, Any] | None:
    image = observed.public(name)
    if image is None:
        return None
    record = observed.record(name)
    runtime, _, custom = name.partition("-")
    return {
        "reference": f"{observed.repository}:{name}",
        "id": image.id,
        "kind": "custom" if custom else "base",
        "runtime": runtime,
        "packages": list(record.packages) if record else [],
        "key": record.key if record else None,
        "base": f"{observed.repository}:{runtime}" if custom else (record.upstream if record else None),
        "size": image.size,
        "created": _created(image),
        "upstream": _upstream(record),
    }


def _upstream(record: Record | None) -> Mapping[str, Any] | None:
    if record is None:
        return None
    return {
        "name": record.upstream,
        "digest": record.upstream_digest or None,
        "standin": record.standin or None,
    }


def _created(image: ObservedImage) -> str:
    """Return when an image was built: as we wrote it, since a build of cached layers keeps their time."""
    if written := image.labels.get("org.opencontainers.image.created"):
        return written
    moment = dt.datetime.fromtimestamp(image.created, tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def built_on(image: ObservedImage) -> str:
    """Return the day on which an image was built, for people."""
    return _created(image)[:10]


def packages_of(image: ObservedImage) -> tuple[str, ...]:
    """Return the packages that an image says it was built with."""
    record = read(image.labels)
    return record.packages if record else ()
