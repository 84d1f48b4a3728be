"""Reads deps.toml into values; the only owner of its keys, and every problem in it is told at once."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, get_type_hints

from attrs import Factory, evolve, field, frozen, has

from isol8_tasks.config.images import SETTINGS, NamedImage, list_path, read_images, same_as
from isol8_tasks.config.positions import KeyPath, line_of
from isol8_tasks.config.settings import (
    OF_VERIFY,
    ClientSettings,
    FilterSettings,
    HistorySettings,
    HoldSettings,
    PageSettings,
    PruneSettings,
    RefreshSettings,
    RegistrySettings,
    UserCheck,
    VerifySettings,
    is_checks,
    is_of_verify,
    read_refresh,
    read_verify,
)
from isol8_tasks.config.strict import (
    NO_KEY,
    InvalidError,
    Problem,
    alpine_packages,
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
from isol8_tasks.config.values import (
    ARGUMENT_NAME,
    Arguments,
    BuilderName,
    BuildxName,
    Jobs,
    Platforms,
    RemoteRepository,
    Repository,
    Secrets,
)
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system
from isol8_tasks.errors import ConfigError
from isol8_tasks.values import ByValue

if TYPE_CHECKING:
    from isol8_tasks.config.client_file import ClientFile
    from isol8_tasks.config.package_list import Load, PackageList
else:
    # cattrs looks the names up; who has no such files should not pay for their modules.
    ClientFile = PackageList = object


@frozen(kw_only=True, eq=False, repr=False)
class BuildSettings(ByValue):
    """The table [build]: how images are built, whatever is in them."""

    PLACE: ClassVar = "a setting of [build]"
    repository: Repository = "isol8"
    """What stands before the colon of every tag."""
    builder: BuilderName = "auto"
    buildx: BuildxName = ""
    """The builder of docker buildx that builds, wherever it is; empty for the engine itself."""
    cache: RemoteRepository = ""
    """Where a builder elsewhere keeps its build cache for others: a repository in a registry; empty for nowhere."""
    platforms: Platforms = ()
    """What images are built for; none for the engine's own platform. Of several the engine's own comes first."""
    args: Arguments = Factory(dict)
    """Build arguments for the Dockerfile, by name."""
    secrets: Secrets = Factory(dict)
    """What builds and package tools are given that no image keeps, by name."""
    jobs: Jobs | None = None
    """How many images are built side by side; None for as many as there are processors."""
    python: Annotated[tuple[str, ...], alpine_packages] = ()
    """Alpine packages that are there while the packages of isol8:python-custom are compiled, and not in the image."""
    node: Annotated[tuple[str, ...], alpine_packages] = ()
    bun: Annotated[tuple[str, ...], alpine_packages] = ()

    def needed_by(self, runtime: str) -> tuple[str, ...]:
        """Return what is needed while the packages of a runtime's custom image are compiled."""
        return getattr(self, runtime, ()) if RUNTIMES[runtime].compiles else ()

    download_cache: bool = False
    """Let installers keep what they download from build to build, outside of images."""

    @property
    def platform(self) -> str:
        """What the images on the engine are built for, as `linux/arm64`; empty for the engine's own platform."""
        return next(iter(self.platforms), "")


def _no_packages() -> Mapping[str, tuple[str, ...]]:
    return dict.fromkeys(RUNTIMES, ())


def _read_dependencies(value: object) -> Mapping[str, tuple[str, ...]]:
    """Read the lists of the table; `_files` reads the names of files in it."""

    def read(key: str, found: object) -> tuple[str, ...]:
        if key not in RUNTIMES:
            from isol8_tasks.config.foreign import no_runtime  # noqa: PLC0415 - only a mistake has use for it

            raise InvalidError(no_runtime(key, found))
        if isinstance(found, str | dict):
            from isol8_tasks.config.foreign import as_list  # noqa: PLC0415 - as above

            return array(found, functools.partial(package, key), example=as_list(key, found))
        return array(found, functools.partial(package, key))

    lists = {key: found for key, found in table(value, _NO_LISTS).items() if key not in FILE_KEYS}
    return {**_no_packages(), **gather(lists.items(), read)}


def _files(found: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the files that the table [dependencies] names, by runtime."""

    def read(key: str, value: object) -> str:
        return list_path(FILE_KEYS[key], value)

    names = gather(
        ((key, value) for key, value in _keys(found, "dependencies").items() if key in FILE_KEYS), read
    )
    return {FILE_KEYS[key]: path for key, path in names.items()}


def _read_system(value: object) -> Mapping[str, tuple[str, ...]]:
    def read(key: str, found: object) -> tuple[str, ...]:
        if key not in RUNTIMES:
            raise InvalidError(unknown("not a runtime", key, RUNTIMES))
        if problem := needs_no_system(key):
            raise InvalidError(f"{problem}; write them under [dependencies] {key}")
        return alpine_packages(found)

    return {**_no_packages(), **gather(table(value, _NO_SYSTEM).items(), read)}


@frozen(kw_only=True, eq=False, repr=False)
class Config(ByValue):
    """What deps.toml says."""

    dependencies: Annotated[Mapping[str, tuple[str, ...]], _read_dependencies] = Factory(_no_packages)
    """The packages of every runtime, in the order of the file and checked by their ecosystem's grammar."""
    system: Annotated[Mapping[str, tuple[str, ...]], _read_system] = Factory(_no_packages)
    """Alpine packages of every runtime's custom image, in the order of the file."""
    images: Annotated[Mapping[str, NamedImage], read_images] = Factory(dict)
    """The images with names of their own, parents first."""
    build: BuildSettings = BuildSettings()
    clients: ClientSettings = Factory(ClientSettings)
    filter: FilterSettings = Factory(FilterSettings)
    history: HistorySettings = Factory(HistorySettings)
    hold: HoldSettings = Factory(HoldSettings)
    page: PageSettings = Factory(PageSettings)
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
    files: Mapping[str, str] = field(factory=dict, metadata=NO_KEY)
    """The files of other tools that list packages, by runtime or by named image, relative to this one; read by
    `with_lists`."""
    listed: Mapping[str, PackageList] = field(factory=dict, metadata=NO_KEY)
    """What these ask for; it is among the dependencies and the packages of named images."""
    missing: bool = field(default=False, eq=False, metadata=NO_KEY)
    """There is no such file, so it declares nothing."""

    def place(self, runtime: str, package: str) -> str | None:
        """Tell where the package stands, as `deps.toml:4`; None if no file asks for it."""
        packages = self.dependencies[runtime]
        if package not in packages:
            return None
        if self.added and (added := self.added.dependencies.get(runtime, {})) and package in added:
            return self.added.place("dependencies", runtime, added[package])
        line = line_of(self.text, ("dependencies", runtime, packages.index(package)))
        return self.listed[runtime].packages[package] if line is None else f"{self.source}:{line}"

    def declaration(self, image: str) -> str | None:
        """Tell where an image is asked for by its name (`bun-custom`, `ml`), as `deps.toml:4`; None if it isn't."""
        runtime, custom, _ = image.partition("-custom")
        packages = self.dependencies.get(runtime, ()) if custom else ()
        system = self.system.get(runtime, ()) if custom else ()
        if self.added and image in self.added.images:
            return self.added.place("prebuiltImages", self.added.numbers[image])
        if self.added and packages and len(packages) == len(self.added.dependencies.get(runtime, ())):
            return self.added.place("dependencies", runtime)
        if image not in self.images and not packages and not system:
            return None
        table_of = "dependencies" if packages else "system"
        path: KeyPath = ("images", image) if image in self.images else (table_of, runtime)
        line = line_of(self.text, path) or line_of(self.text, ("dependencies", f"{runtime}_file"))
        return f"{self.source}:{line}"

    def place_of(self, image: str, key: str, package: str) -> str:
        """Tell where a package of an image, or a secret, stands under `packages`, `system`, `build` or `secrets`.

        The key's line, where the package is not among them; empty where a custom image has no such key.
        """
        runtime = image.removesuffix("-custom")
        if key == "secrets":
            return self.setting(f"build.secrets.{package}")
        if image in self.images:
            own: tuple[str, ...] = getattr(self.images[image], key)
            path: KeyPath = ("images", image, key)
        elif key == "packages":
            return self.place(runtime, package) or ""
        else:
            own = self.system[runtime] if key == "system" else self.build.needed_by(runtime)
            path = (key, runtime)
        line = line_of(self.text, (*path, own.index(package)) if package in own else path)
        if line is None and image in self.listed and package in self.listed[image].packages:
            return self.listed[image].packages[package]
        return f"{self.source}:{line}" if line else self.source

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
    config, files = Config(), dict[str, str]()
    try:
        files |= _files(found)
    except InvalidError as error:
        problems += error.at("dependencies")
    try:
        config = structured({key: each for key, each in found.items() if key in keys_of(Config)}, Config)
    except InvalidError as error:
        # That a value is no check is no news where its key is none of an image.
        told = {
            path for path, _ in problems if path[0] == "verify" and not is_checks(found["verify"][path[1]])
        }
        problems += [each for each in error.problems if each[0][:2] not in told]
    if problems:
        raise ConfigError(report(problems, source, functools.partial(line_of, text)))
    files |= {name: image.file for name, image in config.images.items() if image.file}
    config = evolve(config, source=source, text=text, files=files)
    added = None
    if client_file:
        own_images = {name: config.images[name] for name in own}
        added = client_file.without(config.dependencies, own_images, config.declaration)
    dependencies = {
        runtime: (*packages, *(added.dependencies.get(runtime, ()) if added else ()))
        for runtime, packages in config.dependencies.items()
    }
    return evolve(config, dependencies=dependencies, added=added)


def with_lists(config: Config, load: "Load") -> Config:
    """Return the configuration with the packages of the files that it names, which `load` reads.

    A ConfigError names every problem in them, by their own files and lines.
    """
    from isol8_tasks.config.listed import read_list  # noqa: PLC0415 - few files name one

    listed: dict[str, PackageList] = {}
    problems = []
    for name, path in config.files.items():
        runtime = config.images[name].runtime if name in config.images else name
        try:
            listed[name] = read_list(runtime, path, load)
        except ConfigError as error:
            key = f"images.{name}.{runtime}_file" if name in config.images else f"dependencies.{runtime}_file"
            named = f"{config.setting(key)}: {key}: "
            problems.append(f"{named if str(error).startswith(f'{path}: ') else ''}{error}")
    if problems:
        raise ConfigError("\n".join(problems))
    packages = {**_no_packages(), **{name: (*each.packages,) for name, each in listed.items()}}
    added = config.added.without(packages, {}, lambda _: None) if config.added else None
    before = config.added.dependencies if config.added else {}
    dependencies = {
        runtime: (
            *(each for each in own if each not in before.get(runtime, {})),
            *packages[runtime],
            *(added.dependencies.get(runtime, ()) if added else ()),
        )
        for runtime, own in config.dependencies.items()
    }
    images = {
        name: evolve(image, packages=(*image.packages, *packages.get(name, ())))
        for name, image in config.images.items()
    }
    found = evolve(config, dependencies=dependencies, images=images, added=added, listed=listed)
    if problems := [*_empty_lists(found)]:
        raise ConfigError("\n".join(problems))
    return found


def _empty_lists(config: Config) -> Iterator[str]:
    """Tell of named images that need packages of their file, which has none."""
    for name in config.listed.keys() & config.images.keys():
        image = config.images[name]
        if image.packages:
            continue
        key = f"images.{name}.{image.runtime}_file"
        where = f"{config.setting(key)}: {key}: {image.file} lists no packages"
        if image.build:
            yield f"{where}, and nothing else is compiled with `build`; remove one of both"
        elif image.parent in RUNTIMES and not image.system and not image.setup:
            yield f"{where}: {same_as(image.runtime)}"


def _strangers(found: Mapping[str, Any], arguments: Collection[str] | None) -> Iterator[Problem]:
    """Tell of names that fit nothing: tables, build arguments that nobody declares, checks of images that are not."""
    yield from (((key,), _not_a_table(key)) for key in found if key not in keys_of(Config))
    build = _keys(found, "build")
    given = _keys(build, "args")
    for name in given if arguments is not None else ():
        # One that is no name at all is told of where it is read.
        if name not in (arguments or ()) and re.fullmatch(ARGUMENT_NAME, name):
            what = unknown("docker/Dockerfile declares no such argument", name, sorted(arguments or ()))
            yield ("build", "args", name), what
    for name, secret in _keys(build, "secrets").items():
        variable = secret.get("env") if isinstance(secret, dict) else None
        if isinstance(variable, str) and variable in given:
            yield ("build", "secrets", name), f"{variable} is under [build] args as well; remove it there"
    if build.get("buildx") and build.get("builder", "auto") not in {"auto", "buildx"}:
        yield ("build", "buildx"), f"builder = {build['builder']!r} does not use it; remove one of both"
    platforms = build.get("platforms")
    is_several = isinstance(platforms, list) and len({*map(str, platforms)}) > 1
    if is_several and not _keys(found, "registry").get("repository"):
        what = (
            f"lists {len(build['platforms'])} platforms, which only a registry has under one name; write [registry], "
            'and repository = "registry.example/isol8" below it, or one platform'
        )
        yield ("build", "platforms"), what
    images = (*RUNTIMES, *(f"{runtime}-custom" for runtime in RUNTIMES), *_keys(found, "images"))
    for name, value in _keys(found, "verify").items():
        if name not in images and not is_of_verify(name, value):
            if is_checks(value):
                yield ("verify", name), unknown("there is no such image", name, images)
            else:
                yield ("verify", name), unknown("not a setting of [verify]", name, OF_VERIFY)


def _keys(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table in a table; an empty one where that is not what is there."""
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}


def _not_a_table(key: str) -> str:
    """Say where a key that is not known at the top of the file may stand, or what may stand there."""
    from isol8_tasks.config.foreign import OF_PYTHON  # noqa: PLC0415 - as above

    if key in OF_PYTHON:
        return f'a table of {OF_PYTHON[key]}; write [dependencies], and python = ["…"] below it'
    tables: dict[str, Collection[str]] = {
        "dependencies": [*RUNTIMES, *FILE_KEYS],
        "images.NAME": SETTINGS,
        **{name: keys_of(kind) for name, kind in get_type_hints(Config).items() if has(kind)},
        "verify": OF_VERIFY,
        "verify.NAME": keys_of(UserCheck),
    }
    for name, keys in tables.items():
        if key in keys:
            return f"not at the top of the file; it belongs under [{name}]"
    return unknown("not a table of this file", key, keys_of(Config))


FILE_KEYS: Final = {f"{runtime}_file": runtime for runtime in RUNTIMES}
"""Keys of [dependencies] that name a file, and the runtime of each."""
_NO_LISTS: Final = '; write [dependencies], and python = ["…"] below it'
_NO_SYSTEM: Final = '; write [system], and python = ["…"] below it'
_FORM: Final = 'tables, keys and values look like [dependencies], python = ["numpy", "pandas"]'
