"""Python's packages, by the metadata of what is installed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from isol8_tasks.ecosystems.findings import (
    ExtraMissing,
    PackageFinding,
    PackageHidden,
    PackageMissing,
    PackageUnusable,
    Seen,
    WrongVersion,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.specs import parse_spec


def query(spec: str) -> str:
    """Do what PackageVerification promises."""
    return parse_spec("pypi", spec).name


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding]:
    """Do what PackageVerification promises."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - only who checks packages should pay for it

    there = {query(name): (version, needs) for name, version, needs in seen.answer["packages"]}
    environment: Mapping[str, str] = seen.answer["environment"]
    for spec, item in zip(specs, seen.items, strict=True):
        wanted = Requirement(spec)
        if wanted.marker is not None and not wanted.marker.evaluate(dict(environment)):
            continue
        if item is None or query(wanted.name) not in there:
            yield PackageMissing(package=spec)
            continue
        version = there[query(wanted.name)][0]
        if not wanted.specifier.contains(version, prereleases=True):
            yield WrongVersion(package=spec, version=version)
        for needed in _missing_of_extras(wanted.name, frozenset(wanted.extras), there, environment):
            yield ExtraMissing(package=spec, needed=needed)
        if item["gone"]:
            yield PackageHidden(package=spec, path=item["gone"][0])
        elif item["problem"]:
            use, _newline, output = item["problem"].partition("\n")
            yield PackageUnusable(package=spec, use=use, output=output)


def installed(seen: Seen) -> Iterator[Package]:
    """Do what PackageVerification promises."""
    for name, version, _ in seen.answer.get("packages", ()):
        yield Package(ecosystem="pypi", name=re.sub(r"[-_.]+", "-", name).lower(), version=version)


def _missing_of_extras(
    name: str, extras: frozenset[str], there: Mapping[str, Any], environment: Mapping[str, str]
) -> list[str]:
    """Return what the extras of a package need, and what their own extras do, and what is not there."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - as above

    missing: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(query(name), extras)]
    while waiting:
        package, asked = waiting.pop()
        if (package, asked) in seen or not asked:
            continue
        seen.add((package, asked))
        for text in there[package][1]:
            needed = Requirement(text)
            of_extra = needed.marker is not None and any(
                needed.marker.evaluate({**environment, "extra": extra}) for extra in asked
            )
            if not of_extra or (needed.marker and needed.marker.evaluate({**environment, "extra": ""})):
                continue
            key = query(needed.name)
            if key not in there or not needed.specifier.contains(there[key][0], prereleases=True):
                missing.add(f"{needed.name}{needed.specifier}")
            else:
                waiting.append((key, frozenset(needed.extras)))
    return sorted(missing)
