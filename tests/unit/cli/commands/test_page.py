"""The command page, and what refresh writes of it."""

import json
import re
from pathlib import Path

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.errors import SourceUnavailableError
from tests.command_line import MUSL, CommandLine, Ended

NEWER = PackageNews(updates=(Update(ecosystem="apk", name="jq", old="1.7.1-r0", new="1.8"),))
WITH_PAGE = '[dependencies]\nbash = ["jq"]\n[page]\nfile = "site/images.html"\n'


def text_of(file: Path) -> str:
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    return page


class TestPage:
    """The file that it writes."""

    def test_it_is_one_file(self, built: CommandLine) -> None:
        """And the line names it; nothing else is changed."""
        built.engine.requests.clear()
        done = built("page")
        assert (done.code, done.err) == (0, "")
        file = built.folder / "isol8-images.html"
        assert done.out.startswith("isol8-images.html: 6 images, ")
        assert "isol8:bash-custom" in text_of(file)
        assert built.engine.requests == []

    def test_output_is_where_it_was_asked_for(self, built: CommandLine) -> None:
        """Its folder is made."""
        assert built("page", "-o", "a/b/c.html").code == 0
        text_of(built.folder / "a/b/c.html")

    @pytest.mark.parametrize("name", ["-", "/dev/stdout"])
    def test_standard_output_has_the_page_alone(self, built: CommandLine, name: str) -> None:
        """What is said besides is on standard error; [page] file is left alone."""
        built.declare(WITH_PAGE)
        built.news["bash-custom"] = SourceUnavailableError("apk: no answer")
        done = built("page", "-o", name)
        assert done.code == 0
        assert done.out.startswith("<!doctype html>")
        assert done.out.endswith("</html>\n")
        assert re.fullmatch(r"page: 6 images, .* kB\nundetermined: apk: no answer\n", done.err)
        assert not [*built.folder.rglob("*.html")]
        assert not (built.folder / "-").exists()

    @pytest.mark.parametrize(
        "words", [("refresh", "--report", "-"), ("bake", "-o", "-"), ("sbom", "-o", "-"), ("pull", "-")]
    )
    def test_no_other_command_takes_it(self, built: CommandLine, words: tuple[str, ...]) -> None:
        """Nor makes a file of that name."""
        said = "ERROR: '-' does not stand for standard input or output here; name a file\n"
        assert built(*words) == Ended(3, "", said)
        assert not (built.folder / "-").exists()

    def test_changed_last_is_what_the_history_has_last(self, built: CommandLine) -> None:
        """Of several changes in one second, too."""
        for name in ("deno", "bun"):
            assert built(f"base:{name}", "--force").code == 0
        file = built.folder / ".isol8" / "history.jsonl"
        file.write_text(re.sub(r'"at":"[^"]*"', '"at":"2026-11-30T04:45:00Z"', file.read_text()))
        assert built("page", "--offline").code == 0
        page = text_of(built.folder / "isol8-images.html")
        assert "<bdi>isol8:bun</bdi> built" in page.partition("Changed last")[2].partition("</div>")[0]

    def test_packages_are_counted_as_inventory_and_verify_count_them(self, built: CommandLine) -> None:
        """Of a package that npm has in two versions, each."""
        found = [Package(ecosystem="npm", name="semver", version=version) for version in ("6.3.1", "7.7.2")]
        built.check = lambda _spec, _image: encode("3.22.1", [MUSL, *found])
        assert built("base:node", "--force").code == 0
        assert built("inventory", "node").out.splitlines()[0] == "isol8:node  Alpine 3.22.1 · 3 packages"
        assert built("page", "--offline").code == 0
        page = text_of(built.folder / "isol8-images.html")
        row = (
            page.partition('<table id="tree">')[2].partition("<bdi>isol8:node</bdi>")[2].partition("</tr>")[0]
        )
        assert '<td class="n">3</td>' in row
        assert '["npm","semver","6.3.1"]' in page

    def test_file_of_deps_toml_is_the_default(self, built: CommandLine) -> None:
        """A flag overrides it."""
        built.declare(WITH_PAGE)
        assert built("page").code == 0
        text_of(built.folder / "site/images.html")
        assert built("page", "--output", "other.html").code == 0
        text_of(built.folder / "other.html")

    def test_freshness_is_on_it(self, built: CommandLine) -> None:
        """Behind is no failure of a page."""
        built.news["bash-custom"] = NEWER
        assert built("page").code == 0
        assert "jq 1.7.1-r0 → 1.8" in text_of(built.folder / "isol8-images.html")

    def test_offline_asks_no_source(self, built: CommandLine) -> None:
        """And says so on the page."""
        built.news["bash-custom"] = SourceUnavailableError("asked")
        built.engine.asked.clear()
        done = built("page", "--offline")
        assert (done.code, done.err) == (0, "")
        assert not [each for each in built.engine.asked if each.startswith("remote_digest")]
        assert "The sources were not asked" in text_of(built.folder / "isol8-images.html")

    def test_source_that_does_not_answer_is_told(self, built: CommandLine) -> None:
        """On the page, too."""
        built.news["bash-custom"] = SourceUnavailableError("apk: no answer")
        done = built("page")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[1] == "undetermined: apk: no answer"
        assert "apk: no answer" in text_of(built.folder / "isol8-images.html")

    def test_without_an_engine_the_page_stays(self, dead: CommandLine) -> None:
        """It is 4, and what is there is not replaced."""
        file = dead.folder / "isol8-images.html"
        file.write_text("<!doctype html>yesterday")
        done = dead("page")
        assert (done.code, done.out) == (4, "")
        assert file.read_text() == "<!doctype html>yesterday"

    def test_nothing_built_is_a_page_too(self, cli: CommandLine) -> None:
        """It says what would be built."""
        assert cli("page").code == 0
        assert "not built" in text_of(cli.folder / "isol8-images.html")


class TestWrong:
    """What can't be done."""

    def test_folder_is_no_file(self, built: CommandLine) -> None:
        """It is refused before anything is asked."""
        (built.folder / "here").mkdir()
        done = built("page", "--output", "here")
        assert (done.code, done.out) == (3, "")
        assert done.err == "ERROR: --output: here: can't be written (Is a directory); name another file\n"

    @pytest.mark.parametrize("name", ["deps.toml", ".isol8/history.jsonl", "docker/Dockerfile"])
    def test_what_is_no_page_is_kept(self, built: CommandLine, name: str) -> None:
        """Whether the flag or the setting names it; an empty file is replaced."""
        file = built.folder / name
        before = file.read_bytes()
        done = built("page", "-o", name)
        assert (done.code, done.out) == (3, "")
        assert (
            done.err
            == f"ERROR: --output: {name}: can't be written (it is there, and no page); name another file\n"
        )
        assert file.read_bytes() == before
        built.declare(f'[page]\nfile = "{name}"\n')
        before = file.read_bytes()
        for words in (["page"], ["refresh"]):
            assert "it is there, and no page" in built(*words).err
        assert file.read_bytes() == before

    def test_empty_file_and_an_older_page_are_replaced(self, built: CommandLine) -> None:
        """As one of mktemp is, and that of yesterday."""
        (built.folder / "new.html").touch()
        for _ in range(2):
            assert built("page", "-o", "new.html").code == 0
            text_of(built.folder / "new.html")

    def test_setting_that_can_not_be_written_is_named_with_its_line(self, built: CommandLine) -> None:
        """By the command, and by refresh before it does anything."""
        built.declare(WITH_PAGE)
        (built.folder / "site").write_text("a file")
        for words in (["page"], ["refresh"]):
            done = built(*words)
            assert done.code == 3
            assert done.err.startswith("ERROR: deps.toml:4: page.file: ")
            assert done.err.endswith("site is not a folder); name another file\n")

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            ("3", 'page.file: expected a string, found an integer; write file = "images.html"'),
            ('""', "page.file: '' is not the name of a file; write for example \"images.html\""),
            ('"site/"', "page.file: 'site/' is not the name of a file; write for example \"images.html\""),
        ],
    )
    def test_wrong_setting(self, built: CommandLine, value: str, problem: str) -> None:
        """One line, with what to write."""
        built.declare(f"[page]\nfile = {value}\n")
        done = built("page")
        assert (done.code, done.err) == (3, f"ERROR: deps.toml:2: {problem}\n")

    def test_words_are_refused(self, built: CommandLine) -> None:
        """It is a page of all images."""
        assert built("page", "bun").code == 3


class TestRefresh:
    """With [page] file."""

    def test_refresh_writes_it_as_things_stand_then(self, built: CommandLine) -> None:
        """What was built is fresh, and in the history."""
        built.declare(WITH_PAGE)
        built.news["bash-custom"] = NEWER
        assert built("refresh").code == 0
        page = text_of(built.folder / "site/images.html")
        assert "jq 1.7.1-r0 → 1.8" not in page.partition('id="clients"')[2].partition('id="days"')[0]
        assert "6 images are as new as their sources" in page
        data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
        bash = next(each for each in data["images"] if each["name"] == "isol8:bash-custom")
        assert bash["builds"][-1]["how"] == "built"
        assert bash["size"] > 0

    def test_refresh_writes_none_without_the_setting(self, built: CommandLine) -> None:
        """Nobody asked."""
        assert built("refresh").code == 0
        assert not [*built.folder.rglob("*.html")]

    def test_page_that_can_not_be_written_is_1(self, built: CommandLine) -> None:
        """After the report, which is not lost."""
        built.declare(WITH_PAGE)
        built.patch.setattr("isol8_tasks.run.page.write_named", _full)
        done = built("refresh")
        assert done.code == 1
        assert "6 images fresh" in done.out
        file = built.folder / "site/images.html"
        why = "the page can't be written (No space left on device); name another file"
        assert done.err == f"ERROR: [page] file: {file}: {why}\n"


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
