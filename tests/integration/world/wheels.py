"""A wheel index: PEP 503 as HTML, PEP 691 and 700 as JSON, metadata of wheels by themselves (PEP 658)."""

import datetime as dt
import hashlib
import html
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from attrs import Factory, define, evolve, frozen

from tests.integration.world.filler import filler
from tests.integration.world.serving import Answer

PURE: Final = "py3-none-any"
JSON: Final = "application/vnd.pypi.simple.v1+json"
Fault = Literal["", "build", "import", "hang"]
"""`build`: it can be resolved and fetched, and its install fails; `import`: it installs, and importing it fails;
`hang`: importing it takes an hour."""

Sidecars = Literal["offered", "not offered", "gone", "another's"]
"""Whether there is metadata of wheels by itself, and whether it is what the index says of it."""

_CODE: Final[Mapping[str, str]] = {
    "": "",
    "build": "",
    "import": 'raise ImportError("this release is broken")\n',
    "hang": "import time\n\ntime.sleep(3600)\n",
}
_STAMP: Final = (2026, 1, 1, 0, 0, 0)


@frozen(kw_only=True)
class _File:
    name: str
    version: str
    data: bytes
    metadata: bytes = b""
    """Empty for a source distribution."""
    tag: str = PURE
    uploaded: dt.datetime

    @property
    def file(self) -> str:
        kind = f"-{self.tag}.whl" if self.metadata else ".tar.gz"
        return f"{self.name.replace('-', '_')}-{self.version}{kind}"

    def entry(self, sidecars: Sidecars) -> dict[str, object]:
        """Return what PEP 691 has of a file."""
        offered = {"core-metadata": {"sha256": hashlib.sha256(self.metadata).hexdigest()}}
        return {
            "filename": self.file,
            "url": f"/files/{self.file}",
            "hashes": {"sha256": hashlib.sha256(self.data).hexdigest()},
            "size": len(self.data),
            "upload-time": f"{self.uploaded:%Y-%m-%dT%H:%M:%S.%fZ}",
            "requires-python": ">=3.8",
            "yanked": False,
            **(offered if self.metadata and sidecars != "not offered" else {}),
        }


@define(kw_only=True)
class Wheels:
    """What the index holds."""

    files: list[_File] = Factory(list)
    sidecars: Sidecars = "offered"

    def add(  # noqa: PLR0913 - all but two are named by the caller
        self,
        name: str,
        version: str,
        *,
        uploaded: dt.datetime,
        requires: tuple[str, ...],
        fault: Fault,
        size: int,
        code: str = "",
        tag: str = PURE,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Add a wheel with one module, named as the package; one of the same version is replaced.

        `files` come besides, or in the place of what would have their names; a program lies in `{data}/scripts`.
        """
        self.files = [each for each in self.files if (each.name, each.version) != (name, version)]
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n"
        metadata = (head + "".join(f"Requires-Dist: {each}\n" for each in requires)).encode()
        module = name.replace("-", "_")
        self.files.append(
            _File(
                name=name,
                version=version,
                metadata=metadata,
                data=_archive(
                    f"{module}-{version}.dist-info", metadata, fault, size, code=code, tag=tag, more=files
                ),
                uploaded=uploaded,
                tag=tag,
            )
        )

    def add_source(self, name: str, version: str, *, uploaded: dt.datetime, helper: str) -> str:
        """Add a source distribution which only a package that is really there can build, and return its sha256."""
        texts = {
            "pyproject.toml": _PROJECT.format(helper=helper),
            "backend.py": _BACKEND.format(name=name, version=version, helper=helper),
        }
        return self.add_archive(name, version, texts, uploaded=uploaded)

    def add_archive(self, name: str, version: str, texts: Mapping[str, str], *, uploaded: dt.datetime) -> str:
        """Add a source distribution of these files, and return its sha256."""
        data = _source(name, version, texts)
        self.files.append(_File(name=name, version=version, data=data, uploaded=uploaded))
        return hashlib.sha256(data).hexdigest()

    def pass_time(self, time: dt.timedelta) -> None:
        """Let everything be uploaded so much earlier."""
        self.files = [evolve(each, uploaded=each.uploaded - time) for each in self.files]

    def routes(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        """Find what an index has."""
        if found := re.fullmatch(r"/simple/([^/]+)/", path):
            files = [wheel for wheel in self.files if wheel.name == found[1]]
            if not files:
                return None
            entries = [wheel.entry(self.sidecars) for wheel in files]
            return _project(found[1], entries, as_json=JSON in headers.get("accept", ""))
        for wheel in self.files:
            if path == f"/files/{wheel.file}":
                return Answer(body=wheel.data, lasts=True)
            if path == f"/files/{wheel.file}.metadata" and self.sidecars != "gone":
                more = b"Requires-Dist: unheard-of\n" if self.sidecars == "another's" else b""
                return Answer(body=wheel.metadata + more)
        return None


def _project(name: str, entries: list[dict[str, Any]], *, as_json: bool) -> Answer:
    if as_json:
        versions = sorted({entry["filename"].split("-")[1].removesuffix(".tar.gz") for entry in entries})
        document = {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": entries}
        return Answer(body=json.dumps(document).encode(), kind=JSON)
    links = []
    for entry in entries:
        python = html.escape(entry["requires-python"])
        metadata = entry.get("core-metadata")
        offered = f' data-core-metadata="sha256={metadata["sha256"]}"' if metadata else ""
        links.append(
            f'<a href="{entry["url"]}#sha256={entry["hashes"]["sha256"]}" data-requires-python="{python}"'
            f"{offered}>{entry['filename']}</a><br>\n"
        )
    return Answer(
        body=f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode(), kind="text/html"
    )


def _archive(  # noqa: PLR0913 - all but four are named by the caller
    info: str, metadata: bytes, fault: Fault, size: int, *, code: str, tag: str, more: Mapping[str, bytes]
) -> bytes:
    module, version = info.removesuffix(".dist-info").split("-")
    files = {
        f"{module}.py": f'__version__ = "{version}"\n{_CODE[fault]}{code}'.encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: isol8\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    files |= {name.format(data=info.replace(".dist-info", ".data")): data for name, data in more.items()}
    if size:
        files[f"{module}_filler.bin"] = filler(f"{module} {version}", size)
    if fault == "build":
        files["../outside.py"] = b"# which an installer refuses\n"
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), data)
    return buffer.getvalue()


def _source(name: str, version: str, texts: Mapping[str, str]) -> bytes:
    files = {**texts, "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


_PROJECT: Final = """\
[build-system]
requires = ["{helper}"]
build-backend = "backend"
backend-path = ["."]
"""
_BACKEND: Final = """\
import pathlib

import {helper}


def prepare_metadata_for_build_wheel(directory, settings=None):
    folder = pathlib.Path(directory, "{name}-{version}.dist-info")
    folder.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: {name}", "Version: {version}", "Requires-Dist: other"]
    (folder / "METADATA").write_text("\\n".join(lines) + "\\n")
    return folder.name
"""
