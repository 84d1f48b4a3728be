"""Deno's modules, by importing them without a network."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from isol8_tasks.ecosystems.findings import PackageFinding, PackageMissing, PackageUnusable, Seen
from isol8_tasks.ecosystems.inventory import Package, deno_packages


def query(spec: str) -> str:
    """Do what Verification promises."""
    return json.dumps(spec)


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding]:
    """Do what Verification promises."""
    for spec, (status, output) in zip(specs, seen.items, strict=True):
        if status == _KILLED:
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)} did not end", output=output)
        elif status != "0" and _NOT_CACHED in output:
            yield PackageMissing(package=spec)
        elif status != "0" and spec.startswith(_TYPES) and _NO_MODULE.search(output):
            # Types alone are never run, and are there.
            continue
        elif status != "0":
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)}", output=output)


def installed(seen: Seen) -> Iterable[Package]:
    """Do what Verification promises."""
    return deno_packages(seen.cached)


_KILLED: Final = "137"
_NOT_CACHED: Final = "--cached-only is specified"
_TYPES: Final = "npm:@types/"
_NO_MODULE: Final = re.compile(r"\[ERR_MODULE_NOT_FOUND\] Cannot find module 'file://[^']*/@types/")
