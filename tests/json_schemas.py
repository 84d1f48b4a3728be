"""The JSON Schemas of what commands print with --json, and of a line of the history: python -m tests.json_schemas.

Words that a value can be come from the types of the code that writes them. Every document of a test that runs a command
with --json is checked by these (`checked`), and tests/unit/test_json_schemas.py that nothing stands here that no
command writes.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import jsonschema

from isol8_tasks.config.secret_list import Secret
from isol8_tasks.ecosystems.runtimes import RUNTIMES, inventory_names
from isol8_tasks.freshness.model import FreshnessState
from isol8_tasks.images.choice import Fit
from isol8_tasks.images.journal import FAILED, REFRESHED
from isol8_tasks.lifecycle.build import Outcome
from isol8_tasks.plan.decision import ImageState
from isol8_tasks.plan.model import ImageSpec

FOLDER: Final = Path(__file__).parents[1] / "docs" / "schemas"
Schema = dict[str, Any]


def text(name: str) -> str:
    """Return a schema as it is written into its file."""
    return json.dumps(SCHEMAS[name], indent=2, ensure_ascii=False) + "\n"


def file_of(name: str) -> Path:
    """Return the file of a schema."""
    return FOLDER / f"{name}.schema.json"


def checked(words: Sequence[str], printed: str) -> None:
    """Check what a command printed, if it was asked for JSON of which there is a schema."""
    command = next((word for word in words if not word.startswith("-")), "")
    name = {"refresh": "report"}.get(command, command)
    if "--json" in words and name in SCHEMAS and printed:
        validator(name).validate(json.loads(printed))


@functools.cache
def validator(name: str) -> jsonschema.protocols.Validator:
    """Return what checks documents by a schema."""
    kind = jsonschema.validators.validator_for(SCHEMAS[name])
    kind.check_schema(SCHEMAS[name])
    return kind(SCHEMAS[name])


def _described(schema: Mapping[str, Any], description: str) -> Schema:
    return {"description": description, **schema}


def _or_null(schema: Mapping[str, Any]) -> Schema:
    if isinstance(kind := schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


def _list(of: Mapping[str, Any], description: str = "") -> Schema:
    found: Schema = {"type": "array", "items": dict(of)}
    return _described(found, description) if description else found


def _text(description: str = "") -> Schema:
    return _described({"type": "string"}, description) if description else {"type": "string"}


def _count(description: str) -> Schema:
    return {"description": description, "type": "integer", "minimum": 0}


def _object(properties: Mapping[str, Schema], optional: Sequence[str] = ()) -> Schema:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        "properties": dict(properties),
    }


def _by_word(words: Sequence[str], description: str) -> Schema:
    """Return an object with a number by some of these words, or by others of a newer version."""
    number = {"type": "integer", "minimum": 1}
    found = {**_object(dict.fromkeys(words, number), words), "additionalProperties": number}
    return _described(found, description)


def _open(words: Sequence[str], description: str) -> Schema:
    """Return one of these words, or another one of a newer version, whose lines of the history are passed on."""
    return _described({"type": "string", "examples": [*words]}, f"{description} {_NEWER}")


_NEWER: Final = "A newer version of the tool may have written another word."


def _document(
    title: str, description: str, properties: Mapping[str, Schema], optional: Sequence[str] = ()
) -> Schema:
    """Return the schema of what a command prints: its document, or what went wrong, or both."""
    found = _object(
        {**properties, "error": _text("What went wrong, in the words for people; only then there.")}
    )
    required = [name for name in properties if name not in optional]
    del found["required"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "description": description,
        **found,
        "anyOf": [{"required": required}, {"required": ["error"]}],
    }


_RESULTS: Final = get_args(get_type_hints(Outcome)["result"])
CHANGES: Final = (*_RESULTS, "rolled back", "removed", "found")
COUNTS: Final = ("behind", "held", "failed", "undetermined", "changed", "pulled", "fresh")
_KINDS: Final = get_args(get_type_hints(ImageSpec, localns={"Secret": Secret})["kind"])
_TAG: Final = _text("The image's public tag, as isol8:bun.")
_MOMENT: Final[Schema] = {"type": "string", "format": "date-time", "examples": ["2026-11-30T04:45:00Z"]}
_WORDS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_RUNTIME: Final[Schema] = {"enum": [*RUNTIMES]}
_ECOSYSTEM: Final = _described(
    {"enum": [*inventory_names()]}, "Which kind of package it is; `generic` are Bun and Deno themselves."
)
_STATE: Final = _described({"enum": [*get_args(ImageState)]}, "As docs/commands.md has them.")
_SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
_UPDATE: Final = _object(
    {
        "ecosystem": _ECOSYSTEM,
        "name": _text(),
        "old": _or_null(_text("Its version before; null for one that is new.")),
        "new": _or_null(_text("Its version now, or what is to be had; null for one that goes.")),
        "published": _or_null(
            _described(_MOMENT, "When its index says it was published; null where it does not.")
        ),
    }
)
_PAST_UPDATE: Final = {
    **_UPDATE,
    "properties": {
        **_UPDATE["properties"],
        "ecosystem": _open([*inventory_names()], "Which kind of package it is."),
    },
}
_BUILD: Final = {
    "id": _text("The engine's id of the image."),
    "key": _or_null(
        _text("Hash over all inputs of the build; null for an image that another program built.")
    ),
    "digest": _or_null(_text("In the registry; null where it is in none, as far as is known.")),
    "size": _or_null(_count("Bytes, as the engine counts them; null where that is undetermined.")),
    "built": _or_null(_MOMENT),
    "alpine": _or_null(_text("Alpine's release in it.")),
}
_BYTES: Final = _by_word(
    ("pulled", "built", "pushed"),
    "Bytes that were pulled for it (upstream images, or itself), that it adds to what it is based on, and that were "
    "sent to the registry, before compression; each only if it is known.",
)
_COUNTS: Final = _by_word(COUNTS, "Of a refresh: how many images it found behind, and left in which state.")
_HOW: Final = _open(
    [*CHANGES, FAILED, REFRESHED],
    "What happened, as in docs/history.md. failed and refreshed are no changes: the image stayed as it was.",
)
_FRESHNESS: Final = _object(
    {
        "image": _TAG,
        "state": {"enum": [*get_args(FreshnessState)]},
        "behind": {"type": "boolean", "description": "A refresh rebuilds it."},
        "news": _described(_WORDS, "What a refresh would rebuild it for, in words."),
        "upstream": _list(
            _object(
                {
                    "reference": _text(),
                    "old": _or_null(_text("Its digest here; null where it is in no registry.")),
                    "new": _text("Its digest in its registry."),
                }
            ),
            "Upstream images that moved.",
        ),
        "updates": _list(_UPDATE, "Newer versions that a refresh installs."),
        "young": _list(_UPDATE, "Versions that are too new (min_age)."),
        "waiting": _list(_UPDATE, "Newer versions that come with the next upstream image."),
        "problems": _described(_WORDS, "What could not be found out."),
    }
)
_SOURCES: Final = {
    "images": _list(_FRESHNESS, "How fresh each image is; in a report, was before the refresh."),
    "support": _list(
        _object(
            {
                "branch": _text("Of Alpine, as 3.19."),
                "ended": {"type": "string", "format": "date"},
                "newer": _or_null(_text("A branch that is supported.")),
                "images": _WORDS,
            }
        ),
        "Branches of Alpine that get no fixes any more, and are in use.",
    ),
}
_PLACED: Final = _object({"ecosystem": _ECOSYSTEM, "name": _text(), "version": _text()})
_DIFFERENCE: Final = _object(
    {
        "name": _text(),
        "old": _or_null(_text("null where it was not set.")),
        "new": _or_null(_text("null where it is not set.")),
    }
)
_DECISIONS: Final = _list(
    _object(
        {
            "image": _TAG,
            "task": _or_null(_text("The task that builds it; null for an undeclared image.")),
            "state": _STATE,
            "declared": _or_null(
                _text(
                    "Where it is declared, as deps.toml:3; null for a base image, and absent if no engine answers."
                )
            ),
            "reasons": _described(_WORDS, "Why it is in that state, in words."),
        },
        ["declared"],
    ),
    "Parents first.",
)

SCHEMAS: Final[Mapping[str, Schema]] = {
    "plan": _document(
        "plan --json",
        "What a run would do, and why.",
        {
            "platform": _text("What is built for; absent if no engine answers."),
            "images": _DECISIONS,
            "others": {
                "description": "The same for each other platform under these names; absent if there is none.",
                "type": "object",
                "additionalProperties": _DECISIONS,
            },
        },
        ["platform", "others"],
    ),
    "report": _document(
        "refresh --json",
        "The report of a refresh; also the file of --report FILE.json.",
        {
            "at": _described(_MOMENT, "When it began."),
            "seconds": _SECONDS,
            "fresh": _count("How many images are as new as their sources now."),
            "pulled": _count("How many images came from the registry."),
            "others": {
                "description": "What came of images for other platforms: by platform and tag.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"enum": ["built", "promoted", "failed"]},
                },
            },
            "held": _described(_WORDS, "Tags of images that are held, and were left alone."),
            "failed": _list(
                _object({"subject": _text("The image's tag, or what else failed."), "lines": _WORDS}),
                "What could not be done, in the words for people.",
            ),
            "changed": _list(
                _object(
                    {
                        "image": _TAG,
                        "new": {"type": "boolean", "description": "There was no such image before."},
                        "why": _described(_WORDS, "What it was built for, in words."),
                        "alpine": _or_null(
                            _described(
                                {**_WORDS, "minItems": 2, "maxItems": 2}, "Alpine's release before and now."
                            )
                        ),
                        "packages": _list(_UPDATE, "What changed in it, and not in its parent."),
                        "same": {
                            "type": "boolean",
                            "description": "It came to the same, which replaced nothing.",
                        },
                        "size": {
                            "description": "Bytes before (0: there was none) and now (null: undetermined).",
                            "type": "array",
                            "items": {"type": ["integer", "null"]},
                            "minItems": 2,
                            "maxItems": 2,
                        },
                        "seconds": _SECONDS,
                    }
                ),
                "Images that were rebuilt.",
            ),
            **_SOURCES,
        },
    ),
    "freshness": _document(
        "freshness --json",
        "How far behind their sources the images are.",
        {
            **_SOURCES,
            "others": {
                "description": "The same for each other platform under these names; absent if there is none.",
                "type": "object",
                "additionalProperties": _list(_FRESHNESS),
            },
        },
        ["others"],
    ),
    "history": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "a line of .isol8/history.jsonl",
        "description": "One change of an image, or what else a run came to. Packages, inputs and configuration are "
        "there as a whole, or as the difference to the line before about the same image, whose new id is this old one.",
        **_object(
            {
                "v": {"const": 1},
                "at": _MOMENT,
                "image": _text("Its name, as bun-custom; empty for a refresh."),
                "repository": _text("Of its public tag."),
                "engine": _text("The engine's address."),
                "how": _open(
                    [*CHANGES, FAILED, REFRESHED, "pushed"],
                    "What happened. failed and refreshed are no changes; pushed adds a digest to the change before.",
                ),
                "why": _described(_WORDS, "Reasons, in words."),
                "verified": {"type": "boolean", "description": "In that run."},
                "seconds": _SECONDS,
                "checkout": _text("Which built it; empty if that is unknown."),
                "parent": _text("The name of the image that it is based on; empty for a base image."),
                "old": _or_null(
                    _object(
                        {
                            "id": _text(),
                            "key": _text("Empty for an image that another program built."),
                            "digest": _or_null(_text()),
                            "size": _count("Bytes; 0 where it is undetermined."),
                        }
                    )
                ),
                "new": _or_null(
                    _object(
                        {
                            "id": _text(),
                            "key": _text("Empty for an image that another program built."),
                            "digest": _or_null(_text()),
                            "size": _count("Bytes; 0 where it is undetermined."),
                            "build": _text("The random id of the build."),
                            "built": _text("When; empty where that is unknown."),
                            "alpine": _text("Alpine's release in it; empty where that is unknown."),
                        }
                    )
                ),
                "problem": _text("What went wrong; of failed alone."),
                "counts": _COUNTS,
                "bytes": _BYTES,
                "changed": _list(
                    {"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 4},
                    "Packages that differ from the old image: ecosystem, name, old and new version; empty for none.",
                ),
                "packages": _or_null(
                    {
                        "description": "All versions, by ecosystem and name; null where they are unknown.",
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "additionalProperties": {"type": "string"},
                        },
                    }
                ),
                "inputs": _text("What the key is made of, as the label has it."),
                "configuration": _or_null(
                    {
                        "description": "How containers of it run; null where that is unknown.",
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    }
                ),
            },
            ["problem", "counts", "bytes", "changed", "packages", "inputs", "configuration"],
        ),
    },
    "log": _document(
        "log --json",
        "What changed in the images, newest first.",
        {
            "changes": _list(
                _object(
                    {
                        "at": _MOMENT,
                        "image": _or_null(_text("The image's public tag; null for a refresh.")),
                        "number": _or_null(_count("The N of NAME@N, for diff; null for what is no change.")),
                        "how": _HOW,
                        "why": _described(_WORDS, "Reasons, in words."),
                        "problem": _or_null(_text("What went wrong, if it failed.")),
                        "images": _COUNTS,
                        "bytes": _BYTES,
                        "verified": {"type": "boolean", "description": "In that run."},
                        "seconds": _SECONDS,
                        "checkout": _text("Which built it; empty if that is unknown."),
                        "parent": _or_null(_text("The name of the image that it is based on.")),
                        "old": _or_null(_object(_BUILD)),
                        "new": _or_null(_object(_BUILD)),
                        "packages": _list(
                            _PAST_UPDATE, "What changed in it, what its parent got as well among it."
                        ),
                    }
                )
            ),
            "left_out": _list({"type": "integer"}, "Numbers of the lines of the file that can't be read."),
        },
    ),
    "diff": _document(
        "diff --json",
        "What differs between two builds.",
        {
            "old": _object({"image": _text("As isol8:web@1."), **_BUILD}),
            "new": _object({"image": _text("As isol8:web@0."), **_BUILD}),
            "packages": _or_null(_list(_PAST_UPDATE, "null where what is in one of both is unknown.")),
            "inputs": _or_null(_list(_DIFFERENCE, "Of what the key is made of; null as above.")),
            "configuration": _or_null(_list(_DIFFERENCE, "How containers run; null as above.")),
        },
    ),
    "graph": _document(
        "graph --json",
        "What is based on what.",
        {
            "upstream": _described(_WORDS, "References of the upstream images."),
            "images": _list(
                _object(
                    {
                        "image": _TAG,
                        "kind": _described({"enum": [*_KINDS, None]}, "null for an undeclared image."),
                        "task": _or_null(_text()),
                        "parent": _or_null(_text("The image, or upstream image, that it is based on.")),
                        "copies": _described(_WORDS, "Upstream images from which it only copies files."),
                        "state": _STATE,
                        "reasons": _described(_WORDS, "As in the plan."),
                    }
                ),
                "Parents first.",
            ),
        },
    ),
    "why": _document(
        "why PACKAGE --json",
        "Which images contain a package.",
        {
            "images": _list(
                _object(
                    {
                        "image": _TAG,
                        "ecosystem": _ECOSYSTEM,
                        "name": _text(),
                        "version": _text(),
                        "why": _text("Who asked for it, in words."),
                        "newer": _described(_WORDS, "With --newer: what is newer, in words."),
                    }
                )
            )
        },
    ),
    "which": _document(
        "which RUNTIME --json",
        "Which image a request gets.",
        {
            "runtime": _RUNTIME,
            "packages": _described(_WORDS, "What was asked for; sorted."),
            "image": _or_null(_TAG),
            "why": {"enum": [*get_args(Fit)]},
            "more": _described(_WORDS, "Packages of the image that were not asked for."),
            "setup": {"type": "boolean", "description": "Its setup script runs before each execution."},
            "clients": _list(
                _object(
                    {
                        "client": _text("Releases of isol8."),
                        "image": _text("What they run, whether it is on the engine or not."),
                        "same": {"type": "boolean", "description": "It is the same image."},
                        "lacks": {"type": "boolean", "description": "It does not have every package."},
                        "by_order": {
                            "type": "boolean",
                            "description": "Several fit, and the order in which the engine lists them decides.",
                        },
                    }
                ),
                "What isol8's own clients run for the same request, oldest first.",
            ),
        },
    ),
    "verify": _document(
        "verify --json",
        "Whether images pass verification.",
        {
            "images": _list(
                _object(
                    {
                        "image": _TAG,
                        "findings": _described(_WORDS, "Why it fails; empty if it passes."),
                        "notes": _described(_WORDS, "What users should know of its packages."),
                    }
                )
            )
        },
    ),
    "inventory": _document(
        "inventory --json",
        "The packages in images.",
        {
            "images": _list(
                _object({"image": _TAG, "alpine": _text("Alpine's release."), "packages": _list(_PLACED)})
            )
        },
    ),
}
"""By the command, or by what else it is about."""

if __name__ == "__main__":
    for each in SCHEMAS:
        file_of(each).write_text(text(each), encoding="utf-8")
