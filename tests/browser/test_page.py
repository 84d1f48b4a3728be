"""The page in Chromium: what others wrote runs nothing, axe finds nothing, and it is quick and fits a phone.

A command of its own, as it needs a browser and axe-core from npm: `./doitw test tests/browser`.
"""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.report.page.html import render_page
from tests.chromium import PROGRAM, Tab, browser
from tests.command_line import CommandLine
from tests.pages import HOSTILE, document_of, hostile_news, many_images, mapped, write_history

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium")
OPENED = """
  document.querySelectorAll("#tree button.name").forEach((each) => each.click());
  document.getElementById("search").focus();
  const search = document.getElementById("search");
  search.value = "o";
  search.dispatchEvent(new Event("input"));
  document.querySelectorAll("details").forEach((each) => each.open = true);
  (async () => {
    for (const id of ["days", "sizes", "compare"]) {
      document.getElementById(id)?.scrollIntoView();
      await new Promise((done) => setTimeout(done, 150));
    }
    document.querySelectorAll("button").forEach((each) => each.textContent.startsWith("show all") && each.click());
    document.querySelectorAll(".month button").forEach((each) => each.click());
    document.querySelectorAll("details").forEach((each) => each.open = true);
    // The list of sections covers whatever is scrolled under it.
    scrollTo(0, 0);
  })()
"""
"""Opens all that a reader can open."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Give what puts everything back after the file's tests."""
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> CommandLine:
    """Give a checkout with a dozen images, sixty days of history, and news."""
    folder = tmp_path_factory.mktemp("page")
    patch.chdir(folder)
    cli = many_images(folder, patch, 14)
    write_history(cli, 60)
    cli.news.update(hostile_news(["python", "node"]))
    return cli


@pytest.fixture(scope="module")
def page(checkout: CommandLine) -> Path:
    """Give its page."""
    done = checkout("page", "--output", "page.html")
    assert done.code == 0, done.err
    return checkout.folder / "page.html"


@pytest.fixture
def tab() -> Iterator[Tab]:
    """Give an empty page of a browser."""
    with browser() as found:
        yield found


def complaints(tab: Tab) -> list[Any]:
    """Return what the console says, and what was asked of the network."""
    told = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
    asked = [
        each["params"]["request"]["url"]
        for each in tab.events
        if each.get("method") == "Network.requestWillBeSent"
    ]
    return [
        *(each["params"] for each in tab.events if each.get("method") in told),
        *(url for url in asked if not url.startswith("file://")),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_reports_nothing(tab: Tab, page: Path, axe: str, width: int, scheme: str) -> None:
    """With all open that can be opened."""
    tab.resize(width, 900)
    tab.prefer(scheme)
    tab.open(page.as_uri())
    tab.run(OPENED)
    assert tab.run("document.querySelectorAll('.month, #growth svg, #difference p').length") > 10
    tab.run(axe)
    found = tab.run(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    assert found["passes"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert complaints(tab) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_runs_nothing(tab: Tab, tmp_path: Path, checkout: CommandLine, text: str) -> None:
    """Wherever it stands: it is shown, and no element, program or request comes of it."""
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\0", "")
    hostile = tmp_path / "hostile.html"
    hostile.write_text(render_page(mapped(document_of(checkout), clean)))
    tab.open(hostile.as_uri())
    tab.run(OPENED)
    assert complaints(tab) == []
    assert tab.run("window.pwned") is None
    assert tab.run("document.querySelectorAll('img, iframe, object, link, base, form').length") == 0
    assert tab.run("[document.scripts.length, document.styleSheets.length]") == [2, 1]
    assert tab.run("document.querySelector('#tree .name').textContent") == clean


def test_hostile_images_run_nothing(tab: Tab, tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """The whole way: in package names and reasons of the history, in news, and in what a label says."""
    patch.chdir(tmp_path)
    cli = many_images(tmp_path, patch, 14)
    write_history(cli, 20, HOSTILE)
    cli.news.update(hostile_news(["python", "node", "bun", "deno", "bash", "bash-custom"]))
    assert cli("page", "--output", "page.html").code == 0
    tab.open((tmp_path / "page.html").as_uri())
    tab.run(OPENED)
    assert complaints(tab) == []
    assert tab.run("window.pwned") is None
    assert tab.run("document.querySelectorAll('img, iframe').length") == 0
    assert "onerror" in tab.run("document.body.textContent")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(tab: Tab, page: Path, width: int) -> None:
    """With all open that can be opened."""
    tab.resize(width, 900)
    tab.open(page.as_uri())
    tab.run(OPENED)
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_answers_are_found_by_keyboard(tab: Tab, page: Path) -> None:
    """A name opens by the enter key, and the search finds which images have a package."""
    tab.open(page.as_uri())
    tab.run("document.querySelector('#i1 button').focus()")
    tab.key("Enter", 13, "\r")
    assert tab.run("document.querySelector('#i1 button').ariaExpanded") == "true"
    assert "before it was promoted" in tab.run("document.querySelector('tr.details').textContent")
    tab.run("document.getElementById('search').focus()")
    tab.call("Input.insertText", text="openssl 3.5.8")
    assert tab.run("document.getElementById('found').textContent") == "3 packages in 11 images"
    assert "isol8:bun" in tab.run("document.getElementById('results').textContent")


def test_all_sections_are_reached_by_tab(tab: Tab, page: Path) -> None:
    """Those, too, that are drawn only once they come near: nothing has to be scrolled to first."""
    tab.resize(1280, 600)
    tab.open(page.as_uri())
    tab.run("document.querySelector('#search').focus()")
    sections = set()
    for _ in range(200):
        tab.key("Tab", 9)
        sections.add(tab.run("document.activeElement.closest('section')?.id ?? ''"))
        if "compare" in sections:
            break
    assert sections >= {"days", "compare"}
    assert complaints(tab) == []


def test_link_to_packages_is_followed(tab: Tab, page: Path) -> None:
    """On a page that is open already as well; one that is cut off breaks nothing."""
    tab.open(f"{page.as_uri()}#packages=%6")
    assert tab.run("document.querySelector('#search').value") == "%6"
    tab.run("location.hash = '#packages=openssl%203.5'; new Promise((done) => setTimeout(done, 200))")
    assert tab.run("document.querySelector('#search').value") == "openssl 3.5"
    assert complaints(tab) == []


def test_days_tell_what_failed_and_how_many_bytes_came(tab: Tab, page: Path) -> None:
    """The calendar counts them, and a day that is chosen names them."""
    tab.open(page.as_uri())
    tab.run(OPENED)
    label = tab.run(
        "[...document.querySelectorAll('.month button')].find((each) => each.ariaLabel.includes('failed')).ariaLabel"
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d: \d+ changed, \d+ failed.*, [\d.]+ [kM]B pulled, [\d.]+ [kM]B built", label
    )
    tab.run(f"document.querySelector('.month button[aria-label=\"{label}\"]').click()")
    day = tab.run("document.getElementById('day').innerText")
    assert label[:10] in day
    assert "ERROR: No matching distribution found for nunpy" in day
    assert "Refresh until" in day
    assert re.search(r"[kM]B pulled", day)
    news = "[...document.querySelectorAll('.month small')].map((each) => each.textContent)"
    assert {"news", "·"} & {*tab.run(news)}


def test_builds_are_compared(tab: Tab, page: Path) -> None:
    """Any two of an image, by what changed in between."""
    tab.open(page.as_uri())
    tab.run(OPENED)
    tab.run(
        """{
          const [image, one, other] = document.querySelectorAll("#choice select");
          image.selectedIndex = [...image.options].findIndex((each) => each.text === "isol8:bash-custom");
          image.dispatchEvent(new Event("change"));
          one.selectedIndex = 3;
          other.selectedIndex = 0;
          other.dispatchEvent(new Event("change"));
        }"""
    )
    assert tab.run("document.querySelectorAll('#choice option').length") > 8
    assert "left-pad" in tab.run("document.getElementById('difference').innerText")


def test_a_thousand_images_open_within_two_seconds(
    tab: Tab, tmp_path: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing until they can be used: seconds of a processor, as what else runs on the machine does not count."""
    patch.chdir(tmp_path)
    cli = many_images(tmp_path, patch, 1000)
    write_history(cli, 60)
    began = time.process_time()
    assert cli("page", "--offline", "--output", "page.html").code == 0
    written = time.process_time() - began
    tab.resize(1280, 900)
    tab.call("Performance.enable", timeDomain="threadTicks")
    began = time.monotonic()
    tab.open((tmp_path / "page.html").as_uri())
    assert tab.run("document.querySelectorAll('#tree button.name').length") > 1000
    tab.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    seconds = time.monotonic() - began
    metrics = {each["name"]: each["value"] for each in tab.call("Performance.getMetrics")["metrics"]}
    size = (tmp_path / "page.html").stat().st_size
    with capsys.disabled():
        sys.stdout.write(
            f"1,000 images: {size} bytes, written in {written:.2f} s, shown in {metrics['TaskDuration']:.2f} s, "
            f"by the clock {seconds:.2f} s\n"
        )
    assert 0 < metrics["TaskDuration"] <= 2
    assert complaints(tab) == []
