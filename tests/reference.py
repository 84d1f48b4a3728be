"""The reference of commands and of deps.toml's keys, out of the code: python -m tests.reference writes both pages.

Commands, their flags and words come from the classes that pyproject.toml names for doit, exit codes from the errors,
keys from the JSON Schema of deps.toml, which tests/deps_schema.py makes of the classes that read the file.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from doit.cmd_base import DoitCmdBase
from doit.cmd_run import Run as DoitRun
from doit.cmdparse import CmdOption

from isol8_tasks import errors
from isol8_tasks.cli.tasks import FORCE, SETUP_FLAGS
from tests.deps_schema import Schema, schema

ROOT: Final = Path(__file__).parents[1]
COMMANDS: Final = ROOT / "docs" / "command-reference.md"
KEYS: Final = ROOT / "docs" / "deps-reference.md"
_OF_CONTRIBUTORS: Final = "isol8_tasks.cli.commands.develop"
_REFUSED: Final = "isol8_tasks.cli.commands.unsupported"
_OF_DOIT: Final = {option["name"] for option in (*DoitCmdBase.base_options, *DoitRun.cmd_options)} | {
    # These are of its lists.
    *("private", "list_deps", "sort", "cleandep", "cleanforget"),
}
_HERE: Final = {
    "num_process": "at most so many tasks at a time",
    "single": "the named tasks without their parents",
}
"""Options of doit's that mean something here, and what; docs/commands.md says why the others don't."""


_Named = tuple[str, Any]
"""A command's name, and its class."""


def commands_page() -> str:
    """Return the page of commands, as it is written."""
    names = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["doit"]["plugins"]["command"]
    users: list[_Named] = []
    contributors: list[_Named] = []
    refused: list[_Named] = []
    for name, place in sorted(names.items()):
        module, _, kind = place.partition(":")
        group = {_OF_CONTRIBUTORS: contributors, _REFUSED: refused}.get(module, users)
        group.append((name, getattr(import_module(module), kind)))
    return "\n".join(
        [
            "# Reference of commands",
            "",
            (
                "Every command with its flags, and the [exit codes](#exit-codes), generated from the code. "
                "[Commands](commands.md) says when to use which."
            ),
            "",
            "## setup",
            "",
            (
                "Bring every image up to date; the default. `base:bun`, `custom:node` and `image:web` do it for one "
                "image, `base`, `custom` and `image` for all of a kind."
            ),
            "",
            "    ./doitw [setup] [flags]",
            "",
            *_flags([CmdOption(dict(flag)) for flag in SETUP_FLAGS]),
            "Of one image, and of a kind:",
            "",
            *_flags([CmdOption(dict(FORCE))]),
            *(line for name, kind in users for line in _command(name, kind)),
            "## For contributors",
            "",
            *_purposes(contributors),
            "## doit's, without a use here",
            "",
            *_purposes(refused),
            *_exit_codes(),
        ]
    )


def keys_page() -> str:
    """Return the page of deps.toml's keys, as it is written."""
    found = schema()
    return "\n".join(
        [
            "# Reference of deps.toml",
            "",
            (
                "Every table and key with its type, generated from the code that reads the file, as the "
                "[JSON Schema](schemas/deps.schema.json) for editors is. All are optional unless marked. "
                "[deps.toml](deps.md) has the rules and examples."
            ),
            "",
            *(line for name, table in found["properties"].items() for line in _table(name, table)),
        ]
    )


def _command(name: str, kind: Any) -> Iterator[str]:  # noqa: ANN401 - doit has no types
    """Say what a command does, and its flags."""
    yield from (f"## {name}", "", _sentence(kind.doc_purpose), "")
    yield from (f"    ./doitw {name} {kind.doc_usage or ''}".rstrip(), "")
    options = _options(kind)
    shared = {flag["name"] for flag in SETUP_FLAGS} if len(options) > len(SETUP_FLAGS) else set()
    yield from _flags([CmdOption(each) for each in options if each["name"] not in shared])
    if shared:
        yield from ("And the flags of [setup](#setup).", "")
    if kind.doc_description:
        yield from (" ".join(kind.doc_description.split()), "")


def _options(kind: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as above
    """Return the options of a command that mean something here."""
    found = [dict(option) for option in getattr(kind, "cmd_options", ())]
    return [
        {**each, "help": _HERE.get(each["name"], each["help"])}
        for each in found
        if each["name"] in _HERE or each["name"] not in _OF_DOIT
    ]


def _flags(options: Sequence[CmdOption]) -> list[str]:
    if not options:
        return []
    rows = [f"| {_spelled(each)} | {_cell(_help(each))} |" for each in options]
    return ["| flag | |", "| --- | --- |", *rows, ""]


def _spelled(option: CmdOption) -> str:
    value = "" if option.type is bool else " VALUE"
    names = [f"`-{option.short}{value}`"] if option.short else []
    return ", ".join([*names, *([f"`--{option.long}{value.replace(' ', '=')}`"] if option.long else [])])


def _help(option: CmdOption) -> str:
    return " ".join((option.help % {"default": option.default}).split())


def _purposes(commands: Sequence[_Named]) -> list[str]:
    rows = [f"| `./doitw {name}` | {_cell(kind.doc_purpose)} |" for name, kind in commands]
    return ["| command | |", "| --- | --- |", *rows, ""]


def _exit_codes() -> list[str]:
    """Say which failures end with which code."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.Isol8Error
    ]
    found = sorted(
        (kind.exit_code, _cell((kind.__doc__ or "").partition("\n")[0]))
        for kind in kinds
        if issubclass(kind, errors.Isol8Error)
    )
    rows = [f"| {code} | {words} |" for code, words in found]
    return [
        "## Exit codes",
        "",
        (
            "What can fail, and the code it ends with. Those of success, of `--check` and of signals are in "
            "[Commands](commands.md#exit-codes)."
        ),
        "",
        *("| code | |", "| --- | --- |", *rows, ""),
    ]


def _table(name: str, found: Schema) -> Iterator[str]:
    """Say what the keys of a table are, and those of the tables in it."""
    yield from (f"## [{name}]", "")
    further = found.get("additionalProperties")
    if keys := found.get("properties"):
        yield from _keys(keys, found)
    if isinstance(further, dict):
        one = next((each for each in further.get("anyOf", (further,)) if "properties" in each), further)
        yield from (f"### [{name}.NAME]", "", *_keys(one["properties"], one))


def _keys(keys: Mapping[str, Schema], table: Schema) -> list[str]:
    required = table.get("required", ())
    rows = [
        f"| `{key}` | {_cell(_type(each))}{', required' if key in required else ''} | {_cell(each['description'])} |"
        for key, each in keys.items()
    ]
    return ["| key | type | meaning |", "| --- | --- | --- |", *rows, ""]


def _type(found: Schema) -> str:
    """Return the type of a value in words, with an example."""
    if "enum" in found:
        return ", ".join(f"`{each!r}`".replace("'", '"') for each in found["enum"])
    names = {"boolean": "`true` or `false`", "integer": "number", "string": "text", "array": "list"}
    words = names.get(str(found.get("type")), "table")
    if found.get("format") == "regex":
        words = "regular expression"
    if isinstance(within := found.get("items"), dict):
        words = f"list of {_type(within)}".replace("text", "texts").replace("number", "numbers")
    if "minimum" in found:
        words += f", from {found['minimum']}" + (f" to {found['maximum']}" if "maximum" in found else "")
    shown = [f"`{_toml(each)}`" for each in found.get("examples", ())]
    return words + (f", as {', '.join(shown)}" if shown else "")


def _toml(value: object) -> str:
    """Write a value as deps.toml has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _sentence(text: str) -> str:
    """Return the purpose of a command as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: Final = {COMMANDS: commands_page, KEYS: keys_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        file.write_text(page(), encoding="utf-8")
