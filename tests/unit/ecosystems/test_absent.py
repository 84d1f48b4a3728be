"""What to list for a module or a program that a Python package lacks."""

import pytest

from isol8_tasks.ecosystems.absent import module_hint


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("ModuleNotFoundError: No module named 'pkg_resources'", 'list "setuptools<82", too.'),
        ("ModuleNotFoundError: No module named 'distutils.core'", 'list "setuptools", too.'),
        (
            "ModuleNotFoundError: No module named '_tkinter'",
            "Alpine's python3-tkinter: list that under system",
        ),
        ("ModuleNotFoundError: No module named 'imp'", "Python has no imp since 3.13 or before"),
        (
            "ModuleNotFoundError: No module named 'sphinx.util'",
            "No package in the image brings the module sphinx:",
        ),
        ("ModuleNotFoundError: No module named 'a_b.gone'", ""),
        ("No module named 'pyaudioop'", 'list "audioop-lts", too.'),
        ("ImportError: Failed to initialize: Bad git executable.", "The program git is not in the image:"),
        ("RuntimeError: Could not find the dot program in PATH", "The program dot is not in the image:"),
        ("OSError: no library", ""),
    ],
)
def test_module_hint(output: str, hint: str) -> None:
    """Well-known modules by the package that has them, others by their name, and none of the package's own."""
    found = module_hint("A.b[x]>=1", output)
    assert (hint in found, bool(found)) == (True, bool(hint)), found
