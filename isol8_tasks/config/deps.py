"""Reads deps.toml into values; the only owner of its keys, and every problem in it is told at once."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, get_type_hints

from attrs import Factory, evolve, field, frozen, has

from isol8_tasks.config.images import SETTINGS, NamedImage, read_images
from isol8_tasks.config.positions import KeyPath, line_of
from isol8_tasks.config.settings import (
    OF_VERIFY,
    ClientSettings,
    FilterSettings,
    HoldSettings,
    PruneSettings,
    RefreshSettings,
    RegistrySettings,
    UserCheck,
    VerifySettings,
    read_refresh,
    read_verify,
)
from isol8_tasks.config.strict import (
    NO_KEY,
    InvalidError,
    Problem,
    array,
    gather,
    keys_of,
    load_toml,
    package,
    report,
    structured,
    table,
    unknown,
)
from isol8_tasks.config.values import ARGUMENT_NAME, Arguments, BuilderName, Jobs, Repository
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import ConfigError

if TYPE_CHECKING:
    from isol8_tasks.config.client_file import ClientFile
else:
    # cattrs looks the name up; who has no such file should not pay for its module.
    ClientFile = object


@frozen(kw_only=True)
class BuildSettings:
    """The table [build]: how images are built, whatever is in them."""

    PLACE: ClassVar = "a setting of [build]"
    repository: Repository = "isol8"
    """What stands before the colon of every tag."""
    builder: BuilderName = "auto"
    args: Arguments = Factory(dict)
    """Build arguments for the Dockerfile, by name."""
    jobs: Jobs | None = None
    """How many images are built side by side; None for as many as there are processors."""


def _no_packages() -> Mapping[str, tuple[str, ...]]:
    return dict.fromkeys(RUNTIMES, ())


def _read_dependencies(value: object) -> Mapping[str, tuple[str, ...]]:
    def read(key: str, found: object) -> tuple[str, ...]:
        if key not in RUNTIMES:
            raise InvalidError(unknown("not a runtime", key, RUNTIMES))
        return array(found, functools.partial(package, key))

    return {**_no_packages(), **gather(table(value, _NO_LISTS).items(), read)}


@frozen(kw_only=True)
class Config:
    """What deps.toml says."""

    dependencies: Annotated[Mapping[str, tuple[str, ...]], _read_dependencies] = Factory(_no_packages)
    """The packages of every runtime, in the order of the file and checked by their ecosystem's grammar."""
    images: Annotated[Mapping[str, NamedImage], read_images] = Factory(dict)
    """The images with names of their own, parents first."""
    build: BuildSettings = BuildSettings()
    clients: ClientSettings = Factory(ClientSettings)
    filter: FilterSettings = Factory(FilterSettings)
    hold: HoldSettings = Factory(HoldSettings)
    prune: PruneSettings = Factory(PruneSettings)
    refresh: Annotated[RefreshSettings, read_refresh] = Factory(RefreshSettings)
    registry: RegistrySettings = Factory(RegistrySettings)
    verify: Annotated[VerifySettings, read_verify] = Factory(VerifySettings)
    """A user's own checks, by the name of the image: `python-custom`; and the oldest client."""
    source: str = field(default="deps.toml", eq=False, metadata=NO_KEY)
    """The file's name, for messages."""
    text: str = field(default="", eq=False, repr=False, metadata=NO_KEY)
    """The file's text, kept to find lines in it."""
    added: ClientFile | None = field(default=None, eq=False, repr=False, metadata=NO_KEY)
    """What isol8's own file adds to this one; it is among the above. None where there is no such file."""
    missing: bool = field(default=False, eq=False, metadata=NO_KEY)
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
    found = load_toml(text, source, _FORM)
    own = _keys(found, "images")
    if client_file and found.get("images", own) is own:
        # Read with the others, so that these may extend them.
        found["images"] = {
            **own,
            **{name: each for name, each in client_file.images.items() if name not in own},
        }
    problems = [*_strangers(found, arguments)]
    config = Config()
    try:
        config = structured({key: each for key, each in found.items() if key in keys_of(Config)}, Config)
    except InvalidError as error:
        problems += error.problems
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
    """Tell of names that fit nothing: tables, build arguments that nobody declares, checks of images that are not."""
    yield from (((key,), _not_a_table(key)) for key in found if key not in keys_of(Config))
    given = _keys(_keys(found, "build"), "args")
    for name in given if arguments is not None else ():
        # One that is no name at all is told of where it is read.
        if name not in (arguments or ()) and re.fullmatch(ARGUMENT_NAME, name):
            what = unknown("docker/Dockerfile declares no such argument", name, sorted(arguments or ()))
            yield ("build", "args", name), what
    images = (*RUNTIMES, *(f"{runtime}-custom" for runtime in RUNTIMES), *_keys(found, "images"))
    for name, value in _keys(found, "verify").items():
        if name not in images and not (name in OF_VERIFY and not isinstance(value, dict | list)):
            yield ("verify", name), unknown("there is no such image", name, images)


def _keys(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table in a table; an empty one where that is not what is there."""
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}


def _not_a_table(key: str) -> str:
    """Say where a key that is not known at the top of the file may stand, or what may stand there."""
    tables: dict[str, Collection[str]] = {
        "dependencies": [*RUNTIMES],
        "images.NAME": SETTINGS,
        **{name: keys_of(kind) for name, kind in get_type_hints(Config).items() if has(kind)},
        "verify": OF_VERIFY,
        "verify.NAME": keys_of(UserCheck),
    }
    for name, keys in tables.items():
        if key in keys:
            return f"not at the top of the file; it belongs under [{name}]"
    return unknown("not a table of this file", key, keys_of(Config))


_NO_LISTS: Final = '; write [dependencies], and python = ["…"] below it'
_FORM: Final = 'tables, keys and values look like [dependencies], python = ["numpy", "pandas"]'
