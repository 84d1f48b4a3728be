"""Reads the table [images] of deps.toml: images with names of their own, and what each of them is based on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

from attrs import Factory, evolve, field, frozen

from isol8_tasks.config.positions import KeyPath
from isol8_tasks.config.strict import (
    NO_KEY,
    InvalidError,
    LineOf,
    Problem,
    alpine_packages,
    array,
    keys_of,
    package,
    string,
    structured,
    table,
    unknown,
    unless,
)
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system
from isol8_tasks.safety.redact import redact
from isol8_tasks.values import ByValue


@frozen(kw_only=True, eq=False, repr=False)
class NamedImage(ByValue):
    """A table [images.<name>]: an image with a name of its own, on a base or on another one."""

    runtime: str
    """The runtime whose base image it is based on in the end."""
    parent: str
    """What it is based on: a runtime's name for the base image, or the name of another image."""
    packages: tuple[str, ...] = ()
    """Its own, in the order of the file and checked by the runtime's grammar."""
    file: str = ""
    """The file of another tool that lists more packages of its own, relative to deps.toml; empty for none."""
    system: tuple[str, ...] = ()
    """Its own Alpine packages."""
    build: tuple[str, ...] = ()
    """Alpine packages that are there while its own packages are compiled, and not in the image."""
    setup: str = ""
    """The script that isol8's clients run before each execution: its own, or else that of its parent."""


def read_images(value: object) -> Mapping[str, NamedImage]:
    """Read the table; the images come parents first, and otherwise in the order of the file."""
    problems: list[Problem] = []
    entries: dict[str, _Entry] = {}
    for name, found in table(value, _NO_TABLE).items():
        if what := name_problem(name):
            problems.append(((name,), what))
        try:
            entries[name] = _read_entry(table(found, _NO_TABLE))
        except InvalidError as error:
            entries[name] = _Entry(problems=error.problems)
        problems.extend(((name, *path), what) for path, what in entries[name].problems)
    runtimes, astray = _runtimes(entries)
    problems.extend(astray)
    images: dict[str, NamedImage] = {}
    for name, runtime in runtimes.items():
        try:
            images[name] = _image(runtime, entries[name], images)
        except InvalidError as error:
            problems.extend(error.at(name))
    return unless(problems, images)


def chain(names: Sequence[str]) -> str:
    """Return images that are based on one another as people write them, a long chain without its middle."""
    if len(names) > _LONGEST_CHAIN:
        middle = f"{len(names) - 2 * _ENDS} more"
        names = (*names[:_ENDS], middle, *names[-_ENDS:])
    return " → ".join(names)


def setup_script(value: object, example: str = "") -> str:
    """Return the script, which has to be fit for a label."""
    text = string(value, example)
    if found := re.search(_CONTROL, text):
        raise InvalidError(
            f"a control character ({found[0]!r} at character {found.start() + 1}), which a script must not contain"
        )
    if len(text.encode()) > _LONGEST_SETUP:
        raise InvalidError(
            f"{len(text.encode())} bytes, more than the {_LONGEST_SETUP} that fit in a label; "
            "install what it needs as packages"
        )
    if redact(text) != text:
        raise InvalidError("contains a user name, password or token, and is written into a label; remove it")
    # As TOML reads a line end inside of a string.
    return text.replace("\r\n", "\n")


def _runtime(value: object) -> str:
    name = string(value, '"python"')
    if name not in RUNTIMES:
        what = unknown(f"{name!r} is not a runtime", name, RUNTIMES)
        raise InvalidError(what + "; to build on another image, write extends")
    return name


def list_path(runtime: str, value: object) -> str:
    """Return the name of a file that lists packages of a runtime, as `python_file` has it."""
    from isol8_tasks.config.listed import reads_lists, usual_name  # noqa: PLC0415 - few files name one

    if not reads_lists(runtime):
        raise InvalidError(f'no file is read for {runtime}; write its packages as {runtime} = ["…"]')
    path = string(value, f'"{usual_name(runtime)}"')
    if not path or not path.isprintable():
        raise InvalidError(f"{path!r} is not the name of a file")
    return path


@frozen(kw_only=True, eq=False)
class _Entry:
    """An image's table, before it is known which is based on which: the keys that can be understood."""

    PLACE: ClassVar = "a setting of an image"
    runtime: Annotated[str | None, _runtime] = None
    extends: Annotated[str | None, lambda value: string(value, '"…"')] = None
    packages: Any = Factory(list)
    system: Annotated[tuple[str, ...], alpine_packages] = ()
    build: Annotated[tuple[str, ...], alpine_packages] = ()
    setup: Annotated[str | None, lambda value: setup_script(value, '"…"')] = None
    python_file: Annotated[str, lambda value: list_path("python", value)] = ""
    node_file: Annotated[str, lambda value: list_path("node", value)] = ""
    bun_file: Annotated[str, lambda value: list_path("bun", value)] = ""
    problems: tuple[Problem, ...] = field(default=(), metadata=NO_KEY)

    @property
    def parent(self) -> str | None:
        """What it is based on; None where the table does not say it in a way that can be understood."""
        return self.extends if self.runtime is None else self.runtime

    def file_for(self, runtime: str) -> str:
        """Return the file with packages of a runtime; empty where there is none."""
        return str(getattr(self, f"{runtime}_file", ""))


SETTINGS: Final = keys_of(_Entry)
"""The keys of an image's table."""


def _read_entry(found: Mapping[str, Any]) -> _Entry:
    problems: list[Problem] = []
    if {"runtime", "extends"} <= found.keys():
        found = {key: each for key, each in found.items() if key not in {"runtime", "extends"}}
        problems.append((("extends",), "can't be combined with runtime; remove one of them"))
    elif {"runtime", "extends"}.isdisjoint(found) and found.keys() <= {*SETTINGS}:
        what = 'no parent is given; write runtime = "python", or extends = "…" to build on another image'
        problems.append(((), what))
    try:
        entry = structured(found, _Entry)
    except InvalidError as error:
        problems += error.problems
        wrong = {path[0] for path, _ in error.problems}
        entry = structured({key: each for key, each in found.items() if key not in wrong}, _Entry)
    return evolve(entry, problems=tuple(problems))


def _runtimes(entries: Mapping[str, _Entry]) -> tuple[dict[str, str], list[Problem]]:
    """Return the runtime of each image whose chain leads to one, parents first, and what is wrong with the others."""
    runtimes: dict[str, str] = {}
    problems: list[Problem] = []
    seen: set[str] = set()
    for first in entries:
        path: dict[str, None] = {}
        at: str | None = first
        while at is not None and at not in RUNTIMES and at in entries and at not in seen:
            seen.add(at)
            path[at] = None
            at = entries[at].parent
        runtime = at if at in RUNTIMES else runtimes.get(at or "")
        if runtime:
            runtimes.update(dict.fromkeys(reversed(path), runtime))
        elif at is not None and at in path:
            names = list(path)
            problems.append(_circle([*names[names.index(at) :], at]))
        elif at is not None and at not in entries:
            problems.append(_missing([*path, at], entries))
    return runtimes, problems


def _circle(names: list[str]) -> Problem:
    def what(line_of: LineOf, _: KeyPath) -> str:
        circle = chain(_with_lines(names[:-1], line_of) + names[-1:])
        return f"cycle: {circle}; every `extends` chain must end at a runtime"

    return (names[0], "extends"), what


def _missing(names: list[str], entries: Mapping[str, _Entry]) -> Problem:
    *images, name = names
    allowed = [*RUNTIMES, *(each for each in entries if each != images[-1])]
    words = unknown(f"{name!r} is neither a runtime nor an image of this file", name, allowed)

    def what(line_of: LineOf, _: KeyPath) -> str:
        needed = chain([*_with_lines(images, line_of), name])
        return f"{words}; needed by {needed}" if len(images) > 1 else words

    return (images[-1], "extends"), what


def _with_lines(names: Sequence[str], line_of: LineOf) -> list[str]:
    return [f"{name} (line {line_of(('images', name))})" for name in names]


def _image(runtime: str, entry: _Entry, made: Mapping[str, NamedImage]) -> NamedImage:
    parent = entry.parent or runtime
    try:
        packages = array(entry.packages, lambda value: package(runtime, value))
    except InvalidError as error:
        raise InvalidError(below=error.at("packages")) from None
    if problems := [*_alpine_problems(runtime, entry, packages), *_of_other_runtimes(runtime, entry)]:
        raise InvalidError(below=problems)
    file = entry.file_for(runtime)
    content = packages or entry.system or entry.setup or file
    if parent in RUNTIMES and not content and not entry.problems:
        raise InvalidError(same_as(runtime))
    inherited = made[parent].setup if parent in made else ""
    setup = inherited if entry.setup is None else entry.setup
    return NamedImage(
        runtime=runtime,
        parent=parent,
        packages=packages,
        file=file,
        system=entry.system,
        build=entry.build,
        setup=setup,
    )


def same_as(runtime: str) -> str:
    """Say that an image would add nothing to a base image."""
    return (
        f"neither packages nor system nor setup, so it would be the same as isol8:{runtime}; "
        'write packages = ["…"], or remove the table'
    )


def _of_other_runtimes(runtime: str, entry: _Entry) -> Iterator[Problem]:
    """Tell of files with packages that an image's runtime has no use for."""
    for other in RUNTIMES:
        if other != runtime and entry.file_for(other):
            yield (f"{other}_file",), f"its runtime is {runtime}; {_file_or_packages(runtime)}"


def _file_or_packages(runtime: str) -> str:
    from isol8_tasks.config.listed import reads_lists  # noqa: PLC0415 - only a mistake has use for it

    return f"write {runtime}_file" if reads_lists(runtime) else 'write packages = ["…"]'


def _alpine_problems(runtime: str, entry: _Entry, packages: tuple[str, ...]) -> Iterator[Problem]:
    """Tell of Alpine packages that have no meaning for an image."""
    if entry.system and (problem := needs_no_system(runtime)):
        yield ("system",), f"{problem}; write them in packages"
    if entry.build and not RUNTIMES[runtime].compiles:
        yield ("build",), f"nothing is compiled for {runtime}; remove it, or write system for what is to stay"
    elif entry.build and not packages and not entry.file_for(runtime):
        yield ("build",), "no packages are compiled in this image; write packages beside it, or remove it"


def name_problem(name: str) -> str | None:
    """Tell why an image can't have the name; None if it can."""
    if not re.fullmatch(_NAME, name):
        return (
            "not a name for an image, as it becomes a tag (letters, digits, _ . and -, "
            f"neither . nor - first, at most {_LONGEST_NAME} characters)"
        )
    if name in RUNTIMES:
        return f"the name of a base image; choose another, or write its packages under [dependencies] {name}"
    if name.removesuffix(_CUSTOM) in RUNTIMES:
        runtime = name.removesuffix(_CUSTOM)
        return f"the name of a custom image; write its packages under [dependencies] {runtime} in deps.toml"
    if re.search(_RESERVED, name):
        return (
            "a reserved name (names that contain -custom or -held, "
            "or end in -previous, -rejected, -candidate or -pushing)"
        )
    return None


_NO_TABLE: Final = "; each image has its own table, such as [images.ml]"
# Docker's 128, less what is appended for private tags.
_LONGEST_NAME: Final = 118
_NAME: Final = rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{_LONGEST_NAME - 1}}}"
_CUSTOM: Final = "-custom"
_RESERVED: Final = r"-custom|-held|-(?:previous|rejected|candidate|pushing)\Z"
_CONTROL: Final = r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"
"""Also halves of a character, which only JSON can hold."""
_LONGEST_SETUP: Final = 16_384
"""Bytes; every listing of the engine's images carries all labels."""
_LONGEST_CHAIN: Final = 12
_ENDS: Final = 4
"""How many images of a long chain are shown at either end."""
