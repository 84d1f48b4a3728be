"""Resolves packages of Python with the pip of the image that this runs in, for any Python 3.9 or newer.

Pip asks an index on this machine, made here, which passes on what the real ones say without the files that may not be
let in. The arguments, put together, are the question as JSON; so is the answer.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import datetime as dt
import functools
import html.parser
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from pip._internal.models.index import PyPI
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pip._vendor.packaging.version import InvalidVersion, Version

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, text/html;q=0.2"
TRIES = (0, 0.5, 2)
SECONDS = 10


class SourceError(Exception):
    """An index could not be asked."""


class Anchors(html.parser.HTMLParser):
    """Reads a page of PEP 503 into what PEP 691 has for it."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a link says of its file."""
        given = {name: value or "" for name, value in attrs}
        if tag != "a" or "href" not in given:
            return
        url, _, fragment = given["href"].partition("#")
        kind, _, digest = fragment.partition("=")
        file: dict[str, Any] = {
            "filename": urllib.parse.unquote(url.rpartition("/")[2]),
            "url": url,
            "hashes": {kind: digest} if digest else {},
            "yanked": given.get("data-yanked", True) if "data-yanked" in given else False,
        }
        if given.get("data-requires-python"):
            file["requires-python"] = given["data-requires-python"]
        metadata = given.get("data-core-metadata", given.get("data-dist-info-metadata"))
        if metadata:
            kind, _, digest = metadata.partition("=")
            file["core-metadata"] = {kind: digest} if digest else True
        self.files.append(file)


def parsed(text: str) -> dict[str, Any]:
    """Return what PEP 691 has of a page of PEP 503."""
    anchors = Anchors()
    anchors.feed(text)
    return {"files": anchors.files}


@functools.lru_cache(maxsize=None)  # noqa: UP033 - Python 3.9 has no other
def release(filename: str) -> Version | None:
    """Return the version that a file is of; None for a name that pip takes for nothing."""
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        return parse_sdist_filename(filename)[1]
    return None


def uploaded(file: dict[str, Any]) -> float | None:
    """Return when a file came out, in seconds since the epoch; None where the index does not tell (PEP 700)."""
    text = str(file.get("upload-time") or "")
    text = re.sub(r"(\.[0-9]{6})[0-9]*", r"\1", text.replace("Z", "+00:00"))
    with contextlib.suppress(ValueError):
        return dt.datetime.fromisoformat(text).timestamp()
    return None


class Gate:
    """Which files may be let in."""

    def __init__(self, question: dict[str, Any]) -> None:
        self.open = False
        """Nothing is held back."""
        self.only = bool(question.get("only"))
        """What is there already, and nothing else."""
        self.held: dict[tuple[str, str], float | None] = {}
        """By name and version: when what was held back came out; None where the index does not tell."""
        self._there = {
            name: {Version(each) for each in versions if is_version(each)}
            for name, versions in question.get("installed", {}).items()
        }
        self._cutoff: float | None = question.get("cutoff")
        self._cutoffs: dict[str, float | None] = question.get("cutoffs", {})

    def admits(self, name: str, file: dict[str, Any]) -> bool:
        """Tell whether pip may see a file."""
        version = release(file["filename"])
        if version is None:
            return False
        if self.open or version in self._there.get(name, ()):
            return True
        cutoff = self._cutoffs.get(name, self._cutoff)
        if self.only:
            return False
        if cutoff is None:
            return True
        when = uploaded(file)
        if when is not None and when <= cutoff:
            return True
        self.held[name, str(version)] = when
        return False


def is_version(text: str) -> bool:
    """Tell whether a text is a version by PEP 440."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


class Indexes:
    """The indexes that a build would ask, each page fetched once."""

    def __init__(self, environ: dict[str, str]) -> None:
        first = environ.get("PIP_INDEX_URL") or PyPI.simple_url
        self.urls = [first, *environ.get("PIP_EXTRA_INDEX_URL", "").split()]
        self._trusted = set(environ.get("PIP_TRUSTED_HOST", "").split())
        self._pages: dict[tuple[int, str], dict[str, Any] | None] = {}
        self._locks: dict[tuple[int, str], threading.Lock] = {}

    def page(self, index: int, name: str) -> dict[str, Any] | None:
        """Return what an index says of a project, as PEP 691 has it; None if it has no such project."""
        key = (index, name)
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._pages:
                self._pages[key] = self._fetch(self.urls[index], name)
            return self._pages[key]

    def _fetch(self, base: str, name: str) -> dict[str, Any] | None:
        split = urllib.parse.urlsplit(base)
        plain = split._replace(netloc=split.netloc.rpartition("@")[2])
        url = f"{plain.geturl().rstrip('/')}/{name}/"
        request = urllib.request.Request(url, headers={"Accept": ACCEPT, "User-Agent": "pip"})  # noqa: S310
        if split.username is not None:
            words = (urllib.parse.unquote(word or "") for word in (split.username, split.password))
            request.add_header(
                "Authorization", "Basic " + base64.b64encode(":".join(words).encode()).decode()
            )
        found = self._ask(request, plain)
        if found is None:
            return None
        kind, data, where = found
        try:
            page = json.loads(data) if "json" in kind else parsed(data.decode("utf-8", "replace"))
            for file in page["files"]:
                file["url"] = self._secret(urllib.parse.urljoin(where, file["url"]), split)
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{url}: its answer can't be read ({error})") from error
        return dict(page)

    def _ask(
        self, request: urllib.request.Request, url: urllib.parse.SplitResult
    ) -> tuple[str, bytes, str] | None:
        context = ssl.create_default_context()
        if {url.hostname, url.netloc} & self._trusted:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        problem = ""
        for pause in TRIES:
            time.sleep(pause)
            try:
                with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:  # noqa: S310
                    return answer.headers.get_content_type(), answer.read(), answer.geturl()
            except urllib.error.HTTPError as error:
                if error.code in {404, 410}:
                    return None
                problem = f"it answers {error.code}"
                if error.code < 500 and error.code != 429:  # noqa: PLR2004 - HTTP's
                    break
            except (OSError, ValueError) as error:
                problem = str(getattr(error, "reason", error))
        raise SourceError(f"{request.full_url}: {problem}")

    @staticmethod
    def _secret(url: str, index: urllib.parse.SplitResult) -> str:
        """Give a file of the index's own host the user's name and password that the index has."""
        split = urllib.parse.urlsplit(url)
        secret, at, host = index.netloc.rpartition("@")
        return split._replace(netloc=f"{secret}@{host}").geturl() if at and split.netloc == host else url


class Resolver:
    """Pip, in front of an index that shows what a gate admits."""

    def __init__(self, indexes: Indexes, gate: Gate) -> None:
        self._indexes, self._gate = indexes, gate
        self.problem: SourceError | None = None
        """Why an index could not be asked."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        _, number, name, *_ = handler.path.split("/")
        try:
            page = self._indexes.page(int(number), canonicalize_name(name))
        except SourceError as error:
            self.problem = error
            page = None
        files = [file for file in page["files"] if self._gate.admits(name, file)] if page else []
        body = json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}).encode()
        handler.send_response(404 if page is None else 200)
        handler.send_header("Content-Type", JSON)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def resolve(self, specs: list[str]) -> dict[str, Any]:
        """Return what pip would install now; where it can't, its exit code and what it printed."""
        local = [
            f"http://127.0.0.1:{self._server.server_port}/{each}/" for each in range(len(self._indexes.urls))
        ]
        no_proxy = ",".join(filter(None, [os.environ.get("no_proxy"), "127.0.0.1"]))
        environment = {
            **os.environ,
            "PIP_INDEX_URL": local[0],
            "PIP_EXTRA_INDEX_URL": " ".join(local[1:]),
            "no_proxy": no_proxy,
            "NO_PROXY": no_proxy,
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
            return installation(json.loads(report.read_text(encoding="utf-8")))


def installation(report: dict[str, Any]) -> dict[str, Any]:
    """Return the packages of one of pip's reports, as pins and as requirements with hashes."""
    pins, lines = [], []
    for item in report["install"]:
        name, version = canonicalize_name(item["metadata"]["name"]), item["metadata"]["version"]
        info = item["download_info"]
        hashes = info.get("archive_info", {}).get("hashes", {})
        kind = next((each for each in ("sha256", "sha384", "sha512") if each in hashes), "")
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
    """Add to each pin when its first file came out; None where no index tells."""
    for pin in pins:
        pages = (indexes.page(index, pin[1]) for index in range(len(indexes.urls)))
        found = [
            when
            for page in pages
            for file in (page or {"files": []})["files"]
            if str(release(file["filename"])) == pin[2] and (when := uploaded(file)) is not None
        ]
        pin.append(dt.datetime.fromtimestamp(min(found), dt.UTC).isoformat() if found else None)


def answered(question: dict[str, Any], environ: dict[str, str]) -> dict[str, Any]:
    """Answer a question."""
    indexes, gate = Indexes(environ), Gate(question)
    try:
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
