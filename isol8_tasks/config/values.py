"""The single values of deps.toml, each as a type with its reader: durations, sizes, releases, networks, names."""

import datetime as dt
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, get_args

from isol8_tasks.config.releases import BUILD_HASH_BY_RELEASE, NEWEST, OLDEST
from isol8_tasks.config.strict import (
    InvalidError,
    Problem,
    array,
    gather,
    mistyped,
    string,
    table,
    unknown,
    unless,
    wrong_type,
)
from isol8_tasks.config.units import parse_duration, parse_size
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS
from isol8_tasks.ecosystems.specs import SpecError, parse_spec

if TYPE_CHECKING:
    from isol8_tasks.config.secret_list import Secret
else:
    # cattrs looks the name up; who has no secrets should not pay for the module.
    Secret = object

_Value = TypeVar("_Value")

PLATFORMS: Final = ("linux/amd64", "linux/arm64")
"""Those that all upstream images and runtimes exist for."""
ARGUMENT_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
"""Of a build argument."""


def _parsed(parse: Callable[[str], _Value], example: str) -> Callable[[object], _Value]:
    def read(value: object) -> _Value:
        text = string(value, example)
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidError(str(error)) from None

    return read


def _between(lowest: int, highest: int, what: str, example: str) -> Callable[[object], int]:
    def read(value: object) -> int:
        found = _integer(value, example)
        if not lowest <= found <= highest:
            raise InvalidError(f"expected {what} from {lowest} to {highest}, found {found}")
        return found

    return read


def _words(form: str) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        words = array(value, lambda word: string(word, '"…"'))
        if not words:
            raise InvalidError(f"is empty; write {form}")
        return words

    return read


_duration = _parsed(parse_duration, '"7d"')
_seconds = _parsed(parse_duration, '"30s"')


def _age(value: object) -> dt.timedelta:
    """Return a duration, of which none is one too."""
    return dt.timedelta() if value in _NONE else _duration(value)


def _ages(value: object) -> Mapping[str, dt.timedelta]:
    return gather(table(value, '; write min_ages = { numpy = "3d" }').items(), lambda _, age: _age(age))


def timeout(value: object) -> float:
    """Return how many seconds something in a container may take."""
    found = _seconds(value)
    if found > _LONGEST_CHECK:
        raise InvalidError(f"{value!r} exceeds the maximum of 1h")
    return found.total_seconds()


def _integer(value: object, example: str, expected: str = "an integer") -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise mistyped(value, expected, example)
    return value


def _jobs(value: object) -> int:
    jobs = _integer(value, "4", "an integer from 1")
    if jobs < 1:
        raise InvalidError(f"expected an integer from 1, found {jobs}; omit it to use every processor")
    return jobs


def _ports(value: object) -> tuple[int, ...]:
    found = array(value, _between(1, 65_535, "a port", "8080"), of="integers", example="allow_ports = [8080]")
    return tuple(sorted({*found} - _ALLOWED_PORTS))


def _networks(value: object) -> tuple[str, ...]:
    return tuple(sorted({*array(value, _network, example='allow_nets = ["10.0.0.0/8"]')}))


def _network(value: object) -> str:
    """Return a network as it is written, if the filter takes it."""
    # Here, since few files have one.
    import ipaddress  # noqa: PLC0415

    text = string(value, '"10.0.0.0/8"')
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


def _client_release(value: object) -> str:
    text = string(value, f'"{NEWEST}"')
    release = text.removeprefix("v")
    if release in BUILD_HASH_BY_RELEASE or re.fullmatch(r"[0-9a-f]{64}", text):
        return release
    raise InvalidError(
        f"{text!r} is not a known release of isol8 ({OLDEST} to {NEWEST}); for a "
        "later one, write the 64 digits of the label org.isol8.build.hash that its own setup gives a base image"
    )


def oldest_client(value: object) -> str:
    """Return the oldest release of isol8 that images have to work in."""
    release = string(value, '"0.7.0"').removeprefix("v")
    if not re.fullmatch(_RELEASE, release):
        raise InvalidError(
            f'{release!r} is not a release of isol8; write oldest_client = "0.7.0", or omit it for all'
        )
    return release


def skipped(value: object) -> tuple[str, ...]:
    """Return the names of packages that are not verified."""
    return array(value, _name)


def _name(value: object) -> str:
    text = string(value, '"graphene-django"')
    for ecosystem in ECOSYSTEMS:
        try:
            if not parse_spec(ecosystem, text).constraint:
                return text
        except SpecError:
            continue
    raise InvalidError(
        f'{text!r} is not the name of a package; write it alone, without a version: "requests"'
    )


def _pattern(value: object) -> str:
    text = string(value, '"…"')
    shown = repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…")
    if text.count("(") > _MOST_GROUPS:
        # How deep they may be nested would else depend on who reads the file.
        raise InvalidError(f"{shown} has more than {_MOST_GROUPS} opening parentheses; simplify it")
    try:
        with warnings.catch_warnings():
            # Python warns of what later versions may read in another way.
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidError(f"{shown} is not a regular expression: {error}") from None
    return text


def _repository(value: object, example: str = '"isol8"') -> str:
    name = string(value, example)
    host, slash, path = name.partition("/")
    # Docker takes what stands before the first slash for a registry only if it can't be a folder.
    if not slash or not (re.fullmatch(_REGISTRY, host) and re.search(r"[.:]|^localhost$", host)):
        path = name
    if not all(re.fullmatch(_REPOSITORY_PART, part) for part in path.split("/")):
        raise InvalidError(
            f"{name!r} is not a repository name (lower-case letters and digits, with . _ - and / between "
            "them, and no tag; for example isol8 or registry.example:5000/team/isol8)"
        )
    if len(name) > _LONGEST_REPOSITORY or name == "scratch" or re.fullmatch(r"[0-9a-f]{64}", name):
        raise InvalidError(f"{name!r} is a name that Docker does not accept for a repository")
    return name


def _remote_repository(value: object) -> str:
    name = _repository(value, '"registry.example/isol8"')
    if "/" not in name:
        raise InvalidError(
            f"{name!r} has no registry before the first slash; write for example registry.example/{name}"
        )
    return name


def _file_name(value: object) -> str:
    name = string(value, '"images.html"')
    if not name.strip() or not name.isprintable() or name.endswith("/"):
        raise InvalidError(f'{name!r} is not the name of a file; write for example "images.html"')
    return name


def _builder(value: object) -> str:
    builder = string(value, '"auto"')
    if builder not in get_args(Builder):
        raise InvalidError(unknown(f"{builder!r} is not a builder", builder, get_args(Builder)))
    return builder


def buildx_name(value: object) -> str:
    """Read the name of a builder of docker buildx; InvalidError for what it would not take (buildx, store/util.go)."""
    name = string(value, '"NAME"')
    if not re.fullmatch(_BUILDX_NAME, name):
        raise InvalidError(f"{name!r} is not the name of a builder; docker buildx ls lists them")
    return name


def _platforms(value: object) -> tuple[str, ...]:
    found = array(value, _platform, of="platforms", example='platforms = ["linux/arm64"]')
    if len({*found}) < len(found):
        raise InvalidError(f"{next(each for each in found if found.count(each) > 1)} is listed twice")
    if not found:
        raise InvalidError(
            'lists no platform; write platforms = ["linux/arm64"], or remove the line to build for the engine\'s own'
        )
    return found


def _platform(value: object) -> str:
    text = string(value, '"linux/arm64"')
    if text not in PLATFORMS:
        processor = text.lower().rpartition("/")[2] if text.count("/") < 2 else ""  # noqa: PLR2004 - none with a variant
        meant = f"linux/{_PROCESSORS.get(processor, processor)}"
        hint = f'write "{meant}"' if meant in PLATFORMS else f"allowed: {', '.join(PLATFORMS)}"
        raise InvalidError(f"{text!r} is not a platform that images can be built for; {hint}")
    return text


def _arguments(value: object) -> Mapping[str, str]:
    arguments: Mapping[str, Any] = table(value, '; write args = { NAME = "value" }')
    problems: list[Problem] = [
        ((name,), what) for name, argument in arguments.items() for what in _argument_problems(name, argument)
    ]
    return unless(problems, dict(sorted(arguments.items())))


def _argument_problems(name: str, argument: object) -> Iterator[str]:
    """Tell what is wrong without the value, which may hold a credential."""
    if not re.fullmatch(ARGUMENT_NAME, name):
        yield "not a name for a build argument (letters, digits and _, no digit first)"
    if isinstance(argument, bool | int | float):
        # Not as it would look in them, since TOML's 3.10 has become 3.1 here.
        yield f"{wrong_type(argument, 'a string')}; put it in quotes"
    elif not isinstance(argument, str):
        yield f'{wrong_type(argument, "a string")}; write {name} = "value"'
    elif "\0" in argument:
        yield "a string with a NUL character, which environment variables can't contain"


def _secrets(value: object) -> "Mapping[str, Secret]":
    # Here, since few files have any.
    from isol8_tasks.config.secret_list import read_secrets  # noqa: PLC0415

    return read_secrets(value)


_NONE: Final = ("0", "0s", "0m", "0h", "0d", "0w")
_LONGEST_SHOWN: Final = 60
_MOST_GROUPS: Final = 100
_LONGEST_CHECK: Final = dt.timedelta(hours=1)
_ALLOWED_PORTS: Final = frozenset({80, 443})
"""Those that the filter lets through whatever it is told."""
_NO_NETWORK: Final = "is not a network like 10.0.0.0/8 or fd00::/8"
_PROCESSORS: Final = {"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64"}
"""What else they are called."""
_BUILDX_NAME: Final = r"[A-Za-z][A-Za-z0-9._-]*"
_RELEASE: Final = r"[0-9]+(?:\.[0-9]+){0,2}"
_REGISTRY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_REPOSITORY_PART: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# Docker's 255, less what is appended for private tags.
_LONGEST_REPOSITORY: Final = 240

Builder = Literal["auto", "buildkit", "buildx", "classic"]
"""The engine's own BuildKit, docker's buildx or the engine's old builder; `auto` is the first that works."""

Age = Annotated[dt.timedelta, _age]
"""A duration, or none at all."""
Ages = Annotated[Mapping[str, dt.timedelta], _ages]
Arguments = Annotated[Mapping[str, str], _arguments]
BuilderName = Annotated[Builder, _builder]
BuildxName = Annotated[str, buildx_name]
ClientRelease = Annotated[str, _client_release]
Command = Annotated[tuple[str, ...], _words('command = ["bash", "-c", "jq --version"]')]
Duration = Annotated[dt.timedelta, _duration]
ExitCode = Annotated[int, _between(0, 255, "an exit code", "0")]
FileName = Annotated[str, _file_name]
Jobs = Annotated[int, _jobs]
Networks = Annotated[tuple[str, ...], _networks]
Notification = Annotated[
    tuple[str, ...], _words('notify = ["mail", "-s", "isol8", "me@example.org"], or omit it')
]
Pattern = Annotated[str, _pattern]
Platforms = Annotated[tuple[str, ...], _platforms]
Ports = Annotated[tuple[int, ...], _ports]
RemoteRepository = Annotated[str, _remote_repository]
Repository = Annotated[str, _repository]
Secrets = Annotated[Mapping[str, Secret], _secrets]
Size = Annotated[int, _parsed(parse_size, '"2GB"')]
Timeout = Annotated[float, timeout]
