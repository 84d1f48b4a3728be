"""Reads deps.toml into values; the only owner of its keys, and every problem in it is told at once."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from attrs import Factory, evolve, field, fields, frozen

from isol8_tasks.config.checks import UserCheck
from isol8_tasks.config.images import SETTINGS, NamedImage, read_images
from isol8_tasks.config.positions import KeyPath, line_of
from isol8_tasks.config.settings import (
    FILTER_VARIABLES,
    OLDEST_CLIENT,
    ClientSettings,
    FilterSettings,
    HoldSettings,
    PruneSettings,
    PushSettings,
    RefreshSettings,
    VerifySettings,
    read_clients,
    read_filter,
    read_hold,
    read_prune,
    read_refresh,
    read_verify,
)
from isol8_tasks.config.strict import (
    InvalidError,
    Problem,
    array,
    flag,
    package,
    report,
    string,
    table,
    unknown,
    unless,
    wrong_type,
)
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import ConfigError

if TYPE_CHECKING:
    from cattrs import Converter

    from isol8_tasks.config.client_file import ClientFile
else:
    # cattrs looks the name up; who has no such file should not pay for its module.
    ClientFile = object

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
    images: Mapping[str, NamedImage] = Factory(dict)
    """The images with names of their own, parents first."""
    build: BuildSettings = BuildSettings()
    clients: ClientSettings = Factory(ClientSettings)
    filter: FilterSettings = Factory(FilterSettings)
    hold: HoldSettings = Factory(HoldSettings)
    prune: PruneSettings = Factory(PruneSettings)
    refresh: RefreshSettings = Factory(RefreshSettings)
    push: PushSettings = Factory(PushSettings)
    verify: VerifySettings = Factory(VerifySettings)
    """A user's own checks, by the name of the image: `python-custom`; and the oldest client."""
    source: str = field(default="deps.toml", eq=False)
    """The file's name, for messages."""
    text: str = field(default="", eq=False, repr=False)
    """The file's text, kept to find lines in it."""
    added: ClientFile | None = field(default=None, eq=False, repr=False)
    """What isol8's own file adds to this one; it is among the above. None where there is no such file."""
    missing: bool = field(default=False, eq=False)
    """There is no such file, so it declares nothing."""

    def place(self, runtime: str, package: str) -> str | None:
        """Tell where the package stands, as `deps.toml:4`; None if no file asks for it."""
        packages = self.dependencies[runtime]
        if package not in packages:
            return None
        if self.added and (added := self.added.dependencies.get(runtime, {})) and package in added:
            return self.added.place("dependencies", runtime, added[package])
        return f"{self.source}:{line_of(self.text, ('dependencies', runtime, packages.index(package)))}"

    def declaration(self, image: str) -> str | None:
        """Tell where an image is asked for by its name (`bun-custom`, `ml`), as `deps.toml:4`; None if it isn't."""
        runtime, custom, _ = image.partition("-custom")
        packages = self.dependencies.get(runtime, ()) if custom else ()
        if self.added and image in self.added.images:
            return self.added.place("prebuiltImages", self.added.numbers[image])
        if self.added and packages and len(packages) == len(self.added.dependencies.get(runtime, ())):
            return self.added.place("dependencies", runtime)
        if image not in self.images and not packages:
            return None
        path: KeyPath = ("images", image) if image in self.images else ("dependencies", runtime)
        return f"{self.source}:{line_of(self.text, path)}"

    def setting(self, key: str) -> str:
        """Tell where a key is set (`filter.allow_ports`), as `deps.toml:7`; the file alone if it isn't."""
        line = line_of(self.text, tuple(key.split(".")))
        return f"{self.source}:{line}" if line else self.source


def parse_config(
    text: str,
    source: str,
    arguments: Collection[str] | None = None,
    client_file: ClientFile | None = None,
) -> Config:
    """Read the text of deps.toml; a ConfigError names every problem in it, one on a line.

    `arguments` are the build arguments that the Dockerfile declares, of which [build.args] may name any; None if
    they are not known. What isol8's own file asks for is added, where deps.toml does not say otherwise.
    """
    # An editor's byte order mark is no statement of TOML's.
    text = text.removeprefix("\ufeff")
    found = _parse_toml(text, source)
    own = _keys(found, "images")
    if client_file and found.get("images", own) is own:
        # Read with the others, so that these may extend them.
        found["images"] = {
            **own,
            **{name: each for name, each in client_file.images.items() if name not in own},
        }
    # Here, since only who reads a configuration should pay for the import.
    from cattrs import BaseValidationError  # noqa: PLC0415

    problems: list[Problem] = []
    config = Config()
    try:
        config = _converter().structure(found, Config)
    except BaseValidationError as error:
        problems += _problems(error, ())
    problems += _strangers(found, arguments)
    if problems:
        raise ConfigError(report(problems, source, functools.partial(line_of, text)))
    config = evolve(config, source=source, text=text)
    added = None
    if client_file:
        own_images = {name: config.images[name] for name in own}
        added = client_file.without(config.dependencies, own_images, config.declaration)
    dependencies = {
        runtime: (*packages, *(added.dependencies.get(runtime, ()) if added else ()))
        for runtime, packages in config.dependencies.items()
    }
    return evolve(config, dependencies=dependencies, added=added)


def _strangers(found: Mapping[str, Any], arguments: Collection[str] | None) -> Iterator[Problem]:
    """Tell of names that fit nothing else: build arguments that nobody declares, checks of images that are not."""
    given = _keys(_keys(found, "build"), "args")
    for name in given if arguments is not None else ():
        # One that is no name at all is told of where it is read.
        if name not in (arguments or ()) and re.fullmatch(_ARGUMENT_NAME, name):
            what = unknown("docker/Dockerfile declares no such argument", name, sorted(arguments or ()))
            yield ("build", "args", name), what
    images = (*RUNTIMES, *(f"{runtime}-custom" for runtime in RUNTIMES), *_keys(found, "images"))
    for name, value in _keys(found, "verify").items():
        if name not in images and not (name == OLDEST_CLIENT and isinstance(value, str)):
            yield ("verify", name), unknown("there is no such image", name, images)


def _keys(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table in a table; an empty one where that is not what is there."""
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}


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
        raise ConfigError(f"{source}: can't be read as TOML: {error}") from error


def _problems(error: BaseException, path: KeyPath) -> Iterator[Problem]:
    """Flatten what cattrs gathered to key paths and what is wrong there."""
    from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError  # noqa: PLC0415 - as above

    if isinstance(error, InvalidError):
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
    read_push = make_dict_structure_fn(
        PushSettings,
        converter,
        repository=override(struct_hook=_read_push_repository),
        standins=override(struct_hook=lambda value, _: flag(value)),
        credentials=override(struct_hook=lambda value, _: flag(value)),
    )
    read_config = make_dict_structure_fn(
        Config,
        converter,
        dependencies=override(struct_hook=_read_dependencies),
        images=override(struct_hook=read_images),
        build=override(struct_hook=lambda value, kind: read_build(table(value), kind)),
        clients=override(struct_hook=read_clients),
        filter=override(struct_hook=read_filter),
        hold=override(struct_hook=read_hold),
        prune=override(struct_hook=read_prune),
        refresh=override(struct_hook=read_refresh),
        push=override(struct_hook=lambda value, kind: read_push(table(value), kind)),
        verify=override(struct_hook=read_verify),
        source=override(omit=True),
        text=override(omit=True),
        added=override(omit=True),
        missing=override(omit=True),
    )
    converter.register_structure_hook(Config, read_config)
    return converter


def _read_dependencies(value: object, _: object) -> Mapping[str, tuple[str, ...]]:
    problems: list[Problem] = []
    packages = dict(_no_packages())
    for key, found in table(value).items():
        if key not in RUNTIMES:
            problems.append(((key,), unknown("not a runtime", key, RUNTIMES)))
            continue
        try:
            packages[key] = array(key, found, functools.partial(package, key))
        except InvalidError as error:
            problems.extend(error.at(key))
    return unless(problems, packages)


def _read_repository(value: object, _: object) -> str:
    name = string(value)
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


def _read_push_repository(value: object, _: object) -> str:
    name = _read_repository(value, None)
    if "/" not in name:
        raise InvalidError(
            f"{name!r} has no registry before the first slash; write for example registry.example/{name}"
        )
    return name


def _read_builder(value: object, _: object) -> str:
    builder = string(value)
    if builder not in get_args(Builder):
        raise InvalidError(unknown(f"{builder!r} is not a builder", builder, get_args(Builder)))
    return builder


def _read_args(value: object, _: object) -> Mapping[str, str]:
    arguments = table(value)
    problems: list[Problem] = [
        ((name,), what) for name, argument in arguments.items() for what in _argument_problems(name, argument)
    ]
    return unless(problems, dict(sorted(arguments.items())))


def _argument_problems(name: str, argument: object) -> Iterator[str]:
    """Tell what is wrong without the value, which may hold a credential."""
    if not re.fullmatch(_ARGUMENT_NAME, name):
        yield "not a name for a build argument (letters, digits and _, no digit first)"
    if isinstance(argument, bool | int | float):
        # Not as it would look in them, since TOML's 3.10 has become 3.1 here.
        yield f"{wrong_type(argument, 'a string')}; put it in quotes"
    elif not isinstance(argument, str):
        yield wrong_type(argument, "a string")
    elif "\0" in argument:
        yield "a string with a NUL character, which environment variables can't contain"


def _read_jobs(value: object, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(wrong_type(value, "an integer from 1"))
    if value < 1:
        raise InvalidError(f"expected an integer from 1, found {value}; omit it to use every processor")
    return value


def _unknown_key(key: str, path: KeyPath) -> str:
    """Say what may stand at the place of a key that isn't known there, or where the key may stand."""
    build = [each.name for each in fields(BuildSettings)]
    if path:
        settings = [each.name for each in fields(PushSettings)] if path[0] == "push" else build
        return unknown(f"not a setting of [{path[0]}]", key, settings)
    tables: dict[str, Collection[str]] = {
        "dependencies": [*RUNTIMES],
        "images.NAME": SETTINGS,
        "build": build,
        "clients": [each.name for each in fields(ClientSettings)],
        "filter": [*FILTER_VARIABLES],
        "hold": [each.name for each in fields(HoldSettings)],
        "prune": [each.name for each in fields(PruneSettings)],
        "refresh": [each.name for each in fields(RefreshSettings)],
        "push": [each.name for each in fields(PushSettings)],
        "verify": [OLDEST_CLIENT],
        "verify.NAME": [each.name for each in fields(UserCheck)],
    }
    for name, keys in tables.items():
        if key in keys:
            return f"not at the top of the file; it belongs under [{name}]"
    return unknown(
        "not a table of this file", key, [*dict.fromkeys(name.partition(".")[0] for name in tables)]
    )


_ARGUMENT_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_REGISTRY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_REPOSITORY_PART: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# Docker's 255, less what is appended for private tags.
_LONGEST_REPOSITORY: Final = 240
