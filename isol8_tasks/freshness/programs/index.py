"""Resolves packages of Python with the pip of the image that this runs in, for any Python 3.9 or newer.

Pip asks an index on this machine, made here, which passes on what the real ones say without the files that may not be
accepted. The arguments, put together, are the question as JSON; so is the answer.
"""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path
from typing import Any

from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

from isol8_tasks.freshness.programs.pages import (
    JSON,
    KINDS,
    Indexes,
    SourceError,
    is_version,
    release,
    uploaded,
)
from isol8_tasks.freshness.programs.standins import can_be_stood_for, may_bring_more, standin


class Gate:
    """Which files may be accepted."""

    def __init__(self, question: dict[str, Any]) -> None:
        self.open = False
        """Nothing is too new."""
        self.only = bool(question.get("only"))
        """What is there already, and nothing else."""
        self.held: dict[tuple[str, str], float | None] = {}
        """By name and version: when what is too new was published; None where the index does not tell."""
        self._there = {
            name: {Version(each) for each in versions if is_version(each)}
            for name, versions in question.get("installed", {}).items()
        }
        self._cutoff: float | None = question.get("cutoff")
        self._cutoffs: dict[str, float | None] = question.get("cutoffs", {})

    def admits(self, name: str, file: dict[str, Any]) -> bool:
        """Tell whether pip may see a file."""
        version = release(file["filename"])
        return version is not None and self.accepts(name, version, uploaded(file))

    def accepts(self, name: str, version: Version, when: float | None) -> bool:
        """Tell whether a version may be accepted, published then; None where nobody tells."""
        if self.open or version in self._there.get(name, ()):
            return True
        cutoff = self._cutoffs.get(name, self._cutoff)
        if self.only:
            return False
        if cutoff is None:
            return True
        if when is not None and when <= cutoff:
            return True
        self.held[name, str(version)] = when
        return False


class Resolver:
    """Pip, in front of an index that shows what a gate admits.

    Pip 25 fetches whole wheels for a dry run, so it gets stand-ins of those whose metadata an index has by itself. But
    what builds a package is really installed, and then everything has to be real.
    """

    def __init__(self, indexes: Indexes, gate: Gate) -> None:
        self._indexes, self._gate = indexes, gate
        self._whole = False
        """Every file is the real one."""
        self._refused = False
        """Pip asked for a file that nothing can stand for."""
        self._lies = False
        """The metadata of a wheel by itself was not there, or not what its hash says."""
        self.problem: SourceError | None = None
        """Why an index could not be asked."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def resolve(self, specs: list[str]) -> dict[str, Any]:
        """Return what pip would install now; where it can't, its exit code and what it printed."""
        whole = self._refused or any("@" in spec for spec in specs)
        for each in (True,) if whole else (False, True):
            self._whole = each
            # Where pip fails, a stand-in may be what it failed by.
            found = self._pip(specs)
            if "pins" in found and not self._refused:
                break
        return found

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        _, number, name, file = handler.path.split("/", 3)
        try:
            body = self._file(handler.path) if file else self._page(int(number), name)
        except SourceError as error:
            self.problem = error
            body = None
        handler.send_response(404 if body is None else 200)
        handler.send_header("Content-Type", "application/octet-stream" if file else JSON)
        handler.send_header("Content-Length", str(len(body or b"")))
        handler.end_headers()
        handler.wfile.write(body or b"")

    def _page(self, number: int, name: str) -> bytes | None:
        page = self._indexes.page(number, canonicalize_name(name))
        if page is None:
            return None
        files = [self._shown(file) for file in page["files"] if self._gate.admits(name, file)]
        return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}).encode()

    def _shown(self, file: dict[str, Any]) -> dict[str, Any]:
        """Return what pip is told of a file: what may not be had, or is stood for, it has to ask for here."""
        is_wheel = file["filename"].endswith(".whl")
        is_real = self._whole or (is_wheel and not can_be_stood_for(file))
        left_out = () if is_real and not self._lies else ("size", "core-metadata", "dist-info-metadata")
        told = {key: value for key, value in file.items() if key not in left_out}
        return told if is_real else {**told, "url": urllib.parse.quote(file["filename"]), "hashes": {}}

    def _file(self, path: str) -> bytes | None:
        file = self._real(path)
        if file is not None and can_be_stood_for(file):
            metadata = self._indexes.metadata(file)
            self._lies = self._lies or metadata is None
            if metadata is not None and not may_bring_more(metadata):
                return standin(file["filename"], metadata)
        self._refused = True
        return None

    def _real(self, path: str) -> dict[str, Any] | None:
        """Return what its index says of the file that has a path here."""
        _, number, name, filename = urllib.parse.unquote(path).split("/", 3)
        page = self._indexes.page(int(number), canonicalize_name(name))
        return next((file for file in (page or {"files": []})["files"] if file["filename"] == filename), None)

    def _pip(self, specs: list[str]) -> dict[str, Any]:
        local = [f"http://{self._address}/{each}/" for each in range(len(self._indexes.urls))]
        no_proxy = ",".join(filter(None, [os.environ.get("no_proxy"), "127.0.0.1"]))
        environment = {
            **os.environ,
            "PIP_INDEX_URL": local[0],
            "PIP_EXTRA_INDEX_URL": " ".join(local[1:]),
            "no_proxy": no_proxy,
            "NO_PROXY": no_proxy,
            # All that it says of indexes is in those before this machine's.
            **({"PIP_CONFIG_FILE": os.devnull} if "PIP_CONFIG_FILE" in os.environ else {}),
        }
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-cache-dir"]
            done = subprocess.run(
                [*command, "--disable-pip-version-check", "--report", str(report), "--", *specs],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if self.problem is not None:
                raise self.problem
            if done.returncode:
                return {"status": done.returncode, "output": done.stdout.decode("utf-8", "replace")}
            found = json.loads(report.read_text(encoding="utf-8"))
        for item in found["install"]:
            if not item.get("is_direct"):
                self._check(canonicalize_name(item["metadata"]["name"]), item["metadata"]["version"])
            split = urllib.parse.urlsplit(item["download_info"]["url"])
            if split.netloc == self._address and (file := self._real(split.path)):
                info = {"url": file["url"], "archive_info": {"hashes": file["hashes"]}}
                item["download_info"] = info
        return installation(found)

    def _check(self, name: str, text: str) -> None:
        """Refuse what pip found where no index tells its age: settings of the image may name folders and pages."""
        if not is_version(text):
            return
        version = Version(text)
        pages = (self._indexes.page(index, name) for index in range(len(self._indexes.urls)))
        files = [file for page in pages if page for file in page["files"]]
        if any(release(file["filename"]) == version and self._gate.admits(name, file) for file in files):
            return
        if not self._gate.accepts(name, version, None) and (name, str(version)) in self._gate.held:
            raise SourceError(
                f"{name} {version}: it comes from pip's find-links, which do not say when it was published, so "
                "min_age can't be applied; "
                f'write min_ages = {{ "{name}" = "0" }} under [refresh] to accept it at once'
            )


def installation(report: dict[str, Any]) -> dict[str, Any]:
    """Return the packages of one of pip's reports, as pins and as requirements with hashes."""
    pins, lines = [], []
    for item in report["install"]:
        name, version = canonicalize_name(item["metadata"]["name"]), item["metadata"]["version"]
        info = item["download_info"]
        hashes = info.get("archive_info", {}).get("hashes", {})
        kind = next((each for each in KINDS if each in hashes), "")
        wanted = f"{name} @ {info['url']}" if item.get("is_direct") else f"{name}=={version}"
        lines.append(wanted + (f" --hash={kind}:{hashes[kind]}" if kind else ""))
        pins.append(["pypi", name, version, f"{kind}:{hashes[kind]}" if kind else ""])
    return {"pins": sorted(pins), "lockfile": "".join(f"{line}\n" for line in sorted(lines)), "gone": []}


def is_settled(indexes: Indexes, installed: dict[str, list[str]], looked: list[str]) -> bool:
    """Tell whether no index has anything for the packages looked at by which pip could come to another result."""

    def settled(name: str) -> bool:
        pages = (indexes.page(index, name) for index in range(len(indexes.urls)))
        files = [file for page in pages if page for file in page["files"] if not file.get("yanked")]
        mine = (file for file in files if suits(file.get("requires-python") or ""))
        versions = {version for file in mine if (version := release(file["filename"]))}
        there = max((Version(each) for each in installed.get(name, ()) if is_version(each)), default=None)
        return there is not None and there in versions and max(versions) == there

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return all(pool.map(settled, looked))


@functools.lru_cache(maxsize=None)  # noqa: UP033 - as above
def suits(wanted: str) -> bool:
    """Tell whether this version of Python is one that a file is for."""
    try:
        return SpecifierSet(wanted).contains(".".join(map(str, sys.version_info[:3])), prereleases=True)
    except InvalidSpecifier:
        return True


def times(indexes: Indexes, pins: list[list[Any]]) -> None:
    """Add to each pin when its first file was published; None where no index tells."""
    for pin in pins:
        pages = (indexes.page(index, pin[1]) for index in range(len(indexes.urls)))
        found = [
            when
            for page in pages
            for file in (page or {"files": []})["files"]
            if str(release(file["filename"])) == pin[2] and (when := uploaded(file)) is not None
        ]
        pin.append(dt.datetime.fromtimestamp(min(found), dt.timezone.utc).isoformat() if found else None)  # noqa: UP017 - as above


def answered(question: dict[str, Any], environ: dict[str, str]) -> dict[str, Any]:
    """Answer a question."""
    gate = Gate(question)
    try:
        indexes = Indexes(environ)
        if question.get("looked") and is_settled(indexes, question["installed"], question["looked"]):
            return {"settled": True}
        resolver = Resolver(indexes, gate)
        found = resolver.resolve(question["specs"])
        held = [["pypi", *key, when] for key, when in sorted(gate.held.items())]
        newest = None
        if held:
            gate.open = True
            newest = resolver.resolve(question["specs"])
        for each in (found, newest):
            if each and "pins" in each:
                times(indexes, each["pins"])
    except SourceError as error:
        return {"problem": str(error)}
    return {"found": found, "newest": newest, "held": held}


def main() -> None:
    """Answer the question of the arguments."""
    json.dump(answered(json.loads("".join(sys.argv[1:])), dict(os.environ)), sys.stdout)


if __name__ == "__main__":
    main()
