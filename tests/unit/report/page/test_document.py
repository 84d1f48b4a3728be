"""What the page shows, from the engine's images, deps.toml, the history and the sources."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.report.page import document as pages
from isol8_tasks.run.history import history_path
from isol8_tasks.run.page import gather_page
from tests.command_line import CommandLine, command_line, engine_with_upstream
from tests.pages import HOSTILE, document_of, many_images, write_history

PUBLISHED = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Give a checkout with eleven images, the last three of which are not built."""
    monkeypatch.chdir(tmp_path)
    return many_images(tmp_path, monkeypatch, 11)


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["images"]}


class TestImages:
    """Each with all that is known of it now."""

    def test_every_image_is_based_on_the_one_above(self, cli: CommandLine) -> None:
        """From upstream images to named ones."""
        document = document_of(cli)
        parents = {each["name"]: each["parent"] for each in document["images"]}
        assert parents["alpine:3.21"] is None
        assert document["images"][parents["isol8:team-001"]]["name"] == "isol8:team-000"
        assert [each["branch"] for each in document["images"]][:3] == ["", "├─ ", "│  └─ "]

    def test_a_built_image_has_its_facts(self, cli: CommandLine) -> None:
        """Its state, size, id, packages, key and verification."""
        found = by_name(document_of(cli))["isol8:bash-custom"]
        assert (found["state"], found["kind"], found["runtime"], found["verified"]) == (
            "up-to-date",
            "custom",
            "bash",
            True,
        )
        assert (found["alpine"], found["declared"], found["task"]) == ("3.22.1", ["jq"], "custom:bash")
        assert len(found["packages"]) == 8 + 30 + 30 + 1
        assert found["size"] > 10**8
        assert found["key"]

    def test_an_image_that_is_not_built_says_why(self, cli: CommandLine) -> None:
        """And has no facts."""
        found = by_name(document_of(cli))["isol8:team-004"]
        assert (found["state"], found["there"], found["built"], found["packages"]) == (
            "not-built",
            False,
            None,
            None,
        )
        assert found["why"][0].startswith("declared in deps.toml:")

    def test_a_hold_and_a_rejected_build_are_shown(self, cli: CommandLine) -> None:
        """With their times."""
        cli.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        assert cli("custom:bash").code == 0
        assert cli("rollback", "bash-custom").code == 0
        cli.check = lambda _spec, _candidate: pytest.fail("not asked")
        found = by_name(document_of(cli))["isol8:bash-custom"]
        assert found["state"] == "held"
        assert found["held"]
        assert by_name(document_of(cli))["isol8:team-000"]["state"] == "undeclared"

    def test_a_time_that_nobody_wrote_is_none(self, cli: CommandLine) -> None:
        """Builders that write none leave the year 1 or 1970."""
        assert by_name(document_of(cli))["alpine:3.21"]["built"] is None

    def test_packages_stand_once(self, cli: CommandLine) -> None:
        """Images have them by number."""
        document = document_of(cli)
        assert len(document["packages"]) == len({tuple(each) for each in document["packages"]})
        number = document["packages"].index(["apk", "openssl", "3.5.8-r0"])
        assert sum(number in (each["packages"] or ()) for each in document["images"]) == 8


class TestBuilds:
    """The history of each image."""

    def test_packages_are_whole_once_and_then_what_changed(self, cli: CommandLine) -> None:
        """So that a page of many nights stays small."""
        write_history(cli, 30)
        builds = by_name(document_of(cli))["isol8:bun"]["builds"]
        assert ["packages" in each for each in builds] == [True, False, False, False]
        assert all(each["changed"] for each in builds[1:])
        assert builds[0]["settings"]["WorkingDir"] == "/sandbox"

    def test_without_a_file_labels_tell_of_the_images_in_use(self, cli: CommandLine) -> None:
        """Which is not a history of what was done."""
        history_path(cli.open().view).unlink(missing_ok=True)
        builds = by_name(document_of(cli))["isol8:bun"]["builds"]
        assert [each["how"] for each in builds] == ["found"]

    def test_the_oldest_changes_of_very_many_are_left_out(
        self, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And their number is told; what is left begins with whole packages."""
        write_history(cli, 30)
        monkeypatch.setattr(pages, "MOST_BUILDS", 10)
        document = document_of(cli)
        builds = [each["builds"] for each in document["images"] if each["builds"]]
        assert sum(map(len, builds)) == 10
        assert document["left_out"] == 22
        assert all("packages" in each[0] for each in builds)

    def test_failures_and_refreshes_stand_beside_the_changes(self, cli: CommandLine) -> None:
        """A failure is told of the image until it changes again; days have the bytes of all."""
        cli.engine.fail = {"isol8_build:bash-custom-candidate"}
        cli.engine.failure = "ERROR: no such package"
        assert cli("custom:bash", "--force").code == 1
        document = document_of(cli)
        found = by_name(document)["isol8:bash-custom"]
        (failure,) = found["failures"]
        assert (failure["why"], failure["problem"]) == (["forced"], "ERROR: no such package")
        assert found["failed"] == failure
        assert [each["how"] for each in found["builds"]] == ["built"]
        assert by_name(document)["isol8:bash"]["failures"] == []
        assert by_name(document)["isol8:python"]["builds"][0]["bytes"]["pulled"] == 1000
        cli.engine.fail.clear()
        assert cli("refresh").code == 0
        assert cli("custom:bash", "--force").code == 0
        document = document_of(cli)
        found = by_name(document)["isol8:bash-custom"]
        assert (found["failed"], found["failures"]) == (None, [failure])
        (night,) = document["nights"]
        assert night["images"]["fresh"] > 0

    def test_a_removed_image_has_no_packages_in_that_change(self, cli: CommandLine) -> None:
        """It is a change all the same."""
        assert cli("clean", "base:bun").code == 0
        last = by_name(document_of(cli))["isol8:bun"]["builds"][-1]
        assert (last["how"], "size" in last, "packages" in last) == ("removed", False, False)


class TestClients:
    """What requests get."""

    def test_each_runtime_and_each_list_is_a_request(self, cli: CommandLine) -> None:
        """Once; what is not built is no answer."""
        found = {(each["runtime"], *each["packages"]): each for each in document_of(cli)["clients"]}
        assert ("bash",) in found
        assert found["bash", "jq"]["image"] == "isol8:bash-custom"
        assert found["bash", "jq"]["clients"][0]["client"] == "v0.1 to v0.11.0"
        assert ("python", "lib4") not in found

    def test_what_old_clients_install_themselves_is_told(self, cli: CommandLine) -> None:
        """They know no named images."""
        found = {(each["runtime"], *each["packages"]): each for each in document_of(cli)["clients"]}
        assert found["python", "lib0"]["clients"][0]["notes"] == [
            "installs the missing packages at each start"
        ]


class TestFreshness:
    """What the sources say."""

    def test_news_and_young_versions(self, cli: CommandLine) -> None:
        """In the words of the command freshness."""
        cli.news["bun"] = PackageNews(
            updates=(Update(ecosystem="apk", name="zlib", old="1", new="2"),),
            young=(Update(ecosystem="apk", name="tini", old="1", new="2", published=PUBLISHED),),
        )
        found = {each["name"]: each for each in document_of(cli)["freshness"]}
        assert (found["isol8:bun"]["state"], found["isol8:bun"]["news"]) == ("behind", ["zlib 1 → 2"])
        assert found["isol8:bun"]["young"] == [
            "tini 2 published 2026-11-29 12:00 UTC; accepted once it is 1 day old (min_age)"
        ]
        assert [each["name"] for each in found.values() if each["told"]] == ["isol8:bun"]

    def test_support_is_of_the_branches_in_use_and_newer_ones(self, cli: CommandLine) -> None:
        """From this project's own table."""
        support = document_of(cli)["support"]
        assert [each["branch"] for each in support] == ["3.22", "3.23"]
        assert "isol8:bun" in support[0]["images"]
        assert support[1]["images"] == []

    def test_no_support_is_made_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a release that the table does not have, nothing is known."""
        (tmp_path / "x").mkdir()
        monkeypatch.chdir(tmp_path / "x")
        other = command_line(tmp_path / "x", engine_with_upstream(), monkeypatch)
        other.build()
        assert document_of(other)["support"] == []


class TestCleaned:
    """What others wrote."""

    def test_no_credential_and_no_control_character_is_left(self, cli: CommandLine) -> None:
        """Wherever they stand in the history."""
        write_history(cli, 30, [*HOSTILE, "https://me:hunter2secret@index.example/"])
        text = json.dumps(document_of(cli), ensure_ascii=False)
        assert "hunter2secret" not in text
        assert "https://***@index.example/" in text
        assert text.isprintable()
        text.encode()

    def test_offline_knows_nothing_of_sources(self, cli: CommandLine) -> None:
        """Which is told, instead of that all is fresh."""
        view = cli.open().view
        assert gather_page(view, None)["freshness"] is None
        assert evolve(view.config).page.file == ""
