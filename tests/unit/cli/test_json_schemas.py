"""The schemas in docs/schemas of what commands print, and of the history."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema
import pytest
from attrs import evolve

from isol8_tasks.freshness.model import Freshness
from isol8_tasks.images.journal import FAILED, REFRESHED, HistoryEntry, PastBuild
from isol8_tasks.images.journal_lines import read_history, render_history
from isol8_tasks.report.freshness import freshness_json
from isol8_tasks.report.history import diff_json, log_json, numbered
from isol8_tasks.report.plan import plan_json, undetermined_json
from isol8_tasks.report.refresh import account_json
from tests.command_line import CommandLine
from tests.json_schemas import CHANGES, COUNTS, FOLDER, SCHEMAS, checked, file_of, text, validator
from tests.unit.report.test_refresh import FULL, UNSUPPORTED

NOON: Final = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
ONE: Final = PastBuild(
    id="sha256:1",
    key="k",
    build="b",
    digest="sha256:d",
    size=7,
    built="2026-11-29T12:00:00Z",
    alpine="3.21.3",
    packages={("pypi", "a"): "1", ("generic", "bun"): "1.4.5"},
    inputs='{"v":1,"recipe":1,"runtime":"bash"}',
    configuration={"User": "sandbox"},
)
TWO: Final = evolve(
    ONE,
    id="sha256:2",
    packages={("pypi", "a"): "2", ("generic", "bun"): "1.4.6"},
    configuration={"User": "root"},
)
UNKNOWN: Final = PastBuild(id="sha256:3")


def entry(how: str, old: PastBuild | None = None, new: PastBuild | None = None, **more: Any) -> HistoryEntry:  # noqa: ANN401
    usual = {"image": "bash-custom", "parent": "bash", "checkout": "c", "why": ("+ a",)}
    return HistoryEntry(
        at=NOON, repository="isol8", engine="unix:///e", how=how, old=old, new=new, **{**usual, **more}
    )


HISTORY: Final = (
    entry("built", None, ONE, transferred={"pulled": 1, "built": 2, "pushed": 3}),
    entry("built", ONE, TWO),
    entry(FAILED, problem="ERROR: no such package", seconds=1.2),
    entry("found", TWO, UNKNOWN),
    entry("removed", UNKNOWN),
    entry(REFRESHED, image="", counts=dict.fromkeys(COUNTS, 1)),
)


def documents(cli: CommandLine) -> Iterator[tuple[str, Any]]:
    """Yield documents of every schema, as the code writes them."""
    yield from (("history", json.loads(line)) for line in render_history(HISTORY).splitlines())
    yield "log", json.loads(log_json(numbered(HISTORY), [7]))
    records = [cli.open().view.observed.record(name) for name in ("bash", "bash-custom")]
    base, custom = (evolve(ONE, inputs=record.inputs if record else "") for record in records)
    for one, other in ((base, custom), (ONE, TWO), (UNKNOWN, TWO)):
        yield "diff", json.loads(diff_json(("isol8:bash@1", "isol8:bash@0"), one, other))
    for report in (FULL, UNSUPPORTED):
        yield "report", json.loads(account_json(report))
    view = cli.open().view
    decisions = tuple(view.decisions.values())
    yield "plan", json.loads(plan_json(decisions, view.config, "linux/amd64", {"linux/arm64": decisions}))
    others = {"linux/arm64": [Freshness(image="bash", there=False)]}
    yield "freshness", json.loads(freshness_json((), "isol8", view.config.refresh, others))
    yield "plan", json.loads(undetermined_json([("bash", "base:bash")], "no engine", repository="isol8"))
    for words in (
        ("plan",),
        ("graph",),
        ("why", "jq"),
        ("why", "nothing"),
        ("which", "bash", "--packages", "jq"),
        ("which", "bash", "--packages", "yq"),
        ("inventory",),
        ("verify",),
        ("freshness",),
        ("refresh",),
        ("log", "nobody"),
    ):
        found = json.loads(cli(*words, "--json").out)
        yield {"refresh": "report"}.get(words[0], words[0]), found


def seen(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every property of a schema that a document has, by its path."""
    for each in schema.get("anyOf", ()):
        yield from seen(each, value, path)
    for name in schema.get("properties", {}) if isinstance(value, dict) else ():
        if name in value:
            yield f"{path}.{name}"
            yield from seen(schema["properties"][name], value[name], f"{path}.{name}")
    for each in value if isinstance(value, list) and "items" in schema else ():
        yield from seen(schema["items"], each, path)


def properties(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield every property of a schema by its path."""
    for each in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from properties(each, path)
    for name, each in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from properties(each, f"{path}.{name}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_are_current(name: str) -> None:
    """They are what the definitions give: python -m tests.json_schemas writes them."""
    assert file_of(name).read_text(encoding="utf-8") == text(name)


def test_every_schema_is_listed() -> None:
    """In docs/schemas.md, and no other."""
    page = (FOLDER.parent / "schemas.md").read_text("utf-8")
    listed = {line.split("(schemas/")[1].split(")")[0] for line in page.splitlines() if "(schemas/" in line}
    assert listed == {path.name for path in FOLDER.iterdir()}


def test_code_and_schemas_know_the_same(built: CommandLine) -> None:
    """Nothing is written that a schema does not have, and nothing stands in one that is not written."""
    told: set[str] = set()
    for name, document in documents(built):
        validator(name).validate(document)
        told.update(seen(SCHEMAS[name], document, name))
    assert {path for name in SCHEMAS for path in properties(SCHEMAS[name], name)} - told == {
        # Only for what went wrong otherwise than in these documents.
        *(f"{name}.error" for name in SCHEMAS if name not in {"log", "history"}),
        # As long as every image in use is supported.
        *(f"freshness.support.{each}" for each in ("branch", "ended", "newer", "images")),
        *(f"freshness.images.{kind}.{each}" for kind in ("updates", "young", "waiting") for each in UPDATE),
        *(f"freshness.images.upstream.{each}" for each in ("reference", "old", "new")),
    }


UPDATE: Final = ("ecosystem", "name", "old", "new", "published")


def test_every_word_for_a_change_is_known() -> None:
    """What a run writes is read, and every word of it stands in docs/history.md."""
    page = (FOLDER.parent / "history.md").read_text("utf-8")
    assert [how for how in (*CHANGES, FAILED, REFRESHED) if f"`{how}`" not in page] == []
    assert read_history(render_history(HISTORY)) == (HISTORY, ())


def test_what_is_no_document_of_a_command_is_found() -> None:
    """The check that stands behind every test that asks a command for JSON."""
    checked(("plan",), "image  state")
    checked(("setup", "--json"), "{}")
    checked(("plan", "--json"), '{"error": "no engine"}')
    for wrong in ({"images": [], "more": 1}, {"platform": "linux/amd64"}, {}):
        with pytest.raises(jsonschema.ValidationError):
            checked(("plan", "--json"), json.dumps(wrong))
