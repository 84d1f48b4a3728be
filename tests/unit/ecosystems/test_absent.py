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


OWN = "prisma lacks this file of its own, so it can't be loaded; if its command alone is used, write skip = "
NO_RIGHT = (
    "isol8 runs Deno without --allow-sys, and nothing can change that: take another package, or list it under"
)


@pytest.mark.parametrize(
    ("package", "output", "hint"),
    [
        ("npm:sharp", 'NotCapable: Requires sys access to "cpus", run again with the --allow-sys flag', NO_RIGHT),
        ("prisma@6", "Error: Cannot find module '/usr/lib/node_modules/prisma/build/types.js'", f'{OWN}["prisma"]'),
        ("x", "Error: Cannot find module 'react/jsx-runtime'\n-", 'x needs react, which it does not bring: list "rea'),
        ("x", "Cannot find package '@s/p' imported from /j/[eval1]", 'list "@s/p", too.'),
        ("x", "Error: Cannot find module './a'", ""),
        ("x@1", "Error: Cannot find module 'x/lib/a'", ""),
        ("x", "Error: Cannot find module 'bun:sqlite'", ""),
        ("npm:x@1", "Error: Cannot find module '/usr/lib/node_modules/x/z.js'", ""),
        ("x", "Error: Cannot find module '/usr/lib/node_modules/y/z.js'", ""),
        ("y[z]>=1", "Error: Cannot find module '/usr/lib/node_modules/y/z.js'", ""),
        ("@s/p@1", "ModuleNotFoundError: No module named 'gyp'", ""),
        ("npm:@s/p", "ModuleNotFoundError: No module named 'gyp'", ""),
    ],
)  # fmt: skip
def test_hint_of_javascript(package: str, output: str, hint: str) -> None:
    """A right that isol8 does not give, a file of its own, another package; nothing of another's file or language."""
    found = module_hint(package, output)
    assert (hint.replace("prisma lacks", f"{package} lacks") in found, bool(found)) == (True, bool(hint)), (
        found
    )
