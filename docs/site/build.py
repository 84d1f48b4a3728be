"""Builds README, CONTRIBUTING, CHANGELOG, docs/ and examples/ as a site: ./doitw docs [FOLDER].

The pages stay as GitHub shows them. Copies of them are what Sphinx reads, with three things replaced: a link to a
folder leads to a page of what is in it, a flowchart is drawn, and the front page gets the list of all pages.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from docs.site.picture import drawn
from isol8_tasks.errors import COMMAND, ConfigError

ROOT: Final = Path(__file__).parents[2]
OUTPUT: Final = Path(".isol8/site")
_COPIED: Final = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deps.toml", "docs", "examples")
_FRONT: Final = "README.html"
_CHAPTERS: Final = {
    "Begin": ("from-isol8", "registry-in-ten-minutes", "when", "installed", "lab"),
    "Use": (
        "commands",
        "deps",
        "keeping",
        "history",
        "page",
        "lock",
        "secrets",
        "nightly",
        "registry",
        "builders",
        "scale",
    ),
    "Look up": (
        "command-reference",
        "deps-reference",
        "platforms",
        "packages",
        "clients",
        "benchmarks",
        "library",
    ),
    "The network filter": ("filter", "filtered-network"),
    "Understand": ("how-it-works", "decisions/index"),
}
"""The pages of docs/ in the order of the list at the left; the others come after them."""
_FOR_SCREEN_READERS: Final = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="Pages">',
    '<aside class="toc-drawer': '<aside aria-label="This page" class="toc-drawer',
    '<th class="head"><p></p></th>': "<td></td>",
    "<pre>": '<pre tabindex="0">',
}
"""What Sphinx and its theme leave out, and axe finds."""
_LINK: Final = re.compile(r"\]\(([^)#\s:]+)(#[^)\s]*)?\)")
_FLOWCHART: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main(words: list[str]) -> int:
    """Build the site into a folder; return 1 for a warning, as of a link that leads nowhere."""
    if len(words) > 1:
        raise ConfigError(f"docs: expected one folder at most, found {' '.join(words)}")
    folder = Path(words[0]) if words else OUTPUT
    if folder.exists() and any(folder.iterdir()) and not (folder / _FRONT).exists():
        raise ConfigError(
            f"{folder}: it has other files than a site; name an empty folder: {COMMAND} docs FOLDER"
        )
    began = time.monotonic()
    problems = build(folder)
    if problems:
        print(problems, file=sys.stderr)  # noqa: T201 - its purpose
        return 1
    print(f"{folder / 'index.html'}: {time.monotonic() - began:.1f} s")  # noqa: T201 - as above
    return 0


def build(folder: Path) -> str:
    """Build the site into a folder, in the place of an older one; return what Sphinx says of mistakes."""
    with TemporaryDirectory(prefix="isol8-site-") as place:
        pages = Path(place).resolve()
        gather(pages)
        shutil.rmtree(folder, ignore_errors=True)
        options = ["-q", "--fail-on-warning", "--fresh-env", "-d", str(pages / ".doctrees")]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "sphinx",
                *options,
                "-c",
                str(ROOT / "docs" / "site"),
                str(pages),
                str(folder),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
    if done.returncode == 0:
        # Those that a page has as HTML, of which Sphinx knows nothing.
        shutil.copytree(ROOT / "docs" / "pictures", folder / "docs" / "pictures")
        for page in folder.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            for theirs, ours in _FOR_SCREEN_READERS.items():
                text = text.replace(theirs, ours)
            page.write_text(text, encoding="utf-8")
        (folder / "index.html").write_text(
            f'<!doctype html><title>isol8-tasks</title><link rel="icon" href="_static/icon.svg">'
            f'<meta http-equiv="refresh" content="0; url={_FRONT}">'
            f'<a href="{_FRONT}">isol8-tasks</a>\n'
        )
        return ""
    return done.stdout.replace(f"{pages}{os.sep}", "").strip() or f"sphinx: exit code {done.returncode}"


def gather(pages: Path) -> None:
    """Copy the pages into a folder as Sphinx reads them."""
    for name in _COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, pages / name)
    for page in sorted(pages.rglob("*.md")):
        page.write_text(_as_page(page), encoding="utf-8")
    with (pages / "README.md").open("a", encoding="utf-8") as front:
        front.write(_contents(pages))


def _as_page(page: Path) -> str:
    """Return a page with its flowcharts drawn, and links to folders as links to pages of theirs."""

    def led(link: re.Match[str]) -> str:
        folder = page.parent / link[1]
        if not folder.is_dir():
            return link[0]
        if not (folder / "index.md").exists():
            _describe(folder)
        return f"]({link[1]}/index.md{link[2] or ''})"

    text = _LINK.sub(led, page.read_text(encoding="utf-8"))
    return _FLOWCHART.sub(lambda found: drawn(found[1]), text)


def _describe(folder: Path) -> None:
    """Write the page of a folder: the list of its pages, or its files."""
    name = folder.resolve().name
    lines = [f"# {name.capitalize()}", ""]
    if any(folder.glob("*.md")):
        lines += ["```{toctree}", ":glob:", "*", "```"]
    else:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            kind = {".yml": "yaml", ".toml": "toml"}.get(file.suffix, "text")
            lines += [
                f"## {file.relative_to(folder)}",
                "",
                f"````{kind}",
                file.read_text("utf-8").rstrip(),
                "````",
                "",
            ]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _contents(pages: Path) -> str:
    """Return the list of all pages, which Sphinx shows at the left."""
    named = {f"docs/{name}" for names in _CHAPTERS.values() for name in names}
    found = {str(page.relative_to(pages).with_suffix("")) for page in pages.rglob("*.md")}
    others = sorted(name for name in found - named - {"README"} if not name.startswith("docs/decisions/"))
    chapters = {chapter: [f"docs/{name}" for name in names] for chapter, names in _CHAPTERS.items()}
    chapters["Further"] = others
    return "".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {chapter}", "", *names, "```", ""])
        for chapter, names in chapters.items()
    )
