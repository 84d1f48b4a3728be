"""Commands that take long and are no run: what --quiet, --verbose and --progress come to in each."""

import io
import json
import sys
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.showing import show_work
from isol8_tasks.verify.verifications import Verifications
from isol8_tasks.verify.verifier import Verdict
from tests.command_line import JQ, MUSL, CommandLine, Terminal

SCHEMA: Final = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/progress.schema.json").read_text("utf-8")
)
DEPS: Final = '[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "registry.example/isol8"\n'
DEFAULTS: Final = {flag["name"]: flag["default"] for flag in SHOWN}


@pytest.fixture
def shared(built: CommandLine) -> CommandLine:
    """Give a built checkout with a registry, whose checks pass at once."""
    built.patch.setattr(
        Verifications,
        "verdict",
        lambda *_: Verdict(findings=(), release="3.21", packages=(JQ, MUSL)),
    )
    built("--quiet")
    built.declare(DEPS)
    return built


def told(text: str) -> list[dict[str, Any]]:
    """Return the events, each valid by the schema."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        jsonschema.validate(each, SCHEMA)
    return found


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (("push",), {"begun", "doing", "sent", "pushed", "summary"}),
        (("verify",), {"begun", "doing", "done"}),
        (("freshness",), {"begun", "doing", "report"}),
        (("lock",), {"begun", "doing", "note"}),
        (("bake",), {"begun", "doing", "note"}),
        (("prune", "--yes"), {"note"}),
        (("page", "--offline"), {"note"}),
    ],
)
def test_json(shared: CommandLine, words: tuple[str, ...], kinds: set[str]) -> None:
    """Each line is an event of the schema, and nothing else is printed."""
    done = shared(*words, "--progress=json")
    events = told(done.out)
    assert (done.code, done.err) == (0, "")
    assert {each["event"] for each in events} == kinds
    begun = [each["image"] for each in events if each["event"] == "begun"]
    assert len(begun) == len(set(begun))


def test_pull(shared: CommandLine) -> None:
    """Bytes, what came of each image, and a summary; a failure with its lines."""
    shared("push")
    (shared.folder / "resolved-images.json").rename(shared.folder / "theirs.json")
    shared.declare('[dependencies]\nbash = ["jq"]\n')
    shared("clean", "custom", "base")
    events = told(shared("pull", "theirs.json", "--progress=json").out)
    assert {each["event"] for each in events} == {"begun", "doing", "pulled", "done", "summary"}
    assert {each["result"] for each in events if each["event"] == "done"} == {"pulled"}
    assert events[-1]["images"] == {"pulled": 6, "failed": 0, "held": 0, "up to date": 0}
    assert shared("pull", "theirs.json", "--quiet").out == ""


@pytest.mark.parametrize(
    "words", [("push",), ("verify",), ("freshness",), ("lock",), ("bake",), ("prune", "--yes"), ("page",)]
)
def test_quiet(shared: CommandLine, words: tuple[str, ...]) -> None:
    """Nothing is said where nothing changed and nothing failed."""
    shared(*words)
    done = shared(*words, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_verbose_says_what_begins(shared: CommandLine) -> None:
    """In lines that stay; without it a log has only what came of each image."""
    assert shared("verify", "bun").out == "isol8:bun           ok      2 packages\n"
    assert shared("verify", "bun", "--verbose").out == (
        "isol8:bun           verifying\nisol8:bun           ok      2 packages\n"
    )


def test_json_document_stays_one(shared: CommandLine) -> None:
    """Whatever else is asked for."""
    done = shared("verify", "--json", "--verbose", "--progress=json")
    assert len(json.loads(done.out)["images"]) == 6
    assert json.loads(shared("bake", "--print", "--verbose").out)["target"]


def test_a_question_has_no_place_among_events(shared: CommandLine) -> None:
    """So prune wants the answer before."""
    done = shared("prune", "--progress=json")
    assert (done.code, done.out) == (3, "")
    assert done.err == "ERROR: prune --progress=json asks no question; ./doitw prune --yes --progress=json\n"


@pytest.mark.parametrize(
    ("stream", "environment", "drawn"),
    [(Terminal(), "", True), (Terminal(), "CI", False), (io.StringIO(), "", False)],
)
def test_live_lines(shared: CommandLine, stream: io.StringIO, environment: str, *, drawn: bool) -> None:
    """On a terminal that is no CI's; they are gone in the end."""
    shared.patch.delenv("CI", raising=False)
    shared.patch.setenv("TERM", "xterm")
    if environment:
        shared.patch.setenv(environment, "true")
    shared.patch.setattr(sys, "stdout", stream)
    session = shared.open()
    with show_work(session, DEFAULTS) as screen, screen.work("bun", "verifying"):
        assert screen.live is drawn
    session.close()
    assert ("isol8:bun           verifying" in stream.getvalue()) is drawn
    assert stream.getvalue().endswith("F\x1b[J") is drawn
