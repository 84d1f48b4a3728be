"""resolved-images.json: which image each runtime runs, and what is known of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.images.holds import Hold
from isol8_tasks.images.labels import BASE_NAME, Record, read_record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.pushed import Pushed, pushed_data
from isol8_tasks.images.references import tag_of
from isol8_tasks.safety.jsontext import loads

if TYPE_CHECKING:
    from isol8_tasks.ecosystems.inventory import Package

MANIFEST_SCHEMA: Final = 1
"""Version of the manifest's form; docs/schemas/manifest.schema.json describes it."""
_RECIPE: Final = 2
"""Version of how it is made here; another one lets every manifest be made again."""


def state(observed: Observed, held: Mapping[str, Hold]) -> str:
    """Return what differs whenever the manifest would, and costs far less than to make it."""
    digest = hashlib.sha256(f"{_RECIPE} {observed.repository} {sorted(held)}".encode())
    for image in observed.images:
        if image.labels:
            digest.update(f"\0{image.id} {image.size} {' '.join(image.tags)}".encode())
    return digest.hexdigest()


def render_manifest(
    observed: Observed, held: Mapping[str, Hold], pushed: Mapping[str, tuple[str, Pushed]] | None = None
) -> str:
    """Return the manifest of what the engine holds; the same images give the same bytes.

    `pushed` says by names which images, by their ids, are in a registry and where.
    """
    # Here and below, as a manifest is seldom made again.
    from isol8_tasks.images.choice import preferred  # noqa: PLC0415

    specified = [*RUNTIMES, *(f"{runtime}-custom" for runtime in RUNTIMES)]
    named = [name for name in observed.promoted if name not in specified and observed.record(name)]
    images = {
        observed.public_tag(name): entry
        for name in (*specified, *named)
        if (entry := _entry(observed, name, held)) is not None
        and (entry := {**entry, **_where(entry, (pushed or {}).get(name))})
    }
    runtimes: dict[str, Mapping[str, Any]] = {}
    for runtime in RUNTIMES:
        reference = preferred(observed, runtime)
        if reference is not None:
            runtimes[runtime] = images[reference]
    manifest = {"schema": MANIFEST_SCHEMA, "runtimes": runtimes, "images": dict(sorted(images.items()))}
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def changed_images(old: str | None, new: str) -> tuple[str, ...]:
    """Name the images that differ between two manifests; all of them where the old one can't be read."""
    before: Mapping[str, object] = {}
    if old is not None:
        try:
            loaded = loads(old)
            before = loaded["images"] if isinstance(loaded["images"], dict) else {}
        except (ValueError, KeyError, TypeError):
            before = {}
    after: Mapping[str, object] = loads(new)["images"]
    names = [name for name in after if before.get(name) != after[name]]
    names += [name for name in before if name not in after]
    return tuple(tag_of(name) for name in names)


def _entry(observed: Observed, name: str, held: Mapping[str, Hold]) -> Mapping[str, Any] | None:
    image = observed.public(name)
    if image is None:
        return None
    record = observed.record(name)
    runtime, custom, _ = name.partition("-custom")
    kind = "custom" if custom else "base"
    base = record.upstream if record else None
    if custom:
        base = observed.public_tag(runtime)
    elif runtime not in RUNTIMES:
        kind, runtime = "named", image.labels.get("org.isol8.runtime", "")
        base = image.labels.get(BASE_NAME)
    return {
        "reference": observed.public_tag(name),
        "id": image.id,
        "kind": kind,
        "runtime": runtime,
        "packages": list(record.packages) if record else [],
        "key": record.key if record else None,
        "base": base,
        "size": image.size or None,
        "created": created(image),
        "upstream": _upstream(record),
        "held": held[name].since.strftime("%Y-%m-%dT%H:%M:%SZ") if name in held else None,
        "inventory": _inventory(observed.inventory(name)),
        "notes": list(observed.notes(name)),
        **({"platform": record.platform} if record and record.platform else {}),
    }


def _where(entry: Mapping[str, Any], found: tuple[str, Pushed] | None) -> Mapping[str, Any]:
    """Return what there is to add of an image that is in a registry."""
    return {"pushed": pushed_data(found[1])} if found and found[0] == entry["id"] else {}


def _inventory(found: tuple[str, tuple["Package", ...]] | None) -> Mapping[str, Any] | None:
    """Return what was found in an image when it was checked; None for one that never was."""
    if found is None:
        return None
    from isol8_tasks.ecosystems.inventory import versions  # noqa: PLC0415 - as above

    release, packages = found
    by_ecosystem: dict[str, dict[str, str]] = {}
    for (ecosystem, name), version in versions(packages).items():
        by_ecosystem.setdefault(ecosystem, {})[name] = version
    return {"alpine": release or None, "packages": by_ecosystem}


def _upstream(record: Record | None) -> Mapping[str, Any] | None:
    if record is None:
        return None
    return {
        "name": record.upstream,
        "digest": record.upstream_digest or None,
        "standin": record.standin or None,
    }


def created(image: ObservedImage) -> str:
    """Return when an image was built: as we wrote it, since a build of cached layers keeps their time."""
    return image.built.strftime("%Y-%m-%dT%H:%M:%SZ")


def built_on(image: ObservedImage) -> str:
    """Return the day on which an image was built, for people."""
    return created(image)[:10]


def packages_of(image: ObservedImage) -> tuple[str, ...]:
    """Return the packages that an image says it was built with."""
    record = read_record(image.labels)
    return record.packages if record else ()
