"""What package indexes say of projects, read as PEP 691 has it; runs where index.py does."""

from __future__ import annotations

import base64
import configparser
import contextlib
import datetime as dt
import functools
import gzip
import hashlib
import html.parser
import http.client
import json
import netrc
import os
import re
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any

from pip._internal.models.index import PyPI
from pip._vendor.packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pip._vendor.packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from typing import IO

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, text/html;q=0.2"
KINDS = ("sha256", "sha384", "sha512")
"""Of hashes, those that pip takes of a requirement."""
TRIES = (0, 0.5, 2)
SECONDS = 10


class SourceError(Exception):
    """An index could not be asked."""


class RefusedError(SourceError):
    """An index does not give what it was asked for, and would not if it were asked again."""


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
    """Return when a file was published, in seconds since the epoch; None where the index does not tell (PEP 700)."""
    text = str(file.get("upload-time") or "")
    text = re.sub(r"(\.[0-9]{6})[0-9]*", r"\1", text.replace("Z", "+00:00"))
    with contextlib.suppress(ValueError):
        return dt.datetime.fromisoformat(text).timestamp()
    return None


def is_version(text: str) -> bool:
    """Tell whether a text is a version by PEP 440."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def offered_metadata(file: dict[str, Any]) -> Any:  # noqa: ANN401 - as the index has it
    """Return what an index says of a file's metadata: its hashes, or just that it is there."""
    return file.get("core-metadata", file.get("dist-info-metadata"))


def is_sound(data: bytes, hashes: dict[str, str]) -> bool:
    """Tell whether data is what its hashes say; without any, it is."""
    wanted = {kind: hashes[kind].lower() for kind in KINDS if kind in hashes}
    return all(hashlib.new(kind, data).hexdigest() == digest for kind, digest in wanted.items())


def login_of(split: urllib.parse.SplitResult) -> tuple[str, str] | None:
    """Return the user's name and password for an address: its own, or those of .netrc."""
    if split.username is not None:
        return urllib.parse.unquote(split.username), urllib.parse.unquote(split.password or "")
    if "NETRC" in os.environ:
        try:
            found = netrc.netrc(os.environ["NETRC"]).authenticators(split.hostname or "")
        except netrc.NetrcParseError as error:
            raise RefusedError(f"line {error.lineno} of the netrc file can't be read") from error
        return (found[0], found[2] or "") if found else None
    return None


def configured(environ: dict[str, str]) -> dict[str, str]:
    """Return what a pip.conf that is named in the environment has for `pip install`."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(environ.get("PIP_CONFIG_FILE", os.devnull))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SourceError(f"pip.conf can't be read: {type(error).__name__}") from error
    known = [parser[name] for name in ("global", "install") if name in parser]
    return {key.replace("_", "-"): value for section in known for key, value in section.items()}


def asking(url: str, accept: str) -> urllib.request.Request:
    """Return a request with the user's name and password of an address in a header, and not in its words."""
    split = urllib.parse.urlsplit(url)
    plain = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(plain, headers={"Accept": accept, "User-Agent": "pip"})  # noqa: S310
    login = login_of(split)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    return request


def body_of(answer: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer, unpacked: pages are megabytes, and a quarter of that when packed."""
    data = answer.read()
    return gzip.decompress(data) if answer.headers.get("Content-Encoding") == "gzip" else data


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and tells a user's name and password to nobody else."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - as urllib has it
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (following.type, following.host) != (req.type, req.host):
            following.remove_header("Authorization")
        return following


class Indexes:
    """The indexes that a build would ask, each page fetched once."""

    def __init__(
        self, environ: dict[str, str], *, tries: tuple[float, ...] = TRIES, seconds: float = SECONDS
    ) -> None:
        self._tries, self._seconds = tries, seconds
        settings = configured(environ)

        def setting(name: str) -> list[str]:
            variable = f"PIP_{name.replace('-', '_').upper()}"
            return (environ.get(variable) or settings.get(name, "")).split()

        self.urls = [*(setting("index-url")[:1] or [PyPI.simple_url]), *setting("extra-index-url")]
        self._trusted = set(setting("trusted-host"))
        self._pages: dict[tuple[int, str], dict[str, Any] | None] = {}
        self._metadata: dict[str, bytes] = {}
        self._locks: dict[object, threading.Lock] = {}

    def page(self, index: int, name: str) -> dict[str, Any] | None:
        """Return what an index says of a project, as PEP 691 has it; None if it has no such project."""
        key = (index, name)
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._pages:
                self._pages[key] = self._fetch(self.urls[index], name)
            return self._pages[key]

    def metadata(self, file: dict[str, Any]) -> bytes | None:
        """Return the metadata that an index has of a wheel by itself (PEP 658), asked for once.

        None if it has none after all, or other than its hash says.
        """
        url = f"{file['url'].partition('#')[0]}.metadata"
        with self._locks.setdefault(url, threading.Lock()):
            if url not in self._metadata:
                found = None
                with contextlib.suppress(RefusedError):
                    found = self._ask(url, "*/*")
                self._metadata[url] = found[1] if found else b""
            data = self._metadata[url]
        offered = offered_metadata(file)
        return data if data and is_sound(data, offered if isinstance(offered, dict) else {}) else None

    def content(self, url: str) -> bytes:
        """Return a file; SourceError where there is none."""
        found = self._ask(url.partition("#")[0], "*/*")
        if found is None:
            raise SourceError(f"{url}: not found")
        return found[1]

    def part(self, url: str, which: str) -> bytes:
        """Return a part of a file, as HTTP's Range names it; RefusedError where only the whole is given."""
        found = self._ask(url.partition("#")[0], "*/*", which)
        if found is None:
            raise RefusedError(f"{url}: not found")
        return found[1]

    def _fetch(self, base: str, name: str) -> dict[str, Any] | None:
        split = urllib.parse.urlsplit(base)
        plain = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl().rstrip("/")
        found = self._ask(f"{base.rstrip('/')}/{name}/", ACCEPT)
        if found is None:
            return None
        kind, data, where = found
        try:
            page = json.loads(data) if "json" in kind else parsed(data.decode("utf-8", "replace"))
            for file in page["files"]:
                file["url"] = self._secret(urllib.parse.urljoin(where, file["url"]), split)
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{plain}/{name}/: its answer can't be read ({error})") from error
        return dict(page)

    def _ask(self, url: str, accept: str, part: str = "") -> tuple[str, bytes, str] | None:
        """Return the type, the body and the last address of an answer; None where there is nothing."""
        request = asking(url, accept)
        # Packed, an answer has other parts.
        request.add_header(*(("Range", f"bytes={part}") if part else ("Accept-Encoding", "gzip")))
        problem = ""
        for pause in self._tries:
            time.sleep(pause)
            try:
                with self._opener(request).open(request, timeout=self._seconds) as answer:
                    if part and answer.status != 206:  # noqa: PLR2004 - HTTP's
                        raise RefusedError(f"{request.full_url}: it gives no parts of a file")
                    return answer.headers.get_content_type(), body_of(answer), answer.geturl()
            except urllib.error.HTTPError as error:
                if error.code in {404, 410}:
                    return None
                problem = f"it answers {error.code}"
                if error.code < 500 and error.code != 429:  # noqa: PLR2004 - HTTP's
                    raise RefusedError(f"{request.full_url}: {problem}") from error
            except (OSError, ValueError, EOFError, zlib.error, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", error))
        raise SourceError(f"{request.full_url}: {problem}")

    def _opener(self, request: urllib.request.Request) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context()
        if {request.host, urllib.parse.urlsplit(request.full_url).hostname} & self._trusted:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), Redirects())

    @staticmethod
    def _secret(url: str, index: urllib.parse.SplitResult) -> str:
        """Give a file of the index's own host the user's name and password that the index has."""
        split = urllib.parse.urlsplit(url)
        secret, at, host = index.netloc.rpartition("@")
        return split._replace(netloc=f"{secret}@{host}").geturl() if at and split.netloc == host else url
