"""What is read of package indexes: their pages, the metadata of wheels by itself, and whom a password is told to."""

import base64
import gzip
import hashlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from isol8_tasks.freshness.programs import pages
from isol8_tasks.freshness.programs.pages import (
    Anchors,
    Indexes,
    Redirects,
    RefusedError,
    SourceError,
    asking,
    is_sound,
    release,
    uploaded,
)

METADATA = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"
SHA256 = hashlib.sha256(METADATA).hexdigest()
AUTHORIZATION = "Basic bWU6cHc="
"""Of `me` with the password `pw`."""


class TestFiles:
    """What is read of a file."""

    @pytest.mark.parametrize(
        ("name", "version"),
        [
            ("a-1.0-py3-none-any.whl", "1.0"),
            ("a-1.0rc1.tar.gz", "1.0rc1"),
            ("a-1.0.exe", None),
            ("a-what.tar.gz", None),
        ],
    )
    def test_version_is_in_the_name(self, name: str, version: str | None) -> None:
        """What pip takes for nothing has none."""
        found = release(name)
        assert (str(found) if found else None) == version

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("1970-01-01T00:00:01Z", 1.0),
            ("1970-01-01T00:00:01.123456789Z", 1.123456),
            ("soon", None),
            (None, None),
        ],
    )
    def test_time_is_seconds(self, text: str | None, moment: float | None) -> None:
        """PEP 700 has it with any number of digits, or not at all."""
        assert uploaded({"upload-time": text}) == moment

    def test_page_of_links_is_read_like_data(self) -> None:
        """PEP 503 says nothing of times."""
        anchors = Anchors()
        anchors.feed(
            '<a href="../a-1%2Bx-py3-none-any.whl#sha256=ab" data-requires-python="&gt;=3.9" data-yanked="bad"'
            ' data-dist-info-metadata="sha256=cd">a</a><a href="a-2.tar.gz" data-core-metadata="true">b</a><a>c</a>'
        )
        assert anchors.files == [
            {
                "filename": "a-1+x-py3-none-any.whl",
                "url": "../a-1%2Bx-py3-none-any.whl",
                "hashes": {"sha256": "ab"},
                "yanked": "bad",
                "requires-python": ">=3.9",
                "core-metadata": {"sha256": "cd"},
            },
            {
                "filename": "a-2.tar.gz",
                "url": "a-2.tar.gz",
                "hashes": {},
                "yanked": False,
                "core-metadata": True,
            },
        ]


class Sidecars(Indexes):
    """An index with an answer to everything, and a list of what it was asked for."""

    def __init__(self, answer: bytes | SourceError | None) -> None:
        super().__init__({})
        self.answer = answer
        self.asked: list[str] = []

    def _ask(self, url: str, accept: str, _part: str = "") -> tuple[str, bytes, str] | None:
        self.asked.append(f"{url} as {accept}")
        if isinstance(self.answer, SourceError):
            raise self.answer
        return None if self.answer is None else ("application/octet-stream", self.answer, url)


class TestMetadata:
    """What an index has of a wheel without it."""

    @pytest.mark.parametrize(
        "offered",
        [True, {"sha256": SHA256}, {"sha256": SHA256.upper(), "md5": "what"}, {"md5": "what"}],
        ids=["without a hash", "with one", "with others", "with weak ones alone"],
    )
    def test_it_is_asked_for_once(self, offered: object) -> None:
        """Beside the wheel, whatever else its address names."""
        index = Sidecars(METADATA)
        for _ in range(2):
            assert index.metadata({"url": "https://x/a.whl#sha256=ab", "core-metadata": offered}) == METADATA
        assert index.asked == ["https://x/a.whl.metadata as */*"]

    @pytest.mark.parametrize(
        "answer", [None, RefusedError("no"), b"", METADATA + b"Requires-Dist: b\n"], ids=str
    )
    def test_what_its_hash_does_not_say_is_none(self, answer: bytes | SourceError | None) -> None:
        """Nor is what does not exist after all; it is not asked for again."""
        index = Sidecars(answer)
        for _ in range(2):
            file = {"url": "https://x/a.whl", "dist-info-metadata": {"sha256": SHA256}}
            assert index.metadata(file) is None
        assert len(index.asked) == 1

    def test_index_that_does_not_answer_is_a_problem(self) -> None:
        """What is not known is not taken for anything."""
        with pytest.raises(SourceError, match=r"^down$"):
            Sidecars(SourceError("down")).metadata({"url": "https://x/a.whl", "core-metadata": True})

    def test_every_hash_counts(self) -> None:
        """Of those that pip takes."""
        sha512 = hashlib.sha512(METADATA).hexdigest()
        assert is_sound(METADATA, {"sha256": SHA256, "sha512": sha512})
        assert not is_sound(METADATA, {"sha256": SHA256, "sha512": SHA256})
        assert is_sound(METADATA, {})


class Packing(BaseHTTPRequestHandler):
    """Answers with a packed page to whoever takes one."""

    page = gzip.compress(json.dumps({"files": []}).encode())
    promised = len(page)
    gives_parts = False

    def do_GET(self) -> None:
        """Send what the class has by now."""
        if self.gives_parts:
            self.send_response(206)
            self.end_headers()
            self.wfile.write(self.page[int(self.headers["Range"].removeprefix("bytes=")) :])
            return
        is_taken = self.headers["Accept-Encoding"] == "gzip"
        self.send_response(200)
        self.send_header("Content-Type", pages.JSON)
        self.send_header("Content-Encoding", "gzip" if is_taken else "identity")
        self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        self.wfile.write(self.page if is_taken else b"")

    def log_message(self, *_: object) -> None:
        """Keep out of the tests' output."""


class TestPacked:
    """Pages that an index sends packed, and files that it sends whole or in parts."""

    @pytest.fixture
    def packing(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexes]:
        """Give an index that packs its pages."""
        monkeypatch.setattr(pages, "TRIES", (0,))
        with HTTPServer(("127.0.0.1", 0), Packing) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            yield Indexes({"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/"})
            server.shutdown()
            thread.join()

    def test_parts_come_as_they_are(self, packing: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where only the whole is given, it is refused without being read."""
        url = f"{packing.urls[0]}a.whl"
        with pytest.raises(RefusedError, match="it gives no parts of a file"):
            packing.part(url, "-4")
        monkeypatch.setattr(Packing, "gives_parts", True)
        assert packing.part(url, "-4") == Packing.page[-4:]

    def test_they_are_unpacked(self, packing: Indexes) -> None:
        """An index that packs is asked to."""
        assert packing.page(0, "a") == {"files": []}

    @pytest.mark.parametrize(
        ("page", "promised"),
        [
            (Packing.page, len(Packing.page) + 9),
            (Packing.page[:-3], len(Packing.page) - 3),
            (b"\x1f\x8b\x08" + bytes(20), 23),
            (b"{}", 2),
        ],
        ids=["answer cut off", "page cut off", "broken", "not packed"],
    )
    def test_what_cannot_be_unpacked_is_a_problem(
        self, packing: Indexes, monkeypatch: pytest.MonkeyPatch, page: bytes, promised: int
    ) -> None:
        """It is not taken for a page, nor for none."""
        monkeypatch.setattr(Packing, "page", page)
        monkeypatch.setattr(Packing, "promised", promised)
        with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:\d+/simple/a/: .+$"):
            packing.page(0, "a")


class TestGivenFiles:
    """What is given to pip as files."""

    def test_netrc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has logins for hosts; one in the address itself comes first, and others get none."""
        (tmp_path / "netrc").write_text("machine a.example login me password p:w\n")
        assert "Authorization" not in asking("https://a.example/simple/", "a/b").headers
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        basic = "Basic " + base64.b64encode(b"me:p:w").decode()
        assert asking("https://a.example/simple/", "a/b").headers["Authorization"] == basic
        assert asking("https://you:x@a.example/", "a/b").headers["Authorization"] != basic
        assert "Authorization" not in asking("https://b.example/simple/", "a/b").headers

    def test_a_netrc_that_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its line is told, and nothing that is in it."""
        (tmp_path / "netrc").write_text("machine a.example\nhidden\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with pytest.raises(RefusedError, match=r"^line \d of the netrc file can't be read$"):
            asking("https://a.example/simple/", "a/b")

    def test_pip_conf(self, tmp_path: Path) -> None:
        """Its indexes are asked where no variable names others."""
        file = tmp_path / "pip.conf"
        file.write_text(
            "[global]\nindex_url = https://a.example/simple\n[install]\nextra-index-url =\n  https://b.example/\n"
            "  https://c.example/\n"
        )
        given = {"PIP_CONFIG_FILE": str(file)}
        assert Indexes(given).urls == ["https://a.example/simple", "https://b.example/", "https://c.example/"]
        given |= {"PIP_INDEX_URL": "https://d.example/", "PIP_EXTRA_INDEX_URL": "https://e.example/"}
        assert Indexes(given).urls == ["https://d.example/", "https://e.example/"]
        file.write_text("index-url = hidden\n")
        with pytest.raises(SourceError, match=r"^pip\.conf can't be read: MissingSectionHeaderError$"):
            Indexes(given)


class TestPasswords:
    """A user's name and password are for the index alone."""

    def test_index_that_does_not_answer_is_named_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Messages are read by many."""
        monkeypatch.setattr(pages, "TRIES", (0,))
        indexes = Indexes({"PIP_INDEX_URL": "http://me:pw@127.0.0.1:1/simple/"})
        with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:1/simple/a/: .*refused"):
            indexes.page(0, "a")

    def test_they_go_into_a_header(self) -> None:
        """Decoded, as an address has them in code."""
        request = asking("https://me:p%40w@x/simple/", "a/b")
        assert (request.full_url, request.headers) == (
            "https://x/simple/",
            {"Accept": "a/b", "User-agent": "pip", "Authorization": "Basic bWU6cEB3"},
        )
        assert asking("https://x/simple/", "a/b").headers == {"Accept": "a/b", "User-agent": "pip"}

    @pytest.mark.parametrize(
        ("where", "told"),
        [
            ("https://x/other", AUTHORIZATION),
            ("https://y/simple/", None),
            ("https://x:8443/simple/", None),
            ("http://x/simple/", None),
        ],
    )
    def test_redirects_elsewhere_go_without(self, where: str, told: str | None) -> None:
        """As to the storage that an index keeps its files in, which may even refuse them."""
        request = asking("https://me:pw@x/simple/", "a/b")
        following = Redirects().redirect_request(request, BytesIO(), 302, "Found", HTTPMessage(), where)
        assert isinstance(following, urllib.request.Request)
        assert (following.full_url, following.get_header("Authorization")) == (where, told)
