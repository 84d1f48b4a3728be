"""An npm registry: packages as whole and as abbreviated documents, and tarballs with their integrity."""

import base64
import datetime as dt
import gzip
import hashlib
import io
import json
import re
import tarfile
import urllib.parse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import Factory, define, evolve, frozen

from tests.integration.world.filler import filler
from tests.integration.world.serving import Answer
from tests.integration.world.wheels import Fault

ABBREVIATED: Final = "application/vnd.npm.install-v1+json"
_CODE: Final[Mapping[str, str]] = {
    "": "",
    "build": "",
    "import": 'require("./nothing-such.js");\n',
    "hang": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3600000);\n",
}


@frozen(kw_only=True)
class _Release:
    manifest: Mapping[str, Any]
    data: bytes
    published: dt.datetime
    sound: bool
    """Not so of one whose tarball is not what its integrity says."""

    def described(self, address: str) -> dict[str, Any]:
        """Return what the registry has of it."""
        name, version = self.manifest["name"], self.manifest["version"]
        sha512 = hashlib.sha512(self.data if self.sound else b"another tarball").digest()
        dist = {
            "tarball": f"http://{address}/{name}/-/{_file(name, version)}",
            "integrity": f"sha512-{base64.b64encode(sha512).decode()}",
        }
        return {**self.manifest, "dist": dist}


@define(kw_only=True)
class Npm:
    """What the registry holds: of each package every release, in the order in which they came."""

    releases: dict[str, list[_Release]] = Factory(dict)

    def add(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        published: dt.datetime,
        dependencies: Mapping[str, str],
        fault: Fault,
        size: int,
        scripts: Mapping[str, str] = MappingProxyType({}),
        files: Mapping[str, str | bytes] = MappingProxyType({}),
        bins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Publish a package with one module; it becomes `latest`, and replaces one of the same version.

        `files` come besides, or in the place of index.js; `bins` are its programs, by name.
        """
        manifest = {
            "name": name,
            "version": version,
            "main": "index.js",
            "dependencies": dict(dependencies),
            **({"scripts": dict(scripts), "hasInstallScript": True} if scripts else {}),
            **({"bin": dict(bins)} if bins else {}),
        }
        release = _Release(
            manifest=manifest,
            data=_tarball(manifest, fault, size, files),
            published=published,
            sound=fault != "build",
        )
        others = [each for each in self.releases.get(name, ()) if each.manifest["version"] != version]
        self.releases[name] = [*others, release]

    def pass_time(self, time: dt.timedelta) -> None:
        """Let everything be published so much earlier."""
        for name, releases in self.releases.items():
            self.releases[name] = [evolve(each, published=each.published - time) for each in releases]

    def routes(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        """Find what a registry has."""
        path = urllib.parse.unquote(path.partition("?")[0]).lstrip("/")
        name, _, file = path.partition("/-/")
        releases = self.releases.get(name)
        if releases is None:
            if found := re.fullmatch(r"((?:@[^/]+/)?[^/]+)/([^/]+)", path):
                return self._version(found[1], found[2], headers["host"])
            return None
        if not file:
            abbreviated = ABBREVIATED in headers.get("accept", "")
            document = _document(name, releases, headers["host"], abbreviated=abbreviated)
            kind = ABBREVIATED if abbreviated else "application/json"
            return Answer(body=json.dumps(document).encode(), kind=kind)
        for release in releases:
            if file == _file(name, release.manifest["version"]):
                return Answer(body=release.data, lasts=True)
        return None

    def _version(self, name: str, wanted: str, address: str) -> Answer | None:
        releases = self.releases.get(name, [])
        for release in reversed(releases):
            if wanted in {"latest", release.manifest["version"]}:
                body = json.dumps(release.described(address)).encode()
                return Answer(body=body, kind="application/json")
        return None


def _file(name: str, version: str) -> str:
    return f"{name.rpartition('/')[2]}-{version}.tgz"


def _document(name: str, releases: list[_Release], address: str, *, abbreviated: bool) -> dict[str, Any]:
    # As npm's own: who asks for the short form learns nothing of when a version was published.
    versions = {release.manifest["version"]: release.described(address) for release in releases}
    times = {release.manifest["version"]: _time(release.published) for release in releases}
    modified = max(times.values())
    document: dict[str, Any] = {
        "name": name,
        "dist-tags": {"latest": releases[-1].manifest["version"]},
        "versions": versions,
    }
    if abbreviated:
        return {**document, "modified": modified}
    times = {"created": min(times.values()), "modified": modified, **times}
    return {**document, "_id": name, "time": times}


def _time(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _tarball(manifest: Mapping[str, Any], fault: Fault, size: int, more: Mapping[str, str | bytes]) -> bytes:
    code = f'{_CODE[fault]}module.exports = {{ version: "{manifest["version"]}" }};\n'
    files = {"package.json": json.dumps(manifest).encode(), "index.js": code.encode()}
    files |= {name: each.encode() if isinstance(each, str) else each for name, each in more.items()}
    if size:
        files["filler.bin"] = filler(f"{manifest['name']} {manifest['version']}", size)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            member.mode = 0o755 if name in more else member.mode
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)
