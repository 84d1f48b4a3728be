"""npm's packages, by their package.json and by loading them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.declining import declines, said
from isol8_tasks.ecosystems.findings import (
    CommandShared,
    PackageDeclines,
    PackageFinding,
    PackageHidden,
    PackageMissing,
    PackageNote,
    PackageUnusable,
    PartUnusable,
    Seen,
    WrongVersion,
)
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.loading import judge_asked, library_in
from isol8_tasks.ecosystems.needs import needs, of_runtime
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


def judge(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
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


def judge_once(specs: tuple[str, ...], seen: Seen) -> Iterator[PackageFinding | PackageNote]:
    """Do what PackageVerification promises."""
    names = [parse_spec("npm", spec).name for spec in specs]
    yield from judge_asked(specs, names, seen)
    yield from _shared(specs, names, seen)
    yield from needs("npm", specs, names, seen)
    yield from of_runtime(specs, names)


def installed(seen: Seen) -> Iterator[Package]:
    """Do what PackageVerification promises."""
    for name, version in seen.answer.get("packages", ()):
        yield Package(ecosystem="npm", name=name, version=version)


def _judge_loading(spec: str, name: str, item: Mapping[str, Any]) -> Iterator[PackageFinding | PackageNote]:
    """Judge whether a package can be loaded, or started where it has nothing to load."""
    if not item["entry"]:
        if item["broken_bins"]:
            yield PackageUnusable(package=spec, use=f"its command {item['broken_bins'][0]}", output="")
        return
    loaded: Mapping[str, Any] = item["loaded"]
    if len(loaded) < len(_WAYS):
        # Some packages are programs, which run when they are loaded, and end.
        if item["bins"] and (item["ended"] == "0" or item["speaks"]):
            return
        way = _WAYS[0] if not loaded else _WAYS[1]
        what = "did not end" if item["ended"] == "hung" else f"ended the process ({item['ended']})"
        yield PackageUnusable(package=spec, use=f"{_way(way, name)} {what}", output=item["output"])
        return
    if item["lost"] and item["speaks"]:
        # What is a program alone has nothing to load, although it names a file for that.
        yield PartUnusable(package=spec, use=_way(_WAYS[0], name), output=f"there is no {item['lost']}")
    else:
        yield from _judge_errors(spec, name, item)


def _judge_errors(spec: str, name: str, item: Mapping[str, Any]) -> Iterator[PackageFinding | PackageNote]:
    """Judge the errors that a package was loaded with."""
    loaded: Mapping[str, Any] = item["loaded"]
    # A program can give a browser's package what it needs of a browser (jquery, leaflet).
    failed = {way: error for way, error in loaded.items() if error and not _BROWSER.search(error["text"])}
    # What a package does not offer by its own word is no fault, as long as it offers something.
    faults = {way: error for way, error in failed.items() if error["code"] not in _NOT_OFFERED}
    if not faults and len(failed) == len(_WAYS):
        faults = failed
    # One that loads in one way may only throw in the other.
    throws = [way for way, error in faults.items() if not item["lost"] and declines(error)]
    if not all(loaded.values()):
        throws += [
            way for way, error in faults.items() if way not in throws and _is_of_other_kind(way, error)
        ]
    elif throws and throws == list(faults):
        yield PackageDeclines(package=spec, use=_way(throws[0], name), output=said(faults[throws[0]]))
    for way in faults:
        if way not in throws:
            text = faults[way]["text"] + (f"\nthere is no {item['lost']}" if item["lost"] else "")
            yield PackageUnusable(package=spec, use=_way(way, name), output=text, library=library_in(text))


def _shared(specs: tuple[str, ...], names: list[str], seen: Seen) -> Iterator[CommandShared]:
    """Tell which commands several of the packages provide."""
    providers: dict[str, list[int]] = {}
    for place, item in enumerate(seen.items):
        for command in item.get("commands", ()):
            providers.setdefault(command, []).append(place)
    for command, places in providers.items():
        if len(places) > 1:
            owner = seen.items[places[0]]["commands"][command]
            yield CommandShared(
                command=command,
                packages=tuple(specs[place] for place in places),
                used=next((specs[place] for place in places if names[place] == owner), ""),
            )


def _is_of_other_kind(way: str, error: Mapping[str, Any]) -> bool:
    """Tell whether `require` met a module that can only be imported."""
    return way == "require" and re.search(_ECMASCRIPT, error["message"]) is not None


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
_ECMASCRIPT: Final = r"import statement outside a module|Unexpected token '?(?:export|import)"
_TAG: Final = r"[A-Za-z][A-Za-z0-9._-]*"
