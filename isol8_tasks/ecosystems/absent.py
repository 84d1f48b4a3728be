"""What a Python package lacks in the image when it is imported, a module or a program: what to list for it."""

import re
from typing import Final

from isol8_tasks.ecosystems.specs import parse_spec


def module_hint(package: str, output: str) -> str:
    """Return what to do about the module or program that a package lacks; empty for none, or a module of its own."""
    if lacking := re.search(_PROGRAM, output):
        program = lacking[1] or lacking[2]
        return (
            f"The program {program} is not in the image: list the package of Alpine's that has it {_SYSTEM}."
        )
    found = re.search(r"No module named '([A-Za-z_]\w*)", output)
    if not found:
        return ""
    module = found[1]
    if words := _KNOWN.get(module):
        return f"{module} {words}."
    if module in _REMOVED:
        return f"Python has no {module} since 3.13 or before: take a newer version of {package}, or another package."
    name = parse_spec("pypi", package).name
    if re.sub(r"[-_.]+", "-", module).lower() == name:
        return ""
    return f"No package in the image brings the module {module}: list one that does beside {package}."


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
