"""Takes chosen files out of wheels and tar files."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

EXECUTABLE = 0o755
PLAIN = 0o644


def from_wheel(wheel: Path, prefix: str, into: Path, wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Unpack the files whose path in the wheel begins with the prefix, under what remains of it, if it is wanted."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            rest = member.filename.removeprefix(prefix).lstrip("/")
            if member.is_dir() or not member.filename.startswith(prefix) or not wanted(rest):
                continue
            target = into / rest
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            # Owner and group of what a package installs are root's, whose umask is not ours to rely on.
            target.chmod(EXECUTABLE if member.external_attr >> 16 & 0o100 else PLAIN)


def read_wheel(wheel: Path, suffix: str) -> bytes:
    """Return the content of the one file in the wheel whose name ends so."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(suffix))
        return archive.read(name)


def from_tar(archive: tarfile.TarFile, place: Callable[[str], Path | None]) -> None:
    """Unpack files and links to where `place` says for each name; None leaves one out."""
    for member in archive:
        target = place(member.name.removeprefix("./"))
        if target is None or not (member.isfile() or member.issym()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.issym():
            target.symlink_to(member.linkname)
        elif source := archive.extractfile(member):
            with source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            target.chmod(EXECUTABLE if member.mode & 0o100 else PLAIN)
            # By which Python tells whether a compiled file is that of its source.
            os.utime(target, (member.mtime, member.mtime))
