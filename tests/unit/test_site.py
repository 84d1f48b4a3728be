"""The documentation's generated pages, and what becomes of a page on the site; tests/browser builds the whole."""

import re
import tomllib
from pathlib import Path

import pytest

from docs.site.build import gather, main
from docs.site.picture import drawn
from isol8_tasks.errors import ConfigError
from tests import reference
from tests.first_hour import when

_PAGES = {**reference.PAGES, when.PAGE: when.page}
_GRAPH = """flowchart LR
    i0(["alpine:3.21"])
    i1["isol8:bun"]
    i2["isol8:<i>"]
    i0 --> i1
    i0 -.-> i2
    classDef stale fill:#fff3cd,stroke:#b58900,color:#000
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the pages as Sphinx reads them."""
    folder = tmp_path_factory.mktemp("pages")
    gather(folder)
    return folder


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_a_generated_page_is_current(page: Path) -> None:
    """`python -m tests.reference` and `python -m tests.first_hour.when` write them."""
    assert page.read_text("utf-8") == _PAGES[page]()


def test_every_command_is_documented() -> None:
    """In docs/commands.md, and each flag of it in the reference."""
    page = (reference.ROOT / "docs/commands.md").read_text("utf-8")
    names = tomllib.loads((reference.ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["doit"]["plugins"]
    assert [name for name in names["command"] if not re.search(rf"`(\./doitw )?{name}\b", page)] == ["run"]
    assert "| `--check` | exit with code 2 when something would be built |" in reference.commands_page()


def test_recorded_answers_are_good_ones() -> None:
    """What is shown names the cause and the next step, as the row's test has it; `report --record` renews it."""
    answers = when.recorded()
    rows = [row for row in when.shown() if row.name in answers]
    assert len(rows) > 100
    for row in rows:
        assert when.is_whole(row, answers[row.name]), row.name
        assert when.step(row, answers[row.name]), row.name


class TestPages:
    """What Sphinx reads."""

    def test_a_link_to_a_folder_leads_to_a_page(self, pages: Path) -> None:
        """Which lists its pages, or has its files."""
        assert "](docs/decisions/index.md)" in (pages / "README.md").read_text("utf-8")
        assert ":glob:" in (pages / "docs/decisions/index.md").read_text("utf-8")
        assert "](../examples/ci/index.md)" in (pages / "docs/registry.md").read_text("utf-8")
        shown = (pages / "examples/ci/index.md").read_text("utf-8")
        assert (reference.ROOT / "examples/ci/gitlab-ci.yml").read_text("utf-8").rstrip() in shown

    def test_the_front_page_lists_every_page(self, pages: Path) -> None:
        """None of docs/ is left out."""
        contents = (pages / "README.md").read_text("utf-8").rpartition(":caption: Begin")[2]
        for page in (reference.ROOT / "docs").glob("*.md"):
            assert f"\ndocs/{page.stem}\n" in contents


def test_a_flowchart_is_drawn() -> None:
    """Each node once, a dotted line for what is copied, and no mark-up of others."""
    picture = drawn(_GRAPH)
    assert picture.count("<rect") == picture.count("<text") == 3
    assert picture.count("stroke-dasharray") == 1
    assert "isol8:bun is based on alpine:3.21; isol8:&lt;i&gt; copies from alpine:3.21" in picture
    assert "<i>" not in picture


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    """A folder with something else in it is refused, and so is a second word."""
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="it has other files than a site"):
        main([str(tmp_path)])
    with pytest.raises(ConfigError, match="expected one folder at most"):
        main(["a", "b"])
    assert (tmp_path / "thesis.txt").exists()
