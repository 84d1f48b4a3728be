"""Build arguments and environment as they stand at a point of a Dockerfile, and how far they are known."""

from collections.abc import Mapping
from typing import Final

from attrs import Factory, frozen

from isol8_tasks.plan.lexer import expand
from isol8_tasks.runtimes import LOCATION_ARGS

_PLATFORM: Final = tuple(
    side + what
    for side in ("BUILD", "TARGET")
    for what in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT", "STAGE")
)


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
            counts = word if partial == word else f"{word} = {partial}"
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
    if name not in LOCATION_ARGS:
        return value
    value = value or scope.values.get(name) or Value(text=None, counts="", known=not scope.open)
    return Value(text=value.text, counts=f"${{{name}}}", names=value.names, known=value.known)


def platform_scope(escape: str, given: Mapping[str, str]) -> Scope:
    """Return the scope before the first FROM, where the platform sets variables that aren't known here."""
    scope = Scope(escape=escape)
    for name in _PLATFORM:
        counts = given.get(name, f"${{{name}}}")
        scope.values[name] = Value(text=given.get(name, ""), counts=counts, known=name in given)
    return scope
