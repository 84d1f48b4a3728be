"""The lock files that packages are installed from, read by grammars of our own: what doit lock writes, nothing else.

Their tools take much more than that: options, addresses, packages without a hash. Whoever can change a lock can't ask
for any of it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from isol8_tasks.config.json_shapes import (
    NAME,
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
    shown,
)
from isol8_tasks.config.strict import InvalidError
from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec


@frozen(kw_only=True)
class Contents:
    """What a lock file installs."""

    hashes: Mapping[Package, str]
    """Of every package its hash; empty for one that comes inside of another's archive."""
    elsewhere: frozenset[Package] = field(default=frozenset())
    """Those of them that are for some machines only."""
    redirects: frozenset[str] = field(default=frozenset())
    """Addresses of modules that lead to others, and are nothing by themselves."""

    def entry(self, package: Package) -> Package | None:
        """Return a package as it is in here: one by its address has no version."""
        bare = evolve(package, version="")
        return package if package in self.hashes else bare if bare in self.hashes else None


def read_lockfile(runtime: str, text: str, asked: tuple[str, ...]) -> Contents:
    """Return what the lock file of a runtime's own tool installs for the packages that are asked for.

    Raises:
        InvalidError: it is not as doit lock writes it, is not for these packages, or has one without its hash.

    """
    return _READERS[RUNTIMES[runtime].lock](text, asked)


def load_bun(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read a bun.lock, which is JSON but for commas before brackets."""
    return load_json(re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', lambda found: found[1] or "", text))


def _read_requirements(text: str, asked: tuple[str, ...]) -> Contents:
    direct = {spec.name: _address(spec.text) for spec in _specs("pypi", asked) if "@" in spec.text}
    hashes: dict[Package, str] = {}
    lines = text.split("\n")
    if lines.pop():
        raise InvalidError("its last line is cut off")
    for number, line in enumerate(lines, 1):
        found = re.fullmatch(_REQUIREMENT, line)
        if found is None:
            raise InvalidError(
                f"line {number}: {line!r} is not a package with its hash, as {_REQUIREMENT_FORM}"
            )
        if found["url"] and found["url"] != direct.get(found["name"]):
            raise InvalidError(f"line {number}: {found['url']} was not requested")
        version = found["version"] or ""
        if any(each.name == found["name"] for each in hashes):
            raise InvalidError(f"line {number}: {found['name']} is listed twice")
        hashes[_package("pypi", found["name"], version)] = found["hash"]
    return Contents(hashes=hashes)


def _read_npm(text: str, asked: tuple[str, ...]) -> Contents:
    lock = load_json(text)
    check_object(lock, "", {"lockfileVersion": one_of(3), "requires": _true, "packages": is_table})
    packages = lock["packages"]
    if "" not in packages:
        refuse("packages", "the packages that were requested are missing")
    check_object(packages[""], 'packages.""', {"dependencies": mapping(matches(_NPM_EXACT))})
    _same_names(packages[""]["dependencies"], asked, 'packages."".dependencies')
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in packages.items():
        if not place:
            continue
        where = f'packages."{place}"'
        if not re.fullmatch(_NPM_PLACE, place):
            refuse(where, "not a place of a package")
        inside = isinstance(entry, dict) and entry.get("inBundle") is True
        check_object(entry, where, _NPM_ENTRY, () if inside else ("version", "integrity"))
        if inside and not _bundles(packages, place):
            refuse(where, "no package that has it inside")
        name = entry.get("name", place.rpartition("node_modules/")[2])
        package = _package("npm", name, entry.get("version", ""))
        _add(hashes, package, "" if inside else entry["integrity"], where)
        if entry.get("optional") and _LIMITS & entry.keys():
            elsewhere.add(package)
    for name, wanted in packages[""]["dependencies"].items():
        there = packages.get(f"node_modules/{name}", {})
        if wanted.rpartition("@")[2] != there.get("version"):
            refuse(f'packages."".dependencies.{name}', f"{wanted}, which is missing")
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def _read_bun(text: str, asked: tuple[str, ...]) -> Contents:
    lock = load_bun(text)
    top = {"lockfileVersion": one_of(1, 2), "configVersion": one_of(0, 1), "workspaces": is_table}
    check_object(lock, "", {**top, "packages": is_table}, ("lockfileVersion", "workspaces", "packages"))
    check_object(lock["workspaces"], "workspaces", {"": is_table})
    check_object(lock["workspaces"][""], 'workspaces.""', {"dependencies": mapping(matches(_NPM_RANGE))})
    _same_names(lock["workspaces"][""]["dependencies"], asked, 'workspaces."".dependencies', more=True)
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in lock["packages"].items():
        where = f'packages."{place}"'
        if not re.fullmatch(_BUN_PLACE, place):
            refuse(where, "not a place of a package")
        if not isinstance(entry, list) or len(entry) != _BUN_PARTS:
            refuse(where, "not a package with its hash")
        identity, address, about, integrity = entry
        found = re.fullmatch(_NPM_IDENTITY, identity) if isinstance(identity, str) else None
        if found is None:
            refuse(where, f"{identity!r} is not a package in one version")
        if address != "":
            refuse(where, f"{address!r}: a lock names no address to fetch from")
        if not _is_integrity(integrity):
            refuse(where, f"{integrity!r} is not its hash, as sha512-…")
        check_object(about, where, _BUN_ENTRY, ())
        package = _package("npm", found["name"], found["version"])
        _add(hashes, package, integrity, where)
        if _LIMITS & about.keys():
            elsewhere.add(package)
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def _read_deno(text: str, asked: tuple[str, ...]) -> Contents:
    lock = load_json(text)
    tables = dict.fromkeys(("specifiers", "npm", "jsr", "redirects", "remote"), is_table)
    check_object(lock, "", {"version": one_of("4", "5"), **tables}, ("version",))
    specifiers, npm, jsr, redirects, remote = (lock.get(key, {}) for key in tables)
    hashes, elsewhere = _deno_packages(npm, jsr)
    for url, digest in remote.items():
        if not matches(_URL)(url) or not matches(_HEX)(digest):
            refuse(f"remote.{url}", "not a module with its hash, 64 hex digits")
        hashes[_package("deno", url, "")] = f"sha256:{digest}"
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


def _deno_packages(npm: Mapping[str, Any], jsr: Mapping[str, Any]) -> tuple[dict[Package, str], set[Package]]:
    """Return the packages with their hashes, and those that are for some machines only."""
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for identity, entry in npm.items():
        found = re.fullmatch(_DENO_NPM, identity) or refuse(f"npm.{identity}", "not a package in one version")
        check_object(entry, f"npm.{identity}", _DENO_NPM_ENTRY, ("integrity",))
        package = _package("npm", found["name"], found["version"])
        _add(hashes, package, entry["integrity"], f"npm.{identity}")
        if _LIMITS & entry.keys():
            elsewhere.add(package)
    for identity, entry in jsr.items():
        found = re.fullmatch(_JSR, identity) or refuse(f"jsr.{identity}", "not a package in one version")
        check_object(entry, f"jsr.{identity}", _JSR_ENTRY, ("integrity",))
        hashes[_package("deno", found["name"], found["version"])] = f"sha256:{entry['integrity']}"
    return hashes, elsewhere


def _specified(spec: str, specifiers: Mapping[str, object]) -> bool:
    """Tell whether a package of npm or JSR is there; that it is in a fitting version, Deno sees to by itself."""
    found = re.match(rf"(?:npm|jsr):{NAME}", parse_spec("deno", spec).name)
    return found is not None and any(
        each == found[0] or each.startswith(f"{found[0]}@") for each in specifiers
    )


def _specs(ecosystem: str, asked: tuple[str, ...]) -> list[Any]:
    return [parse_spec(ecosystem, each) for each in asked]


def _address(spec: str) -> str:
    """Return the address in `name @ https://…`, without what pip takes for itself."""
    return re.split(r"[#;\s]", spec.partition("@")[2].strip())[0]


def _same_names(
    found: Mapping[str, object], asked: tuple[str, ...], where: str, *, more: bool = False
) -> None:
    """Refuse a lock that was made for other packages; with `more`, what the image below has may stand beside them."""
    names = {spec.name for spec in _specs("npm", asked)}
    for name in sorted(names - found.keys()):
        refuse(where, f"{name}, which is declared, is missing")
    for name in sorted(found.keys() - names) if not more else ():
        refuse(where, f"{name} was not requested")


def _bundles(packages: Mapping[str, Any], place: str) -> bool:
    """Tell whether a package comes in the archive of one above it, whose hash then is its own."""
    while "/node_modules/" in place:
        place = place.rpartition("/node_modules/")[0]
        above = packages.get(place)
        if isinstance(above, dict) and above.get("inBundle") is not True:
            return bool(above.get("bundleDependencies"))
    return False


def _add(hashes: dict[Package, str], package: Package, integrity: str, where: str) -> None:
    if hashes.get(package, integrity) != integrity:
        refuse(where, f"{package.name} {package.version} has two hashes")
    hashes[package] = integrity


def _package(ecosystem: str, name: str, version: str) -> Package:
    return Package(ecosystem=ecosystem, name=name, version=version)


def _optional_peers(value: object) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(NAME, key) and isinstance(item, dict) and item.keys() <= {"optional"}
        for key, item in value.items()
    )


def _is_path(value: object) -> bool:
    """Tell whether a value is the path of a command inside of a package."""
    return isinstance(value, str) and not re.search(r"(^|/)\.\.(/|$)|^/|[\x00-\x1f\\:]", value)


def _commands(value: object) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(NAME, key) and _is_path(item) for key, item in value.items()
    )


_VERSION: Final = r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?"
_HEX: Final = r"[0-9a-f]{64}"
_URL: Final = r"https?://[!-~]+"
_REQUIREMENT: Final = (
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)(?:==(?P<version>[0-9A-Za-z][0-9A-Za-z.!+_-]*)| @ (?P<url>https://[!-~]+))"
    r" --hash=(?P<hash>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
)
_REQUIREMENT_FORM: Final = "numpy==2.3.1 --hash=sha256:…"
# Whatever else there is would be a folder, an address or a repository of git's.
_NPM_RANGE: Final = rf"(?:npm:{NAME}(?:@(?=.))?)?[^:/\\\x00-\x1f]*"
_NPM_EXACT: Final = rf"(?:npm:{NAME}@)?{_VERSION}"
_NPM_PLACE: Final = rf"node_modules/{NAME}(?:/node_modules/{NAME})*"
_NPM_IDENTITY: Final = rf"(?P<name>{NAME})@(?P<version>{_VERSION})"
_BUN_PLACE: Final = rf"{NAME}(?:/{NAME})*"
_BUN_PARTS: Final = 4
_DENO_NPM: Final = rf"{_NPM_IDENTITY}(?:_+[0-9A-Za-z@+.~-][0-9A-Za-z@+._~-]*)?"
_JSR: Final = rf"(?P<name>@[a-z0-9-]+/[a-z0-9-]+)@(?P<version>{_VERSION})"
_SPECIFIER: Final = rf"(?P<kind>npm|jsr):(?P<name>{NAME})(?:@[^/:\x00-\x1f]*)?"
_LIMITS: Final = frozenset({"os", "cpu", "libc"})
_is_integrity = matches(r"sha512-[A-Za-z0-9+/]{86}==")
_words = listing(matches(r"[!-~]+"))
_ranges = mapping(matches(_NPM_RANGE))
_true = one_of(True)  # noqa: FBT003 - the value that is written
_names = listing(matches(NAME))
_limits: Final[Mapping[str, Fits]] = {key: either(_words, matches(r"[!-~]+")) for key in sorted(_LIMITS)}
_NPM_ENTRY: Final[Mapping[str, Fits]] = {
    "version": matches(_VERSION),
    "name": matches(NAME),
    "integrity": _is_integrity,
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), _ranges),
    "peerDependenciesMeta": _optional_peers,
    "bundleDependencies": either(_names, _true),
    "bin": _commands,
    "engines": either(
        mapping(lambda value: isinstance(value, str)), listing(lambda value: isinstance(value, str))
    ),
    **_limits,
    **dict.fromkeys(("optional", "peer", "inBundle", "hasInstallScript", "hasShrinkwrap"), _true),
}
_BUN_ENTRY: Final[Mapping[str, Fits]] = {
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), _ranges),
    "optionalPeers": _names,
    "bin": either(_commands, _is_path),
    "binDir": _is_path,
    **dict.fromkeys(("bundled", "hasInstallScript"), _true),
    **_limits,
}
_DENO_NPM_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": _is_integrity,
    **{
        key: listing(matches(r"[A-Za-z0-9@_~.+/:-]+"))
        for key in ("dependencies", "optionalDependencies", "optionalPeers")
    },
    **dict.fromkeys(("bin", "scripts", "deprecated"), _true),
    **_limits,
}
_JSR_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": matches(_HEX),
    "dependencies": listing(matches(r"[!-~]+")),
}
_READERS: Final[Mapping[str, Callable[[str, tuple[str, ...]], Contents]]] = {
    "requirements.txt": _read_requirements,
    "package-lock.json": _read_npm,
    "bun.lock": _read_bun,
    "deno.lock": _read_deno,
}
"""By the name of the lock file."""
