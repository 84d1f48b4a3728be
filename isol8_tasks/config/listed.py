"""Package lists of other tools that deps.toml or a flag names: requirements.txt of pip, package.json of npm and Bun."""

from pathlib import PurePosixPath
from typing import Final

from isol8_tasks.config.package_list import Load, PackageList
from isol8_tasks.ecosystems.runtimes import RUNTIMES


def read_list(runtime: str, path: str, load: Load) -> PackageList:
    """Return what a file asks for on a runtime that has such files."""
    # Here, since only what reads the file at hand is to be imported.
    if RUNTIMES[runtime].ecosystem == "npm":
        from isol8_tasks.config.package_json import read_package_json  # noqa: PLC0415

        return read_package_json(path, load)
    from isol8_tasks.config.requirements import read_requirements  # noqa: PLC0415

    return read_requirements(path, load)


def reads_lists(runtime: str) -> bool:
    """Tell whether a runtime's packages can be listed in a file."""
    return RUNTIMES[runtime].ecosystem in _READ


def usual_name(runtime: str) -> str:
    """Return what such a file of a runtime is mostly called."""
    return "package.json" if RUNTIMES[runtime].ecosystem == "npm" else "requirements.txt"


def file_of(runtime: str, word: str) -> str:
    """Return the path in `@requirements.txt`; empty where a word of a flag is a package, as `@scope/name` is."""
    if not word.startswith("@") or not reads_lists(runtime):
        return ""
    path = word[1:]
    scoped = RUNTIMES[runtime].ecosystem == "npm" and "/" in path and not path.startswith((".", "/"))
    return "" if scoped and PurePosixPath(path).name != "package.json" else path


_READ: Final = frozenset({"pypi", "npm"})
"""Ecosystems with such files."""
