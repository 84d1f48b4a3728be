"""What an ignore file leaves is what docker would send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.ignore import included, parse_ignore, skipper
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


SKIPPED = {
    "nothing": ("", ()),
    "a folder": ("d\n", ("d", "d/deep")),
    "all but a file": ("*\n!README.md\n", ("d", "d/deep", "docs")),
    "all but a folder": ("*\n!d\n", ("docs",)),
    "all but what is in a folder": ("*\n!d/deep/x.py\n", ("docs",)),
    "an exception that an ignored folder takes back": ("d\n!d\nd\n", ("d", "d/deep")),
    "an exception anywhere": ("*\n!**/*.md\n", ()),
    "an exception in some folder": ("*\n!d*/keep.log\n", ("d/deep",)),
    "an exception for files of a name": ("*\n!x*\n!*.md\n", ("d", "d/deep", "docs")),
    "an exception by a class": ("*\n![d]/x\n", ()),
    "files of a folder": ("d/*\n", ("d/deep",)),
    "everything": ("**\n", ("d", "d/deep", "docs")),
}


@pytest.mark.parametrize(("text", "skipped"), SKIPPED.values(), ids=SKIPPED)
def test_folders_of_which_nothing_is_left(text: str, skipped: tuple[str, ...]) -> None:
    """A folder is skipped where the rules leave nothing in it, whatever that is."""
    skips = skipper(parse_ignore(text))
    assert tuple(each for each in ("d", "d/deep", "docs") if skips(each)) == skipped


@given(
    st.lists(
        st.builds(
            "{}{}".format,
            st.sampled_from(["", "!"]),
            st.sampled_from(
                [
                    "d",
                    "d/deep",
                    "*",
                    "**",
                    "d/*",
                    "*/deep",
                    "**/x.py",
                    "d/deep/x.py",
                    "docs",
                    "d*",
                    "/d",
                    "**.log",
                ]
            ),
        ),
        max_size=5,
    )
)
def test_nothing_is_lost_in_a_folder_that_is_skipped(lines: list[str]) -> None:
    """What is left has no folder that is skipped."""
    rules = parse_ignore("\n".join(lines))
    skips = skipper(rules)
    for path in included(PATHS, rules):
        folders = path.split("/")[:-1]
        assert not any(skips("/".join(folders[: number + 1])) for number in range(len(folders)))
