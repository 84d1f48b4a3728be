"""The JSON Schema of deps.toml, by which editors complete and mark: python -m tests.deps_schema writes it.

Tables, keys and types come from the classes that read the file, descriptions and defaults from the table of keys in
docs/deps.md. What a reader takes beyond its type is written here, once for each reader.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from attrs import NOTHING, fields

from isol8_tasks.config import values
from isol8_tasks.config.deps import FILE_KEYS, Config
from isol8_tasks.config.images import SETTINGS
from isol8_tasks.config.listed import reads_lists, usual_name
from isol8_tasks.config.releases import BUILD_HASH_BY_RELEASE
from isol8_tasks.config.settings import OF_VERIFY, UserCheck
from isol8_tasks.config.strict import alpine_packages, keys_of
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system

_DOCS: Final = Path(__file__).parents[1] / "docs"
FILE: Final = _DOCS / "schemas" / "deps.schema.json"
Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema of a whole file; TypeError, KeyError for what is not described yet."""
    found = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "deps.toml",
        "description": "What is installed on top of isol8's base images. Every table and key is optional.",
        **_object({name: _table(name) for name in keys_of(Config)}),
    }
    _describe(found["properties"], "", documented())
    return found


def documented() -> dict[str, str]:
    """Return the meaning of every key as docs/deps.md has it, with its default."""
    page = (_DOCS / "deps.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Za-z._]+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    return {key: _plain(f"{meaning} (default: {default})") for key, meaning, default in rows}


def text() -> str:
    """Return the schema as it is written into its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(properties: Mapping[str, Schema], **further: Any) -> Schema:  # noqa: ANN401 - words of JSON Schema
    return {"type": "object", "additionalProperties": False, **further, "properties": dict(properties)}


def _table(name: str) -> Schema:
    """Return the schema of a table at the top of the file."""
    match name:
        case "dependencies":
            files = {key: _file(runtime) for key, runtime in FILE_KEYS.items() if reads_lists(runtime)}
            return _object({**{runtime: _strings(_PACKAGES[runtime]) for runtime in RUNTIMES}, **files})
        case "system":
            return _object({runtime: dict(_ALPINE) for runtime in RUNTIMES if not needs_no_system(runtime)})
        case "images":
            return {"type": "object", "additionalProperties": _object({key: _IMAGE[key] for key in SETTINGS})}
        case "verify":
            check = _class(UserCheck)
            checks = {"anyOf": [check, {"type": "array", "items": check}]}
            return _object({key: _VERIFY[key] for key in OF_VERIFY}, additionalProperties=checks)
    return _class(get_type_hints(Config, _NAMES)[name])


def _class(kind: type) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    required = [each.name for each in fields(kind) if each.default is NOTHING]
    return _object({key: _value(hints[key]) for key in keys_of(kind)}, required=required)


def _value(kind: Any) -> Schema:  # noqa: ANN401 - a type, or an alias of one
    """Return the schema of a value, by what reads it or by its type."""
    options = [each for each in get_args(kind) if each is not type(None)]
    if type(None) in get_args(kind) and len(options) == 1:
        return _value(options[0])
    reader = next(iter(getattr(kind, "__metadata__", ())), None)
    found = _READ.get(reader) if callable(reader) else _PLAIN.get(kind)
    if found is None:
        raise TypeError(f"tests/deps_schema.py does not say what {reader or kind} takes")
    return dict(found)


def _describe(properties: Mapping[str, Schema], path: str, words: Mapping[str, str]) -> None:
    """Put the documented meaning into every key; KeyError for one that docs/deps.md has not."""
    for name, found in properties.items():
        further = found.get("additionalProperties")
        below = [found, *([further, *further.get("anyOf", ())] if isinstance(further, dict) else [])]
        tables = [each for each in below if "properties" in each]
        for each in tables:
            _describe(each["properties"], f"{path}{name}.{'' if each is found else 'NAME.'}", words)
        if not tables:
            found["description"] = words[path + name]


def _file(runtime: str) -> Schema:
    return {"type": "string", "examples": [usual_name(runtime)]}


def _plain(markdown: str) -> str:
    """Return words without Markdown's links and quotes."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")


def _reader(alias: Any) -> Callable[..., object]:  # noqa: ANN401 - one of values
    return alias.__metadata__[0]  # type: ignore[no-any-return] # an Annotated


def _strings(*examples: list[str], **further: Any) -> Schema:  # noqa: ANN401 - words of JSON Schema
    return {"type": "array", "items": {"type": "string"}, **further, "examples": [*examples]}


_NAMES: Final = {"ClientFile": object, "PackageList": object}
_PACKAGES: Final = {
    "python": ["numpy", "pandas>=2"],
    "node": ["lodash", "@types/node@22"],
    "bun": ["zod", "hono"],
    "deno": ["npm:is-number", "jsr:@std/path"],
    "bash": ["jq", "curl"],
}
_ALPINE: Final = _strings(["libsndfile"])
_AGE: Final[Schema] = {"type": "string", "examples": ["1d", "36h", "0"]}
_COMMAND: Final = _strings(["bash", "-c", "jq --version"], minItems=1)
_TIMEOUT: Final[Schema] = {"type": "string", "examples": ["30s", "2m"]}
_PLAIN: Final[Mapping[Any, Schema]] = {bool: {"type": "boolean"}, str: {"type": "string"}}
_IMAGE: Final[Mapping[str, Schema]] = {
    "runtime": {"enum": [*RUNTIMES]},
    "extends": {"type": "string"},
    "packages": _strings(["requests"]),
    "system": dict(_ALPINE),  # each key has a meaning of its own
    "build": dict(_ALPINE),
    "setup": {"type": "string"},
    **{key: _file(runtime) for key, runtime in FILE_KEYS.items() if reads_lists(runtime)},
}
_VERIFY: Final[Mapping[str, Schema]] = {
    "again": {"type": "boolean"},
    "oldest_client": {"type": "string", "examples": ["0.7.0"]},
    "load_timeout": _TIMEOUT,
    "skip": _strings(["graphene-django"]),
    "unchecked_platforms": {"type": "boolean"},
}
_READ: Final[Mapping[Callable[..., object], Schema]] = {
    alpine_packages: _ALPINE,
    _reader(values.Age): _AGE,
    _reader(values.Ages): {"type": "object", "additionalProperties": _AGE, "examples": [{"numpy": "3d"}]},
    _reader(values.Arguments): {
        "type": "object",
        "propertyNames": {"pattern": f"^{values.ARGUMENT_NAME}$"},
        "additionalProperties": {"type": "string"},
    },
    _reader(values.BuilderName): {"enum": [*get_args(values.Builder)]},
    _reader(values.BuildxName): {"type": "string", "examples": ["farm"]},
    _reader(values.ClientRelease): {"type": "string", "examples": [*BUILD_HASH_BY_RELEASE][-1:]},
    _reader(values.Command): _COMMAND,
    _reader(values.Duration): {"type": "string", "examples": ["7d", "36h"]},
    _reader(values.ExitCode): {"type": "integer", "minimum": 0, "maximum": 255},
    _reader(values.FileName): {"type": "string", "examples": ["images.html"]},
    _reader(values.Jobs): {"type": "integer", "minimum": 1},
    _reader(values.Networks): _strings(["10.0.0.0/8"]),
    _reader(values.Notification): _strings(["mail", "-s", "isol8", "me@example.org"], minItems=1),
    _reader(values.Pattern): {"type": "string", "format": "regex"},
    _reader(values.Platforms): {
        "type": "array",
        "items": {"enum": ["linux/amd64", "linux/arm64"]},
        "minItems": 1,
        "uniqueItems": True,
        "examples": [["linux/arm64"]],
    },
    _reader(values.Ports): {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        "examples": [[8080]],
    },
    _reader(values.RemoteRepository): {"type": "string", "examples": ["registry.example/isol8"]},
    _reader(values.Repository): {"type": "string", "examples": ["isol8", "registry.example:5000/team/isol8"]},
    _reader(values.Secrets): {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"},
        "additionalProperties": {
            "oneOf": [
                _object(
                    {"env": {"type": "string", "pattern": f"^{values.ARGUMENT_NAME}$"}}, required=["env"]
                ),
                _object({"file": {"type": "string", "pattern": "[^/]$"}}, required=["file"]),
            ]
        },
        "examples": [{"pip": {"env": "PIP_INDEX_URL"}, "npm": {"file": "~/.npmrc"}}],
    },
    _reader(values.Size): {"type": "string", "examples": ["20GB", "500MB"]},
    _reader(values.Timeout): _TIMEOUT,
}

if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
