"""The build context: what sources take of it, with no look at the rest."""

import os
from pathlib import Path

import pytest

from isol8_tasks.dockerfile.globs import taker
from isol8_tasks.engine import FileContent
from isol8_tasks.run.context import BuildContext, Digests

FILES = ("Dockerfile", "a", "b.md", "d/c.md", "d/e/f", "d/e/g.md", "d2/c.md", "d2/e/f", "[x]/a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with files, an empty folder, and links."""
    for path in FILES:
        file = tmp_path / "docker" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "docker" / "empty").mkdir()
    (tmp_path / "docker" / "link").symlink_to("d")
    (tmp_path / "docker" / "d" / "up").symlink_to("..")
    (tmp_path / "docker" / "file").symlink_to("a")
    return tmp_path / "docker"


def never(_folder: str) -> bool:
    return False


SOURCES = (
    "", ".", "a", "d", "d/", "d/e", "d/e/f", "d/x", "a/x", "empty", "empty/x", "link", "link/c.md", "d/up", "d/up/a",
    "*", "*.md", "d*", "d*/e", "d*/*", "*/*/f", "d/*.md", "[[]x]", "[[]x]/a", "l*", "l*/c.md", "q*", "q*/x", "../a",
    "./d/../a", "?", "file", "*/up/a", "*/\\e/f",
)  # fmt: skip


@pytest.mark.parametrize("pattern", [True, False])
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_takes_what_it_takes_of_all_files(folder: Path, source: str, pattern: bool) -> None:  # noqa: FBT001 - a parameter
    """What is found without a look at everything is what is found with one."""
    found = sorted(BuildContext(folder).find(source, pattern=pattern, skips=never))
    assert found == list(filter(taker(source, pattern=pattern), BuildContext(folder)))


class Watched(BuildContext):
    """Notes which folders are listed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listed: list[str] = []

    def _entries(self, prefix: str) -> tuple[list[os.DirEntry[str]], str]:
        self.listed.append(prefix)
        return super()._entries(prefix)


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        ("a", []),
        ("d/e/f", []),
        ("d/e", ["d/e/"]),
        ("d/*.md", ["d/"]),
        ("d*/c.md", [""]),
        ("d*/*.md", ["", "d/", "d2/"]),
        ("d", ["d/"]),
        ("nothing/*", []),
    ],
)
def test_no_other_folder_is_listed(folder: Path, source: str, listed: list[str]) -> None:
    """A folder is looked into where its files are taken, or compared with a pattern; and none that is skipped."""
    context = Watched(folder)
    list(context.find(source, pattern=True, skips=lambda path: path == "d/e" and source == "d"))
    assert sorted(context.listed) == listed


def test_files_are_read_once_and_where_something_asks(folder: Path) -> None:
    """Finding them reads nothing, and what was read stays what it was for the whole run."""
    context = BuildContext(folder)
    digests = Digests(context)
    assert "d/c.md" in list(context.find("d", pattern=False, skips=never))
    (folder / "d/c.md").write_text("later")
    assert context["d/c.md"].data == b"later"
    first = digests["d/c.md"]
    (folder / "d/c.md").write_text("too late")
    assert context["d/c.md"].data == b"later"
    assert digests["d/c.md"] is first
    assert len(digests) == len(context) == len(list(digests))


def test_what_is_no_file_is_not_there(folder: Path) -> None:
    """A folder, and what a file would have to be a folder for, have no content."""
    context = BuildContext(folder)
    assert [path for path in ("d", "gone", "a/b", "empty") if path in context] == []


def test_links_that_lead_out_are_told_of(folder: Path) -> None:
    """A link to a file stands for it; where that is elsewhere, it says where."""
    (folder.parent / "secret").write_text("x")
    (folder / "out").symlink_to("../secret")
    (folder / "d" / "chain").symlink_to("../out")
    context = BuildContext(folder)
    secret = str((folder.parent / "secret").resolve())
    assert context["out"] == FileContent(data=b"x", outside=secret)
    assert Digests(context)["d/chain"].outside == secret
    assert context["file"] == FileContent(data=b"a")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_may_not_be_looked_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that this user may not open is what has the problem, on the way to a file as well."""
    (folder / "closed").mkdir(mode=0)
    monkeypatch.chdir(folder)
    os.seteuid(65534)
    try:
        context = BuildContext(Path())
        assert list(context.find("closed/*", pattern=True, skips=never)) == ["closed/"]
        assert context["closed/"].problem.startswith("docker/closed/: can't be listed")
        assert list(context.find("closed/x", pattern=False, skips=never)) == ["closed/x"]
        assert (
            context["closed/x"].problem
            == "docker/closed/x: can't be read (Permission denied); user nobody needs the right to read it"
        )
    finally:
        os.seteuid(0)
