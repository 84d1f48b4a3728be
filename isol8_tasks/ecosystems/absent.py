"""Modules of Python that a package imports and that are not in the image: what to list for them."""

import re
from typing import Final

from isol8_tasks.ecosystems.specs import parse_spec


def module_hint(package: str, output: str) -> str:
    """Return what to do about the module that a package lacks; empty where it lacks none, or one of its own."""
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


_KNOWN: Final = {
    "pkg_resources": 'comes with setuptools before 82: list "setuptools<82", too',
    "distutils": 'comes with setuptools: list "setuptools", too',
    **dict.fromkeys(
        ("audioop", "pyaudioop"), 'comes with audioop-lts since Python 3.13: list "audioop-lts", too'
    ),
    **dict.fromkeys(
        ("tkinter", "_tkinter"),
        "is Alpine's python3-tkinter: list that under system ([system] python, or the image's)",
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
