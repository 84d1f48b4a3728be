"""What to do when …: docs/when.md out of the table's rows and what was answered to them.

`python -m tests.first_hour.report --record` keeps the answers, and `python -m tests.first_hour.when` writes the page.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from tests.first_hour.table import FOLDER, Fault, read

ANSWERS: Final = FOLDER / "answers.json"
PAGE: Final = FOLDER.parents[1] / "docs" / "when.md"
_CHAPTERS: Final = {
    "Engine": "No engine answers",
    "Registry": "An upstream image can't be pulled, or an image can't be pushed",
    "Indexes": "A package index or a proxy is in the way",
    "Packages": "A package can't be installed",
    "Builds": "A build fails",
    "deps.toml": "deps.toml is refused",
    "docker/Dockerfile": "The Dockerfile is refused",
    "Images and engine": "An image is not as it was left",
    "Disk and rights": "A file can't be read or written",
    "Runs and signals": "Another run is at work, or a run was ended",
    "Machine and environment": "The checkout or its environment is not whole",
    "Installed": "It is installed, and not a checkout",
}
"""The kinds that are shown, in this order; what was typed wrong is answered at once, and nobody looks it up."""
_INTRODUCTION: Final = """# What to do when …

Search this page for a part of the line that was printed. Each entry has the situation, what was typed, the exit code,
what was printed then, and what to do, in bold. The tests of `tests/first_hour` bring each situation about, and printed
what is shown.
"""


def recorded() -> dict[str, str]:
    """Return what was answered, by the row's name."""
    found: dict[str, str] = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    return found


def write(answers: Mapping[str, str]) -> None:
    """Keep answers, those of rows that were not played too; forget those of rows that are gone."""
    known = {**recorded(), **answers}
    told = {row.name: telling(row, known[row.name]) for row in shown() if row.name in known}
    kept = {row.name: told[row.name] for row in shown() if row.name in told and is_whole(row, told[row.name])}
    ANSWERS.write_text(
        json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def shown() -> list[Fault]:
    """Return the rows that the page has: those with something to do, of the kinds that are looked up."""
    return [row for row in read() if row.kind in _CHAPTERS and row.exit and row.next and not row.open]


def telling(row: Fault, said: str) -> str:
    """Return the lines of an answer that name the cause and the next step."""
    lines = said.strip().splitlines()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    told: set[int] = set()
    for pattern in (row.cause, row.next):
        if found := re.search(pattern, said.strip(), re.DOTALL):
            ends = (found.start(), max(found.start(), found.end() - 1))
            told |= {sum(start <= end for start in starts) - 1 for end in ends}
    return "\n".join(lines[number] for number in sorted(told) if number < len(lines))


def is_whole(row: Fault, said: str) -> bool:
    """Tell whether lines name the cause and the next step; a name of the run's own may be part of neither."""
    return all(re.search(pattern, said, re.DOTALL) for pattern in (row.cause, row.next))


def step(row: Fault, said: str) -> str:
    """Return the sentence of an answer that names the next step."""
    found = re.search(row.next, said, re.DOTALL)
    if not found:
        return ""
    begin = max(
        (
            said.rfind(mark, 0, found.start() + 1) + len(mark)
            for mark in (". ", "; ", ": ", "\n")
            if mark in said[: found.start() + 1]
        ),
        default=0,
    )
    end = min((at for mark in (". ", "\n") if (at := said.find(mark, found.end())) >= 0), default=len(said))
    words = " ".join(said[begin:end].split()).rstrip(".")
    # What to do may be all of a parenthesis at the end; what is left of one that began before is no sign.
    inner = re.fullmatch(r".* \(((?:did you mean|a package|files of)[^()]*)\)", words)
    words = inner[1] if inner else words
    return words.removesuffix(")") if words.count(")") > words.count("(") else words


def page() -> str:
    """Return the page, as it is written."""
    answers = recorded()
    lines = [_INTRODUCTION]
    for kind, title in _CHAPTERS.items():
        lines += [f"## {title}", "", *_entries([row for row in shown() if row.kind == kind], answers)]
    return "\n".join(lines)


def _entries(rows: list[Fault], answers: Mapping[str, str]) -> Iterator[str]:
    """Say what came of the rows of a kind; those that were answered alike stand together."""
    alike: dict[str, list[Fault]] = {}
    for row in rows:
        if said := answers.get(row.name):
            alike.setdefault(re.sub(r"\d+", "0", f"{row.exit} {said}"), []).append(row)
    for same in alike.values():
        first = same[0]
        said = answers[first.name]
        typed = (first.line or " ".join(("./doitw", *first.typed))).replace(
            "{folder}", "/home/me/isol8-tasks"
        )
        yield f"{_plain('; '.join(dict.fromkeys(row.fault for row in same)))} (exit code {first.exit}):"
        yield ""
        yield from (f"    {line}".rstrip() for line in (*f"$ {typed}".splitlines(), *said.splitlines()))
        yield from ("", f"**{_escaped(step(first, said))}.**", "")


def _plain(text: str) -> str:
    """Return a situation as Markdown shows it, beginning with a capital if it begins with a word."""
    return _escaped(text[0].upper() + text[1:] if re.match(r"[a-z]+[ ,]", text) else text)


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_<>\[\]#|])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
