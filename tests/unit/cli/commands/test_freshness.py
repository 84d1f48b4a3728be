"""The command freshness: how far behind their sources the images are, and its exit codes."""

import json

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.errors import SourceUnavailableError
from tests.command_line import CommandLine
from tests.fake_engine import FakeImage

NEWER = PackageNews(updates=(Update(ecosystem="apk", name="jq", old="1.7.1-r0", new="1.8"),))


def test_images_like_their_sources_are_fresh(built: CommandLine) -> None:
    """Nothing is changed."""
    built.engine.requests.clear()
    done = built("freshness")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [
        [f"isol8:{name}", "fresh"] for name in ("python", "node", "bun", "deno", "bash", "bash-custom")
    ]
    assert built.engine.requests == []


def test_newer_package_is_2(built: CommandLine) -> None:
    """With what changed."""
    built.news["bash-custom"] = NEWER
    done = built("freshness")
    assert (done.code, done.err) == (2, "")
    assert done.out.splitlines()[-1] == "isol8:bash-custom   behind      jq 1.7.1-r0 → 1.8"


def test_moved_upstream_image_is_2(built: CommandLine) -> None:
    """Images that are based on it are behind with it."""
    moved = FakeImage(id="sha256:new", digests=("denoland/deno@sha256:" + "2" * 64,))
    built.engine.registry["denoland/deno:alpine"] = moved
    done = built("freshness")
    assert done.code == 2
    behind = [line for line in done.out.splitlines() if "  behind  " in line]
    assert len(behind) == 1
    assert behind[0].startswith("isol8:deno          behind      denoland/deno:alpine moved (")


def test_source_that_does_not_answer_is_4(built: CommandLine) -> None:
    """Only where nothing is known to be behind."""
    built.news["bash-custom"] = SourceUnavailableError("apk: no answer\nand more")
    done = built("freshness")
    assert (done.code, done.err) == (4, "")
    assert "isol8:bash-custom   undetermined  apk: no answer\n" in done.out
    built.news["bash"] = NEWER
    assert built("freshness").code == 2


def test_json_has_every_image(built: CommandLine) -> None:
    """With the same exit code."""
    built.news["bash-custom"] = NEWER
    done = built("freshness", "--json")
    assert done.code == 2
    images = json.loads(done.out)["images"]
    assert {each["image"]: each["state"] for each in images}["isol8:bun"] == "fresh"
    assert (images[-1]["image"], images[-1]["behind"]) == ("isol8:bash-custom", True)


def test_only_asks_for_the_named_runtimes(built: CommandLine) -> None:
    """And what is behind elsewhere does not count."""
    built.news["bash-custom"] = NEWER
    done = built("freshness", "--only", "bun,deno")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["isol8:bun", "isol8:deno"]


@pytest.mark.parametrize("words", ["", "--json"])
def test_images_that_are_not_built_are_not_behind(cli: CommandLine, words: str) -> None:
    """No source is asked about them."""
    done = cli("freshness", *words.split())
    assert (done.code, done.err) == (0, "")
    assert "behind" not in done.out.replace('"behind": false', "")
    assert not [each for each in cli.engine.asked if each.startswith("remote_digest")]


def test_bug_in_a_source_is_one_line(built: CommandLine) -> None:
    """With the file that has the traceback."""
    built.patch.setattr("isol8_tasks.run.refresh.package_news", evolve)
    done = built("freshness")
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith("ERROR: internal error in freshness: TypeError: ")
    assert done.err.count("\n") == 1
