"""Reads isol8.config.json, the file of isol8's own clients: what it asks for that is built here, and where.

The keys are those of packages/core/src/types.ts: `dependencies` up to v0.17, `prebuiltImages` since v0.18. As for the
clients, other keys don't matter, and null is as if it were not there.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import Factory, evolve, frozen

from isol8_tasks.config.images import NamedImage, name_problem, setup_script
from isol8_tasks.config.positions import line_in_json
from isol8_tasks.config.strict import (
    InvalidError,
    JsonObject,
    Problem,
    array,
    gather,
    package,
    parse_json,
    report,
    string,
    unknown,
    unless,
    wrong_type,
)
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.errors import ConfigError


@frozen(kw_only=True)
class ClientFile:
    """What the file asks for."""

    source: str
    """The file's name, for messages."""
    text: str
    dependencies: Mapping[str, Mapping[str, int]]
    """By runtime each package, in the order of the file, with its index there."""
    images: Mapping[str, Mapping[str, Any]]
    """Each image by its name, as a table [images.<name>] of deps.toml would have it."""
    numbers: Mapping[str, int]
    """Which element of prebuiltImages each of them is."""
    others: tuple[str, ...]
    """What of it is left out, and why, each with its place."""

    def place(self, *path: str | int) -> str:
        """Tell where something stands, as `isol8.config.json:4`."""
        return f"{self.source}:{line_in_json(self.text, path)}"

    def without(
        self,
        dependencies: Mapping[str, Iterable[str]],
        images: Mapping[str, NamedImage],
        place: Callable[[str], str | None],
    ) -> "ClientFile":
        """Return what it adds to packages and images that are asked for already, in whichever version.

        Another image of a name is told of; `place` tells where one is asked for.
        """
        added: dict[str, dict[str, int]] = {}
        for runtime, packages in self.dependencies.items():
            ecosystem = RUNTIMES[runtime].ecosystem
            names = {parse_spec(ecosystem, each).name for each in dependencies[runtime]}
            kept = {
                each: index
                for each, index in packages.items()
                if parse_spec(ecosystem, each).name not in names
            }
            added |= {runtime: kept} if kept else {}
        kept_images = {name: table for name, table in self.images.items() if name not in images}
        hidden = (
            f"{self.place('prebuiltImages', self.numbers[name])}: {_REPOSITORY}{name} is ignored: "
            f"{place(name)} declares an image of that name and takes precedence"
            for name, table in self.images.items()
            if name in images and not _is_same(table, images[name])
        )
        return evolve(self, dependencies=added, images=kept_images, others=(*self.others, *hidden))


def parse_client_file(text: str, source: str) -> ClientFile:
    """Read the file's text; a ConfigError names every problem in what is built here, one on a line."""
    text = text.removeprefix("\ufeff")
    found = parse_json(text, source, object_hook=JsonObject, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ConfigError(f"{source}: {wrong_type(found, 'an object')}")
    dependencies: Mapping[str, Mapping[str, int]] = {}
    elements: list[_Element] = []
    problems: list[Problem] = []
    with _noting(problems, "dependencies"):
        dependencies = _dependencies(_object(found.get("dependencies") or {}))
    with _noting(problems, "prebuiltImages"):
        elements = _elements(found.get("prebuiltImages") or [])
    if problems:
        raise ConfigError(report(problems, source, functools.partial(line_in_json, text)))
    # Of two with one name isol8's setup finds the second built already.
    images = {each.name: each for each in reversed(elements) if not each.left_out}
    return ClientFile(
        source=source,
        text=text,
        dependencies=dependencies,
        images={name: each.table for name, each in reversed(images.items())},
        numbers={name: each.number for name, each in images.items()},
        others=tuple(
            f"{source}:{line_in_json(text, ('prebuiltImages', each.number))}: {each.left_out}"
            for each in elements
            if each.left_out
        ),
    )


def _is_same(table: Mapping[str, Any], image: NamedImage) -> bool:
    return (table["runtime"], {*table.get("packages", ())}, table.get("setup", "")) == (
        image.parent,
        {*image.packages},
        image.setup,
    )


def _no_number(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


@frozen(kw_only=True)
class _Element:
    """An element of prebuiltImages."""

    number: int
    name: str = ""
    table: Mapping[str, Any] = Factory(dict)
    left_out: str = ""
    """Why it is not built here."""


@contextlib.contextmanager
def _noting(problems: list[Problem], key: str) -> Iterator[None]:
    """Add to the problems what is wrong with the value of a key."""
    try:
        yield
    except InvalidError as error:
        problems.extend(error.at(key))


def _object(value: object) -> dict[str, Any]:
    """Return the keys that have a value."""
    if not isinstance(value, dict):
        raise InvalidError(wrong_type(value, "an object"))
    return {key: found for key, found in value.items() if found is not None}


def _dependencies(found: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    def read(runtime: str, value: object) -> dict[str, int]:
        packages = _packages(runtime, runtime, value)
        return {each: packages.index(each) for each in packages}

    return gather(((runtime, found.get(runtime, [])) for runtime in RUNTIMES), read)


def _packages(key: str, runtime: str, value: object) -> tuple[str, ...]:
    return array(value, functools.partial(package, runtime), example=f'"{key}": ["…", "…"]')


def _elements(value: object) -> list[_Element]:
    if not isinstance(value, list):
        raise InvalidError(wrong_type(value, "an array of objects"))
    return [*gather(enumerate(value), lambda number, entry: _element(number, _object(entry))).values()]


def _element(number: int, entry: Mapping[str, Any]) -> _Element:
    problems: list[Problem] = [((), f"{key} is missing") for key in ("tag", "runtime") if key not in entry]
    tag = runtime = setup = ""
    packages: tuple[str, ...] = ()
    with _noting(problems, "tag"):
        tag = string(entry.get("tag", ""))
    with _noting(problems, "runtime"):
        runtime = string(entry.get("runtime", ""))
    if tag and (reason := _not_ours(tag, runtime)):
        return _Element(number=number, left_out=f"{tag!r} is not built here: {reason}")
    if runtime in RUNTIMES:
        with _noting(problems, "installPackages"):
            packages = _packages("installPackages", runtime, entry.get("installPackages", []))
    elif runtime:
        problems.append((("runtime",), unknown(f"{runtime!r} is not a runtime", runtime, RUNTIMES)))
    with _noting(problems, "setupScript"):
        setup = setup_script(entry.get("setupScript", ""))
    if not packages and not setup and not problems:
        reason = f"it has neither installPackages nor setupScript; use isol8:{runtime}"
        return _Element(number=number, left_out=f"{tag!r} is not built here: {reason}")
    table = {"runtime": runtime, "packages": list(packages), "setup": setup}
    name = tag.removeprefix(_REPOSITORY)
    return unless(
        problems, _Element(number=number, name=name, table={key: each for key, each in table.items() if each})
    )


def _not_ours(tag: str, runtime: str) -> str:
    """Say why an image that isol8 would build is none of ours, and what to do; empty where it is one."""
    if not tag.startswith(_REPOSITORY):
        return "it does not begin with isol8:"
    if runtime == _AGENT:
        return "the runtime agent is not supported"
    return name_problem(tag.removeprefix(_REPOSITORY)) or ""


_REPOSITORY: Final = "isol8:"
_AGENT: Final = "agent"
"""A runtime of isol8 since v0.19, which no image of this project is for."""
