"""Makes small programs and libraries for this machine's processor, broken in the ways that a loader tells of."""

import platform
import struct
from collections.abc import Sequence

_MACHINE, _GLOB_DAT = (183, 1025) if platform.machine() == "aarch64" else (62, 6)
_START = 64
"""Where what follows the header of the file begins."""


def elf(
    *,
    interpreter: str = "",
    needed: Sequence[str] = (),
    undefined: Sequence[str] = (),
    machine: int = _MACHINE,
) -> bytes:
    """Return a shared object; a program where it names an interpreter. It has no code and is never run."""
    texts = b"\0" + b"".join(f"{text}\0".encode() for text in (*needed, *undefined))
    offsets = {text: texts.index(f"\0{text}\0".encode()) + 1 for text in (*needed, *undefined)}
    path = f"{interpreter}\0".encode() if interpreter else b""
    headers = 3 if interpreter else 2
    at = _START + 56 * headers
    parts: dict[str, int] = {}
    body = b""

    def put(name: str, data: bytes) -> None:
        nonlocal body
        body += bytes(-len(body) % 8)
        parts[name] = at + len(body)
        body += data

    put("interpreter", path)
    put("texts", texts)
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", offsets[name], 0x12, 0, 0, 0, 0) for name in undefined
    )
    put("symbols", symbols)
    put("hash", struct.pack("<5I", 1, len(undefined) + 1, 0, 0, 0) + bytes(4 * len(undefined)))
    put("targets", bytes(8 * len(undefined)))
    put(
        "relocations",
        b"".join(
            struct.pack("<QQq", parts["targets"] + 8 * place, (place + 1 << 32) | _GLOB_DAT, 0)
            for place in range(len(undefined))
        ),
    )
    dynamic = [(1, offsets[name]) for name in needed]
    dynamic += [(5, parts["texts"]), (6, parts["symbols"]), (10, len(texts)), (11, 24), (4, parts["hash"])]
    dynamic += [(7, parts["relocations"]), (8, 24 * len(undefined)), (9, 24), (0, 0)]
    put("dynamic", b"".join(struct.pack("<QQ", *each) for each in dynamic))
    size = at + len(body)
    found = [(1, 7, 0, size, 4096), (2, 6, parts["dynamic"], 16 * len(dynamic), 8)]
    if interpreter:
        found.insert(0, (3, 4, parts["interpreter"], len(path), 1))
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, place, place, place, length, length, align)
        for kind, flags, place, length, align in found
    )
    head = struct.pack(
        "<4s5B7xHHIQQQIHHHHHH",
        b"\x7fELF",
        2,
        1,
        1,
        0,
        0,
        3,
        machine,
        1,
        0,
        64,
        0,
        0,
        64,
        56,
        headers,
        0,
        0,
        0,
    )
    return head + table + body
