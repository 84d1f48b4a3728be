"""Reads a disk image of QEMU's format qcow2: zlib compression, no backing file, no encryption."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from isol8_tasks.errors import LabError

_HEADER = struct.Struct(">4sIQIIQIIQ")
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ALL_ZERO = 1
_SECTOR = 512


def clusters(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (position on the disk, content) of every cluster that holds something."""
    magic, version, backing, _, bits, _, encryption, l1_size, l1_offset = _HEADER.unpack_from(data)
    if magic != b"QFI\xfb" or version not in {2, 3} or backing or encryption:
        raise LabError("The disk image of the stand-in is not a plain qcow2 file: its pin must be wrong.")
    size = 1 << bits
    entries = size // 8
    for i, l1 in enumerate(struct.unpack_from(f">{l1_size}Q", data, l1_offset)):
        if not l1 & _OFFSET:
            continue
        for j, entry in enumerate(struct.unpack_from(f">{entries}Q", data, l1 & _OFFSET)):
            if content := _cluster(data, entry, bits):
                yield (i * entries + j) * size, content


def _cluster(data: bytes, entry: int, bits: int) -> bytes:
    """Return the content that a second-level entry leads to, nothing for a hole."""
    size = 1 << bits
    if entry & _COMPRESSED:
        shift = 62 - (bits - 8)
        offset = entry & ((1 << shift) - 1)
        sectors = (entry >> shift & ((1 << (bits - 8)) - 1)) + 1
        # A raw deflate stream with a small window, which may end before its last sector does.
        return zlib.decompressobj(-12).decompress(data[offset : offset + sectors * _SECTOR], size)
    if entry & _ALL_ZERO or not entry & _OFFSET:
        return b""
    return data[entry & _OFFSET : (entry & _OFFSET) + size]


def write_raw(data: bytes, out: BinaryIO) -> None:
    """Write the disk as it is seen by a machine, holes left holes."""
    size = _HEADER.unpack_from(data)[5]
    out.truncate(size)
    for position, content in clusters(data):
        out.seek(position)
        out.write(content)
