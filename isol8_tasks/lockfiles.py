"""The lock files that packages are installed from, read by grammars of our own: what doit lock writes, nothing else.

Their tools take much more than that: options, addresses, packages without a hash. Whoever can change a lock can't ask
for any of it.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from attrs import evolve, field, frozen

from isol8_tasks.inventory import Ecosystem, Package
from isol8_tasks.packages import parse_spec
from isol8_tasks.reading import InvalidError

Fits = Callable[[object], bool]
"""Tells whether a value is one that doit lock writes."""


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
    return _READERS[runtime](text, asked)


def load_bun(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read a bun.lock, which is JSON but for commas before brackets."""
    return _load(re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', lambda found: found[1] or "", text))


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
            raise InvalidError(f"line {number}: {found['url']} was not asked for")
        version = found["version"] or ""
        if any(each.name == found["name"] for each in hashes):
            raise InvalidError(f"line {number}: {found['name']} is there twice")
        hashes[_package("pypi", found["name"], version)] = found["hash"]
    return Contents(hashes=hashes)


def _read_npm(text: str, asked: tuple[str, ...]) -> Contents:
    lock = _load(text)
    _object(lock, "", {"lockfileVersion": _one_of(3), "requires": _true, "packages": _is_table})
    packages = lock["packages"]
    if "" not in packages:
        _refuse("packages", "what was asked for is missing")
    _object(packages[""], 'packages.""', {"dependencies": _map(_matches(_NPM_EXACT))})
    _same_names(packages[""]["dependencies"], asked, 'packages."".dependencies')
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in packages.items():
        if not place:
            continue
        where = f'packages."{place}"'
        if not re.fullmatch(_NPM_PLACE, place):
            _refuse(where, "not a place of a package")
        inside = isinstance(entry, dict) and entry.get("inBundle") is True
        _object(entry, where, _NPM_ENTRY, () if inside else ("version", "integrity"))
        if inside and not _bundles(packages, place):
            _refuse(where, "no package that has it inside")
        name = entry.get("name", place.rpartition("node_modules/")[2])
        package = _package("npm", name, entry.get("version", ""))
        _add(hashes, package, "" if inside else entry["integrity"], where)
        if entry.get("optional") and _LIMITS & entry.keys():
            elsewhere.add(package)
    for name, wanted in packages[""]["dependencies"].items():
        there = packages.get(f"node_modules/{name}", {})
        if wanted.rpartition("@")[2] != there.get("version"):
            _refuse(f'packages."".dependencies.{name}', f"{wanted}, which is not there")
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def _read_bun(text: str, asked: tuple[str, ...]) -> Contents:
    lock = load_bun(text)
    top = {"lockfileVersion": _one_of(1, 2), "configVersion": _one_of(0, 1), "workspaces": _is_table}
    _object(lock, "", {**top, "packages": _is_table}, ("lockfileVersion", "workspaces", "packages"))
    _object(lock["workspaces"], "workspaces", {"": _is_table})
    _object(lock["workspaces"][""], 'workspaces.""', {"dependencies": _map(_matches(_NPM_RANGE))})
    _same_names(lock["workspaces"][""]["dependencies"], asked, 'workspaces."".dependencies', more=True)
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for place, entry in lock["packages"].items():
        where = f'packages."{place}"'
        if not re.fullmatch(_BUN_PLACE, place):
            _refuse(where, "not a place of a package")
        if not isinstance(entry, list) or len(entry) != _BUN_PARTS:
            _refuse(where, "not a package with its hash")
        identity, address, about, integrity = entry
        found = re.fullmatch(_NPM_IDENTITY, identity) if isinstance(identity, str) else None
        if found is None:
            _refuse(where, f"{identity!r} is not a package in one version")
        if address != "":
            _refuse(where, f"{address!r}: a lock names no address to fetch from")
        if not _is_integrity(integrity):
            _refuse(where, f"{integrity!r} is not its hash, as sha512-…")
        _object(about, where, _BUN_ENTRY, ())
        package = _package("npm", found["name"], found["version"])
        _add(hashes, package, integrity, where)
        if _LIMITS & about.keys():
            elsewhere.add(package)
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere))


def _read_deno(text: str, asked: tuple[str, ...]) -> Contents:
    lock = _load(text)
    tables = dict.fromkeys(("specifiers", "npm", "jsr", "redirects", "remote"), _is_table)
    _object(lock, "", {"version": _one_of("4", "5"), **tables}, ("version",))
    specifiers, npm, jsr, redirects, remote = (lock.get(key, {}) for key in tables)
    hashes, elsewhere = _deno_packages(npm, jsr)
    for url, digest in remote.items():
        if not _matches(_URL)(url) or not _matches(_HEX)(digest):
            _refuse(f"remote.{url}", "not a module with its hash, 64 hex digits")
        hashes[_package("deno", url, "")] = f"sha256:{digest}"
    for url, other in redirects.items():
        if not _matches(_URL)(url) or not (other in remote or other in redirects):
            _refuse(f"redirects.{url}", "leads to nothing that is in the lock")
    for spec, version in specifiers.items():
        wanted = re.fullmatch(_SPECIFIER, spec)
        if wanted is None or f"{wanted['name']}@{version}" not in {"npm": npm, "jsr": jsr}[wanted["kind"]]:
            _refuse(f"specifiers.{spec}", f"{_shown(version)}, which is not there")
    for spec in asked:
        there = {*remote, *redirects} if spec.startswith(("https:", "http:")) else None
        if not (spec in there if there is not None else _specified(spec, specifiers)):
            _refuse("specifiers", f"{spec}, which is asked for, is not there")
    return Contents(hashes=hashes, elsewhere=frozenset(elsewhere), redirects=frozenset(redirects))


def _deno_packages(npm: Mapping[str, Any], jsr: Mapping[str, Any]) -> tuple[dict[Package, str], set[Package]]:
    """Return the packages with their hashes, and those that are for some machines only."""
    hashes: dict[Package, str] = {}
    elsewhere = set()
    for identity, entry in npm.items():
        found = re.fullmatch(_DENO_NPM, identity) or _refuse(
            f"npm.{identity}", "not a package in one version"
        )
        _object(entry, f"npm.{identity}", _DENO_NPM_ENTRY, ("integrity",))
        package = _package("npm", found["name"], found["version"])
        _add(hashes, package, entry["integrity"], f"npm.{identity}")
        if _LIMITS & entry.keys():
            elsewhere.add(package)
    for identity, entry in jsr.items():
        found = re.fullmatch(_JSR, identity) or _refuse(f"jsr.{identity}", "not a package in one version")
        _object(entry, f"jsr.{identity}", _JSR_ENTRY, ("integrity",))
        hashes[_package("deno", found["name"], found["version"])] = f"sha256:{entry['integrity']}"
    return hashes, elsewhere


def _specified(spec: str, specifiers: Mapping[str, object]) -> bool:
    """Tell whether a package of npm or JSR is there; that it is in a fitting version, Deno sees to by itself."""
    found = re.match(rf"(?:npm|jsr):{_NAME}", parse_spec("deno", spec).name)
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
        _refuse(where, f"{name}, which is asked for, is not there")
    for name in sorted(found.keys() - names) if not more else ():
        _refuse(where, f"{name} was not asked for")


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
        _refuse(where, f"{package.name} {package.version} has two hashes")
    hashes[package] = integrity


def _package(ecosystem: Ecosystem, name: str, version: str) -> Package:
    return Package(ecosystem=ecosystem, name=name, version=version)


def _load(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON in which no key is there twice, of which each tool may take another one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1)
            raise InvalidError(f"{twice!r} is there twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InvalidError(f"line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise InvalidError("too deeply nested") from None


def _object(
    value: object, where: str, keys: Mapping[str, Fits], needed: tuple[str, ...] | None = None
) -> None:
    """Refuse what is not an object of these keys, all of them needed unless it says which."""
    if not isinstance(value, dict):
        _refuse(where, "an object is expected")
    below = f"{where}." if where else ""
    for key, item in value.items():
        if key not in keys:
            _refuse(f"{below}{key}", "not a key that doit lock writes there")
        if not keys[key](item):
            _refuse(f"{below}{key}", f"{_shown(item)} is nothing that doit lock writes there")
    for key in keys if needed is None else needed:
        if key not in value:
            _refuse(where or "it", f"{key} is missing")


def _refuse(where: str, what: str) -> NoReturn:
    raise InvalidError(f"{where}: {what}")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _matches(pattern: str) -> Fits:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _one_of(*values: object) -> Fits:
    return lambda value: any(type(value) is type(each) and value == each for each in values)


def _map(fits: Fits) -> Fits:
    return lambda value: (
        isinstance(value, dict)
        and all(re.fullmatch(_NAME, key) and fits(item) for key, item in value.items())
    )


def _list(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _any(*choices: Fits) -> Fits:
    return lambda value: any(fits(value) for fits in choices)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _optional_peers(value: object) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(_NAME, key) and isinstance(item, dict) and item.keys() <= {"optional"}
        for key, item in value.items()
    )


def _is_path(value: object) -> bool:
    """Tell whether a value is the path of a command inside of a package."""
    return isinstance(value, str) and not re.search(r"(^|/)\.\.(/|$)|^/|[\x00-\x1f\\:]", value)


def _commands(value: object) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch(_COMMAND, key) and _is_path(item) for key, item in value.items()
    )


_SHOWN: Final = 60
_NAME: Final = r"(?:@[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_COMMAND: Final = rf"(?:{_NAME})"
_VERSION: Final = r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?"
_HEX: Final = r"[0-9a-f]{64}"
_URL: Final = r"https?://[!-~]+"
_REQUIREMENT: Final = (
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)(?:==(?P<version>[0-9A-Za-z][0-9A-Za-z.!+_-]*)| @ (?P<url>https://[!-~]+))"
    r" --hash=(?P<hash>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
)
_REQUIREMENT_FORM: Final = "numpy==2.3.1 --hash=sha256:…"
# Whatever else there is would be a folder, an address or a repository of git's.
_NPM_RANGE: Final = rf"(?:npm:{_NAME}(?:@(?=.))?)?[^:/\\\x00-\x1f]*"
_NPM_EXACT: Final = rf"(?:npm:{_NAME}@)?{_VERSION}"
_NPM_PLACE: Final = rf"node_modules/{_NAME}(?:/node_modules/{_NAME})*"
_NPM_IDENTITY: Final = rf"(?P<name>{_NAME})@(?P<version>{_VERSION})"
_BUN_PLACE: Final = rf"{_NAME}(?:/{_NAME})*"
_BUN_PARTS: Final = 4
_DENO_NPM: Final = rf"{_NPM_IDENTITY}(?:_+[0-9A-Za-z@+.~-][0-9A-Za-z@+._~-]*)?"
_JSR: Final = rf"(?P<name>@[a-z0-9-]+/[a-z0-9-]+)@(?P<version>{_VERSION})"
_SPECIFIER: Final = rf"(?P<kind>npm|jsr):(?P<name>{_NAME})(?:@[^/:\x00-\x1f]*)?"
_LIMITS: Final = frozenset({"os", "cpu", "libc"})
_is_integrity = _matches(r"sha512-[A-Za-z0-9+/]{86}==")
_words = _list(_matches(r"[!-~]+"))
_ranges = _map(_matches(_NPM_RANGE))
_true = _one_of(True)  # noqa: FBT003 - the value that is written
_names = _list(_matches(_NAME))
_limits: Final[Mapping[str, Fits]] = {key: _any(_words, _matches(r"[!-~]+")) for key in sorted(_LIMITS)}
_NPM_ENTRY: Final[Mapping[str, Fits]] = {
    "version": _matches(_VERSION),
    "name": _matches(_NAME),
    "integrity": _is_integrity,
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), _ranges),
    "peerDependenciesMeta": _optional_peers,
    "bundleDependencies": _any(_names, _true),
    "bin": _commands,
    "engines": _any(_map(lambda value: isinstance(value, str)), _list(lambda value: isinstance(value, str))),
    **_limits,
    **dict.fromkeys(("optional", "peer", "inBundle", "hasInstallScript", "hasShrinkwrap"), _true),
}
_BUN_ENTRY: Final[Mapping[str, Fits]] = {
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies"), _ranges),
    "optionalPeers": _names,
    "bin": _any(_commands, _is_path),
    "binDir": _is_path,
    "bundled": _true,
    **_limits,
}
_DENO_NPM_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": _is_integrity,
    **{
        key: _list(_matches(r"[A-Za-z0-9@_~.+/:-]+"))
        for key in ("dependencies", "optionalDependencies", "optionalPeers")
    },
    **dict.fromkeys(("bin", "scripts", "deprecated"), _true),
    **_limits,
}
_JSR_ENTRY: Final[Mapping[str, Fits]] = {
    "integrity": _matches(_HEX),
    "dependencies": _list(_matches(r"[!-~]+")),
}
_READERS: Final[Mapping[str, Callable[[str, tuple[str, ...]], Contents]]] = {
    "python": _read_requirements,
    "node": _read_npm,
    "bun": _read_bun,
    "deno": _read_deno,
}
