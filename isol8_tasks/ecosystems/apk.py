"""Alpine's packages, by what apk says of them."""

import re
from collections.abc import Iterable, Iterator

from isol8_tasks.ecosystems.findings import (
    PackageFinding,
    PackageMissing,
    PackageNote,
    PackageUnusable,
    Seen,
    WrongVersion,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.loading import judge_asked
from isol8_tasks.ecosystems.specs import parse_spec


def query(spec: str) -> str:
    """Do what PackageVerification promises."""
    parsed = parse_spec("apk", spec)
    # The tag says where a package comes from, and `apk info` does not know it.
    return parsed.name + re.sub(r"^@[A-Za-z0-9_.-]+", "", parsed.constraint)


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding]:
    """Do what PackageVerification promises."""
    versions = dict(re.findall(r"^P:(.*)\n(?:.*\n)??V:(.*)$", seen.apk, re.MULTILINE))
    for spec, (_item, text) in zip(specs, seen.items, strict=True):
        state, _blank, file = text.partition(" ")
        if state == "missing":
            yield PackageMissing(package=spec)
        elif state == "version":
            name = parse_spec("apk", spec).name
            yield WrongVersion(package=spec, version=versions.get(name, "another"))
        elif state == "command":
            yield PackageUnusable(package=spec, use=f"its command {file}", output="")
        elif state != "ok":
            yield PackageUnusable(package=spec, use="apk info", output=text)


def judge_once(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    yield from judge_asked(specs, [parse_spec("apk", spec).name for spec in specs], seen)


def installed(_: Seen) -> Iterable[Package]:
    """Do what PackageVerification promises."""
    return ()
