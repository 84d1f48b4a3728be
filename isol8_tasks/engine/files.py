"""What is in an image's file system, as one digest, read from a container that is made and never started.

Two images have one digest only if all their files are the same: paths, kinds, modes, owners, devices, links, extended
attributes and content. Times do not count. No program of the image runs, so none can lie.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.containers import NoSuchImageError, NotStartedError, RunRequest
from isol8_tasks.engine.sandboxes import unstarted
from isol8_tasks.engine.wire import EngineRefusedError


def files(connection: Connection, image: str) -> str:
    """Do what ImageEngine.files promises."""
    request = RunRequest(image=image, command=("true",), seconds=1)
    try:
        # Another folder might be made, so that nobody could tell whether the image has it.
        with unstarted(connection, request, folder="/") as container:
            path = f"/containers/{container}/export"
            chunks = connection.read(path, f"the reading of {image}", {}, method="GET")
            with contextlib.closing(chunks):
                next(chunks)
                return digest(chunks)
    except (EngineRefusedError, NotStartedError, NoSuchImageError, ValueError):
        # What was aborted, or lost its engine, is an error as anywhere.
        return ""


def digest(chunks: Iterator[bytes]) -> str:
    """Return a digest of all that a tar archive says but for times and the names of owners, in its own order.

    An engine lists the same files in the same order. ValueError says that it is no whole archive.
    """
    whole = hashlib.sha256()
    archive = _Archive(chunks)
    while (header := archive.read(_BLOCK)) != bytes(_BLOCK):
        size = _number(header[124:136]) if archive.size is None else archive.size
        archive.size = None
        if header[156:157] == b"x":
            # What a header has no room for: long names, extended attributes.
            records, archive.size = _lasting(archive.read(size))
            if records:
                _add(whole.update, b"X", records)
        elif header[156:157] not in _KINDS:
            raise ValueError(f"an entry of kind {header[156:157]!r}")
        else:
            _add(whole.update, b"H", header[:136], header[156:265], header[329:])
            archive.pass_on(size, whole.update)
        archive.pass_on(-size % _BLOCK, _ignore)
    return whole.hexdigest()


class _Archive:
    """Chunks, read in blocks; none of it is kept."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self.size: int | None = None
        """Of the next entry, where its header has no room for it."""

    def read(self, size: int) -> bytes:
        """Return the next bytes, exactly so many."""
        parts: list[memoryview] = []
        self.pass_on(size, parts.append)
        return b"".join(parts)

    def pass_on(self, size: int, take: Callable[[memoryview], object]) -> None:
        """Give the next bytes to a function, in pieces as they came."""
        while size:
            if not self._chunk:
                try:
                    self._chunk = memoryview(next(self._chunks))
                except StopIteration:
                    raise ValueError("it ends too early") from None
            piece, self._chunk = self._chunk[:size], self._chunk[size:]
            take(piece)
            size -= len(piece)


def _lasting(records: bytes) -> tuple[bytes, int | None]:
    """Return the records of a PAX header without those of times, in their order, and the size that they give."""
    kept, size = [], None
    while records:
        length = int(records[: records.index(b" ")])
        if length < 1:
            raise ValueError("a record without a length")
        record, records = records[:length], records[length:]
        name, _, value = record.partition(b" ")[2].partition(b"=")
        if name == b"size":
            size = int(value)
        if name not in _TIMES:
            kept.append(record)
    return b"".join(sorted(kept)), size


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or bytes behind a mark."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:])
    return int(field.strip(b"\0 ") or b"0", 8)


def _add(update: Callable[[bytes], object], kind: bytes, *parts: bytes) -> None:
    """Take something in with its length, so that it can't be read as something else."""
    text = b"".join(parts)
    update(kind + len(text).to_bytes(8) + text)


def _ignore(_piece: memoryview) -> None:
    """Take nothing in, as padding says nothing."""


_BLOCK: Final = 512
# Files, links, devices, folders, and GNU's long names, which are entries with a content like others.
_KINDS: Final = frozenset({b"\0", *(str(digit).encode() for digit in range(8)), b"L", b"K"})
_TIMES: Final = frozenset({b"mtime", b"atime", b"ctime"})
