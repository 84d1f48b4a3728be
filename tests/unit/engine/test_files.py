"""All files of an image as one digest, of archives as an engine sends them."""

import itertools
import re
from collections.abc import Iterator

import pytest

from isol8_tasks.engine.files import digest
from tests.archives import ALIKE, DIFFERENT, PLAIN, Entry, archive


def of(data: bytes, size: int = 700) -> str:
    return digest(iter([data[start : start + size] for start in range(0, len(data), size)]))


@pytest.mark.parametrize("name", DIFFERENT)
def test_each_difference_shows(name: str) -> None:
    """Whatever is another file system has another digest."""
    assert of(DIFFERENT[name]) != of(archive(*PLAIN))


def test_no_two_differences_are_the_same() -> None:
    """Nothing stands for something else."""
    assert len({of(each) for each in DIFFERENT.values()}) == len(DIFFERENT)


@pytest.mark.parametrize("name", ALIKE)
def test_times_do_not_count(name: str) -> None:
    """Nor do the names of owners, of which an image has its own list."""
    assert of(ALIKE[name]) == of(archive(*PLAIN))


def test_an_attribute_that_only_others_keep_counts() -> None:
    """Docker leaves it out of its layers, and another engine may not."""
    marked = archive(PLAIN[0], Entry("opt/a", b"one", xattrs={"user.mark": "1"}), *PLAIN[2:])
    assert of(marked) != of(archive(*PLAIN))


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1 << 20])
def test_pieces_do_not_count(size: int) -> None:
    """However the archive comes."""
    assert of(DIFFERENT["a long name"], size) == of(DIFFERENT["a long name"])


def test_what_follows_the_end_does_not_count() -> None:
    """The padding of a tape, for one."""
    assert of(archive(*PLAIN) + bytes(4096)) == of(archive(*PLAIN))


def test_content_is_not_mistaken_for_the_next_file() -> None:
    """A file that holds an archive of the rest is another one."""
    inner = archive(Entry("b", b"two"))
    parted = archive(Entry("a", inner[:1024]), Entry("b", b"two"))
    assert of(parted) != of(archive(Entry("a", inner[:512]), Entry("b", b"two")))


@pytest.mark.parametrize("cut", [1, 511, 512, 1000, 1536])
def test_an_archive_that_ends_early_is_no_result(cut: int) -> None:
    """An engine whose connection was lost has not told all."""
    whole = archive(Entry("a", b"x" * 600))
    with pytest.raises(ValueError, match=r"^it ends too early$"):
        of(whole[:cut])


def _broken() -> Iterator[tuple[str, bytes, str]]:
    plain = archive(Entry("a"))
    yield "a kind that says more", plain[:156] + b"S" + plain[157:], "an entry of kind b'S'"
    yield "a size that is none", plain[:124] + b"seven" + plain[129:], "invalid literal"
    long = bytearray(DIFFERENT["a capability"])
    start = long.index(b"SCHILY") - 3
    yield "a record without a length", bytes(long[:start] + b"00 " + long[start + 3 :]), "a record without"


@pytest.mark.parametrize(("data", "said"), [row[1:] for row in _broken()], ids=[row[0] for row in _broken()])
def test_what_is_not_understood_is_no_result(data: bytes, said: str) -> None:
    """Rather than to take two images for the same."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        of(data)


def test_a_size_without_room_in_the_header() -> None:
    """A record, or bytes behind a mark, in the place of octal digits."""
    plain = archive(Entry("a", b"x" * 600), Entry("b"))
    marked = plain[:124] + b"\x80" + (600).to_bytes(11) + plain[136:]
    assert len({of(plain), of(marked)}) == 2
    sized = archive(Entry("a", b"x" * 600), Entry("b"), pax={"size": "600"})
    wrong = bytearray(sized)
    header = 1024
    assert wrong[header : header + 1] == b"a"
    wrong[header + 124 : header + 136] = b"00000000000\0"
    assert of(bytes(wrong)) != of(plain)


def test_every_order_is_one_of_its_own() -> None:
    """An engine lists the same files in the same order, so none has to be put in order here."""
    entries = [Entry("a"), Entry("b"), Entry("c")]
    assert len({of(archive(*each)) for each in itertools.permutations(entries)}) == 6
