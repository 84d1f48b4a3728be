"""The documentation's site in Chromium: it asks nobody for anything, is searched without a server, and fits a phone."""

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from docs.site import build
from tests.chromium import PROGRAM, Tab, browser

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium")
READ = ("README", "docs/commands", "docs/command-reference", "docs/deps", "docs/when", "examples/ci/index")
"""Pages that are looked at closely: the longest, the widest, and those with a picture and with files."""
WIDTHS = (360, 1280)


class Silent(SimpleHTTPRequestHandler):
    """A server that prints nothing."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the site."""
    folder = tmp_path_factory.mktemp("site")
    assert build.build(folder) == ""
    return folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """Give a browser."""
    with browser() as found:
        yield found


@pytest.fixture(scope="module", params=["file", "http"])
def address(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Give where the site is: in a folder, and on a server."""
    if request.param == "file":
        yield site.as_uri()
        return
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def opened(tab: Tab, url: str) -> list[str]:
    """Open a page, and return what it asked for, and what it complained of."""
    tab.events.clear()
    tab.open(url)
    tab.run("new Promise((done) => setTimeout(done, 50))")
    asked = [
        each["params"]["request"]["url"]
        for each in tab.events
        if each.get("method") == "Network.requestWillBeSent"
    ]
    complaints = [
        str(each)
        for each in tab.events
        if each.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}
    ]
    return [*asked, *complaints]


def test_nobody_else_is_asked(tab: Tab, site: Path, address: str) -> None:
    """All of a page is in the folder, and nothing is missing in it."""
    pages = sorted(page.relative_to(site) for page in site.rglob("*.html"))
    assert len(pages) > 60
    for page in [page for page in pages if page.parent.name != "decisions" and str(page) != "index.html"]:
        found = [each for each in opened(tab, f"{address}/{page}") if not each.startswith("data:")]
        assert found, page
        assert [each for each in found if not each.startswith(f"{address}/")] == [], page


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("rollback", "docs/keeping.html"),
        ("min_age", "docs/deps-reference.html"),
        ("DOCKER_HOST", "docs/when.html"),
    ],
)
def test_search_finds(tab: Tab, address: str, words: str, page: str) -> None:
    """A command, a key and a part of what was printed."""
    opened(tab, f"{address}/search.html?q={words}")
    ends = time.monotonic() + 20
    links: list[str] = []
    # They come one by one.
    while not any(page in link for link in links) and time.monotonic() < ends:
        time.sleep(0.2)
        links = tab.run("[...document.querySelectorAll('#search-results li a')].map((each) => each.href)")
    assert any(page in link for link in links), links


@pytest.mark.parametrize("page", READ)
def test_it_fits(tab: Tab, site: Path, page: str) -> None:
    """A phone and a window of a desk, with nothing beside the edge."""
    for width in WIDTHS:
        tab.resize(width, 900)
        for scheme in ("light", "dark"):
            tab.prefer(scheme)
            opened(tab, f"{site.as_uri()}/{page}.html")
            assert tab.run("document.documentElement.scrollWidth") <= width
            if folder := os.environ.get("ISOL8_SCREENSHOTS"):
                tab.screenshot(Path(folder) / f"{page.replace('/', '-')}-{width}-{scheme}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", READ)
def test_axe_finds_nothing(tab: Tab, site: Path, axe: str, page: str, scheme: str) -> None:
    """Neither of what Sphinx and its theme make, nor of ours."""
    tab.resize(1280, 900)
    tab.prefer(scheme)
    opened(tab, f"{site.as_uri()}/{page}.html")
    tab.run(f"{axe}; 0")
    assert (
        tab.run(
            "axe.run().then((found) => found.violations.map((each) => [each.id, each.nodes.map((node) => node.html)]))"
        )
        == []
    )


def test_a_link_that_leads_nowhere_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its page and line; the site that was there before is no longer taken for a good one."""
    gather = build.gather

    def broken(pages: Path) -> None:
        gather(pages)
        with (pages / "docs/lab.md").open("a", encoding="utf-8") as page:
            page.write("\n[nowhere](nowhere.md) [no heading](deps.md#none)\n")

    monkeypatch.setattr(build, "gather", broken)
    assert build.main([str(tmp_path / "site")]) == 1
    said = capsys.readouterr().err
    assert "docs/lab.md:" in said
    assert "nowhere.md" in said
    assert "'none'" in said
