"""What other tools' files and keys are, where others are read: what each is, and what to write."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.pasted import is_file, listed
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import SpecError, parse_spec


def no_runtime(key: str, found: object) -> str:
    """Say what a key of [dependencies] is that is no runtime: a package with its version, or another tool's name."""
    if isinstance(found, str) and is_file(found):
        return f'not a runtime; write {_runtime_of(found)}_file = "{found}"'
    plain = unknown("not a runtime", key, RUNTIMES)
    runtime = RUNTIMES_BY_TOOL.get(key.lower())
    wanted = str(found.get("version", "" if runtime else "*") if isinstance(found, dict) else found)
    is_of_package = re.match(r"[\d^~<>=*]", wanted) or not (runtime or "did you mean" in plain)
    if isinstance(found, str | dict) and is_of_package:
        return (
            "not a runtime; other tools have packages as keys here, this file has lists: "
            f"python = [{listed(_packages(key, wanted))}], or the same under node, bun, deno or bash"
        )
    return f"not a runtime; write {runtime}" if runtime else plain


def as_list(key: str, found: object) -> str:
    """Return how the list of a runtime is written for which a text or a table was found; empty for what is neither."""
    ecosystem = RUNTIMES[key].ecosystem
    if isinstance(found, str) and is_file(found):
        return f'{key}_file = "{found}"'
    if isinstance(found, dict):
        words = [word for name, wanted in found.items() for word in _packages(name, wanted, ecosystem)]
    elif isinstance(found, str):
        words = [*_read(ecosystem, found)]
    else:
        return ""
    return f"{key} = [{listed(words)}]" if words else ""


def _runtime_of(file: str) -> str:
    return "node" if file.endswith((".json", ".yaml", "yarn.lock")) else "python"


def _read(ecosystem: str, text: str) -> Sequence[str]:
    try:
        return (parse_spec(ecosystem, text).text,)
    except SpecError as error:
        return error.words


def _packages(name: str, wanted: object, ecosystem: str = "pypi") -> Sequence[str]:
    """Return what a package and the version of it that another tool wants are in an ecosystem's grammar."""
    version = wanted.get("version", "*") if isinstance(wanted, dict) else wanted
    return _read(ecosystem, f'{name} = "{version}"') or (name,)


def other_list(text: str) -> str:
    """Return what a text is whose lines are no requirements, and how a file of them is made; empty where not known."""
    return next((what for pattern, what in _LISTS if re.search(pattern, text, re.MULTILINE)), "")


def other_json(found: Mapping[str, object]) -> str:
    """Return what an object without dependencies is where package.json is expected; empty where it may be one."""
    # Node.js has `imports` in package.json, too, of names with a # before them.
    if (imports := found.get("imports")) and isinstance(imports, dict) and all(map(_is_private, imports)):
        return ""
    return next((what for key, what in _OBJECTS.items() if key in found), "")


def _is_private(name: str) -> bool:
    return name.startswith("#")


OF_PYTHON: Final = {
    **dict.fromkeys(("project", "tool", "build-system", "dependency-groups"), "pyproject.toml"),
    **dict.fromkeys(("dev-packages", "source"), "a Pipfile"),
}
"""Tables of files of Python's, and the file."""
RUNTIMES_BY_TOOL: Final = {
    **dict.fromkeys(("pip", "pypi", "py", "python3", "uv", "conda"), "python"),
    **dict.fromkeys(("npm", "nodejs", "js", "javascript", "yarn", "pnpm"), "node"),
    **dict.fromkeys(
        ("apk", "alpine", "shell", "sh", "system", "apt", "brew", "dnf", "yum", "debian"), "bash"
    ),
    **dict.fromkeys(("typescript", "ts"), "node, bun or deno"),
    "jsr": "deno",
}
"""The runtime of what is installed by tools of other names."""
_FREEZE: Final = "write requirements.txt with `pip freeze` where they are installed"
_LISTS: Final = (
    (r"^(?:<{7} .*|={7})$", "a merge conflict is left in it; keep one side, and remove the markers"),
    (r"^Name: \S+\nVersion: ", f"what pip show prints, not a requirements file; {_FREEZE}"),
    (r"\A\s*<(?:!DOCTYPE|\?xml|html)", "a web page, not a requirements file; download the file itself"),
    (r"\A\s*[\[{]\s*(?:[\"{]|$)", f"JSON, not a requirements file; {_FREEZE}"),
    (
        r"^# packages in environment at|^# This file may be used to create an env|^@EXPLICIT$|^List of packages in env",
        f"conda's own list, not a requirements file; {_FREEZE}",
    ),
    (
        r"^(?:channels|dependencies):\s*(?:#.*|\[.*)?$",
        f"a conda environment (YAML), not a requirements file; {_FREEZE}, or list its packages in deps.toml",
    ),
    (
        r"^\[\[?[\w.\"-]+\]?\]\s*(?:#.*)?$",
        (
            "TOML, as pyproject.toml and Pipfile are, not a requirements file; write one with `uv export`, "
            "`poetry export`, `pipenv requirements` or `pip freeze`"
        ),
    ),
    (
        r"^Package +Version\b|^-{3,}[ -]*$",
        "what pip list prints, not a requirements file; write one with `pip freeze`",
    ),
    (
        r"^(?:from \w\S* )?import \w|^setup\(|^def \w|^install_requires\s*=",
        f"a program of Python, not a requirements file; {_FREEZE}",
    ),
    (
        r"^FROM \S+[\s\S]*^RUN ",
        "a Dockerfile, not a requirements file; write what its pip install names, a line each",
    ),
)
"""Patterns of what is no requirements file."""
_OBJECTS: Final = {
    "lockfileVersion": "a lock file, which is not read; name the package.json beside it",
    "imports": "a deno.json, which is not read; list its packages under [dependencies] deno",
    "default": "a Pipfile.lock, which is not read; write requirements.txt with `pipenv requirements`, and python_file",
}
"""By a key that package.json doesn't have, or not alone."""
