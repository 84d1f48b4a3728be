"""Deno's modules, by importing them without a network."""

import json
import re
from collections.abc import Iterator
from typing import Final

from isol8_tasks.ecosystems.declining import declines, of_text, said
from isol8_tasks.ecosystems.findings import (
    PackageDeclines,
    PackageFinding,
    PackageMissing,
    PackageNote,
    PackageUnusable,
    Seen,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.loading import judge_asked
from isol8_tasks.ecosystems.needs import needs
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.safety.jsontext import loads


def query(spec: str) -> str:
    """Do what PackageVerification promises."""
    return json.dumps(spec)


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    for spec, (status, output) in zip(specs, seen.items, strict=True):
        if status in _KILLED:
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)} did not end", output=output)
        elif status != "0" and _NOT_CACHED in output:
            yield PackageMissing(package=spec)
        elif status != "0" and spec.startswith(_TYPES) and _NO_MODULE.search(output):
            # Types alone are never run, and are there.
            continue
        elif status != "0" and declines(error := of_text(output)):
            yield PackageDeclines(package=spec, use=f"import {json.dumps(spec)}", output=said(error))
        elif status != "0":
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)}", output=output)


def judge_once(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    names = [re.sub(r"^npm:((?:@[^/]+/)?[^/]+).*", r"\1", parse_spec("deno", spec).name) for spec in specs]
    # Files for other systems lie side by side, so one that can't be loaded is no news beside others.
    yield from (each for each in judge_asked(specs, names, seen) if isinstance(each, PackageUnusable))
    yield from needs("npm", specs, names, seen)


def installed(seen: Seen) -> Iterator[Package]:
    """Do what PackageVerification promises."""
    for line in seen.cached.splitlines():
        if found := re.search(_IN_CACHE, line):
            yield Package(ecosystem="npm", name=found["name"], version=found["version"])
        elif line.startswith(_METADATA):
            try:
                url = loads(line.removeprefix(_METADATA))["url"]
            except (ValueError, KeyError, TypeError):
                continue
            if found := re.match(_JSR_URL, str(url)):
                yield Package(ecosystem="deno", name=found["name"], version=found["version"])
            elif not re.search(_JSR_META, str(url)):
                yield Package(ecosystem="deno", name=str(url), version="")


_KILLED: Final = {"137", "152"}
"""By the clock, and by the limit of CPU time."""
_NOT_CACHED: Final = "--cached-only is specified"
_TYPES: Final = "npm:@types/"
_NO_MODULE: Final = re.compile(r"\[ERR_MODULE_NOT_FOUND\] Cannot find module 'file://[^']*/@types/")
_IN_CACHE: Final = r"/npm/[^/]+/(?P<name>(?:@[^/]+/)?[^/@]+)/(?P<version>[0-9][^/]*)/package\.json$"
_METADATA: Final = "// denoCacheMetadata="
# Whichever registry it is, nobody else has this form.
_JSR_URL: Final = (
    r"https://[^/]+/(?P<name>@[a-z0-9-]+/[a-z0-9-]+)/(?P<version>[0-9]+\.[0-9]+\.[0-9]+[^/_]*)[/_]"
)
_JSR_META: Final = r"/@[a-z0-9-]+/[a-z0-9-]+/meta\.json$"
