"""What an ignore file leaves is what docker would send."""

import pytest

from isol8_tasks.dockerfile.ignore import included, parse_ignore
from isol8_tasks.errors import PlanError

PATHS = (
    "README.md",
    "a.log",
    "d/a.log",
    "d/deep/x.py",
    "d/keep.log",
    "docs/index.md",
    "logs.txt",
    "x.log.gz",
)

LEFT = {
    "nothing to leave out": ("", PATHS),
    "comments and blank lines": ("# a.log\n\n  \n", PATHS),
    "byte order mark": ("\ufeff# a.log\n", PATHS),
    "a file": ("README.md\n", PATHS[1:]),
    "a folder": ("d", ("README.md", "a.log", "docs/index.md", "logs.txt", "x.log.gz")),
    "spelled otherwise": (" ./d//deep/ \n/README.md\r\n", ("a.log", "d/a.log", "d/keep.log", *PATHS[5:])),
    "star stays in its folder": ("*.log", tuple(p for p in PATHS if p != "a.log")),
    "two stars": ("**/*.log", ("README.md", "d/deep/x.py", "docs/index.md", "logs.txt", "x.log.gz")),
    "two stars and an ending": ("**.log", ("README.md", "d/deep/x.py", "docs/index.md", "logs.txt", "x.log.gz")),
    "everything": ("**", ()),
    "everything in a folder": ("d/**", tuple(p for p in PATHS if not p.startswith("d/"))),
    "exception": ("**/*.log\n!d/keep.log", ("README.md", *PATHS[3:])),
    "exception for a folder": ("*\n! d", ("d/a.log", "d/deep/x.py", "d/keep.log")),
    "exception within a folder": ("d\n!d/deep", tuple(p for p in PATHS if p not in {"d/a.log", "d/keep.log"})),
    "the last word": ("!a.log\na.log", tuple(p for p in PATHS if p != "a.log")),
    "exception and again": ("d\n!d/deep\nd/deep/x.py", tuple(p for p in PATHS if not p.startswith("d/"))),
    "the root itself": ("/\n.", PATHS),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LEFT.values(), ids=LEFT)
def test_what_is_left(text: str, expected: tuple[str, ...]) -> None:
    """The last pattern about a path or a folder that it is in decides."""
    assert included(reversed(PATHS), parse_ignore(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n!\n", ".dockerignore:2: a pattern has to follow the !"),
        ("a[", ".dockerignore:1: a[: a [ is not closed, or nothing is in it"),
        ("a\\", ".dockerignore:1: a\\: nothing follows the last \\"),
    ],
    ids=["exception from nothing", "open class", "lone escape"],
)
def test_refused(text: str, message: str) -> None:
    """A pattern that docker refuses is an error with its line."""
    with pytest.raises(PlanError) as caught:
        parse_ignore(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "left"),
    [("closed", ()), ("closed/*", ()), ("closed/*.log", ("closed/",)), ("closed\n!x", ("closed/",))],
    ids=["itself", "all in it", "some in it", "with an exception"],
)
def test_a_folder_that_nobody_can_look_into(text: str, left: tuple[str, ...]) -> None:
    """It is left out only where nothing in it could be left."""
    assert included(["closed/"], parse_ignore(text)) == left
