"""What is compared, hashed and printed by its fields, without methods of its own for it."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from attrs import fields


class ByValue:
    """The base of classes of attrs with `eq=False, repr=False`: they compare, hash and print as attrs lets them.

    attrs would compile these methods for each class, whether they are called or not. A run with nothing to do imports
    fifty of our classes, and the methods took a tenth of it.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Tell whether both are of one class and have the same fields."""
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(_read(self) == _read(other))

    def __hash__(self) -> int:
        """Return a number that equal values share."""
        return hash((self.__class__, _read(self)))

    def __repr__(self) -> str:
        """Return the class and its fields."""
        kind: Any = self.__class__
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(kind) if each.repr)
        return f"{kind.__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


def _read(value: Any) -> object:  # noqa: ANN401 - of a class of attrs
    return _reader(value.__class__)(value)


@cache
def _reader(kind: Any) -> Callable[[object], object]:  # noqa: ANN401 - a class of attrs
    """Return what reads the fields of a class that count."""
    names = [each.name for each in fields(kind) if each.eq]
    return attrgetter(*names) if names else lambda _: ()
