"""The key of an image's inputs, and the inputs in short, so that a later run can say what changed."""

import hashlib
import json
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from attrs import frozen

from isol8_tasks.dockerfile.inputs import StageInputs
from isol8_tasks.plan.model import Inputs
from isol8_tasks.safety.credentials import hidden_argument
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

_DOMAIN: Final = "isol8-tasks inputs 1"
"""What is hashed, and the version of how; another version makes every image stale once."""
_LIMIT: Final = 4096
"""Bytes that a label may take."""
_FORMAT: Final = 1

Framed = str | int | bool | tuple["Framed", ...]
T = TypeVar("T")


def key(inputs: Inputs) -> str:
    """Return 64 hex digits that differ whenever the inputs differ in what counts.

    Lines, names of stages (of arguments, too: `V (stage bun)`) and references of upstream images are for people. A
    secret in a URL doesn't count.
    """
    return _hash(
        (
            _DOMAIN,
            inputs.recipe,
            inputs.runtime,
            tuple(tuple(step.text for step in stage.steps) for stage in inputs.stages),
            tuple((path, file.digest, file.executable) for path, file in inputs.files),
            tuple((name.partition(" (")[0], redact(value)) for name, value in inputs.args),
            tuple(
                mark.partition(".")[0] if mark else ("not here", redact(reference))
                for reference, mark in inputs.upstream
            ),
            package_marks(inputs),
            inputs.setup,
            # Behind the others, and only where there are any: images without them keep their keys.
            *((("system", inputs.system),) if inputs.system else ()),
            *((("build", inputs.build),) if inputs.build else ()),
            *((("platform", inputs.platform),) if inputs.platform else ()),
            *((("secrets", inputs.secrets),) if inputs.secrets else ()),
        )
    )


def _hash(value: Framed) -> str:
    return hashlib.sha256(_frame(value)).hexdigest()


def _frame(value: Framed) -> bytes:
    """Return bytes that no other value gives: each part says its type and its length."""
    if isinstance(value, tuple):
        return b"(%d:%b)" % (len(value), b"".join(map(_frame, value)))
    if isinstance(value, str):
        # A Dockerfile needn't be UTF-8: what was read of it with surrogates has to be hashed as well.
        data = value.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(data), data)
    if isinstance(value, bool):
        return b"t" if value else b"f"
    return b"%d;" % value


class Summary(NamedTuple):
    """What is left of a list that is too long for a label."""

    size: int
    digest: str


Pairs = tuple[tuple[str, str], ...]


@frozen(kw_only=True, eq=False, repr=False)
class RecordedInputs:
    """Inputs as a label remembers them: by short hashes."""

    recipe: int
    runtime: str
    stages: Pairs | Summary = ()
    """Name of each stage, and 8 digits of each step's hash; or `=` and 16 digits for all of its steps."""
    files: Pairs | Summary = ()
    """Path, and 12 digits of the content's hash, with an `x` behind if it can be executed."""
    args: Pairs | Summary = ()
    images: Pairs | Summary = ()
    """Upstream images: reference and mark (`ObservedImage.mark`); empty where it was not known."""
    packages: tuple[str, ...] | Summary = ()
    setup: str = ""
    """12 digits of its hash; empty without one."""
    system: tuple[str, ...] | Summary = ()
    build: tuple[str, ...] | Summary = ()
    platform: str = ""
    secrets: tuple[str, ...] | Summary = ()

    @property
    def upstream(self) -> Pairs:
        """The upstream images as far as they are remembered one by one."""
        return () if isinstance(self.images, Summary) else self.images


def stage_marks(inputs: Inputs) -> Pairs:
    """Return what is remembered of the stages."""
    return tuple((stage.name, step_marks(stage)) for stage in inputs.stages)


def step_marks(stage: StageInputs) -> str:
    """Return the hashes of the steps of a stage, 8 digits each."""
    return "".join(_hash(step.text)[:8] for step in stage.steps)


def file_marks(inputs: Inputs) -> Pairs:
    """Return what is remembered of the files."""
    return tuple((path, file.digest[:12] + "x" * file.executable) for path, file in inputs.files)


def arg_marks(inputs: Inputs) -> Pairs:
    """Return what is remembered of the build arguments: their values, without secrets."""
    return tuple((name, hidden_argument(name.partition(" (")[0], value)) for name, value in inputs.args)


def image_marks(inputs: Inputs) -> Pairs:
    """Return what is remembered of the upstream images."""
    return tuple((redact(name), mark or "") for name, mark in inputs.upstream)


def package_marks(inputs: Inputs) -> tuple[str, ...]:
    """Return what is remembered of the packages: their names, without secrets."""
    return tuple(redact(each) if "://" in each else each for each in inputs.packages)


def setup_mark(inputs: Inputs) -> str:
    """Return what is remembered of the setup script."""
    return _hash(inputs.setup)[:12] if inputs.setup else ""


def whole_stage(steps: str) -> str:
    """Return the one hash that stands for the hashes of all steps of a stage."""
    return "=" + _hash(steps)[:16]


def summary(items: tuple[Framed, ...]) -> Summary:
    """Return the one hash that stands for a list."""
    return Summary(size=len(items), digest=_hash(items)[:16])


def encode_inputs(inputs: Inputs) -> str:
    """Return the inputs as compact JSON of at most 4096 bytes; a hash stands for a list that is too long."""
    stages = stage_marks(inputs)
    lists: dict[str, tuple[Framed, ...]] = {
        "stages": stages,
        "files": file_marks(inputs),
        "args": arg_marks(inputs),
        "images": image_marks(inputs),
        "packages": package_marks(inputs),
        **({"system": inputs.system} if inputs.system else {}),
        **({"build": inputs.build} if inputs.build else {}),
        **({"secrets": inputs.secrets} if inputs.secrets else {}),
    }
    document: dict[str, object] = {
        "v": _FORMAT,
        "recipe": inputs.recipe,
        "runtime": inputs.runtime,
        "setup": setup_mark(inputs),
        **({"platform": inputs.platform} if inputs.platform else {}),
        **lists,
    }
    for name in ("packages", "system", "build", "secrets", "", "files", "args", "stages", "images"):
        if _fits(document):
            break
        if name in lists:
            short = summary(lists[name])
            document[name] = {"n": short.size, "h": short.digest}
        elif not name:
            document["stages"] = [(stage, whole_stage(steps)) for stage, steps in stages]
    return _json(document)


def _fits(document: dict[str, object]) -> bool:
    return len(_json(document).encode("utf-8", "surrogatepass")) <= _LIMIT


def decode_inputs(text: str) -> RecordedInputs | None:
    """Return what a label remembers; None for what this version can't read."""
    try:
        document = loads(text)
        if document["v"] != _FORMAT:
            return None
        return RecordedInputs(
            recipe=_typed(document["recipe"], int),
            runtime=_typed(document["runtime"], str),
            stages=_pairs(document["stages"]),
            files=_pairs(document["files"]),
            args=_pairs(document["args"]),
            images=_pairs(document["images"]),
            packages=_texts(document["packages"]),
            setup=_typed(document["setup"], str),
            system=_texts(document.get("system", [])),
            build=_texts(document.get("build", [])),
            platform=_typed(document.get("platform", ""), str),
            secrets=_texts(document.get("secrets", [])),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _json(document: dict[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _list(value: object, read: Callable[[object], T]) -> tuple[T, ...] | Summary:
    if isinstance(value, dict):
        return Summary(size=_typed(value["n"], int), digest=_typed(value["h"], str))
    return tuple(map(read, _typed(value, list)))


def _texts(value: object) -> tuple[str, ...] | Summary:
    return _list(value, lambda each: _typed(each, str))


def _pairs(value: object) -> Pairs | Summary:
    return _list(value, _pair)


def _pair(value: object) -> tuple[str, str]:
    name, text = _typed(value, list)
    return _typed(name, str), _typed(text, str)


def _typed(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value
