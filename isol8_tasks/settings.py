"""Reads the tables [hold], [prune], [refresh], [push] and [verify] of deps.toml: how images are kept and checked."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from attrs import Factory, frozen

from isol8_tasks.checks import UserCheck
from isol8_tasks.reading import InvalidError, Problem, array, string, table, unknown, unless, wrong_type
from isol8_tasks.units import parse_duration, parse_size

_Value = TypeVar("_Value")

_DAY: Final = dt.timedelta(days=1)


@frozen(kw_only=True)
class HoldSettings:
    """The table [hold]: images that were rolled back."""

    max_age: dt.timedelta = 7 * _DAY
    """How long a hold lasts by itself."""


@frozen(kw_only=True)
class PruneSettings:
    """The table [prune]: what doit prune leaves."""

    previous_age: dt.timedelta = 7 * _DAY
    """How long an image that was replaced stays as `-previous`."""
    keep: int | None = None
    """How many bytes the builder's cache may take; None for as many as it likes."""


@frozen(kw_only=True)
class RefreshSettings:
    """The table [refresh]: what a nightly refresh takes for news."""

    max_age: dt.timedelta | None = None
    """How old an image may get before it is built anew, news or not; None for any age."""
    min_age: dt.timedelta = _DAY
    """How long a version has to be out before it is let in."""
    min_ages: Mapping[str, dt.timedelta] = Factory(dict)
    """The same for single packages, by their names."""
    notify: tuple[str, ...] = ()
    """A command that gets the report on its standard input; none unless there are words."""


@frozen(kw_only=True)
class PushSettings:
    """The table [push]: where promoted images go."""

    repository: str = ""
    """With its registry, as `registry.example/isol8`; empty for nowhere."""
    standins: bool = False
    """Push images on a stand-in as well."""


Checks = Mapping[str, tuple[UserCheck, ...]]
"""A user's own checks, by the name of the image."""


@frozen(kw_only=True)
class VerifySettings:
    """The table [verify]: what an image has to pass before it is promoted."""

    checks: Checks = Factory(dict)
    oldest_client: str = ""
    """The oldest release of isol8 that images have to work in, as `0.7.0`; empty for all."""


def read_hold(value: object, _: object) -> HoldSettings:
    """Read the table [hold]."""
    return _read(value, HoldSettings, {"max_age": _duration})


def read_prune(value: object, _: object) -> PruneSettings:
    """Read the table [prune]."""
    return _read(value, PruneSettings, {"previous_age": _duration, "keep": _size})


def read_refresh(value: object, _: object) -> RefreshSettings:
    """Read the table [refresh]."""
    readers: Mapping[str, Callable[[Any], object]] = {
        "max_age": _duration,
        "min_age": _age,
        "min_ages": _ages,
        "notify": _words,
    }
    return _read(value, RefreshSettings, readers)


def read_verify(value: object, _: object) -> VerifySettings:
    """Read the table [verify]: under each image's name one check, or an array of them, and the oldest client."""
    problems: list[Problem] = []
    checks: dict[str, tuple[UserCheck, ...]] = {}
    oldest = ""
    for name, found in table(value, "; write [verify.python], and command = … below it").items():
        if name == OLDEST_CLIENT and isinstance(found, str):
            oldest = found.removeprefix("v")
            if not re.fullmatch(_RELEASE, oldest):
                what = f'{found!r} is no release of isol8; write {OLDEST_CLIENT} = "0.7.0", or leave it out for all'
                problems.append(((name,), what))
            continue
        entries = found if isinstance(found, list) else [found]
        read = []
        for index, entry in enumerate(entries):
            try:
                read.append(_check(entry))
            except InvalidError as error:
                path = (name, index) if isinstance(found, list) else (name,)
                problems.extend(((*path, *below), what) for below, what in error.problems)
        checks[name] = tuple(read)
    return unless(problems, VerifySettings(checks=checks, oldest_client=oldest))


def _check(value: object) -> UserCheck:
    check = _read(
        value,
        UserCheck,
        {
            "command": lambda found: array("command", found, string),
            "exit": _exit,
            "output": _pattern,
            "timeout": lambda found: _duration(found, _LONGEST_CHECK).total_seconds(),
        },
        needed=("command",),
    )
    if not check.command:
        raise InvalidError(below=[(("command",), 'no words; write command = ["bash", "-c", "jq --version"]')])
    return check


def _read(
    value: object,
    kind: Callable[..., _Value],
    readers: Mapping[str, Callable[[Any], object]],
    needed: tuple[str, ...] = (),
) -> _Value:
    """Return the table as a value of that kind, each key by its reader; every problem in it is raised at once."""
    problems: list[Problem] = []
    known: dict[str, object] = {}
    found = table(value)
    for key, item in found.items():
        if key not in readers:
            problems.append(((key,), unknown("not a setting of this table", key, readers)))
            continue
        try:
            known[key] = readers[key](item)
        except InvalidError as error:
            problems.extend(error.at(key))
    problems += [((), f"{key} is missing") for key in needed if key not in found]
    return kind(**unless(problems, known))


def _duration(value: object, longest: dt.timedelta | None = None) -> dt.timedelta:
    text = string(value)
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise InvalidError(str(error)) from None
    if longest is not None and found > longest:
        raise InvalidError(f"{text!r} is more than an hour, and nothing is checked for longer")
    return found


def _age(value: object) -> dt.timedelta:
    """Return a duration, of which none is one too."""
    return dt.timedelta() if value in _NONE else _duration(value)


def _ages(value: object) -> Mapping[str, dt.timedelta]:
    problems: list[Problem] = []
    found: dict[str, dt.timedelta] = {}
    for name, age in table(value, '; write min_ages = { numpy = "3d" }').items():
        try:
            found[name] = _age(age)
        except InvalidError as error:
            problems.extend(error.at(name))
    return unless(problems, found)


def _words(value: object) -> tuple[str, ...]:
    words = array("notify", value, string)
    if not words:
        raise InvalidError(
            'no words; write notify = ["mail", "-s", "isol8", "me@example.org"], or leave it out'
        )
    return words


def _size(value: object) -> int:
    text = string(value)
    try:
        return parse_size(text)
    except ValueError as error:
        raise InvalidError(str(error)) from None


def _exit(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(wrong_type(value, "an integer"))
    if not 0 <= value <= _HIGHEST_EXIT:
        raise InvalidError(f"{value}, where an exit code from 0 to {_HIGHEST_EXIT} is expected")
    return value


def _pattern(value: object) -> str:
    text = string(value)
    try:
        re.compile(text)
    except re.error as error:
        raise InvalidError(f"{text!r} is not a regular expression: {error}") from None
    return text


OLDEST_CLIENT: Final = "oldest_client"
_RELEASE: Final = r"[0-9]+(?:\.[0-9]+){0,2}"
_HIGHEST_EXIT: Final = 255
_LONGEST_CHECK: Final = dt.timedelta(hours=1)
_NONE: Final = ("0", "0s", "0m", "0h", "0d", "0w")
