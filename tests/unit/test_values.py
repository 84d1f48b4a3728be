"""Values that are compared, hashed and printed by their fields."""

from attrs import evolve, field, frozen

from isol8_tasks.values import ByValue


@frozen(kw_only=True)
class Ordinary:
    """A class whose methods attrs compiles."""

    name: str
    size: int = 0
    note: str = field(default="", eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class Short(ByValue):
    """The same without methods of its own."""

    name: str
    size: int = 0
    note: str = field(default="", eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class Other(ByValue):
    """Another class with the same fields."""

    name: str
    size: int = 0


@frozen(eq=False, repr=False)
class Empty(ByValue):
    """A class without fields."""


def test_values_are_equal_by_the_fields_that_count() -> None:
    """As with methods of attrs, a field with eq=False does not count; nor does one class equal another."""
    one = Short(name="a", note="x")
    assert one == Short(name="a", note="y")
    assert hash(one) == hash(evolve(one, note="y"))
    assert one != Short(name="a", size=1)
    assert one != Other(name="a")
    assert Empty() == Empty()
    assert {one, evolve(one, note="y"), evolve(one, name="b")} == {one, Short(name="b")}


def test_values_print_as_attrs_prints_them() -> None:
    """The class, and the fields but those with repr=False."""
    name = repr(Ordinary(name="a", note="x"))
    assert name == "Ordinary(name='a', size=0)"
    assert repr(Short(name="a", note="x")) == name.replace("Ordinary", "Short")
    assert repr(Empty()) == "Empty()"
