"""The command log, and the history that runs write for it."""

import datetime as dt
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.engine import ImageDetail
from isol8_tasks.images.journal_lines import read_history, render_history
from isol8_tasks.plan.model import ImageSpec
from tests.command_line import ALPINE, CommandLine, Ended
from tests.fake_engine import FakeEngine, FakeImage

REGISTRY = '[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "registry.example/isol8"\n'
CREATED = "org.opencontainers.image.created"
TIME = re.compile(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d")
ELSEWHERE = "note: there are changes on another engine, which was used last:"
WARNING = "warning: .isol8/history.jsonl: what changed can't be added to the history"


def shown(done: Ended) -> list[str]:
    """Return the lines without times and seconds, which differ."""
    assert (done.code, done.err) == (0, "")
    return [re.sub(r" · \d+\.\d s$", "", line) for line in TIME.sub("…", done.out).splitlines()]


def file_of(cli: CommandLine) -> Path:
    return cli.folder / ".isol8" / "history.jsonl"


def failing(cli: CommandLine, name: str, problem: str) -> None:
    """Let builds of an image fail."""
    cli.engine.fail = {f"isol8_build:{name}-candidate"}
    cli.engine.failure = problem


def with_musl(version: str) -> Callable[[ImageSpec, str], str]:
    """Return what finds that version of musl in every image."""
    return lambda _spec, _image: encode(ALPINE, [Package(ecosystem="apk", name="musl", version=version)])


class TestLog:
    """What it prints."""

    def test_every_change_is_a_line_newest_first(self, built: CommandLine) -> None:
        """With its number, reasons, packages and size."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
        built.check = with_musl("1.2.6-r0")
        assert built("base:bash", "--force", "custom:bash").code == 0
        assert built("rollback", "bash-custom").code == 0
        assert built("clean", "base:bun").code == 0
        assert shown(built("log")) == [
            "…  isol8:bun@0          removed",
            "…  isol8:bash-custom@0  rolled back  + jq 1.7.1-r0, musl 1.2.6-r0 → 1.2.5-r9 · 2 kB",
            "…  isol8:bash-custom@1  built        + zip; parent isol8:bash was rebuilt · {} · 2 kB".format(
                "\N{MINUS SIGN} jq 1.7.1-r0"
            ),
            "…  isol8:bash@0         built        forced · musl 1.2.5-r9 → 1.2.6-r0 · 1 kB",
            "…  isol8:bash-custom@2  built        new · declared in deps.toml:2, never built · 2 kB",
            "…  isol8:bash@1         built        new · 1 kB",
            "…  isol8:deno@0         built        new · 1 kB · 1 kB pulled",
            "…  isol8:bun@1          built        new · 1 kB",
            "…  isol8:node@0         built        new · 1 kB",
            "…  isol8:python@0       built        new · 1 kB · 1 kB pulled",
        ]

    @pytest.mark.parametrize("word", ["bash", "isol8:bash", "base:bash"])
    def test_of_a_named_image_every_package_is_listed(self, built: CommandLine, word: str) -> None:
        """On lines of their own."""
        built.check = with_musl("1.2.6-r0")
        assert built("base:bash", "--force").code == 0
        assert shown(built("log", word)) == [
            "…  isol8:bash@0  built  forced · 1 kB",
            "    apk     musl 1.2.5-r9 → 1.2.6-r0",
            "…  isol8:bash@1  built  new · 1 kB",
        ]

    def test_older_ones_are_counted(self, built: CommandLine) -> None:
        """Of many; JSON has all unless it is limited."""
        assert shown(built("log", "--limit", "1")) == [
            "…  isol8:bash-custom@0  built  new · declared in deps.toml:2, never built · 2 kB",
            "and 5 earlier changes: ./doitw log --limit 0 shows all",
        ]
        assert len(shown(built("log", "--limit=0"))) == 6
        assert len(json.loads(built("log", "--json").out)["changes"]) == 6
        assert len(json.loads(built("log", "--json", "--limit=2").out)["changes"]) == 2

    def test_json(self, built: CommandLine) -> None:
        """All that a line has."""
        (found,) = json.loads(built("log", "bash-custom", "--json").out)["changes"]
        moment = found["at"]
        assert dt.datetime.fromisoformat(moment).tzinfo
        record = built.open().view.observed.record("bash-custom")
        image = built.open().view.observed.public("bash-custom")
        assert record
        assert image
        assert found == {
            "at": moment,
            "image": "isol8:bash-custom",
            "number": 0,
            "how": "built",
            "why": ["declared in deps.toml:2, never built"],
            "problem": None,
            "images": {},
            "bytes": {"built": 1000},
            "verified": True,
            "seconds": found["seconds"],
            "checkout": record.checkout,
            "parent": "bash",
            "old": None,
            "new": {
                "id": image.id,
                "key": record.key,
                "digest": None,
                "size": 2000,
                "built": image.built.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "alpine": ALPINE,
            },
            "packages": [],
        }

    def test_of_an_image_that_was_never_built_there_is_nothing(self, built: CommandLine) -> None:
        """Which is no mistake; a name that nobody knows is one."""
        built.declare('[dependencies]\nnode = ["zod"]\n')
        assert shown(built("log", "node-custom")) == ["no change is known yet; ./doitw up builds the images"]
        said = "ERROR: isol8:noode: no such image (did you mean node? there are bash, bash-custom, bun, deno, node, "
        done = built("log", "noode")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(said)
        # One that is no longer declared has a history all the same.
        assert len(shown(built("log", "bash-custom"))) == 1

    def test_wrong_limit_is_refused(self, built: CommandLine) -> None:
        """As a number that is none."""
        said = "ERROR: --limit: -1 is not a number of changes; expected 1 or more, or 0 for all\n"
        assert built("log", "--limit=-1") == Ended(3, "", said)
        assert built("log", "--limit=x").code == 3

    def test_without_an_engine_it_is_what_the_file_has(self, dead: CommandLine) -> None:
        """Nothing else is asked."""
        assert len(shown(dead("log"))) == 6


class TestHistory:
    """What runs write."""

    def test_run_with_nothing_to_do_writes_nothing(self, built: CommandLine) -> None:
        """Whatever became of the file."""
        file_of(built).unlink()
        assert built("setup").code == 0
        assert not file_of(built).exists()

    def test_lost_history_begins_again_with_what_labels_say(self, built: CommandLine) -> None:
        """Of an image that changes what it was before, too."""
        file_of(built).unlink()
        built.check = with_musl("1.2.6-r0")
        assert built("base:bash", "--force").code == 0
        assert len(file_of(built).read_text().splitlines()) == 2
        lines = shown(built("log", "bash"))
        assert lines[0] == "…  isol8:bash@0  built  forced · 1 kB"
        assert lines[2] == "…  isol8:bash@1  found  new · 1 kB"
        # Of the others the images that are in use.
        assert shown(built("log", "deno")) == ["…  isol8:deno@0  found  new · 1 kB"]

    def test_what_another_run_made_is_found(self, built: CommandLine) -> None:
        """Before the next change of that image, whoever did not write it."""
        before = file_of(built).read_text()
        assert built("base:bash", "--force").code == 0
        file_of(built).write_text(before)
        assert built("base:bash", "--force").code == 0
        assert [line.split()[2] for line in shown(built("log", "bash"))] == ["built", "found", "built"]

    @pytest.mark.parametrize("text", ["\0", "{}\n[]\n", '{"v":1', "\ufeff\n", "x" * 100_000])
    def test_damaged_history_fails_nothing(self, built: CommandLine, text: str) -> None:
        """A line names what can't be read, and the next run adds its own."""
        file_of(built).write_text(text)
        done = built("base:bash", "--force")
        assert (done.code, done.err) == (0, "")
        done = built("log", "bash")
        assert done.code == 0
        assert re.fullmatch(
            r"warning: \.isol8/history\.jsonl:1(?: \(and 1 more\))?: not a line of the history, left out\n",
            done.err,
        )
        assert [line.split()[3] for line in done.out.splitlines()] == ["built", "found"]

    @pytest.mark.parametrize(
        ("make", "why"), [(Path.mkdir, "Is a directory"), (os.mkfifo, "not a regular file")]
    )
    def test_history_that_cant_be_used_is_one_line(
        self, built: CommandLine, make: Callable[[Path], None], why: str
    ) -> None:
        """However many images change; all else is done, and what labels say is known."""
        file_of(built).unlink()
        make(file_of(built))
        done = built("base", "--force")
        assert done.code == 0
        assert done.err == f"{WARNING} ({why}); make it writable, or move it away\n"
        assert done.out.splitlines()[-1].startswith("5 built · ")
        said = f".isol8/history.jsonl: can't be read ({why}); make it readable, or move it away"
        done = built("log")
        assert (done.code, done.err) == (4, f"ERROR: {said}\n")
        assert [line.split()[3] for line in done.out.splitlines()] == ["found"] * 11
        found = json.loads(built("log", "--json", "bash").out)
        assert (found["error"], len(found["changes"])) == (said, 2)
        done = built("diff", "bash")
        assert (done.code, done.err) == (0, f"warning: {said}\n")
        done = built("page", "--offline")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[1] == f"undetermined: {said}"

    def test_old_changes_go(self, built: CommandLine) -> None:
        """But for the last of an image that is still there."""
        found, _ = read_history(file_of(built).read_text())
        old = [evolve(each, at=each.at - dt.timedelta(days=200)) for each in found]
        more = [evolve(each, at=each.at - dt.timedelta(days=100)) for each in found]
        file_of(built).write_text(render_history([*old, *more]))
        assert built("base:bash", "--force").code == 0
        assert len(shown(built("log"))) == 7
        built.declare('[history]\nkeep = "300d"\n')
        file_of(built).write_text(render_history([*old, *more]))
        assert built("base:bun", "--force").code == 0
        assert len(read_history(file_of(built).read_text())[0]) == 13

    def test_credentials_are_not_in_it(self, built: CommandLine) -> None:
        """Neither those of build arguments, which reasons tell, nor those that the environment has."""
        built.patch.setenv("PIP_INDEX_URL", "https://me:hunter2-of-env@index.example/simple")
        docker = built.folder / "docker" / "Dockerfile"
        docker.write_text(
            docker.read_text().replace(
                "FROM base AS bun", "FROM base AS bun\nARG API_TOKEN\nARG MIRROR\nRUN echo $MIRROR"
            )
        )
        built.declare(
            '[build]\nargs = { API_TOKEN = "hunter2-of-args", MIRROR = "https://u:hunter2-of-url@mirror.example" }\n'
        )
        assert built("base:bun").code == 0
        text = file_of(built).read_text()
        assert "docker/Dockerfile" in text
        assert "hunter2" not in text

    def test_credentials_in_the_environment_of_an_image_are_not_in_it(self, built: CommandLine) -> None:
        """Whoever wrote them there; what else is set is told by diff."""
        inspect = FakeEngine.inspect
        level = "1"

        def inspected(engine: FakeEngine, reference: str) -> ImageDetail | None:
            found = inspect(engine, reference)
            environment = [
                f"LEVEL={level}",
                "API_TOKEN=hunter2-of-image",
                "PIP_INDEX_URL=https://u:hunter2-of-url@h.example/simple",
            ]
            return found and evolve(found, configuration={"Env": environment, "Cmd": ["sh"], "User": "me"})

        built.patch.setattr(FakeEngine, "inspect", inspected)
        assert built("base:bash", "--force").code == 0
        level = "2"
        assert built("base:bash", "--force").code == 0
        assert "hunter2" not in file_of(built).read_text()
        lines = built("diff", "bash").out.splitlines()
        assert [line.split("  ")[-1] for line in lines[2:]] == ["Env LEVEL: 1 → 2"]

    def test_other_engine_has_a_history_of_its_own(self, built: CommandLine) -> None:
        """In the same file; numbers are of the engine in use."""
        known = json.loads(file_of(built).read_text().splitlines()[0])["engine"]
        built.patch.setenv("DOCKER_HOST", "unix:///another.sock")
        done = built("log")
        assert [line.split()[3] for line in done.out.splitlines()] == ["found"] * 6
        assert done.err == f"{ELSEWHERE} DOCKER_HOST={known} ./doitw log\n"
        assert built("base:bash", "--force").code == 0
        assert [line.split()[1] for line in shown(built("log", "bash"))] == ["isol8:bash@0", "isol8:bash@1"]
        built.patch.delenv("DOCKER_HOST")
        assert [line.split()[2] for line in shown(built("log", "bun"))] == ["built"]

    def test_engine_of_which_nothing_is_known_is_named(self, dead: CommandLine) -> None:
        """With those of which the file knows: the one that was meant may be stopped."""
        known = json.loads(file_of(dead).read_text().splitlines()[0])["engine"]
        dead.patch.setenv("DOCKER_HOST", "unix:///another.sock")
        assert dead("log") == Ended(
            0,
            "no change on unix:///another.sock is known yet; ./doitw up builds the images\n",
            f"{ELSEWHERE} DOCKER_HOST={known} ./doitw log\n",
        )

    @pytest.mark.parametrize("words", [("log",), ("log", "bash", "--json"), ("diff", "bash")])
    def test_after_down_it_is_that_of_the_engine_that_was_used_last(
        self, dead: CommandLine, words: tuple[str, ...]
    ) -> None:
        """As a private engine that is stopped; the line says so."""
        known = json.loads(file_of(dead).read_text().splitlines()[0])["engine"]
        file_of(dead).write_text(file_of(dead).read_text().replace(known, "unix:///run/isol8-1/docker.sock"))
        done = dead(*words)
        note = (
            f"note: no engine answers at {known}; these are the changes on the one that was used last, "
            "unix:///run/isol8-1/docker.sock"
        )
        if words[0] == "log":
            assert (done.code, done.err) == (0, f"{note}\n")
            assert done.out.count("isol8:") == (1 if "bash" in words else 6)
        else:
            assert (done.code, done.out) == (3, "")
            assert done.err == f"{note}\nERROR: isol8:bash@1: only @0 is known; ./doitw log bash lists them\n"

    def test_undeclared_image_that_prune_removes_is_a_change(self, built: CommandLine) -> None:
        """As one that clean does."""
        built.declare("")
        assert built("prune", "--yes").code == 0
        assert shown(built("log", "bash-custom"))[0] == "…  isol8:bash-custom@0  removed"


class TestFailures:
    """What could not be made, and refreshes."""

    def test_failed_build_is_a_line(self, built: CommandLine) -> None:
        """With its error; it has no number, and diff does not see it."""
        built.declare('[dependencies]\nbash = ["jq", "nunpy"]\n')
        failing(built, "bash-custom", "ERROR: no such package nunpy")
        assert built("custom:bash").code == 1
        assert shown(built("log", "bash-custom")) == [
            "…  isol8:bash-custom    failed  + nunpy · ERROR: no such package nunpy",
            "…  isol8:bash-custom@0  built   new · declared in deps.toml:2, never built · 2 kB",
        ]
        failed, before = json.loads(built("log", "bash-custom", "--json").out)["changes"]
        assert (failed["how"], failed["number"], failed["old"], failed["new"]) == ("failed", None, None, None)
        assert (failed["why"], failed["problem"]) == (["+ nunpy"], "ERROR: no such package nunpy")
        assert before["number"] == 0
        assert built("diff", "bash-custom").err.endswith(
            "only @0 is known; ./doitw log bash-custom lists them\n"
        )

    def test_what_follows_a_failure_is_the_difference_to_the_build_before_it(
        self, built: CommandLine
    ) -> None:
        """As the image stayed as it was."""
        failing(built, "bash", "ERROR: full")
        assert built("base:bash", "--force").code == 1
        built.engine.fail.clear()
        built.check = with_musl("1.2.6-r0")
        assert built("base:bash", "--force").code == 0
        text = file_of(built).read_text()
        assert json.loads(text.splitlines()[-1])["changed"] == [["apk", "musl", "1.2.5-r9", "1.2.6-r0"]]
        history, wrong = read_history(text)
        assert wrong == ()
        assert render_history(history) == text

    def test_same_failure_on_the_same_day_is_one_line(self, built: CommandLine) -> None:
        """However often it is tried; another problem, or another day, is news."""
        for problem in ("ERROR: a", "ERROR: a", "ERROR: b", "ERROR: b"):
            failing(built, "bash", problem)
            assert built("base:bash", "--force").code == 1
        assert [line.split(" · ")[1] for line in shown(built("log", "bash"))[:-1]] == ["ERROR: b", "ERROR: a"]
        found, _ = read_history(file_of(built).read_text())
        file_of(built).write_text(
            render_history(evolve(each, at=each.at - dt.timedelta(days=1)) for each in found)
        )
        assert built("base:bash", "--force").code == 1
        assert len(shown(built("log", "bash"))) == 4

    def test_failures_go_after_a_while(self, built: CommandLine) -> None:
        """Even the last of an image."""
        failing(built, "bash", "ERROR: a")
        assert built("base:bash", "--force").code == 1
        found, _ = read_history(file_of(built).read_text())
        old = [evolve(each, at=each.at - dt.timedelta(days=100)) for each in found]
        file_of(built).write_text(render_history([*old[:6], *old[6:] * 10]))
        built.engine.fail.clear()
        assert built("base:bash", "--force").code == 0
        assert [line.split()[2] for line in shown(built("log", "bash"))] == ["built", "built"]

    def test_credentials_in_a_problem_are_not_in_it(self, built: CommandLine) -> None:
        """Nor anything that would end a line."""
        failing(built, "bash", "ERROR: https://u:hunter2@index.example/\x1b[2J does not answer")
        assert built("base:bash", "--force").code == 1
        text = file_of(built).read_text()
        assert "index.example" in text
        assert "hunter2" not in text
        assert "\x1b" not in built("log").out

    def test_no_engine_is_no_failure_of_an_image(self, dead: CommandLine) -> None:
        """Nobody knows what would have become of it."""
        before = file_of(dead).read_text()
        assert dead("base:bash", "--force").code == 4
        assert file_of(dead).read_text() == before

    def test_refresh_is_a_line(self, built: CommandLine) -> None:
        """A quiet one once a day."""
        for _ in range(3):
            assert built("refresh").code == 0
        assert shown(built("log"))[0] == "…  refresh              refreshed  6 fresh"
        built.check = with_musl("1.2.6-r0")
        update = Update(ecosystem="apk", name="musl", old="1.2.5-r9", new="1.2.6-r0")
        built.news["bash"] = PackageNews(updates=(update,))
        assert built("refresh").code == 0
        lines = [line.split("  refresh ")[-1].strip() for line in shown(built("log", "--limit", "5"))]
        assert lines[0] == "refreshed  2 behind · 2 changed · 6 fresh"
        assert [line["how"] for line in json.loads(built("log", "--json").out)["changes"][:4]] == [
            "refreshed",
            "built",
            "built",
            "refreshed",
        ]
        found = json.loads(built("log", "--json", "--limit=1").out)["changes"][0]
        assert (found["image"], found["images"]) == (None, {"behind": 2, "changed": 2, "fresh": 6})

    def test_failed_refresh_says_for_which_packages(self, built: CommandLine) -> None:
        """Of a change they are told by themselves."""
        update = Update(ecosystem="apk", name="musl", old="1.2.5-r9", new="1.2.6-r0")
        built.news["bash-custom"] = PackageNews(updates=(update,))
        failing(built, "bash-custom", "ERROR: full")
        assert built("refresh").code == 1
        refreshed, failed = json.loads(built("log", "--json", "--limit=2").out)["changes"]
        assert refreshed["images"] == {"behind": 1, "failed": 1, "fresh": 5}
        assert (failed["why"], failed["problem"]) == (["musl 1.2.5-r9 → 1.2.6-r0"], "ERROR: full")

    def test_bytes_of_an_upstream_image_are_counted_once(self, built: CommandLine) -> None:
        """For one of the images that are based on it, or for the refresh if none is built."""
        moved = FakeImage(id="sha256:alpine2", digests=(f"alpine@sha256:{'2' * 64}",))
        built.engine.registry["alpine:3.21"] = moved
        assert built("refresh").code == 0
        found = json.loads(built("log", "--json").out)["changes"][:6]
        assert [each["how"] for each in found] == ["refreshed", *["built"] * 5]
        assert sorted(each["bytes"].get("pulled", 0) for each in found) == [0, 0, 0, 0, 0, 1000]

    def test_bytes_of_a_push_belong_to_the_change(self, built: CommandLine) -> None:
        """Whose image is pushed, in the same run or later; what the history is rewritten to has them, too."""
        built.declare(REGISTRY)
        assert built("push").code == 0
        found, _ = read_history(file_of(built).read_text())
        assert {each.transferred["pushed"] for each in found} == {3}
        assert read_history(render_history(found))[0] == found

    @pytest.mark.parametrize(
        "line",
        [
            '{"v":1,"at":"2026-11-30T04:4',
            '{"v":1}',
            "[" * 100_000,
            '{"v":1,"at":"9999-12-31T23:59:59-14:00","image":"bash","repository":"isol8","engine":"e","how":"built"}',
            '{"v":1,"at":"2026-11-30T04:45:00Z","image":"x","repository":"isol8","engine":"e","how":"failed","problem":7}',
            '{"v":1,"at":"2026-11-30T04:45:00Z","image":"x","repository":"isol8","engine":"e","how":"a","counts":[1]}',
            '{"v":1,"at":"2026-11-30T04:45:00Z","image":"x","repository":"isol8","engine":"e","how":"a","bytes":{"a":1e999}}',
        ],
        ids=["half", "empty", "deep", "end-of-time", "problem", "counts", "bytes"],
    )
    def test_hostile_line_is_left_out(self, built: CommandLine, line: str) -> None:
        """The output is one document all the same, which has its number."""
        with file_of(built).open("a") as file:
            file.write(line)
        done = built("log", "--json")
        assert (done.code, done.err) == (
            0,
            "warning: .isol8/history.jsonl:7: not a line of the history, left out\n",
        )
        found = json.loads(done.out)
        assert (len(found["changes"]), found["left_out"]) == (6, [7])

    def test_words_of_a_newer_version_are_passed_on(self, built: CommandLine) -> None:
        """What happened, what was counted, and which bytes; nothing of it is lost when the file is written again."""
        found, _ = read_history(file_of(built).read_text())
        cargo = Update(ecosystem="cargo", name="serde", old="", new="1")
        assert found[-1].new
        more = {("cargo", "serde"): "1", **(found[-1].new.packages or {})}
        squashed = evolve(
            found[-1],
            how="squashed",
            old=found[-1].new,
            new=evolve(found[-1].new, id="sha256:9", packages=more),
            transferred={"mounted": 7},
        )
        looked = evolve(found[-1], how="looked", old=None, new=None, counts={"odd": 2})
        file_of(built).write_text(render_history([*found, squashed, looked]))
        built.engine.reachable = False
        done = built("log", "--json")
        assert (done.code, done.err) == (0, "")
        document = json.loads(done.out)
        assert document["left_out"] == []
        last, before = document["changes"][:2]
        assert (last["how"], last["number"], last["images"]) == ("looked", None, {"odd": 2})
        assert (before["how"], before["number"], before["bytes"]) == ("squashed", 0, {"mounted": 7})
        assert [each["name"] for each in before["packages"]] == [cargo.name]
        assert "+ serde 1" in built("diff", "bash-custom").out
        assert json.loads(built("diff", "bash-custom", "--json").out)["packages"][0]["ecosystem"] == "cargo"
        assert read_history(render_history([*found, squashed, looked])) == ((*found, squashed, looked), ())

    def test_hostile_text_of_a_line_stays_text(self, built: CommandLine) -> None:
        """Nothing of it reaches a terminal, and JSON stays JSON."""
        found, _ = read_history(file_of(built).read_text())
        bad = "\x1b[31m\u202e\n</script>"
        hostile = evolve(found[-1], how="failed", old=None, new=None, why=(bad,), problem=bad)
        with file_of(built).open("a") as file:
            file.write(
                render_history([hostile]).replace(json.dumps(bad)[1:-1], "\\ud800" + json.dumps(bad)[1:-1])
            )
        for words in (("log",), ("log", "bash-custom"), ("log", "--json")):
            done = built(*words)
            assert (done.code, done.err) == (0, "")
            assert "</script>" in done.out
            assert not {"\x1b", "\u202e"} & {*done.out}
        assert len(json.loads(built("log", "--json").out)["changes"]) == 7


class TestRegistry:
    """What a registry has of it."""

    def test_digest_of_a_push_is_in_it(self, built: CommandLine) -> None:
        """Of a run, or of the command."""
        built.declare(REGISTRY)
        assert built("push").code == 0
        found = json.loads(built("log", "--json").out)["changes"]
        assert {each["new"]["digest"][:7] for each in found} == {"sha256:"}
        assert built("base:bash", "--force").code == 0
        first = json.loads(built("log", "bash", "--json").out)["changes"][0]
        assert first["new"]["digest"].startswith("sha256:")
        assert first["old"]["digest"] not in {None, first["new"]["digest"]}

    def test_image_that_was_pulled_was_verified_elsewhere(self, built: CommandLine) -> None:
        """And has its digest."""
        built.declare(REGISTRY)
        assert built("push").code == 0
        assert built("clean", "custom:bash").code == 0
        assert built("setup").code == 0
        first = json.loads(built("log", "bash-custom", "--json").out)["changes"][0]
        assert (first["how"], first["verified"], first["old"]) == ("pulled", False, None)
        assert first["new"]["digest"].startswith("sha256:")

    def test_lost_history_is_rebuilt_from_dated_tags(self, built: CommandLine) -> None:
        """Each build once, in the order of time, and again nothing."""
        built.declare(REGISTRY)
        assert built("push").code == 0
        first = built.open().view.observed.record("bash")
        assert first
        built.check = with_musl("1.2.6-r0")
        assert built("base:bash", "--force").code == 0
        for name, image in built.engine.registry.items():
            if image.labels.get("org.isol8.tasks.build") == first.build:
                # Not in the second in which the next one was built.
                older = {**image.labels, CREATED: f"{image.labels[CREATED][:10]}T00:00:00Z"}
                built.engine.registry[name] = evolve(image, labels=older)
        file_of(built).unlink()
        assert len(shown(built("log", "bash"))) == 3
        lines = built("log", "bash", "--rebuild").out.splitlines()
        assert re.fullmatch(r"\d+ builds of registry\.example/isol8 added", lines[0])
        assert [line.split()[2:4] for line in lines[1:] if "@" in line] == [
            ["isol8:bash@0", "found"],
            ["isol8:bash@1", "found"],
        ]
        assert "    apk     musl 1.2.5-r9 → 1.2.6-r0" in lines
        again = built("log", "--rebuild")
        assert again.out.startswith("0 builds of registry.example/isol8 added\n")

    def test_rebuild_without_a_registry_is_refused(self, built: CommandLine) -> None:
        """Or where it does not answer."""
        done = built("log", "--rebuild")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: log --rebuild: deps.toml names no registry; ")
