"""bun.lock, from which Bun installs."""

import re
from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.locks.contents import LIMITS, Contents, add
from isol8_tasks.ecosystems.locks.registry import (
    IDENTITY,
    RANGE,
    is_commands,
    is_integrity,
    is_names,
    is_path,
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
    load_json,
    mapping,
    matches,
    one_of,
    refuse,
)

FILE: Final = "bun.lock"
MAY_BE_EMPTY: Final = False


def contents(text: str, asked: tuple[str, ...]) -> Contents:
    """Do what LockFile promises."""
    lock = _load(text)
    top = {"lockfileVersion": one_of(1, 2), "configVersion": one_of(0, 1), "workspaces": is_table}
    check_object(lock, "", {**top, "packages": is_table}, ("lockfileVersion", "workspaces", "packages"))
    check_object(lock["workspaces"], "workspaces", {"": is_table})
    check_object(lock["workspaces"][""], 'workspaces.""', {"dependencies": mapping(matches(RANGE))})
    refuse_other_names(lock["workspaces"][""]["dependencies"], asked, 'workspaces."".dependencies', more=True)
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in lock["packages"].items():
        where = f'packages."{place}"'
        if not re.fullmatch(_PLACE, place):
            refuse(where, "not a place of a package")
        if not isinstance(entry, list) or len(entry) != _PARTS:
            refuse(where, "not a package with its hash")
        identity, address, about, integrity = entry
        found = re.fullmatch(IDENTITY, identity) if isinstance(identity, str) else None
        if found is None:
            refuse(where, f"{identity!r} is not a package in one version")
        if address != "":
            refuse(where, f"{address!r}: a lock names no address to fetch from")
        if not is_integrity(integrity):
            refuse(where, f"{integrity!r} is not its hash, as sha512-…")
        check_object(about, where, _ENTRY, ())
        package = Package(ecosystem="npm", name=found["name"], version=found["version"])
        add(hashes, package, integrity, where)
        if LIMITS & about.keys():
            elsewhere.add(package)
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def files(text: str) -> dict[str, str]:
    """Do what LockFile promises."""
    return {"package.json": manifest(_load(text)["workspaces"][""].get("dependencies", {}))}


def script(_text: str, _specs: tuple[str, ...]) -> str:
    """Do what LockFile promises."""
    return _SCRIPT


def _load(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read a bun.lock, which is JSON but for commas before brackets."""
    return load_json(re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', lambda found: found[1] or "", text))


_PLACE: Final = rf"{PACKAGE_NAME}(?:/{PACKAGE_NAME})*"
_PARTS: Final = 4
_ENTRY: Final[Mapping[str, Fits]] = {
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), is_ranges),
    "optionalPeers": is_names,
    "bin": either(is_commands, is_path),
    "binDir": is_path,
    **dict.fromkeys(("bundled", "hasInstallScript"), is_true),
    **limits,
}
# As `bun install -g` has it, which resolves again: its global folder with its two files, and links to the commands of
# what was asked for.
_SCRIPT: Final = """\
mv bun.lock package.json /usr/local/lib/
cd /usr/local/lib
bun install --frozen-lockfile --cache-dir="$folder/cache"
for link in node_modules/.bin/*; do
    [ -L "$link" ] || continue
    target=$(readlink "$link" | cut -c 4-)
    case $target in @*) name=$(printf %s "$target" | cut -d / -f 1-2) ;; *) name=${target%%/*} ;; esac
    ! grep -qF "  \\"$name\\": " package.json || ln -sf "../lib/node_modules/$target" "/usr/local/bin/${link##*/}"
done
rm -rf node_modules/.bin"""
