"""Reads deps.toml into values; the only owner of its keys, and every problem in it is told at once."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

from attrs import Factory, evolve, field, fields, frozen

from isol8_tasks.errors import ConfigError
from isol8_tasks.packages import SpecError, parse_spec
from isol8_tasks.positions import KeyPath, line_of
from isol8_tasks.runtimes import RUNTIMES

if TYPE_CHECKING:
    from cattrs import Converter

_Value = TypeVar("_Value")

Builder = Literal["auto", "buildkit", "buildx", "classic"]
"""The engine's own BuildKit, docker's buildx or the engine's old builder; `auto` is the first that works."""


@frozen(kw_only=True)
class BuildSettings:
    """The table [build]: how images are built, whatever is in them."""

    repository: str = "isol8"
    """What stands before the colon of every tag."""
    builder: Builder = "auto"
    args: Mapping[str, str] = Factory(dict)
    """Build arguments for the Dockerfile, by name."""
    jobs: int | None = None
    """How many images are built side by side; None for as many as there are processors."""


def _no_packages() -> Mapping[str, tuple[str, ...]]:
    return dict.fromkeys(RUNTIMES, ())


@frozen(kw_only=True)
class Config:
    """What deps.toml says."""

    dependencies: Mapping[str, tuple[str, ...]] = Factory(_no_packages)
    """The packages of every runtime, in the order of the file and checked by their ecosystem's grammar."""
    build: BuildSettings = BuildSettings()
    source: str = field(default="deps.toml", eq=False)
    """The file's name, for messages."""
    text: str = field(default="", eq=False, repr=False)
    """The file's text, kept to find lines in it."""

    def place(self, runtime: str, package: str) -> str | None:
        """Tell where the package stands, as `deps.toml:4`; None if the file doesn't ask for it."""
        packages = self.dependencies[runtime]
        if package not in packages:
            return None
        return f"{self.source}:{line_of(self.text, ('dependencies', runtime, packages.index(package)))}"


def parse_config(text: str, source: str) -> Config:
    """Read the text of deps.toml; a ConfigError names every problem in it, one on a line."""
    # An editor's byte order mark is no statement of TOML's.
    text = text.removeprefix("\ufeff")
    table = _parse_toml(text, source)
    # Here, since only who reads a configuration should pay for the import.
    from cattrs import BaseValidationError  # noqa: PLC0415

    try:
        config = _converter().structure(table, Config)
    except BaseValidationError as error:
        raise ConfigError(_report(text, source, _problems(error, ()))) from None
    return evolve(config, source=source, text=text)


class _InvalidError(ValueError):
    """A value is wrong, in one place or several; becomes a line each of a ConfigError."""

    def __init__(self, what: str = "", *, below: Iterable[tuple[KeyPath, str]] = ()) -> None:
        super().__init__(what)
        self.problems = tuple(below) or (((), what),)
        """Where it is inside the value, and what is wrong there."""

    def at(self, key: str | int) -> Iterator[tuple[KeyPath, str]]:
        """Give the problems as seen from the container in which the value has this key."""
        return (((key, *path), what) for path, what in self.problems)


def _parse_toml(text: str, source: str) -> dict[str, Any]:
    import tomli  # noqa: PLC0415 - as cattrs above

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(
            f"{source}:{error.lineno}:{error.colno}: not TOML: {error.msg}; "
            'tables, keys and values look like [dependencies], python = ["numpy", "pandas"]'
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not a TOML file that can be read: {error}") from error


def _report(text: str, source: str, problems: Iterable[tuple[KeyPath, str]]) -> str:
    located = sorted((line_of(text, path) or 0, _key_path(path), what) for path, what in problems)
    return "\n".join(f"{source}{f':{line}' if line else ''}: {path}: {what}" for line, path, what in located)


def _key_path(path: KeyPath) -> str:
    """Write the path as TOML writes it, with quotes where a key needs them."""
    return "".join(
        f"[{key}]" if isinstance(key, int) else f".{key if re.fullmatch(_BARE_KEY, key) else ascii(key)}"
        for key in path
    ).removeprefix(".")


def _problems(error: BaseException, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Flatten what cattrs gathered to key paths and what is wrong there."""
    from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError  # noqa: PLC0415 - as above

    if isinstance(error, _InvalidError):
        for below, what in error.problems:
            yield (*path, *below), what
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in error.extra_fields:
            yield (*path, key), _unknown_key(key, path)
    elif isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            names = [
                note.name
                for note in getattr(each, "__notes__", ())
                if isinstance(note, AttributeValidationNote)
            ]
            yield from _problems(each, (*path, *names))
    else:  # a fault of this module's, which has to be seen as one
        raise error


@functools.cache
def _converter() -> "Converter":
    """Make the converter: how each key is read is said here, and a table more is a line more."""
    from cattrs import Converter  # noqa: PLC0415 - as above
    from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415 - as above

    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    read_build = make_dict_structure_fn(
        BuildSettings,
        converter,
        repository=override(struct_hook=_read_repository),
        builder=override(struct_hook=_read_builder),
        args=override(struct_hook=_read_args),
        jobs=override(struct_hook=_read_jobs),
    )
    read_config = make_dict_structure_fn(
        Config,
        converter,
        dependencies=override(struct_hook=_read_dependencies),
        build=override(struct_hook=lambda value, kind: read_build(_table(value), kind)),
        source=override(omit=True),
        text=override(omit=True),
    )
    converter.register_structure_hook(Config, read_config)
    return converter


def _read_dependencies(value: object, _: object) -> Mapping[str, tuple[str, ...]]:
    table = _table(value)
    problems: list[tuple[KeyPath, str]] = []
    packages = dict(_no_packages())
    for key, array in table.items():
        if key not in RUNTIMES:
            problems.append(((key,), _unknown("not a runtime", key, RUNTIMES)))
            continue
        try:
            packages[key] = _read_array(key, array, functools.partial(_read_package, RUNTIMES[key].ecosystem))
        except _InvalidError as error:
            problems.extend(error.at(key))
    return _unless(problems, packages)


def _read_array(key: str, value: object, read: Callable[[object], str]) -> tuple[str, ...]:
    if not isinstance(value, list):
        hint = f'; write {key} = ["…", "…"]'
        raise _InvalidError(_wrong_type(value, "an array of strings") + hint)
    problems: list[tuple[KeyPath, str]] = []
    items = []
    for index, item in enumerate(value):
        try:
            items.append(read(item))
        except _InvalidError as error:
            problems.extend(error.at(index))
    return _unless(problems, tuple(items))


def _read_package(ecosystem: str, value: object) -> str:
    try:
        return parse_spec(ecosystem, _string(value)).text
    except SpecError as error:
        raise _InvalidError(str(error)) from error


def _read_repository(value: object, _: object) -> str:
    name = _string(value)
    host, slash, path = name.partition("/")
    # Docker takes what stands before the first slash for a registry only if it can't be a folder.
    if not slash or not (re.fullmatch(_REGISTRY, host) and re.search(r"[.:]|^localhost$", host)):
        path = name
    if not all(re.fullmatch(_REPOSITORY_PART, part) for part in path.split("/")):
        raise _InvalidError(
            f"{name!r} is not the name of a repository (small letters and digits, with . _ - and / between "
            "them, and no tag; for example isol8 or registry.example:5000/team/isol8)"
        )
    if len(name) > _LONGEST_REPOSITORY or name == "scratch" or re.fullmatch(r"[0-9a-f]{64}", name):
        raise _InvalidError(f"{name!r} is a name that Docker takes for no repository")
    return name


def _read_builder(value: object, _: object) -> str:
    builder = _string(value)
    if builder not in get_args(Builder):
        raise _InvalidError(_unknown(f"{builder!r} is not a builder", builder, get_args(Builder)))
    return builder


def _read_args(value: object, _: object) -> Mapping[str, str]:
    table = _table(value)
    problems = [
        ((name,), what) for name, argument in table.items() for what in _argument_problems(name, argument)
    ]
    return _unless(problems, dict(sorted(table.items())))


def _argument_problems(name: str, argument: object) -> Iterator[str]:
    """Tell what is wrong without the value, which may hold a credential."""
    if not re.fullmatch(_ARGUMENT_NAME, name):
        yield "not a name for a build argument (letters, digits and _, no digit first)"
    if isinstance(argument, bool | int | float):
        # Not as it would look in them, since TOML's 3.10 has become 3.1 here.
        yield f"{_wrong_type(argument, 'a string')}; put it in quotes"
    elif not isinstance(argument, str):
        yield _wrong_type(argument, "a string")
    elif "\0" in argument:
        yield "a text with a NUL character, which no environment can hold"


def _read_jobs(value: object, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _InvalidError(_wrong_type(value, "an integer from 1"))
    if value < 1:
        raise _InvalidError(
            f"{value}, where an integer from 1 is expected; leave it out to use every processor"
        )
    return value


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _InvalidError(_wrong_type(value, "a table"))
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _InvalidError(_wrong_type(value, "a string"))
    return value


def _unless(problems: Sequence[tuple[KeyPath, str]], value: _Value) -> _Value:
    if problems:
        raise _InvalidError(below=problems)
    return value


def _wrong_type(value: object, expected: str) -> str:
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "an array",
        dict: "a table",
    }
    return f"{names.get(type(value), 'a date or time')}, where {expected} is expected"


def _unknown_key(key: str, path: KeyPath) -> str:
    """Say what may stand at the place of a key that isn't known there, or where the key may stand."""
    tables = {"dependencies": [*RUNTIMES], "build": [each.name for each in fields(BuildSettings)]}
    if path:
        return _unknown(f"not a setting of [{path[0]}]", key, tables[str(path[0])])
    for table, keys in tables.items():
        if key in keys:
            return f"not at the top of the file; it belongs under [{table}]"
    return _unknown("not a table of this file", key, tables)


def _unknown(what: str, found: str, allowed: Iterable[str]) -> str:
    """Add to what is wrong what is allowed, and what may have been meant."""
    import difflib  # noqa: PLC0415 - only a mistake has use for it

    near = difflib.get_close_matches(found.lower(), allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{what} ({hint}allowed: {', '.join(allowed)})"


_BARE_KEY: Final = r"[A-Za-z0-9_-]+"
_ARGUMENT_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_REGISTRY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_REPOSITORY_PART: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# Docker's 255, less what is appended for private tags.
_LONGEST_REPOSITORY: Final = 240
