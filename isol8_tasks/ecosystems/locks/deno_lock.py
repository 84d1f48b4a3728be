"""deno.lock, by which Deno fills its cache."""

import re
from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.contents import LIMITS, Contents, add
from isol8_tasks.ecosystems.locks.registry import IDENTITY, SEMVER, is_integrity, is_true, limits
from isol8_tasks.ecosystems.locks.shapes import (
    PACKAGE_NAME,
    Fits,
    check_object,
    is_table,
    listing,
    load_json,
    matches,
    one_of,
    refuse,
    shown,
)
from isol8_tasks.ecosystems.model import Program
from isol8_tasks.ecosystems.specs import parse_spec, shell_word

FILE: Final = "deno.lock"
MAY_BE_EMPTY: Final = False


def contents(text: str, asked: tuple[str, ...]) -> Contents:
    """Do what LockFile promises."""
    lock = load_json(text)
    tables = dict.fromkeys(("specifiers", "npm", "jsr", "redirects", "remote"), is_table)
    check_object(lock, "", {"version": one_of("4", "5"), **tables}, ("version",))
    specifiers, npm, jsr, redirects, remote = (lock.get(key, {}) for key in tables)
    hashes, elsewhere = _packages(npm, jsr)
    for url, digest in remote.items():
        if not matches(_URL)(url) or not matches(_HEX)(digest):
            refuse(f"remote.{url}", "not a module with its hash, 64 hex digits")
        hashes[Package(ecosystem="deno", name=url, version="")] = f"sha256:{digest}"
    for url, other in redirects.items():
        if not all(map(matches(_URL), (url, other))) or not (other in remote or other in redirects):
            refuse(f"redirects.{url}", "leads to nothing that is in the lock")
    for spec, version in specifiers.items():
        wanted = re.fullmatch(_SPECIFIER, spec)
        if wanted is None or f"{wanted['name']}@{version}" not in {"npm": npm, "jsr": jsr}[wanted["kind"]]:
            refuse(f"specifiers.{spec}", f"{shown(version)}, which is missing")
    for spec in asked:
        there = {*remote, *redirects} if spec.startswith(("https:", "http:")) else None
        if not (spec in there if there is not None else _specified(spec, specifiers)):
            refuse("specifiers", f"{spec}, which is declared, is missing")
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere), redirects=frozenset(redirects))


def files(_text: str) -> dict[str, str]:
    """Do what LockFile promises."""
    return {"trim.mjs": Program("isol8_tasks.ecosystems.locks", "trim.mjs").text()}


def script(_text: str, specs: tuple[str, ...]) -> str:
    """Do what LockFile promises."""
    return _SCRIPT.format(specs=" ".join(shell_word(each) for each in specs))


def _packages(npm: Mapping[str, Any], jsr: Mapping[str, Any]) -> tuple[dict[Package, str], set[Package]]:
    """Return the packages with their hashes, and those that are for some machines only."""
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for identity, entry in npm.items():
        found = re.fullmatch(_NPM, identity) or refuse(f"npm.{identity}", "not a package in one version")
        check_object(entry, f"npm.{identity}", _NPM_ENTRY, ("integrity",))
        package = Package(ecosystem="npm", name=found["name"], version=found["version"])
        add(hashes, package, entry["integrity"], f"npm.{identity}")
        if LIMITS & entry.keys():
            elsewhere.add(package)
    for identity, entry in jsr.items():
        found = re.fullmatch(_JSR, identity) or refuse(f"jsr.{identity}", "not a package in one version")
        check_object(entry, f"jsr.{identity}", _JSR_ENTRY, ("integrity",))
        hashes[Package(ecosystem="deno", name=found["name"], version=found["version"])] = (
            f"sha256:{entry['integrity']}"
        )
    return hashes, elsewhere


def _specified(spec: str, specifiers: Mapping[str, object]) -> bool:
    """Tell whether a package of npm or JSR is there; that it is in a fitting version, Deno sees to by itself."""
    found = re.match(rf"(?:npm|jsr):{PACKAGE_NAME}", parse_spec("deno", spec).name)
    return found is not None and any(
        each == found[0] or each.startswith(f"{found[0]}@") for each in specifiers
    )


_HEX: Final = r"[0-9a-f]{64}"
_URL: Final = r"https?://[!-~]+"
_NPM: Final = rf"{IDENTITY}(?:_+[0-9A-Za-z@+.~-][0-9A-Za-z@+._~-]*)?"
_JSR: Final = rf"(?P<name>@[a-z0-9-]+/[a-z0-9-]+)@(?P<version>{SEMVER})"
_SPECIFIER: Final = rf"(?P<kind>npm|jsr):(?P<name>{PACKAGE_NAME})(?:@[^/:\x00-\x1f]*)?"
_NPM_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": is_integrity,
    **{
        key: listing(matches(r"[A-Za-z0-9@_~.+/:-]+"))
        for key in ("dependencies", "optionalDependencies", "optionalPeers")
    },
    **dict.fromkeys(("bin", "scripts", "deprecated"), is_true),
    **limits,
}
_JSR_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": matches(_HEX),
    "dependencies": listing(matches(r"[!-~]+")),
}
_SCRIPT: Final = """\
deno cache --lock=deno.lock --frozen {specs}
deno run --quiet --allow-all --no-lock --no-config trim.mjs"""
