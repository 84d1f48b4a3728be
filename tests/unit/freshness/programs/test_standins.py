"""Wheels that stand for others while packages are resolved."""

import io
import zipfile

import pytest

from isol8_tasks.freshness.programs.standins import can_be_stood_for, may_bring_more, standin

NAME = "a_b-1.0+local-1-py2.py3-none-any.whl"
METADATA = b"Metadata-Version: 2.1\nName: a-b\nVersion: 1.0+local\nRequires-Dist: c>=1\n"


@pytest.mark.parametrize(
    ("file", "can"),
    [
        ({"core-metadata": {"sha256": "ab"}}, True),
        ({"core-metadata": True}, True),
        ({"dist-info-metadata": True, "hashes": {"sha512": "ab", "md5": "cd"}}, True),
        ({"core-metadata": False, "dist-info-metadata": True}, False),
        ({}, False),
        ({"core-metadata": True, "hashes": {"md5": "ab"}}, False),
        ({"core-metadata": True, "hashes": {}}, False),
        ({"core-metadata": True, "filename": "a-1.0.tar.gz"}, False),
    ],
)
def test_metadata_and_a_hash_are_needed(file: dict[str, object], *, can: bool) -> None:
    """What is not told of a file is found out from the whole of it, and a source distribution is built."""
    assert can_be_stood_for({"filename": NAME, "hashes": {"sha256": "ab"}, **file}) is can


def test_hashes_may_be_left_out() -> None:
    """By an index that does not keep to the standard."""
    assert not can_be_stood_for({"filename": NAME, "core-metadata": True})


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (b"Requires-Dist: c @ git+https://x/c", True),
        (b"requires-dist: c[d]@https://x/c.tar.gz ; extra == 'e'", True),
        (b"Requires-Dist: c>=1; extra == '@'", False),
        (b"Author-email: me@example.org", False),
    ],
)
def test_addresses_may_bring_what_has_to_be_built(line: bytes, *, more: bool) -> None:
    """No index tells what is behind them."""
    assert may_bring_more(METADATA + line + b"\n") is more


def test_it_is_a_wheel_with_metadata_alone() -> None:
    """Its name is the other's, and so is what it needs."""
    with zipfile.ZipFile(io.BytesIO(standin(NAME, METADATA))) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == {
        "a_b-1.0+local.dist-info/METADATA": METADATA.decode(),
        "a_b-1.0+local.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: isol8\nRoot-Is-Purelib: true\n"
        "Tag: py2-none-any\nTag: py3-none-any\n",
        "a_b-1.0+local.dist-info/RECORD": "a_b-1.0+local.dist-info/METADATA,,\n"
        "a_b-1.0+local.dist-info/WHEEL,,\na_b-1.0+local.dist-info/RECORD,,\n",
    }
