"""Files of the user's as text: what every reader gets of a file from another system, and of one that is no text."""

from pathlib import Path

import pytest

from isol8_tasks.run.textfiles import NoTextError, read_text


@pytest.mark.parametrize("data", [b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r"], ids=["Unix", "Windows", "old Macs"])
def test_line_ends_are_those_of_unix(tmp_path: Path, data: bytes) -> None:
    """Whatever an editor writes, what a line number or a setup script means is the same."""
    (tmp_path / "file").write_bytes(data)
    assert read_text(tmp_path / "file") == "a\nb\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("\ufeffa".encode("utf-16-le"), "it is UTF-16"),
        ("\ufeffa".encode("utf-16-be"), "it is UTF-16"),
        ("a = 1".encode("utf-16-le"), "it is UTF-16"),
        ("a = 1".encode("utf-16-be"), "it is UTF-16"),
        ("a\nb = é".encode("latin-1"), "line 2 is not UTF-8"),
        (b"a\n\n\xff", "line 3 is not UTF-8"),
    ],
    ids=["UTF-16", "UTF-16 BE", "UTF-16 without a mark", "BE without a mark", "Latin-1", "no text"],
)
def test_another_encoding_is_named(tmp_path: Path, data: bytes, why: str) -> None:
    """With the line where it can be seen, and what to do."""
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(NoTextError) as caught:
        read_text(tmp_path / "file")
    assert str(caught.value) == f"({why}); save it as UTF-8"


def test_below_a_file_is_nothing(tmp_path: Path) -> None:
    """As below a folder that is not there."""
    (tmp_path / "file").touch()
    for name in ("gone", "gone/a", "file/a"):
        with pytest.raises(FileNotFoundError):
            read_text(tmp_path / name)


def test_a_file_too_long_to_be_read_in_time_is_not_read(tmp_path: Path) -> None:
    """A log or an image that lies in the place of a text is not read for a minute."""
    with (tmp_path / "file").open("wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(NoTextError) as caught:
        read_text(tmp_path / "file")
    assert str(caught.value) == "(it has 20 MB, and the most is 16); expected a text that people write"
