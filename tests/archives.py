"""File systems as tar archives: such as differ in one thing, or in nothing that counts; and those of images."""

import gzip
import io
import json
import struct
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen
from docker import APIClient


@frozen
class Entry:
    """A file of an archive; the tar module's own names for what it has."""

    name: str
    content: bytes = b""
    more: Mapping[str, Any] = {}
    xattrs: Mapping[str, str] = {}


def archive(*entries: Entry, pax: Mapping[str, str] | None = None) -> bytes:
    """Return an archive of these files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as out:
        for entry in entries:
            member = tarfile.TarInfo(entry.name)
            member.size, member.mode, member.mtime = len(entry.content), 0o644, 1_700_000_000
            member.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in entry.xattrs.items()}
            member.pax_headers |= pax or {}
            for name, value in entry.more.items():
                setattr(member, name, value)
            out.addfile(member, io.BytesIO(entry.content))
    return file.getvalue()


def folder(name: str, mode: int = 0o755, **more: Any) -> Entry:  # noqa: ANN401 - as the tar module has them
    """Return a folder."""
    return Entry(name, more={"type": tarfile.DIRTYPE, "mode": mode, **more})


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    """Return a link, a symbolic one unless said otherwise."""
    return Entry(name, more={"type": kind, "linkname": target, "mode": 0o777})


def device(name: str, minor: int, kind: bytes = tarfile.CHRTYPE) -> Entry:
    """Return a device node."""
    return Entry(name, more={"type": kind, "devmajor": 1, "devminor": minor})


def capability(bit: int) -> str:
    """Return what gives a program one capability, as the kernel keeps it."""
    packed = struct.pack("<IIIII", 0x02000001, 1 << bit, 0, 0, 0)
    assert all(byte < 128 for byte in packed)
    return packed.decode()


PLAIN: Final = (folder("opt"), Entry("opt/a", b"one"), link("opt/l", "a"), folder("opt/e"))

DIFFERENT: Final[Mapping[str, bytes]] = {
    "a byte": archive(PLAIN[0], Entry("opt/a", b"onf"), *PLAIN[2:]),
    "a byte more": archive(PLAIN[0], Entry("opt/a", b"one\n"), *PLAIN[2:]),
    "the name": archive(PLAIN[0], Entry("opt/b", b"one"), *PLAIN[2:]),
    "a long name": archive(*PLAIN, Entry("opt/" + "n" * 150)),
    "another long name": archive(*PLAIN, Entry("opt/" + "n" * 149 + "m")),
    "a mode bit": archive(PLAIN[0], Entry("opt/a", b"one", {"mode": 0o645}), *PLAIN[2:]),
    "set-uid": archive(PLAIN[0], Entry("opt/a", b"one", {"mode": 0o4644}), *PLAIN[2:]),
    "set-gid": archive(PLAIN[0], Entry("opt/a", b"one", {"mode": 0o2644}), *PLAIN[2:]),
    "sticky": archive(folder("opt", 0o1755), *PLAIN[1:]),
    "the mode of a folder": archive(folder("opt", 0o700), *PLAIN[1:]),
    "the owner": archive(PLAIN[0], Entry("opt/a", b"one", {"uid": 100}), *PLAIN[2:]),
    "the group": archive(PLAIN[0], Entry("opt/a", b"one", {"gid": 101}), *PLAIN[2:]),
    "an owner without room": archive(PLAIN[0], Entry("opt/a", b"one", {"uid": 1 << 22}), *PLAIN[2:]),
    "another owner without room": archive(PLAIN[0], Entry("opt/a", b"one", {"uid": 1 << 23}), *PLAIN[2:]),
    "a link's target": archive(*PLAIN[:2], link("opt/l", "e"), PLAIN[3]),
    "a file for a link": archive(*PLAIN[:2], Entry("opt/l", b"one"), PLAIN[3]),
    "a hard link for a link": archive(*PLAIN[:2], link("opt/l", "opt/a", tarfile.LNKTYPE), PLAIN[3]),
    "an empty folder more": archive(*PLAIN, folder("opt/f")),
    "an empty folder less": archive(*PLAIN[:3]),
    "a file for a folder": archive(*PLAIN[:3], Entry("opt/e")),
    "a capability": archive(
        PLAIN[0],
        Entry("opt/a", b"one", xattrs={"security.capability": capability(10)}),
        *PLAIN[2:],
    ),
    "another capability": archive(
        PLAIN[0],
        Entry("opt/a", b"one", xattrs={"security.capability": capability(12)}),
        *PLAIN[2:],
    ),
    "a device": archive(*PLAIN, device("opt/z", 3)),
    "another device": archive(*PLAIN, device("opt/z", 5)),
    "a block device": archive(*PLAIN, device("opt/z", 3, tarfile.BLKTYPE)),
    "a pipe": archive(*PLAIN, Entry("opt/z", more={"type": tarfile.FIFOTYPE})),
}
"""Each is another file system than `PLAIN`, and than each other."""

ALIKE: Final[Mapping[str, bytes]] = {
    "itself": archive(*PLAIN),
    "times": archive(*(Entry(e.name, e.content, {"mtime": 1, **e.more}) for e in PLAIN)),
    "parts of a second": archive(*(Entry(e.name, e.content, {"mtime": 1.5, **e.more}) for e in PLAIN)),
    "times of other kinds": archive(*PLAIN, pax={"atime": "1.25", "ctime": "2.5"}),
    "names of owners": archive(*(Entry(e.name, e.content, {"uname": "me", **e.more}) for e in PLAIN)),
}
"""Each is the file system that `PLAIN` is."""


def saved_parts(api: APIClient, tag: str, below: int) -> Iterator[tuple[str, bytes]]:
    """Give an image's configuration, and its layers but for the lowest, as they are saved."""
    with tempfile.TemporaryFile() as file:
        file.writelines(api.get_image(tag))
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:

            def content(path: str) -> bytes:
                found = archive.extractfile(path)
                assert found is not None
                data = found.read()
                return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data

            (image,) = json.loads(content("manifest.json"))
            yield f"{tag} configuration", content(image["Config"])
            for layer in image["Layers"][below:]:
                yield f"{tag} layer {layer}", content(layer)
