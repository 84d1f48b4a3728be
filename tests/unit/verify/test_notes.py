"""Notes on packages that pass."""

from typing import TYPE_CHECKING

import pytest

from isol8_tasks.ecosystems.findings import (
    CommandShared,
    ModuleOverwritten,
    PackageDeclines,
    PackageMissing,
    PackageNeeds,
    PackageNote,
    PartUnusable,
)
from isol8_tasks.verify.conditions import RELEASES, Releases
from isol8_tasks.verify.notes import apart, render_note

if TYPE_CHECKING:
    from isol8_tasks.verify.findings import AnyFinding

LACKS = "Error loading shared library libtbb.so.12: No such file or directory\nError relocating x"


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (
            PackageDeclines(
                package="@jest/globals@^30", use='require("@jest/globals")', output="Error: not alone"
            ),
            (
                '@jest/globals@^30 loads only inside another program, it seems: `require("@jest/globals")` fails with '
                'Error: not alone; skip = ["@jest/globals"] under [verify] silences this'
            ),
        ),
        (
            PartUnusable(package="numba>=0.5", use="its library /x/tbbpool.so", output=LACKS),
            (
                "numba>=0.5 can be used, but its library /x/tbbpool.so can't (Error loading shared library "
                'libtbb.so.12: No such file or directory); skip = ["numba"] under [verify] silences this'
            ),
        ),
        (
            PartUnusable(
                package="npm:a@1/b", use="import a.b", output="Traceback\n\x1b[1mOSError: no library\n"
            ),
            (
                "npm:a@1/b can be used, but `import a.b` can't (OSError: no library); "
                'skip = ["npm:a"] under [verify] silences this'
            ),
        ),
        (
            CommandShared(command="tsc", packages=("typescript", "tsc"), used="tsc"),
            "typescript and tsc both provide the command tsc; it runs that of tsc",
        ),
        (
            CommandShared(command="x", packages=("a", "b"), used=""),
            "a and b both provide the command x; it runs that of the package installed last",
        ),
        (
            ModuleOverwritten(path="/s/serial.py", packages=("serial",), used="pyserial"),
            "serial and pyserial both install /s/serial.py; the file in the image is that of pyserial",
        ),
        (
            ModuleOverwritten(path="/s/x.py", packages=("a", "b"), used=""),
            "a and b both install /s/x.py; the file in the image is that of neither",
        ),
        (PackageNeeds(package="nltk", need="downloads corpora"), "nltk downloads corpora"),
    ],
    ids=["declines", "library", "module", "command", "somebody's command", "file", "no one's file", "needs"],
)
def test_words(note: PackageNote, words: str) -> None:
    """Each has a line, with what silences it where that is a guess."""
    assert render_note(note) == words


def test_a_long_cause_is_cut() -> None:
    """A page of an error does not fill the screen."""
    words = render_note(PackageDeclines(package="a", use="import a", output="x" * 500))
    assert len(words) < 300
    assert "x…;" in words


def test_apart_from_findings() -> None:
    """Each note once, whichever kind of client met it and whatever was printed there."""
    missing = PackageMissing(package="c")
    first = PackageDeclines(package="a", use="import a", output="one")
    needs = PackageNeeds(package="b", need="downloads data")
    some, others = frozenset(RELEASES[:3]), frozenset(RELEASES[3:])
    found: list[tuple[AnyFinding | PackageNote, Releases]] = [
        (first, some),
        (missing, some),
        (PackageDeclines(package="a", use="import a", output="two"), others),
        (needs, frozenset()),
        (needs, frozenset()),
    ]
    assert apart(found) == (((missing, some),), (first, needs))
