"""Classes as tables: which keys they have, how their values are read, and how every problem is told with its path."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import pytest
from attrs import field, frozen

from isol8_tasks.config.strict import NO_KEY, InvalidError, keys_of, report, string, structured


def _even(value: object) -> int:
    if not isinstance(value, int) or value % 2:
        raise InvalidError(f"{value!r} is not even")
    return value


def _faulty(value: object) -> int:
    return len(value)  # type: ignore[arg-type]  # what is shown


@frozen(kw_only=True)
class Shelf:
    """A table in a table."""

    PLACE: ClassVar = "a key of a shelf"
    width: Annotated[int, _even]
    books: tuple[str, ...] = ()
    color: str | None = None


@frozen(kw_only=True)
class Room:
    """A table of some values."""

    shelves: Mapping[str, Shelf] = field(factory=dict, metadata={"key": "shelf"})
    heights: tuple[Annotated[int, _even], ...] = ()
    warm: bool = False
    count: Annotated[int, _faulty] = 0
    source: str = field(default="", metadata=NO_KEY)


def problems(value: object) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        structured(value, Room)
    return report(caught.value.problems, "f", lambda _: None).splitlines()


def test_keys_are_those_of_the_file() -> None:
    """A field may have another name than its key, or no key."""
    assert keys_of(Room) == ("shelf", "heights", "warm", "count")


def test_values_are_read_by_their_types() -> None:
    """In tables, arrays and mappings of them; what is not there has its default."""
    found = structured(
        {"shelf": {"a": {"width": 2, "books": ["x"], "color": "red"}}, "heights": [2, 4], "warm": True}, Room
    )
    shelf = Shelf(width=2, books=("x",), color="red")
    assert found == Room(shelves={"a": shelf}, heights=(2, 4), warm=True)


def test_every_problem_has_its_path() -> None:
    """However deep it is, by the names of the file; and each kind of problem says what is expected."""
    assert problems(
        {
            "shelf": {"a": {"widthh": 2}, "b": {"width": 3, "books": "x"}, "c": 1},
            "heights": [1, 2, "x"],
            "warm": 1,
            "source": "x",
        }
    ) == [
        "f: heights[0]: 1 is not even",
        "f: heights[2]: 'x' is not even",
        "f: shelf.a: width is missing",
        "f: shelf.a.widthh: not a key of a shelf (did you mean width? allowed: width, books, color)",
        'f: shelf.b.books: expected an array of strings, found a string; write books = ["…", "…"]',
        "f: shelf.b.width: 3 is not even",
        "f: shelf.c: expected a table, found an integer; write [shelf.c], and its keys below it",
        "f: source: not a setting of this table (allowed: shelf, heights, warm, count)",
        "f: warm: expected a boolean, found an integer; write warm = true",
    ]


def test_the_whole_may_be_wrong() -> None:
    """What is no table at all is one problem."""
    with pytest.raises(InvalidError, match="expected a table, found an array"):
        structured([], Room)


def test_a_fault_of_a_reader_is_no_problem_of_the_file() -> None:
    """It is seen as what it is."""
    with pytest.raises(TypeError, match="has no len"):
        structured({"count": 3}, Room)


def test_a_string_is_a_string() -> None:
    """A number isn't turned into one."""
    with pytest.raises(InvalidError, match="expected a string, found an integer"):
        string(3)
