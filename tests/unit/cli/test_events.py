"""A run as JSON."""

import io
import json
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from isol8_tasks.cli.events import JsonScreen
from isol8_tasks.cli.screen import Row
from isol8_tasks.engine import BuildEvent
from isol8_tasks.errors import BuildFailedError
from isol8_tasks.images.pushed import Pushed
from isol8_tasks.lifecycle.build import Outcome
from tests.command_line import CommandLine

SCHEMA: Final = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/progress.schema.json").read_text("utf-8")
)
OUTCOME: Final = Outcome(image="bun", result="built", image_id="i", labels={}, tags=(), notes=("slow",))


def make(**settings: bool) -> JsonScreen:
    return JsonScreen(stream=io.StringIO(), live=False, width=18, repository="isol8", **settings)


def told(text: str) -> list[dict[str, Any]]:
    """Return the events, each valid by the schema."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        jsonschema.validate(each, SCHEMA)
    return found


def test_what_happens_to_an_image() -> None:
    """Each step, and what came of it, by its tag."""
    screen = make(verbose=True)
    screen.building("bun")
    screen.event("bun", BuildEvent(kind="step", step="RUN true", number=1, total=2))
    screen.event("bun", BuildEvent(kind="log", step="RUN true", line="a\tline"))
    screen.event("bun", BuildEvent(kind="pulled", step="pulling x", transfer=(3, 9)))
    screen.event("bun", BuildEvent(kind="pulled", step="pulling x", transfer=(4, 9)))
    screen.done(OUTCOME, 1.26)
    screen.pushed("bun", Pushed(repository="reg.example/isol8", tag="bun", digest="sha256:1"), ["bun"], 1.0)
    screen.settled("web")
    screen.awaited = 2
    screen.failed("ml", BuildFailedError("no such package"))
    screen.line("warning: x")
    image = "isol8:bun"
    assert isinstance(screen.stream, io.StringIO)
    assert told(screen.stream.getvalue()) == [
        {"event": "begun", "image": image},
        {"event": "step", "image": image, "step": "RUN true", "number": 1, "total": 2},
        {"event": "log", "image": image, "step": "RUN true", "line": "a\tline"},
        {"event": "pulled", "image": image, "step": "pulling x", "bytes": 3, "of": 9},
        {"event": "done", "image": image, "result": "built", "seconds": 1.3, "notes": ["slow"]},
        {"event": "note", "text": "isol8:bun           note        slow"},
        {"event": "pushed", "image": image, "to": "reg.example/isol8@sha256:1"},
        {"event": "done", "image": "isol8:web", "result": "settled", "notes": []},
        {
            "event": "done",
            "image": "isol8:ml",
            "result": "failed",
            "seconds": 0.0,
            "notes": ["no such package"],
        },
        {"event": "note", "text": "warning: x"},
    ]


@pytest.mark.parametrize(("quiet", "events"), [(False, ["begun", "step"]), (True, [])])
def test_what_is_left_out(*, quiet: bool, events: list[str]) -> None:
    """What steps print is told with --verbose only, and with --quiet none of a build that goes well."""
    screen = make(quiet=quiet)
    screen.building("bun")
    screen.event("bun", BuildEvent(kind="step", step="RUN true"))
    screen.event("bun", BuildEvent(kind="log", step="RUN true", line="x"))
    assert isinstance(screen.stream, io.StringIO)
    assert [each["event"] for each in told(screen.stream.getvalue())] == events


def test_many_rows_are_told_whole() -> None:
    """People are shown the first ten."""
    screen = make()
    screen.rows(Row("text", "note", {"text": str(number)}, "stale") for number in range(30))
    assert isinstance(screen.stream, io.StringIO)
    assert len(told(screen.stream.getvalue())) == 30


def test_a_run(cli: CommandLine) -> None:
    """Every line is an event of the schema, from the plan to the summary."""
    done = cli("--progress=json", "--verbose", "setup")
    events = told(done.out)
    assert done.code == 0
    assert {"plan", "begun", "step", "done", "summary"} <= {each["event"] for each in events}
    assert events[-1]["event"] == "summary"
    assert events[-1]["images"]["built"] == len([each for each in events if each["event"] == "done"]) == 6
    again = cli("--progress=json")
    assert [each["event"] for each in told(again.out)] == ["summary"]


def test_a_failure(cli: CommandLine) -> None:
    """It is told of at once, and with all that is said of it at the end."""
    cli.engine.fail.add("isol8_build:bash-candidate")
    events = told(cli("--progress=json").out)
    kinds = [each["event"] for each in events]
    assert [each["image"] for each in events if each.get("result") == "failed"] in ([], ["isol8:bash"])
    assert [each["subject"] for each in events if each["event"] == "failed"] == ["isol8:bash"]
    assert kinds[-2:] == ["failed", "summary"]


def test_a_refresh(cli: CommandLine) -> None:
    """Its report is the last event."""
    cli("setup")
    events = told(cli("refresh", "--progress=json").out)
    assert events[-1]["event"] == "report"
    assert events[-1].keys() >= {"at", "fresh", "changed", "failed"}


def test_a_word_that_is_none(cli: CommandLine) -> None:
    """In one line."""
    done = cli("--progress=fancy")
    assert (done.code, done.out) == (3, "")
    assert done.err == "ERROR: --progress: 'fancy' is not one of auto, plain, json\n"
