"""The page as HTML: what others wrote is text in it, wherever it stands."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from isol8_tasks.report.page.html import render_page
from tests.pages import HOSTILE, document_of, many_images, mapped, write_history


class Elements(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.declared: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.declared.append(data)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Give what a page of eleven images with a history shows."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cli = many_images(folder, patch, 11)
        write_history(cli, 30)
        return document_of(cli)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_no_element(document: dict[str, object], text: str) -> None:
    """The page has the elements and attributes that it has with a harmless text, and shows the hostile one."""
    text = text.encode("utf-8", "replace").decode()
    harmless, hostile = (Elements(render_page(mapped(document, each))) for each in ("harmless", text))
    assert hostile.elements == harmless.elements
    assert hostile.declared == harmless.declared == []
    assert text.replace("\0", "") in "".join(hostile.text).replace("\0", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_data_can_not_end_its_element(document: dict[str, object], text: str) -> None:
    """And is the same when it is read again."""
    page = render_page(mapped(document, text.encode("utf-8", "replace").decode()))
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    assert not re.search("[<>&'\u2028\u2029]", found[1])
    assert json.loads(found[1])["images"][0]["name"] == text.encode("utf-8", "replace").decode()


def test_page_needs_nothing_else(document: dict[str, object]) -> None:
    """It names no address, and its policy allows only the style and the program that are in it."""
    page = render_page(document)
    assert not re.search(r"\b(?:src|href)=\"(?!#)", page)
    assert "innerHTML =" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert re.fullmatch(
        r"default-src &#39;none&#39;; style-src &#39;sha256-[\w+/=]+&#39;; script-src &#39;sha256-[\w+/=]+&#39;; "
        r"base-uri &#39;none&#39;; form-action &#39;none&#39;",
        policy[1],
    )


def test_a_hundred_images_are_less_than_a_megabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a history of two months, failures and refreshes."""
    monkeypatch.chdir(tmp_path)
    cli = many_images(tmp_path, monkeypatch, 100)
    write_history(cli, 60)
    assert len(render_page(document_of(cli)).encode()) < 1_000_000


def test_the_same_document_gives_the_same_bytes(document: dict[str, object]) -> None:
    """So that a page that is kept in a repository changes only where something did."""
    assert render_page(document) == render_page(document)


def test_tree_can_be_read_without_a_program(document: dict[str, object]) -> None:
    """With states, reasons, sizes and what clients run."""
    text = re.sub(r"<[^>]*>", " ", render_page({**document}).partition('<script type="application/json"')[0])
    assert "not built" in text
    assert "declared in deps.toml:" in text
    assert "├─" in text
    assert "as specified" in text
    assert "need JavaScript" in text


def test_image_rebuilt_for_its_packages_says_which(document: dict[str, Any]) -> None:
    """A refresh gives no other reason."""
    change = {
        "how": "built",
        "at": "2026-11-30T04:00:00Z",
        "why": [],
        "changed": [["pypi", "thing", "1", "2"]],
    }
    images = [
        {**each, "why": [], "last": change} for each in document["images"] if each["kind"] != "upstream"
    ]
    assert "built 2026-11-30: thing 1 → 2</span>" in render_page({**document, "images": images})


def test_program_has_no_import_left() -> None:
    """Three modules become one that a file can run."""
    from isol8_tasks.report.page.html import page_program  # noqa: PLC0415 - only here

    assert not re.search(r"(?m)^(?:import|export)\b", page_program())
    assert page_program().startswith('"use strict";\n')
