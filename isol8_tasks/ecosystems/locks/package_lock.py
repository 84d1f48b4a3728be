"""package-lock.json, from which npm installs."""

import re
from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.contents import LIMITS, Contents, add
from isol8_tasks.ecosystems.locks.registry import (
    SEMVER,
    is_commands,
    is_integrity,
    is_names,
    is_optional_peers,
    is_ranges,
    is_true,
    limits,
    manifest,
    refuse_other_names,
)
from isol8_tasks.ecosystems.locks.shapes import (
    PACKAGE_NAME,
    Fits,
    check_object,
    either,
    is_table,
    listing,
    load_json,
    mapping,
    matches,
    one_of,
    refuse,
)
from isol8_tasks.safety.jsontext import loads

FILE: Final = "package-lock.json"
MAY_BE_EMPTY: Final = False


def contents(text: str, asked: tuple[str, ...]) -> Contents:
    """Do what LockFile promises."""
    lock = load_json(text)
    check_object(lock, "", {"lockfileVersion": one_of(3), "requires": is_true, "packages": is_table})
    packages = lock["packages"]
    if "" not in packages:
        refuse("packages", "the packages that were requested are missing")
    check_object(packages[""], 'packages.""', {"dependencies": mapping(matches(_EXACT))})
    refuse_other_names(packages[""]["dependencies"], asked, 'packages."".dependencies')
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in packages.items():
        if not place:
            continue
        where = f'packages."{place}"'
        if not re.fullmatch(_PLACE, place):
            refuse(where, "not a place of a package")
        inside = isinstance(entry, dict) and entry.get("inBundle") is True
        check_object(entry, where, _ENTRY, () if inside else ("version", "integrity"))
        if inside and not _bundles(packages, place):
            refuse(where, "no package that has it inside")
        name = entry.get("name", place.rpartition("node_modules/")[2])
        package = Package(ecosystem="npm", name=name, version=entry.get("version", ""))
        add(hashes, package, "" if inside else entry["integrity"], where)
        if entry.get("optional") and LIMITS & entry.keys():
            elsewhere.add(package)
    for name, wanted in packages[""]["dependencies"].items():
        there = packages.get(f"node_modules/{name}", {})
        if wanted.rpartition("@")[2] != there.get("version"):
            refuse(f'packages."".dependencies.{name}', f"{wanted}, which is missing")
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def files(text: str) -> dict[str, str]:
    """Do what LockFile promises."""
    packages = loads(text)["packages"]
    return {
        "package.json": manifest(packages[""].get("dependencies", {})),
        "peers": "".join(f"{peer} {package}\n" for peer, package in npm_peers(packages)),
    }


def script(_text: str, _specs: tuple[str, ...]) -> str:
    """Do what LockFile promises."""
    return _SCRIPT


def npm_peers(packages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return what a package-lock.json has beside the packages that were asked for, each with whom it is there for."""
    asked = packages[""].get("dependencies", {})
    tops = {str(found[1]) for place in packages if (found := re.fullmatch(_TOP, place))}
    peers: set[str] = tops - set(asked)

    def needed(package: str) -> set[str]:
        places = (f"node_modules/{package}", f"node_modules/{package}/")
        entries = [
            entry for place, entry in packages.items() if place == places[0] or place.startswith(places[1])
        ]
        kinds = ("dependencies", "optionalDependencies", "peerDependencies")
        return peers & {str(name) for entry in entries for kind in kinds for name in entry.get(kind, {})}

    pairs = []
    for package in sorted(asked):
        reached, waiting = set[str](), needed(package)
        while waiting:
            reached |= waiting
            waiting = {each for peer in waiting for each in needed(peer)} - reached
        pairs += [(peer, package) for peer in sorted(reached)]
    return pairs


def _bundles(packages: Mapping[str, Any], place: str) -> bool:
    """Tell whether a package comes in the archive of one above it, whose hash then is its own."""
    while "/node_modules/" in place:
        place = place.rpartition("/node_modules/")[0]
        above = packages.get(place)
        if isinstance(above, dict) and above.get("inBundle") is not True:
            return bool(above.get("bundleDependencies"))
    return False


_TOP: Final = r"node_modules/((?:@[^/]+/)?[^/]+)"
_EXACT: Final = rf"(?:npm:{PACKAGE_NAME}@)?{SEMVER}"
_PLACE: Final = rf"node_modules/{PACKAGE_NAME}(?:/node_modules/{PACKAGE_NAME})*"
_ENTRY: Final[Mapping[str, Fits]] = {
    "version": matches(SEMVER),
    "name": matches(PACKAGE_NAME),
    "integrity": is_integrity,
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), is_ranges),
    "peerDependenciesMeta": is_optional_peers,
    "bundleDependencies": either(is_names, is_true),
    "bin": is_commands,
    "engines": either(
        mapping(lambda value: isinstance(value, str)), listing(lambda value: isinstance(value, str))
    ),
    **limits,
    **dict.fromkeys(("optional", "peer", "inBundle", "hasInstallScript", "hasShrinkwrap"), is_true),
}
# As `npm install -g` has it, which takes no lock file: the packages that were asked for beside one another, and below
# each what it needs, its peers too.
_SCRIPT: Final = """\
npm ci --install-strategy=shallow --no-audit --no-fund --cache "$folder/cache"
while read -r peer package; do
    into=node_modules/$package/node_modules/$peer
    mkdir -p "${into%/*}"
    [ -e "$into" ] || cp -a "node_modules/$peer" "$into"
done <peers
cut -d ' ' -f 1 peers | while read -r peer; do rm -rf "node_modules/$peer"; done
for package in node_modules/* node_modules/@*/*; do
    [ -e "$package" ] || continue
    name=${package#node_modules/}
    case $name in @*/*) mkdir -p "/usr/local/lib/node_modules/${name%/*}" ;; @*) continue ;; esac
    rm -rf "/usr/local/lib/node_modules/$name"
    mv "$package" "/usr/local/lib/node_modules/$name"
done
for link in node_modules/.bin/*; do
    [ -L "$link" ] || continue
    target=$(readlink "$link" | cut -c 4-)
    [ ! -e "/usr/local/lib/node_modules/$target" ] || ln -sf "../lib/node_modules/$target" "/usr/local/bin/${link##*/}"
done"""
