"""tests/deps_schema.py: editors mark what a run refuses, and nothing that it takes."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import tomli

from isol8_tasks.config.deps import parse_config
from isol8_tasks.errors import ConfigError
from tests.deps_schema import FILE, documented, schema, text

ROOT: Final = Path(__file__).parents[3]
SCHEMA: Final = schema()
ANYTHING: Final[tuple[Any, ...]] = (
    "x",
    "",
    "7d",
    "isol8",
    4,
    -1,
    1.5,
    True,
    [],
    ["jq"],
    [3],
    [["x"]],
    {},
    {"a": "b"},
)


def leaves(
    properties: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give every key that is no table, with its path."""
    for name, found in properties.items():
        further = found.get("additionalProperties")
        below = [found, *([further, *further.get("anyOf", ())] if isinstance(further, dict) else [])]
        tables = [each for each in below if "properties" in each]
        for each in tables:
            yield from leaves(each["properties"], (*path, name, *(() if each is found else ("python",))))
        if not tables:
            yield (*path, name), found


LEAVES: Final = dict(leaves(SCHEMA["properties"]))


def whole(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a file in which one key has a value, and what has to stand beside it."""
    found: Any = value
    for name in reversed(path):
        found = {name: found}
    match path:
        case ("images", "python", "runtime"):
            found = {"images": {"ml": {"setup": "true", **found["images"]["python"]}}}
        case ("images", "python", key):
            kind = key.removesuffix("_file") if key.endswith("_file") else "python"
            beside = {"packages": ["requests"]} if key in {"build", "extends"} else {}
            parent = {} if key == "extends" else {"runtime": kind}
            found = {"images": {"ml": {**parent, **beside, **found["images"]["python"]}}}
        case ("verify", "python", key) if key != "command":
            found["verify"]["python"]["command"] = ["true"]
    return found  # type: ignore[no-any-return] # a table by now


def toml(value: object) -> str:
    """Return a value as TOML writes it, tables inline."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def refused(file: Mapping[str, Any]) -> str:
    """Return what a run says of a file that it refuses; empty for one that it takes."""
    try:
        parse_config(
            "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in file.items()), "deps.toml"
        )
    except ConfigError as error:
        return str(error)
    return ""


def marked(file: Mapping[str, Any]) -> bool:
    """Tell whether an editor marks the file."""
    return not jsonschema.Draft7Validator(SCHEMA).is_valid(file)


def test_the_file_is_current() -> None:
    """docs/schemas/deps.schema.json is what the definitions give: python -m tests.deps_schema writes it."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_every_key_is_explained() -> None:
    """The table of docs/deps.md has every key there is, and no other."""
    assert documented().keys() == {
        ".".join(path).replace("images.python.", "images.NAME.").replace("verify.python.", "verify.NAME.")
        for path in LEAVES
    }


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_examples_are_taken(path: tuple[str, ...]) -> None:
    """What an editor offers for a key can be written there."""
    found = LEAVES[path]
    examples = [*found.get("examples", ()), *found.get("enum", ())]
    assert [refused(whole(path, each)) for each in examples] == [""] * len(examples)
    assert not any(marked(whole(path, each)) for each in examples)


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_no_more_is_marked_than_refused(path: tuple[str, ...]) -> None:
    """Whatever stands there: what an editor marks a run refuses, and a value of a wrong type both."""
    for value in ANYTHING:
        file = whole(path, value)
        said = refused(file)
        assert said or not marked(file), (value, said)
        assert marked(file) or not re.search(
            r": expected an? (?:array|string|integer|boolean|table)\b", said
        ), (value, said)


@pytest.mark.parametrize("table", [*SCHEMA["properties"], "nonsense"])
def test_unknown_keys_are_marked(table: str) -> None:
    """A key that is none is marked, as a run refuses it."""
    file = {table: {"no_such_key": 1}}
    assert marked(file)
    assert refused(file)


def test_files_of_ours_are_not_marked() -> None:
    """Those that are shipped, those of examples/ and those in the documentation."""
    shipped = (ROOT / "deps.toml").read_text("utf-8")
    texts = [re.sub(r"(?m)^# (?=[a-z_]+ = )", "", shipped)]
    texts += [each.read_text("utf-8") for each in sorted((ROOT / "examples").rglob("*.toml"))]
    for page in ("deps.md", "keeping.md", "nightly.md", "registry.md", "builders.md"):
        texts += re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)
    files = []
    for each in texts:
        try:
            parse_config(each, "deps.toml")
        except ConfigError:
            continue
        files.append(tomli.loads(each))
    assert len(files) > 5
    assert [file for file in files if marked(file)] == []


def test_alpine_packages_of_each_key_have_their_meaning() -> None:
    """A key is not explained by the words of another that takes the same."""
    keys = SCHEMA["properties"]["images"]["additionalProperties"]["properties"]
    assert keys["system"]["description"] != keys["build"]["description"]
    assert "isol8:python-custom" in SCHEMA["properties"]["system"]["properties"]["python"]["description"]
