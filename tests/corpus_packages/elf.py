"""Makes small ELF files for x86-64 that a dynamic loader refuses: no compiler is needed for what is not to be run."""

import struct
from typing import Final

_BASE: Final = 0x1000
_HEADER: Final = 64
_SEGMENT: Final = 56
_MUSL: Final = "/lib/ld-musl-x86_64.so.1"
_GLIBC: Final = "/lib64/ld-linux-x86-64.so.2"
INTERPRETERS: Final = {"": "", "musl": _MUSL, "glibc": _GLIBC}


def elf(*, needed: str = "", undefined: str = "", interpreter: str = "") -> bytes:
    """Return a shared library or, with an interpreter, a program that needs a library or a symbol that is nowhere."""
    strings = b"\0" + needed.encode() + b"\0" + undefined.encode() + b"\0"
    loader = INTERPRETERS[interpreter].encode() + b"\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 2 + len(needed), 0x10, 0, 0, 0, 0)
    hashes = struct.pack("<5I", 1, 2, 1 if undefined else 0, 0, 0)
    count = 4 if interpreter else 2
    place = _HEADER + count * _SEGMENT
    parts = [loader, strings, symbols, hashes, bytes(16)]
    places = []
    for part in parts:
        place = -(-place // 8) * 8
        places.append(place)
        place += len(part)
    at_loader, at_strings, at_symbols, at_hashes, at_slot = places
    at_relocations = -(-place // 8) * 8
    at_dynamic = at_relocations + 24
    entries = [(5, at_strings), (10, len(strings)), (6, at_symbols), (11, 24), (4, at_hashes)]
    entries += [(1, 1)] if needed else []
    # R_X86_64_GLOB_DAT of the symbol, into a place of its own.
    entries += [(7, at_relocations), (8, 24), (9, 24)] if undefined else []
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in [*entries, (0, 0)])
    size = at_dynamic + len(dynamic)
    segments = [_segment(1, 7, 0, size, align=_BASE), _segment(2, 6, at_dynamic, len(dynamic))]
    if interpreter:
        table = _segment(6, 4, _HEADER, count * _SEGMENT)
        segments = [table, _segment(3, 4, at_loader, len(loader), align=1), *segments]
    body = bytearray(size)
    body[:_HEADER] = _head(count)
    body[_HEADER : _HEADER + count * _SEGMENT] = b"".join(segments)
    for at, part in zip(places, parts, strict=True):
        body[at : at + len(part)] = part
    body[at_relocations:at_dynamic] = struct.pack("<QQq", at_slot, 1 << 32 | 6, 0)
    body[at_dynamic:] = dynamic
    return bytes(body)


def _head(segments: int) -> bytes:
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    return identity + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, _HEADER, 0, 0, _HEADER, _SEGMENT, segments, 0, 0, 0
    )


def _segment(kind: int, flags: int, offset: int, size: int, *, align: int = 8) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)
