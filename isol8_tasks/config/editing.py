"""deps.toml with packages added or removed; comments, order and layout of everything else stay."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.config.strict import unknown
from isol8_tasks.ecosystems.runtimes import RUNTIMES, needs_no_system
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.errors import ConfigError, Isol8Error

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_ALPINE = "bash"
"""The runtime whose packages are Alpine's."""


@frozen(kw_only=True)
class Declared:
    """A list of packages in deps.toml."""

    name: str
    """A runtime, or a named image."""
    is_image: bool = False
    is_system: bool = False
    """Of Alpine packages beside those of the runtime."""

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to it."""
        if self.is_image:
            return "images", self.name, "system" if self.is_system else "packages"
        return "system" if self.is_system else "dependencies", self.name

    @property
    def words(self) -> str:
        """How people write the key."""
        *table, key = self.path
        return f"[{'.'.join(table)}] {key}"

    def read(self, config: Config) -> tuple[str, ...]:
        """Return what it has; a ConfigError says that there is no such place."""
        if self.is_image:
            if self.name not in config.images:
                what = f"{config.source}: there is no [images.{self.name}]"
                if not config.images:
                    raise ConfigError(f"{what}; write the table first, with a runtime and packages")
                raise ConfigError(unknown(what, self.name, config.images, "there are:"))
            image = config.images[self.name]
            return image.system if self.is_system else image.packages
        if self.is_system and (problem := needs_no_system(self.name)):
            raise ConfigError(f"--system: {problem}; leave the flag out")
        return (config.system if self.is_system else config.dependencies)[self.name]

    def ecosystem(self, config: Config) -> str:
        """Return the ecosystem whose grammar its packages follow."""
        if self.is_system:
            return RUNTIMES[_ALPINE].ecosystem
        return RUNTIMES[config.images[self.name].runtime if self.is_image else self.name].ecosystem

    def changed(self, config: Config, packages: tuple[str, ...]) -> Config:
        """Return what deps.toml says with other packages there."""
        if self.is_image:
            image = config.images[self.name]
            other = evolve(image, system=packages) if self.is_system else evolve(image, packages=packages)
            return evolve(config, images={**config.images, self.name: other})
        if self.is_system:
            return evolve(config, system={**config.system, self.name: packages})
        return evolve(config, dependencies={**config.dependencies, self.name: packages})


@frozen(kw_only=True)
class Edit:
    """What became of deps.toml."""

    text: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def with_packages(text: str, source: str, place: Declared, words: Iterable[str]) -> Edit:
    """Return the text with these packages; one that is there with another version is replaced.

    A ConfigError says that a word is no package, or that the file would not be valid.
    """
    config = parse_config(text, source)
    old, ecosystem = place.read(config), place.ecosystem(config)
    names = [parse_spec(ecosystem, each).name for each in old]
    wanted: dict[str, str] = {}
    for spec in (parse_spec(ecosystem, word) for word in words):
        if (before := wanted.setdefault(spec.name, spec.text)) != spec.text:
            raise ConfigError(f"{spec.text}: {before} is named too; name one version of {spec.name}")
    replaced = {names.index(name): spec for name, spec in wanted.items() if name in names}
    gone = {at for at, name in enumerate(names) if name in wanted and at not in replaced}
    more = [spec for name, spec in wanted.items() if name not in names]
    return _edited(text, config, place, replaced, gone, more)


def without_packages(text: str, source: str, place: Declared, words: Iterable[str]) -> Edit:
    """Return the text without these packages, whatever version they are declared with.

    A ConfigError says that a word is no package, or one that is not there, or that the file would not be valid.
    """
    config = parse_config(text, source)
    old, ecosystem = place.read(config), place.ecosystem(config)
    names = [parse_spec(ecosystem, each).name for each in old]
    wanted = {parse_spec(ecosystem, word).name for word in words}
    if absent := sorted(wanted - {*names}):
        what = f"{source}: {place.words} does not have {absent[0]}"
        raise ConfigError(unknown(what, absent[0], names, "it has:") if names else what)
    return _edited(text, config, place, {}, {at for at, name in enumerate(names) if name in wanted}, [])


def add_lists(table: Any, lists: Mapping[str, Iterable[str]]) -> None:  # noqa: ANN401 - tomlkit's own
    """Add packages to the lists of a table, each in front of comments at its end, which are about what follows.

    But behind those that show keys of the table, as `# python = ["numpy"]`: the same key, or else the last.
    """
    from tomlkit.items import Array, InlineTable, Table  # noqa: PLC0415 - for who edits

    for key, packages in lists.items():
        if isinstance(found := table.get(key), Array):
            found.extend(packages)
            continue
        behind: list[Any] = []
        if isinstance(table, Table | InlineTable):
            body = table.value.body
            while body and body[-1][0] is None:
                behind.insert(0, body.pop()[1])
            shown = _behind_shown(key, [each.as_string() for each in behind])
            if isinstance(table, InlineTable) and not table:
                # The blank of `{ }` is on both sides then.
                body += [(None, item) for item in behind]
            for item in behind[:shown]:
                # The last line of a file may have no end.
                item.trivia.trail = item.trivia.trail or "\n"
                body.append((None, item))
            behind = behind[shown:]
        table.add(key, list(packages))
        for item in behind:
            table.value.body.append((None, item))


def _behind_shown(key: str, lines: Sequence[str]) -> int:
    """Return how many lines lead to the comment that shows a key, or else the last key of the table; 0 for none."""
    found = 0
    for number, line in enumerate(lines, 1):
        if re.match(r"\s*#\s*\[", line):
            break
        if shown := re.match(r"\s*#\s*([\w-]+)\s*=", line):
            found = number
            if shown[1] == key:
                break
    return found


def joined_document(document: "TOMLDocument", tables: Iterable[str], text: str) -> str:
    """Return the text of a document with more tables at its end, with the line ends and the mark of what it was."""
    before = document.as_string()
    new = "\n".join([before + "\n" * (not before.endswith("\n")), *tables] if before else tables)
    if "\r\n" in text:
        new = new.replace("\r\n", "\n").replace("\n", "\r\n")
    return "\ufeff" * text.startswith("\ufeff") + new


def _edited(  # noqa: PLR0913, PLR0917 - what is changed, and how
    text: str,
    config: Config,
    place: Declared,
    replaced: Mapping[int, str],
    gone: set[int],
    more: Sequence[str],
) -> Edit:
    """Return the text in which a place has other packages, and all else is as it was."""
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - for who edits

    old = place.read(config)
    new = (*(replaced.get(at, each) for at, each in enumerate(old) if at not in gone), *more)
    added, removed = (
        tuple(each for each in one if each not in other) for one, other in ((new, old), (old, new))
    )
    if new == old:
        return Edit(text=text)
    try:
        written = _written(text, place, replaced, gone, more)
    except (TOMLKitError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise _by_hand(config.source, place, new) from error
    try:
        found = parse_config(written, config.source)
    except ConfigError as error:
        raise ConfigError(f"{error}; {config.source} is left as it is") from error
    if found != place.changed(config, new):
        raise _by_hand(config.source, place, new)
    return Edit(text=written, added=added, removed=removed)


def _written(
    text: str, place: Declared, replaced: Mapping[int, str], gone: set[int], more: Sequence[str]
) -> str:
    from tomlkit import item, parse  # noqa: PLC0415 - for who edits

    document: Any = parse(text.removeprefix("\ufeff"))
    *tables, key = place.path
    table = document
    for name in tables:
        table = table.get(name) if table is not None else None
    if table is None:
        # Only tables of runtimes are made: those of images are there.
        new = f"[{tables[0]}]\n{key} = {item([*more]).as_string()}\n"
        return joined_document(document, [new], text)
    for at, spec in replaced.items():
        if table[key][at] != spec:
            table[key][at] = spec
    for at in sorted(gone, reverse=True):
        del table[key][at]
    if more:
        add_lists(table, {key: more})
    return joined_document(document, [], text)


def _by_hand(source: str, place: Declared, packages: Sequence[str]) -> Isol8Error:
    wanted = ", ".join(f'"{each}"' for each in packages)
    return Isol8Error(
        f"{source}: can't be changed without side effects on other settings; write by hand under "
        f"{place.words}: [{wanted}]"
    )
