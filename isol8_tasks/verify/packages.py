"""What each ecosystem's probe is asked, and what its answer says about the packages that were asked for."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.verify.findings import (
    ExtraMissing,
    PackageFinding,
    PackageHidden,
    PackageMissing,
    PackageUnusable,
    WrongVersion,
)
from isol8_tasks.verify.probe import Look


@frozen
class Ecosystem:
    """How packages of one kind are looked for."""

    item: Callable[[str], str]
    """What the probe gets for a package spec."""
    judge: Callable[[tuple[str, ...], Look, Mapping[str, Any]], Iterator[PackageFinding]]
    """What is wrong with the packages, by the look and the runtime's own answer in it."""


def _python_item(spec: str) -> str:
    return parse_spec("pypi", spec).name


def _judge_python(specs: tuple[str, ...], _: Look, answer: Mapping[str, Any]) -> Iterator[PackageFinding]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - only who checks packages should pay for it

    there = {_python_item(name): (version, needs) for name, version, needs in answer["packages"]}
    environment: Mapping[str, str] = answer["environment"]
    for spec, item in zip(specs, answer["items"], strict=True):
        wanted = Requirement(spec)
        if wanted.marker is not None and not wanted.marker.evaluate(dict(environment)):
            continue
        if item is None or _python_item(wanted.name) not in there:
            yield PackageMissing(package=spec)
            continue
        version = there[_python_item(wanted.name)][0]
        if not wanted.specifier.contains(version, prereleases=True):
            yield WrongVersion(package=spec, version=version)
        for needed in _missing_of_extras(wanted.name, frozenset(wanted.extras), there, environment):
            yield ExtraMissing(package=spec, needed=needed)
        if item["gone"]:
            yield PackageHidden(package=spec, path=item["gone"][0])
        elif item["problem"]:
            use, _newline, output = item["problem"].partition("\n")
            yield PackageUnusable(package=spec, use=use, output=output)


def _missing_of_extras(
    name: str, extras: frozenset[str], there: Mapping[str, Any], environment: Mapping[str, str]
) -> list[str]:
    """Return what the extras of a package need, and what their own extras do, and what is not there."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - as above

    missing: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(_python_item(name), extras)]
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
            key = _python_item(needed.name)
            if key not in there or not needed.specifier.contains(there[key][0], prereleases=True):
                missing.add(f"{needed.name}{needed.specifier}")
            else:
                waiting.append((key, frozenset(needed.extras)))
    return sorted(missing)


def _node_item(spec: str) -> str:
    parsed = parse_spec("npm", spec)
    wanted = parsed.constraint.removeprefix("@")
    if wanted.startswith("npm:"):
        wanted = wanted.removeprefix("npm:")[1:].partition("@")[2]
    # A tag says nothing about the version any more, once it was followed.
    is_tag = re.fullmatch(_TAG, wanted) and not re.match(r"[vV]?[0-9]|[xX](?:\.|$)", wanted)
    return json.dumps({"name": parsed.name, "range": "" if is_tag else wanted})


def _judge_node(specs: tuple[str, ...], _: Look, answer: Mapping[str, Any]) -> Iterator[PackageFinding]:
    for spec, item in zip(specs, answer["items"], strict=True):
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


def _deno_item(spec: str) -> str:
    return json.dumps(spec)


def _judge_deno(specs: tuple[str, ...], look: Look, _: Mapping[str, Any]) -> Iterator[PackageFinding]:
    for spec, (status, output) in zip(specs, look.items, strict=True):
        if status == _KILLED:
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)} did not end", output=output)
        elif status != "0" and _NOT_CACHED in output:
            yield PackageMissing(package=spec)
        elif status != "0" and spec.startswith(_TYPES) and _NO_MODULE.search(output):
            # Types alone are never run, and are there.
            continue
        elif status != "0":
            yield PackageUnusable(package=spec, use=f"import {json.dumps(spec)}", output=output)


def _apk_item(spec: str) -> str:
    parsed = parse_spec("apk", spec)
    # The tag says where a package comes from, and `apk info` does not know it.
    return parsed.name + re.sub(r"^@[A-Za-z0-9_.-]+", "", parsed.constraint)


def _judge_apk(specs: tuple[str, ...], look: Look, _: Mapping[str, Any]) -> Iterator[PackageFinding]:
    versions = dict(re.findall(r"^P:(.*)\n(?:.*\n)??V:(.*)$", look.apk, re.MULTILINE))
    for spec, (_item, text) in zip(specs, look.items, strict=True):
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


ITEMS_IN_ANSWER: Final = frozenset({"python", "node", "bun"})
"""The runtimes whose own answer tells of each package; others tell in sections of the look."""
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
_KILLED: Final = "137"
_NOT_CACHED: Final = "--cached-only is specified"
_TYPES: Final = "npm:@types/"
_NO_MODULE: Final = re.compile(r"\[ERR_MODULE_NOT_FOUND\] Cannot find module 'file://[^']*/@types/")

ECOSYSTEMS: Final[Mapping[str, Ecosystem]] = {
    "pypi": Ecosystem(_python_item, _judge_python),
    "npm": Ecosystem(_node_item, _judge_node),
    "deno": Ecosystem(_deno_item, _judge_deno),
    "apk": Ecosystem(_apk_item, _judge_apk),
}
"""By the name that runtimes give their ecosystem."""
