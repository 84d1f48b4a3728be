"""npm's packages, by their package.json and by loading them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.findings import (
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
    parsed = parse_spec("npm", spec)
    wanted = parsed.constraint.removeprefix("@")
    if wanted.startswith("npm:"):
        wanted = wanted.removeprefix("npm:")[1:].partition("@")[2]
    # A tag says nothing about the version any more, once it was followed.
    is_tag = re.fullmatch(_TAG, wanted) and not re.match(r"[vV]?[0-9]|[xX](?:\.|$)", wanted)
    return json.dumps({"name": parsed.name, "range": "" if is_tag else wanted})


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding]:
    """Do what PackageVerification promises."""
    for spec, item in zip(specs, seen.items, strict=True):
        if error := item.get("error"):
            code, _newline, message = error.partition("\n")
            if code == "ENOENT":
                yield PackageMissing(package=spec)
            elif code == "EACCES":
                found = re.search(r"'([^']+)'", message)
                yield PackageHidden(package=spec, path=found[1] if found else "its folder")
            else:
                yield PackageUnusable(package=spec, use="its package.json", output=message)
            continue
        if item.get("satisfies") is False:
            yield WrongVersion(package=spec, version=item["version"])
        elif "satisfies" in item and item["satisfies"] is None:
            yield PackageUnusable(
                package=spec, use="its version", output="nothing in the image can compare versions"
            )
        yield from _judge_loading(spec, parse_spec("npm", spec).name + item["entry"][1:], item)


def installed(seen: Seen) -> Iterator[Package]:
    """Do what PackageVerification promises."""
    for name, version in seen.answer.get("packages", ()):
        yield Package(ecosystem="npm", name=name, version=version)


def _judge_loading(spec: str, name: str, item: Mapping[str, Any]) -> Iterator[PackageFinding]:
    """Judge whether a package can be loaded, or started where it has nothing to load."""
    if not item["entry"]:
        if item["broken_bins"]:
            yield PackageUnusable(package=spec, use=f"its command {item['broken_bins'][0]}", output="")
        return
    loaded: Mapping[str, str] = item["loaded"]
    if len(loaded) < len(_WAYS):
        # Some packages are programs, which run when they are loaded, and end.
        if item["bins"] and (item["ended"] == "0" or item["speaks"]):
            return
        way = _WAYS[0] if not loaded else _WAYS[1]
        what = "did not end" if item["ended"] == "hung" else f"ended the process ({item['ended']})"
        yield PackageUnusable(package=spec, use=f"{_way(way, name)} {what}", output=item["output"])
        return
    # A program can give a browser's package what it needs of a browser (jquery, leaflet).
    failed = {
        way: error.partition("\n") for way, error in loaded.items() if error and not _BROWSER.search(error)
    }
    # What a package does not offer by its own word is no fault, as long as it offers something.
    faults = {way: parts for way, parts in failed.items() if parts[0] not in _NOT_OFFERED}
    if not faults and len(failed) == len(_WAYS):
        faults = failed
    for way, (_code, _newline, text) in faults.items():
        yield PackageUnusable(package=spec, use=_way(way, name), output=text)


def _way(way: str, name: str) -> str:
    return f"{way}({json.dumps(name)})"


_WAYS: Final = ("require", "import")
_NOT_OFFERED: Final = {
    # Data, which an import has to name as such.
    "ERR_IMPORT_ATTRIBUTE_MISSING",
    "ERR_PACKAGE_PATH_NOT_EXPORTED",
    "ERR_REQUIRE_ASYNC_MODULE",
    "ERR_REQUIRE_ESM",
}
_BROWSER: Final = re.compile(
    r"\b(?:window|document|navigator|HTMLElement|self) is not defined\b|requires a window with a document"
)
_TAG: Final = r"[A-Za-z][A-Za-z0-9._-]*"
