"""What a package lacks when it is loaded, a module, a program or a right: what to do about it."""

import re
from typing import Final

from isol8_tasks.ecosystems.specs import SpecError, parse_spec


def module_hint(package: str, output: str) -> str:
    """Return what to do about the module, program or right that a package lacks; empty where none is known."""
    return _of_javascript(package, output) or _of_python(package, output)


def _of_javascript(package: str, output: str) -> str:
    if denied := re.search(r"NotCapable: Requires (\w+) access", output):
        return (
            f"isol8 runs Deno without --allow-{denied[1]}, and nothing can change that: take another package, or list "
            "it under node or bun."
        )
    own = _name("npm", package)
    if (found := re.search(_NO_FILE, output)) and found[1] == own:
        return (
            f"{package} lacks this file of its own, so it can't be loaded; if its command alone is used, write "
            f'skip = ["{found[1]}"] under [verify].'
        )
    if (found := re.search(_NO_PACKAGE, output)) and found[1] != own:
        return f'{package} needs {found[1]}, which it does not bring: list "{found[1]}", too.'
    return ""


def _of_python(package: str, output: str) -> str:
    if lacking := re.search(_PROGRAM, output):
        program = lacking[1] or lacking[2]
        return (
            f"The program {program} is not in the image: list the package of Alpine's that has it {_SYSTEM}."
        )
    found = re.search(r"No module named '([A-Za-z_]\w*)", output)
    name = _name("pypi", package)
    if not found or not name:
        return ""
    module = found[1]
    if words := _KNOWN.get(module):
        return f"{module} {words}."
    if module in _REMOVED:
        return f"Python has no {module} since 3.13 or before: take a newer version of {package}, or another package."
    if re.sub(r"[-_.]+", "-", module).lower() == name:
        return ""
    return f"No package in the image brings the module {module}: list one that does beside {package}."


def _name(ecosystem: str, package: str) -> str:
    """Return a package's name; empty for one of another ecosystem, whose program may be run."""
    try:
        return parse_spec(ecosystem, package).name
    except SpecError:
        return ""


_NO_FILE: Final = r"Cannot find module '(?:file://)?/\S*/node_modules/((?:@[^/']+/)?[^/']+)/"
_NO_PACKAGE: Final = r"Cannot find (?:module|package) '((?:@[\w.-]+/)?[A-Za-z][\w.-]*)(?:/[^']*)?'"
_PROGRAM: Final = (
    r"\b[Bb]ad (\w+) executable|(?i:(?:unable to|could not|couldn't|can ?not|can't) find (?:the )?([a-z][\w-]*) "
    r"(?:executable|program|binary))"
)
_SYSTEM: Final = "under system ([system] python, or the image's)"
_KNOWN: Final = {
    "pkg_resources": 'comes with setuptools before 82: list "setuptools<82", too',
    "distutils": 'comes with setuptools: list "setuptools", too',
    **dict.fromkeys(
        ("audioop", "pyaudioop"), 'comes with audioop-lts since Python 3.13: list "audioop-lts", too'
    ),
    **dict.fromkeys(
        ("tkinter", "_tkinter"),
        f"is Alpine's python3-tkinter: list that {_SYSTEM}",
    ),
}
_REMOVED: Final = frozenset(
    {
        "aifc",
        "asynchat",
        "asyncore",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "imghdr",
        "imp",
        "lib2to3",
        "mailcap",
        "msilib",
        "nis",
        "nntplib",
        "ossaudiodev",
        "pipes",
        "smtpd",
        "sndhdr",
        "spwd",
        "sunau",
        "telnetlib",
        "uu",
        "xdrlib",
    }
)
"""Modules that older versions of Python's library had."""
