"""Tells a complete JavaScript package that declines to be loaded alone from a broken one, by the error it throws."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final


def declines(error: Mapping[str, Any]) -> bool:
    """Tell whether a package threw an error of its own, which says nothing of a file, a library or a module.

    `code`, `name` and `message` are those of the error, and `causes` the errors behind it. A global that is not
    defined is one that a host program has: a test runner, an editor, a browser. So is the module of such a program.
    """
    return not any(map(_is_broken, _links(error)))


def said(error: Mapping[str, Any]) -> str:
    """Return an error in one line."""
    first = str(error["message"]).strip().partition("\n")[0].strip()
    name = str(error["name"])
    return f"{name}: {first}" if first else name


def of_text(text: str) -> Mapping[str, Any]:
    """Return the error that a runtime ended with, out of what it printed: `error: Uncaught (in promise) Error: …`."""
    text = re.sub(_COLOURS, "", text)
    found = re.search(_UNCAUGHT, text, re.MULTILINE)
    message = re.split(r"\n\s+at ", found[2])[0] if found else text
    return {"code": "", "name": found[1] if found else "", "message": message, "text": text, "causes": ()}


def _links(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield error
    for cause in error.get("causes", ()):
        yield from _links(cause)


def _is_broken(error: Mapping[str, Any]) -> bool:
    name, message = str(error["name"]), str(error["message"])
    if missing := re.search(_NO_MODULE, message):
        return missing[1] not in _HOSTS
    if name == "ReferenceError":
        missing = re.search(_NOT_DEFINED, message)
        return not missing or (missing[1] or missing[2]) in _OF_THE_RUNTIME
    # Words of the runtime itself, for what is thrown by nobody.
    if not name or name in _OF_FAULTS or re.match(_CODE, str(error.get("code", ""))):
        return True
    return re.search(_INCOMPLETE, message) is not None


_COLOURS: Final = r"\x1b\[[0-9;]*m"
_UNCAUGHT: Final = r"^(?:error: )?Uncaught (?:\(in [^)]*\) )?(\w+)(?:: |\n)([\s\S]*)"
_NOT_DEFINED: Final = r"^([\w$]+) is not defined$|^Can't find variable: ([\w$]+)"
_NO_MODULE: Final = r"^Cannot find (?:module|package) ['\"]([^'\"/]+)(?:/[^'\"]*)?['\"]"
_HOSTS: Final = frozenset(("atom", "electron", "obsidian", "photoshop", "uxp", "vscode"))
"""Programs whose module is in them alone, although some have a package of the same name."""
_OF_THE_RUNTIME: Final = frozenset(("require", "module", "exports", "__dirname", "__filename"))
_OF_FAULTS: Final = frozenset(
    (
        *("SyntaxError", "TypeError", "RangeError", "EvalError", "URIError", "AssertionError"),
        *(
            "BuildMessage",
            "ResolveMessage",
            "NotCapable",
            "PermissionDenied",
            "NotFound",
            "LinkError",
            "CompileError",
        ),
    )
)
_CODE: Final = r"ERR_|E[A-Z0-9]+$|MODULE_NOT_FOUND$"
_INCOMPLETE: Final = re.compile(
    r"\b(?:musl|glibc|ENOENT|dlopen|prebuil\w+|\w*linux-?(?:musl|x64|arm64)[\w-]*)\b|\.node\b"
    r"|native (?:binding|module|addon|add-on|library|binary|dependenc)|shared (?:object|library)"
    r"|cannot (?:find|load|locate|resolve) |could not (?:find|load|locate|resolve) "
    r"|failed to (?:find|load|locate|resolve) "
    r"|failed to install|not (?:been )?installed (?:correctly|properly)|\bre-?install"
    r"|no such file|unsupported (?:platform|architecture|os)\b|not supported on ",
    re.IGNORECASE,
)
