"""The labels that carry the truth about an image: what it was built of, and what isol8's clients look for.

Labels are inherited by every child of an image and can't be removed, only overridden. So each build writes all keys
of ours, empty where unused. Clients pick an image by the runtime that it says it is for, so one that they must not pick
says that it is not in use.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, get_args

from attrs import evolve, frozen

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.errors import Isol8Error
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.values import ByValue

LABELS_SCHEMA: Final = 2
"""Version of the keys below; raising it makes every image stale once."""
RELABELLED_SCHEMAS: Final = frozenset({1, LABELS_SCHEMA})
"""Those whose images are relabelled at most, where all else is as it should be. 1 told upstream images by id alone."""

PREFIX: Final = "org.isol8.tasks."
LAB: Final = "org.isol8.lab."
"""What the labels of stand-ins begin with, which their children inherit."""
STANDIN: Final = LAB + "standin"
"""On an upstream image: it is a stand-in, made by the recipe of this hash."""
STANDIN_ARG: Final = LAB + "arg."
"""On a stand-in: a build argument that it needs, by name."""

BASE_NAME: Final = "org.opencontainers.image.base.name"
"""OCI's own: the image that another was built on, with its repository."""
BUILD_HASH: Final = "org.isol8.build.hash"
"""What isol8's own setup compares before it builds a base; no client picks an image by it."""
DEPENDENCY_HASH: Final = "org.isol8.deps.hash"
"""What isol8 v0.11.1 to v0.17 name a custom image after: `-custom-<its first 12 digits>`."""
RUNTIME: Final = "org.isol8.runtime"
"""Clients since v0.18 pick images that have a runtime's name here; their list-custom prints all that have the key."""
DEPENDENCIES: Final = "org.isol8.dependencies"
SETUP: Final = "org.isol8.setup"
CLIENTS: Final = (RUNTIME, DEPENDENCIES, SETUP)
"""By these, clients since v0.18 pick an image and know what to run in it."""
NOT_IN_USE: Final = " (not in use)"
"""Behind the runtime of an image that no client may pick: it is no runtime's name, and list-custom prints it."""

Role = Literal["candidate", "current", "previous"]
_ROLES: Final = get_args(Role)
_PLAIN_FIELDS: Final = (
    *("image", "role", "key", "build", "parent", "standin", "inventory", "layers", "files", "platform"),
)
_TEXT_FIELDS: Final = (*_PLAIN_FIELDS, "inputs", "checkout", "triggers")
_LONGEST: Final = 1 << 20
"""Characters of a label; ours have a few thousand."""
SCHEMA_LABEL: Final = PREFIX + "schema"
"""Each image of ours has it."""
ROLE_LABEL: Final = PREFIX + "role"
LAYERS: Final = PREFIX + "layers"
BUILD: Final = PREFIX + "build"
FILES_LABEL: Final = PREFIX + "files"
# As BuildKit and the classic builder write it into an image's history.
_NO_LAYER: Final = r"/bin/sh -c #\(nop\) +"
# Every label that a build is told is a step of the classic builder's; Podman's has one for all, in quotes.
_RELABELLING: Final = (
    rf"(?:{_NO_LAYER})?(?:ONBUILD ARG |LABEL \"?org\.isol8\.)"
    rf"|{_NO_LAYER}LABEL \"?org\.opencontainers\.image\.(?:created|revision|base\.name|base\.digest)\"?="
)


@frozen(kw_only=True, eq=False, repr=False)
class Record(ByValue):
    """What we write on an image of ours."""

    image: str
    """Its name, the public tag without the repository; copies under other tags keep it."""
    role: Role
    key: str
    inputs: str
    """The inputs in short (fingerprint.encode_inputs), for the words about what changed."""
    build: str
    """A random id, new with every build."""
    parent: str = ""
    """The build id of the image of ours that it was built on; empty for a base."""
    checkout: str
    """Which checkout built it (workspace.checkout_id), for the words about another one."""
    standin: str = ""
    """Recipe hash of the stand-in that it is based on; empty on a real upstream image."""
    upstream: str = ""
    """The upstream image's reference, as `alpine:3.21`."""
    upstream_digest: str = ""
    """The upstream image's digest in its registry, as `sha256:…`; empty where it has none."""
    standin_args: tuple[tuple[str, str], ...] = ()
    """The build arguments that the stand-in asked for, for the time when it is not here to ask."""
    flags: tuple[tuple[str, str], ...] = ()
    """Packages asked for on the command line, each with its date."""
    packages: tuple[str, ...] = ()
    inventory: str = ""
    """What was found in it when it was checked, in short (inventory.encode)."""
    triggers: str = ""
    """The ONBUILD triggers of its upstream images (triggers.encode_triggers); empty on those of older versions, too."""
    layers: str = ""
    """Of which layers and steps it consists (layers_fingerprint), to tell it from what others make of it."""
    files: str = ""
    """A digest of its files behind its layers, where it was compared with another build; empty where it was not."""
    clients: tuple[tuple[str, str], ...] = ()
    """On an image that gave its tag away: those of the clients' labels that were overridden, for the way back."""
    platform: str = ""
    """What it was built for, as `linux/arm64`, where deps.toml says that; else the platform of its engine."""
    recipe: int = 0
    schema: int = LABELS_SCHEMA


def read_record(labels: Mapping[str, str]) -> Record | None:
    """Return the record on an image, or None where there is none that can be read.

    A record of another schema is read as far as it is understood: staleness names the difference.
    """
    try:
        return _read(labels) if labels.get(SCHEMA_LABEL) else None
    except _UnreadableError:
        return None


def problem(labels: Mapping[str, str]) -> str:
    """Say which label of ours can't be read, and why; nothing of an image without any, or where all can be."""
    try:
        if labels.get(SCHEMA_LABEL):
            _read(labels)
    except _UnreadableError as error:
        return str(error)
    return ""


def write(record: Record) -> dict[str, str]:
    """Return all keys of ours for an image."""
    return {
        **{PREFIX + name: getattr(record, name) for name in _TEXT_FIELDS},
        SCHEMA_LABEL: str(record.schema),
        PREFIX + "recipe": str(record.recipe),
        PREFIX + "upstream": record.upstream,
        PREFIX + "upstream-digest": record.upstream_digest,
        PREFIX + "standin-args": _json(dict(record.standin_args)) if record.standin_args else "",
        PREFIX + "flags": _json(dict(record.flags)) if record.flags else "",
        PREFIX + "clients": _json(dict(record.clients)) if record.clients else "",
        PREFIX + "packages": _json(list(record.packages)) if record.packages else "",
    }


def hidden(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what to override on an image with these labels, its own or inherited, so that no client picks it."""
    runtime = labels.get(RUNTIME, "")
    return {} if not runtime or runtime.endswith(NOT_IN_USE) else {RUNTIME: runtime + NOT_IN_USE}


def previous(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what to override on the copy of an image that loses its public tag."""
    record, override = read_record(labels), hidden(labels)
    if record is None:
        # What can't be read is worth nothing to anybody, and would be told of with every run.
        return {**({SCHEMA_LABEL: ""} if problem(labels) else {}), **override}
    clients = tuple((key, labels[key]) for key in override)
    return {**write(evolve(record, role="previous", clients=clients or record.clients)), **override}


def restored(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what to override on the copy of an image that gets its public tag back: what `previous` took from it."""
    record = read_record(labels)
    if record is None:
        return {}
    return {**write(evolve(record, role="current", clients=())), **dict(record.clients)}


def layers_fingerprint(layers: Sequence[str], steps: Sequence[str], triggers: Collection[str] = ()) -> str:
    """Return what tells an image of ours from all that was made of it, the steps without a layer included.

    `steps` are those of the image's history, `triggers` its ONBUILD steps. What we add to an image that is made of
    another by labels alone does not count, nor do steps that read as one of its triggers, which such a build carries
    out. Empty for an image whose layers are unknown.
    """
    own = [
        step
        for step in steps
        if not re.match(_RELABELLING, step) and re.sub(_NO_LAYER, "", step, count=1) not in triggers
    ]
    return hashlib.sha256("\n".join([*layers, *own]).encode()).hexdigest()[:16] if layers else ""


def for_clients(
    runtime: str,
    build_hash: str,
    *,
    packages: Collection[str] | None,
    dependencies: str,
    setup: str = "",
) -> dict[str, str]:
    """Return the labels by which isol8's clients of every generation know an image.

    `packages` is None for a base, which must not look like a custom image, and which alone `build_hash` is for;
    `dependencies` is the comma-joined list.
    """
    if packages is None:
        return {BUILD_HASH: build_hash}
    return {
        RUNTIME: runtime,
        DEPENDENCIES: dependencies,
        SETUP: setup,
        DEPENDENCY_HASH: _dependency_hash(runtime, packages, setup),
    }


def client_tag_suffix(runtime: str, packages: Collection[str], setup: str = "") -> str:
    """Return the 12 hex digits by which isol8 v0.11.1 to v0.17 look for a custom image: `-custom-<12 hex>`."""
    return _dependency_hash(runtime, packages, setup)[:12]


def _dependency_hash(runtime: str, packages: Collection[str], setup: str) -> str:
    """Hash as isol8 does (packages/core/src/engine/image-builder.ts): everything joined with nothing."""
    text = runtime + "".join(sorted(packages)) + (f"setup:{setup}" if setup else "")
    return hashlib.sha256(text.encode()).hexdigest()


class _UnreadableError(Exception):
    """A label is not what we write; says which one, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"label {PREFIX}{name} {why}")


def _read(labels: Mapping[str, str]) -> Record:
    # Whatever stands in them may be anybody's: what is shown as it stands, or decides on tags, has to be plain.
    for name in _TEXT_FIELDS:
        text = labels.get(PREFIX + name, "")
        if len(text) > _LONGEST:
            raise _UnreadableError(name, f"has more than {_LONGEST} characters")
        if name in _PLAIN_FIELDS and not re.fullmatch(r"[A-Za-z0-9._+/=-]*", text):
            raise _UnreadableError(name, "has characters that this project never writes")
    if labels.get(PREFIX + "role") not in _ROLES:
        raise _UnreadableError("role", f"is not one of {', '.join(_ROLES)}")
    record = Record(
        **{name: labels.get(PREFIX + name, "") for name in _TEXT_FIELDS},  # type: ignore[arg-type]
        upstream=_printable(labels.get(PREFIX + "upstream", ""), "upstream"),
        upstream_digest=_printable(labels.get(PREFIX + "upstream-digest", ""), "upstream-digest"),
        recipe=_number(labels, "recipe"),
        standin_args=_pairs(labels, "standin-args"),
        flags=_pairs(labels, "flags"),
        clients=_pairs(labels, "clients"),
        packages=tuple(_printable(each, "packages") for each in _json_of(labels, "packages", list)),
        schema=_number(labels, "schema"),
    )
    if any(not key.startswith("org.isol8.") or key.startswith(PREFIX) for key, _ in record.clients):
        raise _UnreadableError("clients", "has a label that is not for isol8's clients")
    _check_flags(record)
    return record


def _check_flags(record: Record) -> None:
    """Refuse packages in the memory of flags that no flag could have asked for: they go to an installer."""
    runtime = RUNTIMES.get(record.image.removesuffix("-custom"))
    try:
        for package, _ in record.flags if runtime else ():
            parse_spec(runtime.ecosystem if runtime else "", package)
    except Isol8Error:
        raise _UnreadableError("flags", "has something that is not a package") from None


def _pairs(labels: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    found = _json_of(labels, name, dict)
    return tuple(sorted((_printable(key, name), _printable(value, name)) for key, value in found.items()))


def _json_of(labels: Mapping[str, str], name: str, kind: type) -> Any:  # noqa: ANN401 - JSON
    text = labels.get(PREFIX + name)
    if not text:
        return kind()
    if len(text) > _LONGEST:
        raise _UnreadableError(name, f"has more than {_LONGEST} characters")
    try:
        found = loads(text)
    except ValueError:
        raise _UnreadableError(name, "is not JSON") from None
    if not isinstance(found, kind):
        raise _UnreadableError(name, f"is not a JSON {'object' if kind is dict else 'array'}")
    return found


def _printable(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise _UnreadableError(name, "has something that is not plain text")
    return value


def _number(labels: Mapping[str, str], name: str) -> int:
    text = labels.get(PREFIX + name) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _UnreadableError(name, "is not a number")
    return int(text)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
