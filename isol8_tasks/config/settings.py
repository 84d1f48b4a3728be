"""Reads the tables [clients], [filter], [hold], [prune], [refresh], [push] and [verify] of deps.toml."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from attrs import Factory, evolve, frozen

from isol8_tasks.config.checks import UserCheck
from isol8_tasks.config.releases import BUILD_HASH_BY_RELEASE, NEWEST, OLDEST
from isol8_tasks.config.strict import (
    InvalidError,
    Problem,
    array,
    flag,
    string,
    table,
    unknown,
    unless,
    wrong_type,
)
from isol8_tasks.config.units import parse_duration, parse_size

_Value = TypeVar("_Value")
_Ordered = TypeVar("_Ordered", int, str)

_DAY: Final = dt.timedelta(days=1)


@frozen(kw_only=True)
class ClientSettings:
    """The table [clients]: which of isol8's clients the images are for."""

    release: str = NEWEST
    """The release whose `setup` leaves the bases alone, or the 64 hex digits that it writes on its own."""

    @property
    def build_hash(self) -> str:
        """What that release's `setup` looks for in the label of a base."""
        return BUILD_HASH_BY_RELEASE.get(self.release, self.release)


@frozen(kw_only=True)
class FilterSettings:
    """The table [filter]: what the network filter of every image allows beyond its defaults."""

    allow_nets: tuple[str, ...] = ()
    """Networks that are not public and may be reached all the same; sorted and unique."""
    allow_ports: tuple[int, ...] = ()
    """Ports beside 80 and 443, which are none of these; sorted and unique."""
    strict: bool = False
    """A pattern has to match the whole host."""

    @property
    def values(self) -> Mapping[str, str]:
        """The keys that say something else than the defaults, each with its value as text."""
        found = {
            "allow_nets": ",".join(self.allow_nets),
            "allow_ports": ",".join(map(str, self.allow_ports)),
            "strict": "1" if self.strict else "",
        }
        return {key: text for key, text in found.items() if text}

    @property
    def environment(self) -> Mapping[str, str]:
        """The same as variables of the network filter."""
        return {FILTER_VARIABLES[key]: text for key, text in self.values.items()}


FILTER_VARIABLES: Final = {
    "allow_nets": "ISOL8_ALLOW_NETS",
    "allow_ports": "ISOL8_ALLOW_PORTS",
    "strict": "ISOL8_PROXY_STRICT",
}
"""By the keys of [filter]; docker/filter/settings.go reads them."""


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
    """How many bytes the build cache may take; None for as many as it likes."""


@frozen(kw_only=True)
class RefreshSettings:
    """The table [refresh]: what a nightly refresh takes for news."""

    max_age: dt.timedelta | None = None
    """How old an image may get before it is rebuilt, news or not; None for any age."""
    min_age: dt.timedelta = _DAY
    """How long a version has to be out before it is accepted."""
    min_ages: Mapping[str, dt.timedelta] = Factory(dict)
    """The same for single packages, by their names."""
    is_written: bool = False
    """deps.toml says one of both itself."""
    notify: tuple[str, ...] = ()
    """A command that gets the report on its standard input; none unless there are words."""

    @property
    def limits_every_build(self) -> bool:
        """Tell whether builds keep to the ages as well, which costs each of them a look at its package source."""
        return self.is_written and any((self.min_age, *self.min_ages.values()))


@frozen(kw_only=True)
class PushSettings:
    """The table [push]: where promoted images go."""

    repository: str = ""
    """With its registry, as `registry.example/isol8`; empty for nowhere."""
    standins: bool = False
    """Push images on a stand-in as well."""
    credentials: bool = False
    """Push images with credentials in them as well, for everyone who may pull them to read."""


Checks = Mapping[str, tuple[UserCheck, ...]]
"""A user's own checks, by the name of the image."""


def read_clients(value: object, _: object) -> ClientSettings:
    """Read the table [clients]."""
    return _read(value, ClientSettings, {"release": _release})


def read_filter(value: object, _: object) -> FilterSettings:
    """Read the table [filter]."""
    readers: Mapping[str, Callable[[Any], object]] = {
        "allow_nets": lambda found: _sorted(
            array("allow_nets", found, _network, example='allow_nets = ["10.0.0.0/8"]')
        ),
        "allow_ports": lambda found: _sorted(
            port
            for port in array("allow_ports", found, _port, of="integers", example="allow_ports = [8080]")
            if port not in _ALLOWED_PORTS
        ),
        "strict": flag,
    }
    return _read(value, FilterSettings, readers)


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
    found = _read(value, RefreshSettings, readers)
    return evolve(found, is_written=not {"min_age", "min_ages"}.isdisjoint(table(value)))


def read_verify(value: object, _: object) -> VerifySettings:
    """Read the table [verify]: under each image's name one check, or an array of them, and the oldest client."""
    problems: list[Problem] = []
    checks: dict[str, tuple[UserCheck, ...]] = {}
    oldest = ""
    for name, found in table(value, "; write [verify.python], and command = … below it").items():
        if name == OLDEST_CLIENT and isinstance(found, str):
            oldest = found.removeprefix("v")
            if not re.fullmatch(_RELEASE, oldest):
                what = f'{found!r} is not a release of isol8; write {OLDEST_CLIENT} = "0.7.0", or omit it for all'
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
        raise InvalidError(below=[(("command",), 'is empty; write command = ["bash", "-c", "jq --version"]')])
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
        raise InvalidError(f"{text!r} exceeds the maximum of 1h")
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
        raise InvalidError('is empty; write notify = ["mail", "-s", "isol8", "me@example.org"], or omit it')
    return words


def _release(value: object) -> str:
    text = string(value)
    release = text.removeprefix("v")
    if release in BUILD_HASH_BY_RELEASE or re.fullmatch(r"[0-9a-f]{64}", text):
        return release
    raise InvalidError(
        f"{text!r} is not a known release of isol8 ({OLDEST} to {NEWEST}); for a "
        "later one, write the 64 digits of the label org.isol8.build.hash that its own setup gives a base image"
    )


def _network(value: object) -> str:
    """Return a network as it is written, if the filter takes it."""
    # Here, since few files have one.
    import ipaddress  # noqa: PLC0415

    text = string(value)
    if not re.fullmatch(r"[0-9A-Fa-f:.]+/[0-9]{1,3}", text):
        raise InvalidError(f"{text!r} {_NO_NETWORK}")
    try:
        ipaddress.ip_network(text)
    except ValueError:
        try:
            whole = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise InvalidError(f"{text!r} {_NO_NETWORK}") from None
        raise InvalidError(f"{text!r} has host bits set; the network is {whole}") from None
    return text


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(wrong_type(value, "an integer"))
    if not 1 <= value <= _HIGHEST_PORT:
        raise InvalidError(f"expected a port from 1 to {_HIGHEST_PORT}, found {value}")
    return value


def _sorted(values: Iterable[_Ordered]) -> tuple[_Ordered, ...]:
    return tuple(sorted(set(values)))


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
        raise InvalidError(f"expected an exit code from 0 to {_HIGHEST_EXIT}, found {value}")
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
_HIGHEST_PORT: Final = 65_535
_ALLOWED_PORTS: Final = (80, 443)
"""Those that the filter lets through whatever it is told."""
_NO_NETWORK: Final = "is not a network like 10.0.0.0/8 or fd00::/8"
_LONGEST_CHECK: Final = dt.timedelta(hours=1)
_NONE: Final = ("0", "0s", "0m", "0h", "0d", "0w")
