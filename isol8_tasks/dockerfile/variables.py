"""Build arguments and environment as they stand at a point of a Dockerfile, and how far they are known."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from attrs import Factory, frozen

from isol8_tasks.dockerfile.lexer import expand
from isol8_tasks.ecosystems.runtimes import is_location

_PLATFORM: Final = tuple(
    side + what
    for side in ("BUILD", "TARGET")
    for what in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT", "STAGE")
)


_CHOICE: Final = re.compile(r"\$\{\w+[^\w}]")
"""A variable with a default, a pattern or the like."""


@frozen(kw_only=True, eq=False, repr=False)
class Value:
    """What a variable or a word comes to."""

    text: str | None
    """None for a variable that is declared and not set."""
    counts: str
    """The text as far as it may count: without values that only say where to fetch, or aren't known."""
    names: frozenset[str] = frozenset()
    """The variables that were looked up for it."""
    known: bool = True
    """False where an upstream image or the platform decides, so that `text` is a guess."""

    @property
    def plain(self) -> bool:
        """True when the text counts just as it is."""
        return self.known and self.text == self.counts


@frozen(kw_only=True, eq=False, repr=False)
class Scope:
    """The variables that are set at a point of a Dockerfile."""

    escape: str
    open: bool = False
    """An upstream image may have set more."""
    values: dict[str, Value] = Factory(dict)

    def copy(self) -> "Scope":
        """Return the same variables, for a stage that goes on from here."""
        return Scope(escape=self.escape, open=self.open, values=dict(self.values))

    def expand(self, word: str) -> Value:
        """Return what a word comes to here; raise LexError or UnreadableError."""
        names: set[str] = set()

        def lookup(name: str) -> str | None:
            names.add(name)
            value = self.values.get(name)
            return value.text if value else None

        text = expand(word, lookup, self.escape)
        found = [self.values.get(name) for name in names]
        known = all(value.known if value else not self.open for value in found)
        counts = text
        if not known or not all(value.plain for value in found if value):
            # Both spellings: the word as written, for the default in `${REGISTRY:-…}`; and what it comes to
            # with the names of such variables in place of their values, for the other variables in it.
            partial = expand(word, self._countable, self.escape)
            braced = re.sub(r"\$(\w+)", r"${\1}", word)
            counts = braced if partial == braced else f"{braced} = {partial}"
            if len(names) > 1 and _CHOICE.search(word):
                # Which of them it comes to is not known.
                counts += "".join(f", {name}={self._countable(name)}" for name in sorted(names))
        return Value(text=text, counts=counts, names=frozenset(names), known=known)

    def _countable(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None:
            return f"${{{name}}}" if self.open else None
        return value.counts


def argument(
    name: str, default: str | None, given: Mapping[str, str], scope: Scope, outer: Scope
) -> Value | None:
    """Return the value that an ARG gives to a name; None where it leaves it as it is.

    What was passed wins over the default, and that over the value of the same name before the first FROM.
    """
    if name in given:
        value: Value | None = Value(text=given[name], counts=given[name])
    elif default is not None:
        value = scope.expand(default)
    else:
        value = outer.values.get(name)
    if not is_location(name):
        return value
    value = value or scope.values.get(name) or Value(text=None, counts="", known=not scope.open)
    return Value(text=value.text, counts=f"${{{name}}}", names=value.names, known=value.known)


def platform_scope(escape: str, known: Mapping[str, str]) -> Scope:
    """Return the scope before the first FROM, where the platform sets variables, of which not all are known."""
    scope = Scope(escape=escape)
    for name in _PLATFORM:
        counts = known.get(name, f"${{{name}}}")
        scope.values[name] = Value(text=known.get(name, ""), counts=counts, known=name in known)
    return scope


Place = tuple[int, object, str]
"""Where an argument is declared: number of the stage, instruction, name."""


class CountedArguments:
    """The build arguments that count for a target, with their values, as its steps come to make use of them."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[str]]] = {}
        self._unused: dict[int, dict[Place, tuple[str, Value]]] = {}
        self._used: set[Place] = set()

    def begin(self, stage: int, base: int | None) -> None:
        """Begin a stage, which can make use of what the stage that it is based on has declared."""
        self._unused[stage] = {} if base is None else dict(self._unused[base])

    def declare(self, place: Place, stage: str, value: Value) -> None:
        """Remember an argument that counts when something makes use of it."""
        self.hide(place[0], place[2])
        self._unused[place[0]][place] = stage, value

    def hide(self, stage: int, name: str) -> None:
        """Forget what was declared under a name and not used: the name has another value from here on."""
        unused = self._unused[stage]
        for place in [each for each in unused if each[2] == name]:
            del unused[place]

    def use(self, stage: int, names: Collection[str] | None) -> None:
        """Count what was declared under these names; None: under any."""
        unused = self._unused[stage]
        for place in [each for each in unused if names is None or each[2] in names]:
            where, value = unused.pop(place)
            if place not in self._used:
                self._used.add(place)
                self.count(place[2], where, value)

    def count(self, name: str, stage: str, value: Value, *, default: bool = False) -> None:
        """Count a value, unless it says only where to fetch, or is the builder's own.

        `default`: one in place of which another was passed.
        """
        if not is_location(name) and value.counts != f"${{{name}}}":
            name += " (default)" * default
            self._values.setdefault(name, {}).setdefault(stage, []).append(value.counts)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield names and values; a name that has several values is told apart by its stage."""
        several = {
            name: {value for values in by_stage.values() for value in values}
            for name, by_stage in self._values.items()
        }
        for name, by_stage in self._values.items():
            plain = name.removesuffix(" (default)")
            if plain != name and several[name] == several.get(plain):
                continue
            if len(several[name]) == 1:
                yield name, next(iter(by_stage.values()))[0]
                continue
            for stage, values in by_stage.items():
                for number, value in enumerate(values, 1):
                    place = f"stage {stage}" if stage else "FROM"
                    yield f"{name} ({place}{f', {number}' if number > 1 else ''})", value
