"""Reading a disk image, on a tiny one made here."""

import io
import struct
import zlib

import pytest

from isol8_tasks.errors import LabError
from lab.qcow2 import write_raw

BITS = 9
SIZE = 1 << BITS
PLAIN, SQUEEZED = b"plain".ljust(SIZE, b"."), b"squeezed".ljust(SIZE, b"!")


def image(*, magic: bytes = b"QFI\xfb", backing: int = 0) -> bytes:
    """Return an image of four clusters: a plain one, a hole, a compressed one, one marked as all zero."""
    squeeze = zlib.compressobj(wbits=-12)
    squeezed = squeeze.compress(SQUEEZED) + squeeze.flush()
    shift = 62 - (BITS - 8)
    l1, l2, plain, compressed = SIZE, 2 * SIZE, 3 * SIZE, 4 * SIZE
    header = struct.pack(">4sIQIIQIIQ", magic, 3, backing, 0, BITS, 4 * SIZE, 0, 1, l1)
    entries = [plain | 1 << 63, 0, 1 << 62 | compressed | 0 << shift, 1]
    second = struct.pack(f">{SIZE // 8}Q", *entries, *[0] * (SIZE // 8 - len(entries)))
    blocks = [header, struct.pack(">Q", l2 | 1 << 63), second, PLAIN, squeezed]
    return b"".join(block.ljust(SIZE, b"\0") for block in blocks)


def test_disk_is_as_a_machine_sees_it() -> None:
    """Plain and compressed clusters are where they belong, and all else is zero."""
    out = io.BytesIO()
    write_raw(image(), out)
    assert out.getvalue() == PLAIN + bytes(SIZE) + SQUEEZED


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(image(magic=b"none"), id="another format"),
        pytest.param(image(backing=64), id="backing file"),
    ],
)
def test_other_images_are_refused(data: bytes) -> None:
    """What can't be read right is not read at all."""
    with pytest.raises(LabError) as caught:
        write_raw(data, io.BytesIO())
    assert (
        str(caught.value)
        == "The disk image of the stand-in is not a plain qcow2 file: its pin must be wrong."
    )
