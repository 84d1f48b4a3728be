"""package.json of npm and Bun: the packages under `dependencies`; what changes how these are found is refused."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from isol8_tasks.config.package_list import Load, PackageList, text_of
from isol8_tasks.config.positions import KeyPath, line_in_json
from isol8_tasks.config.strict import parse_json, wrong_type
from isol8_tasks.ecosystems.specs import SpecError, parse_spec
from isol8_tasks.errors import ConfigError


def read_package_json(path: str, load: Load) -> PackageList:
    """Return what a package.json asks for: what a program needs to run, so neither devDependencies nor peers."""
    text = text_of(path, load)
    found = _object(path, text)

    def place(key_path: KeyPath) -> str:
        return f"{path}:{line_in_json(text, key_path)}"

    problems = [f"{place(key_path)}: {what}" for key_path, what in _refused(found)]
    packages: dict[str, str] = {}
    dependencies = found.get("dependencies", {})
    if not isinstance(dependencies, dict):
        problems.append(
            f"{place(('dependencies',))}: dependencies: {wrong_type(dependencies, 'an object')}; {_FORM}"
        )
        dependencies = {}
    for name, wanted in dependencies.items():
        where = place(("dependencies", name))
        try:
            packages[_package(name, wanted)] = where
        except ConfigError as error:
            problems.append(f"{where}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    others = [
        key for key in ("devDependencies", "peerDependencies", "optionalDependencies") if found.get(key)
    ]
    unread = f", and its {' and '.join(others)} are not read" if others else ""
    return PackageList(
        source=path, packages=packages, without=f"lists no packages under dependencies{unread}"
    )


def _object(path: str, text: str) -> Mapping[str, Any]:
    found = parse_json(text, path)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: {wrong_type(found, 'an object')}; {_FORM}")
    if "dependencies" not in found:
        from isol8_tasks.config.foreign import other_json  # noqa: PLC0415 - only a mistake has use for it

        if what := other_json(found):
            raise ConfigError(f"{path}: {what}")
    return found


def _refused(found: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for key, what in _REFUSED.items():
        path = tuple(key.split("."))
        value: object = found
        for each in path:
            value = value.get(each) if isinstance(value, dict) else None
        if value:
            yield path, f"{key} {what}"


def _package(name: str, wanted: object) -> str:
    if not isinstance(wanted, str):
        raise ConfigError(f'{name}: {wrong_type(wanted, "a string")}; write its version, as "^1.2.3"')
    if re.match(_NOT_OF_REGISTRY, wanted):
        raise ConfigError(
            f"{name}: {wanted}: not a package of the registry, and no other can be installed; write the version that "
            "is wanted, or remove it"
        )
    try:
        return parse_spec("npm", f"{name}@{wanted.strip()}" if wanted.strip() else name).text
    except SpecError as error:
        raise ConfigError(str(error)) from None


_FORM: Final = 'write { "dependencies": { "lodash": "^4" } }'
_NOT_OF_REGISTRY: Final = (
    r"(?:workspace|file|link|portal|patch|catalog|git|github|gitlab|bitbucket|gist|jsr|https?|git\+\w+):"
    r"|[./]|~/|[\w.-]+/[\w.-]+(?:#|$)|git@"
)
_REFUSED: Final = {
    "overrides": "would not be heeded by a global installation; write the version that is wanted under dependencies",
    "resolutions": "would not be heeded by a global installation; write the version that is wanted under dependencies",
    "pnpm.overrides": "would not be heeded; write the version that is wanted under dependencies",
    "patchedDependencies": "would not be heeded: packages are installed as the registry has them",
    "workspaces": "names folders, and only packages of the registry can be installed; name the file of one of them",
}
"""Keys with which a package manager installs something else than `dependencies` says."""
