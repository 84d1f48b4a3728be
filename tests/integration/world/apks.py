"""A package repository of Alpine's: packages and a signed index in the format of its own mirrors (version 2)."""

import base64
import datetime as dt
import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import Factory, define, evolve, frozen

from tests.integration.world.filler import filler
from tests.integration.world.serving import Answer

KEY: Final = "isol8-world.rsa.pub"
"""The name of the public key, below /etc/apk/keys."""


@frozen(kw_only=True)
class _Apk:
    name: str
    version: str
    data: bytes
    built: dt.datetime
    """When its index says that it was built."""
    entry: str
    """Its part of the index, but for that."""

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.apk"


@define(kw_only=True)
class Apks:
    """What the repository holds: of each package one version, as Alpine's own."""

    folder: Path
    """Where the key is."""
    more: Mapping[str, bytes]
    """Files of another repository, served below /alpine."""
    arch: str = "x86_64"
    """The processor that all of it is for, as Alpine calls it."""
    packages: dict[str, _Apk] = Factory(dict)
    _indexes: dict[str, bytes] = Factory(dict)
    """Signed already, by their text: a signature takes longer than all else."""

    def make_key(self) -> bytes:
        """Make the key that everything is signed with, and return the public one."""
        _openssl("genrsa", "-out", str(self._key), "2048")
        return _openssl("rsa", "-in", str(self._key), "-pubout")

    def add(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        built: dt.datetime,
        depends: tuple[str, ...],
        provides: tuple[str, ...] = (),
        fault: str,
        size: int,
        files: Mapping[str, bytes],
    ) -> None:
        """Put a package there, in the place of another version of it."""
        content = {f"usr/share/{name}/version": version.encode(), **files}
        if not files:
            content[f"usr/bin/{name}"] = f"#!/bin/sh\necho {version}\n".encode()
        if size:
            content[f"usr/share/{name}/filler"] = filler(f"{name} {version}", size)
        data = gzip.compress(_tar(content, sums=True), 1, mtime=0)
        info = {
            "pkgname": name,
            "pkgver": version,
            "pkgdesc": f"{name} of a test",
            "url": "https://example.org",
            "builddate": str(int(built.timestamp())),
            "size": str(sum(map(len, content.values()))),
            "arch": self.arch,
            "origin": name,
            "license": "MIT",
            "datahash": hashlib.sha256(data).hexdigest(),
        }
        lines = [f"{key} = {value}\n" for key, value in info.items()]
        lines += [f"depend = {each}\n" for each in depends]
        lines += [f"provides = {each}\n" for each in provides]
        script = {".pre-install": b"#!/bin/sh\nexit 1\n"} if fault == "build" else {}
        control = _segment({".PKGINFO": "".join(lines).encode(), **script})
        whole = self._signed(control) + data
        self.packages[name] = _Apk(
            name=name,
            version=version,
            data=whole,
            built=built,
            entry=_entry(info, control, whole, depends, provides),
        )

    def pass_time(self, time: dt.timedelta) -> None:
        """Let the index say of everything that it was built so much earlier; the packages stay as they are."""
        for name, package in self.packages.items():
            self.packages[name] = evolve(package, built=package.built - time)

    def routes(self, path: str, _: Mapping[str, str]) -> Answer | None:
        """Find what a mirror has."""
        if path == f"/apk/{self.arch}/APKINDEX.tar.gz":
            return Answer(body=self._index())
        for package in self.packages.values():
            if path == f"/apk/{self.arch}/{package.file}":
                return Answer(body=package.data)
        found = self.more.get(path.removeprefix(f"/alpine/{self.arch}/"))
        return None if found is None else Answer(body=found)

    @property
    def _key(self) -> Path:
        return self.folder / "key.pem"

    def _index(self) -> bytes:
        packages = [self.packages[name] for name in sorted(self.packages)]
        entries = "".join(f"{each.entry}t:{int(each.built.timestamp())}\n\n" for each in packages)
        if entries not in self._indexes:
            content = {"DESCRIPTION": b"world", "APKINDEX": entries.encode()}
            self._indexes[entries] = self._signed(gzip.compress(_tar(content), 1, mtime=0))
        return self._indexes[entries]

    def _signed(self, signed: bytes) -> bytes:
        signature = _openssl("dgst", "-sha256", "-sign", str(self._key), data=signed)
        return _segment({f".SIGN.RSA256.{KEY}": signature}) + signed


def _openssl(*words: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=data, check=True, capture_output=True).stdout


def _segment(files: Mapping[str, bytes]) -> bytes:
    """Return a part of a package: what follows belongs to the same tar file, so it has no end of its own."""
    return gzip.compress(_tar(files, ended=False), 1, mtime=0)


def _tar(files: Mapping[str, bytes], *, ended: bool = True, sums: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folders: dict[str, None] = {}
        for name in files:
            above = [str(each) for each in Path(name).parents if str(each) != "."]
            folders.update(dict.fromkeys(reversed(above)))
        for name in folders:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            if sums:
                member.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(data).hexdigest()}  # noqa: S324 - apk's format
            archive.addfile(member, io.BytesIO(data))
        end = archive.offset
    return buffer.getvalue() if ended else buffer.getvalue()[:end]


def _entry(
    info: Mapping[str, str],
    control: bytes,
    whole: bytes,
    depends: tuple[str, ...],
    provides: tuple[str, ...],
) -> str:
    """Return the lines of an index (wiki.alpinelinux.org/wiki/Apk_spec)."""
    identity = base64.b64encode(hashlib.sha1(control).digest()).decode()  # noqa: S324 - apk's format
    fields = {
        "C": f"Q1{identity}",
        "P": info["pkgname"],
        "V": info["pkgver"],
        "A": info["arch"],
        "S": str(len(whole)),
        "I": info["size"],
        "T": info["pkgdesc"],
        "U": info["url"],
        "L": info["license"],
        "o": info["origin"],
        "D": " ".join(depends),
        "p": " ".join(provides)
        or ("" if info["pkgname"].startswith("lib") else f"cmd:{info['pkgname']}={info['pkgver']}"),
    }
    return "".join(f"{key}:{value}\n" for key, value in fields.items() if value)
