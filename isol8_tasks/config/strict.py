"""Reads values of a file strictly: what was found, what is expected, and by which keys it is reached.

A class of attrs is a table: its fields are the keys, and `Annotated[int, reader]` is a value with a reader of its own.
A field's metadata may name another key, or NO_KEY; a class's PLACE is what its keys are called in messages.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin

from attrs import fields, has

from isol8_tasks.config.positions import KeyPath, repeated
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import SpecError, parse_spec
from isol8_tasks.errors import ConfigError

if TYPE_CHECKING:
    from cattrs import BaseValidationError, Converter

_Value = TypeVar("_Value")
_Key = TypeVar("_Key", str, int)

LineOf = Callable[[KeyPath], int | None]
Problem = tuple[KeyPath, str | Callable[[LineOf, KeyPath], str]]
"""Where it is, and what is wrong there; a function where the words name the key, or other lines of the file."""

NO_KEY: Final = {"key": None}
"""Metadata of a field that no key of the file sets."""


class JsonObject(dict[str, Any]):
    """A table, as it is called in JSON."""


class InvalidError(ValueError):
    """A value is wrong, in one place or several; becomes a line each of a ConfigError."""

    def __init__(self, what: str = "", *, below: Iterable[Problem] = ()) -> None:
        super().__init__(what)
        self.problems: tuple[Problem, ...] = tuple(below) or (((), what),)
        """Where it is inside the value, and what is wrong there."""

    def at(self, key: str | int) -> Iterator[Problem]:
        """Give the problems as seen from the container in which the value has this key."""
        return (((key, *path), what) for path, what in self.problems)


def report(problems: Iterable[Problem], source: str = "", line_of: LineOf = lambda _: None) -> str:
    """Return the problems in the order of their lines and elements, each with line and key; without a file, the key."""
    located = sorted(
        (
            line_of(path) or 0,
            [(key, "") if isinstance(key, int) else (-1, key) for key in path],
            what if isinstance(what, str) else what(line_of, path),
            _key_path(path),
        )
        for path, what in problems
    )
    return "\n".join(
        f"{source}{f':{line}' if line else ''}: {path}: {what}".removeprefix(": ")
        for line, _, what, path in located
    )


def load_toml(text: str, source: str, form: str, advice: str = "") -> dict[str, Any]:
    """Return what a text of TOML says; a ConfigError for one that is none, with what it looks like or what to do."""
    import tomli  # noqa: PLC0415 - only who reads a file should pay for the import

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        if re.match(_TWICE, error.msg) and (twice := _twice(text, error.lineno)):
            raise ConfigError(f"{source}:{twice}") from error
        from isol8_tasks.config.broken import slip_in  # noqa: PLC0415 - only a mistake has use for it

        slip = slip_in(text, error.lineno, error.colno, error.msg)
        what = f"{slip}{advice}" if slip else f"{error.msg}; {form}"
        raise ConfigError(f"{source}:{error.lineno}:{error.colno}: not TOML: {what}") from error
    except (ValueError, RecursionError) as error:
        # It reads no longer numbers, and nothing that is nested deeper.
        place = re.search(r"(?<![0-9_])[0-9_]{4300}|(?:[\[{][^\[\]{}]*+){400}", text)
        line = f":{text.count(chr(10), 0, place.end()) + 1}" if place else ""
        what = str(error).partition(";")[0]
        raise ConfigError(f"{source}{line}: can't be read as TOML: {what}{advice}") from error


def parse_json(text: str, source: str, **hooks: Any) -> object:  # noqa: ANN401 - as json.loads has them
    """Return what a text of JSON says; a ConfigError for one that is none, with what it looks like."""
    # Here, as most runs read none.
    import json  # noqa: PLC0415

    from isol8_tasks.safety.jsontext import loads  # noqa: PLC0415

    try:
        return loads(text, **hooks)
    except json.JSONDecodeError as error:
        from isol8_tasks.config.broken import slip_in_json  # noqa: PLC0415 - only a mistake has use for it

        what = slip_in_json(text, error.pos, error.msg)
        raise ConfigError(f"{source}:{error.lineno}:{error.colno}: not JSON: {what}") from error
    except ValueError as error:
        raise ConfigError(f"{source}: can't be read as JSON: {error}") from error


def _twice(text: str, line: int) -> str:
    """Say what a text has twice, and on which lines; empty where that can't be found out."""
    found = repeated(text, line)
    if found is None:
        return ""
    path, first, second = found
    return f"{second}: {_key_path(path)}: set twice, first on line {first}; put both into one, or remove one"


def table(value: object, hint: str = "") -> dict[str, Any]:
    """Return the value, which has to be a table."""
    if not isinstance(value, dict):
        raise InvalidError(wrong_type(value, "a table") + hint)
    return value


def string(value: object, example: str = "") -> str:
    """Return the value, which has to be a string."""
    if not isinstance(value, str):
        raise mistyped(value, "a string", example)
    return value


def flag(value: object) -> bool:
    """Return the value, which has to be a boolean."""
    if not isinstance(value, bool):
        raise mistyped(value, "a boolean", "true")
    return value


def gather(items: Iterable[tuple[_Key, object]], read: Callable[[_Key, Any], _Value]) -> dict[_Key, _Value]:
    """Return each value as it is read, by its key or index, or raise what is wrong in all of them."""
    problems: list[Problem] = []
    found: dict[_Key, _Value] = {}
    for key, item in items:
        try:
            found[key] = read(key, item)
        except InvalidError as error:
            problems.extend(error.at(key))
    return unless(problems, found)


def array(
    value: object, read: Callable[[Any], _Value], *, of: str = "strings", example: str = ""
) -> tuple[_Value, ...]:
    """Return the elements of an array, each as it is read."""
    if not isinstance(value, list):
        what = wrong_type(value, f"an array of {of}")

        def words(_: LineOf, path: KeyPath) -> str:
            return f"{what}; write " + (example or f'{path[-1]} = ["…", "…"]')

        raise InvalidError(below=[((), words)])
    return tuple(gather(enumerate(value), lambda _, item: read(item)).values())


def structured(value: object, kind: type[_Value]) -> _Value:
    """Return the value as one of that kind, or raise every problem in it."""
    return _converter().structure(value, kind)


def keys_of(kind: type) -> tuple[str, ...]:
    """Return the keys of the table that a class is."""
    return tuple(key for each in fields(kind) if (key := each.metadata.get("key", each.name)))


@functools.cache
def _converter() -> "Converter":
    # Here, since only who reads a file should pay for the import.
    from cattrs import Converter  # noqa: PLC0415

    made = Converter(detailed_validation=True, forbid_extra_keys=True)
    made.register_structure_hook(str, lambda value, _: string(value))
    made.register_structure_hook(bool, lambda value, _: flag(value))
    made.register_structure_hook_factory(has, _table_hook)
    made.register_structure_hook_factory(lambda kind: get_origin(kind) in _CONTAINERS, _container_hook)
    made.register_structure_hook_factory(
        lambda kind: callable(getattr(kind, "__metadata__", (None,))[0]),
        lambda kind: lambda value, _: kind.__metadata__[0](value),
    )
    return made


def _table_hook(kind: Any) -> Callable[[Any, object], Any]:  # noqa: ANN401 - a class of attrs
    from cattrs import BaseValidationError  # noqa: PLC0415 - as above
    from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415 - as above

    @functools.cache
    def made() -> Callable[[Any, object], Any]:
        # When a file has the table, as it costs half a millisecond.
        keys = {each.name: each.metadata["key"] for each in fields(kind) if "key" in each.metadata}
        overrides: Any = {name: override(omit=key is None, rename=key) for name, key in keys.items()}
        return make_dict_structure_fn(kind, _converter(), **overrides)

    def read(value: object, _: object) -> object:
        if not isinstance(value, dict):
            what = wrong_type(value, "a table")
            raise InvalidError(what, below=[((), lambda _, path: what + _section(path))])
        try:
            return made()(value, kind)
        except BaseValidationError as error:
            raise InvalidError(below=_problems(error, kind)) from None

    return read


def _container_hook(kind: Any) -> Callable[[Any, object], Any]:  # noqa: ANN401 - a type of tuples or mappings
    inner = get_args(kind)[get_origin(kind) is Mapping]
    read = _converter().get_structure_hook(inner)
    if get_origin(kind) is tuple:
        return lambda value, _: array(value, lambda item: read(item, inner))
    return lambda value, _: gather(table(value).items(), lambda _, item: read(item, inner))


def _problems(error: "BaseValidationError", kind: type) -> Iterator[Problem]:
    """Put what cattrs gathered in a table as problems of its keys."""
    from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError  # noqa: PLC0415 - as above

    for each in error.exceptions:
        names = [
            note.name for note in getattr(each, "__notes__", ()) if isinstance(note, AttributeValidationNote)
        ]
        keys = [getattr(fields(kind), name).metadata.get("key", name) for name in names]
        if isinstance(each, InvalidError):
            yield from each.at(keys[0])
        elif isinstance(each, ForbiddenExtraKeysError):
            place = getattr(kind, "PLACE", "a setting of this table")
            yield from (((key,), unknown(f"not {place}", key, keys_of(kind))) for key in each.extra_fields)
        elif isinstance(each, KeyError) and each.args == (*keys,):
            yield (), f"{keys[0]} is missing"
        else:  # a fault of ours, which has to be seen as one
            raise each


def package(runtime: str, value: object) -> str:
    """Return the package, which has to be one by the grammar of the runtime."""
    try:
        return parse_spec(RUNTIMES[runtime].ecosystem, string(value, '"…"')).text
    except SpecError as error:
        raise InvalidError(str(error)) from error


def alpine_packages(value: object) -> tuple[str, ...]:
    """Return the packages, each of which has to be one by apk's grammar."""
    return array(value, lambda each: package(_ALPINE, each))


def unless(problems: Sequence[Problem], value: _Value) -> _Value:
    """Return the value, or raise what is wrong in it."""
    if problems:
        raise InvalidError(below=problems)
    return value


def mistyped(value: object, expected: str, example: str) -> InvalidError:
    """Return the error of a value of another type than its place takes; `example` is one that fits."""
    what = wrong_type(value, expected)
    if not example:
        return InvalidError(what)

    def words(_: LineOf, path: KeyPath) -> str:
        key = path[-1]
        return f"{what}; write {example if isinstance(key, int) else f'{_key_path((key,))} = {example}'}"

    return InvalidError(what, below=[((), words)])


def wrong_type(value: object, expected: str) -> str:
    """Say what was found in the place of what is expected."""
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "an array",
        dict: "a table",
        JsonObject: "an object",
        type(None): "null",
    }
    return f"expected {expected}, found {names.get(type(value), 'a date or time')}"


def unknown(what: str, found: str, allowed: Iterable[str], listed: str = "allowed:") -> str:
    """Add to what is wrong what is allowed, and what may have been meant."""
    import difflib  # noqa: PLC0415 - only a mistake has use for it

    names = list(allowed)
    lowered = {name.lower(): name for name in names}
    synonyms = [each for each in _SYNONYMS.get(found.lower(), ()) if each in names]
    near = synonyms or difflib.get_close_matches(found.lower(), lowered, n=1)
    hint = f"did you mean {lowered[near[0]]}? " if near else ""
    shown = names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return f"{what} ({hint}{listed} {', '.join(shown)})"


def _section(path: KeyPath) -> str:
    """Say how a table is written; nothing of one that is an array's element."""
    named = path and not any(isinstance(key, int) for key in path)
    return f"; write [{_key_path(path)}], and its keys below it" if named else ""


def _key_path(path: KeyPath) -> str:
    """Write the path as TOML writes it, with quotes where a key needs them."""
    return "".join(
        f"[{key}]" if isinstance(key, int) else f".{key if re.fullmatch(_BARE_KEY, key) else ascii(key)}"
        for key in path
    ).removeprefix(".")


_ALPINE: Final = "bash"
"""The runtime whose packages are Alpine's."""
_CONTAINERS: Final[tuple[object, ...]] = (tuple, Mapping)
_TWICE: Final = r"Cannot (?:overwrite|declare|mutate|redefine)|Duplicate inline table key"
"""What tomli says of a key or a table that is there already."""
_BARE_KEY: Final = r"[A-Za-z0-9_-]+"
_SHOWN: Final = 20
"""How many names a message lists before it counts the rest."""
_SYNONYMS: Final = {
    **dict.fromkeys(("lang", "language", "kind"), ("runtime",)),
    **dict.fromkeys(("base", "from", "parent", "image"), ("extends", "images")),
    **dict.fromkeys(("deps", "modules", "pip", "npm", "require", "requires"), ("packages", "dependencies")),
    "dependencies": ("packages",),
    **dict.fromkeys(("apk", "apt", "alpine", "os"), ("system",)),
    **dict.fromkeys(("script", "run", "command", "entrypoint", "init"), ("setup",)),
}
"""What other files call the keys of this one."""
