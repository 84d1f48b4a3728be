"""Lines that were copied from commands, programs and other tools' files: what each is, and what to write.

It is only asked about what is no package.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from isol8_tasks.ecosystems.commands import FILE
from isol8_tasks.ecosystems.spellings import RULES, lines

Reads = Callable[[str], bool]
"""Tells whether a text is a package."""


@frozen
class Pasted:
    """What a text is, and the packages that were meant."""

    what: str
    words: tuple[str, ...] = ()
    """Empty where nothing can be written in its place; `what` then says what to do."""


def recognized(ecosystem: str, text: str, reads: Reads, depth: int = 0) -> Pasted | None:
    """Return what a text is that is no package; None where it is nothing that is known."""
    # One rule may write what another reads back.
    if depth > _DEEPEST:
        return None
    if file := _file(ecosystem, text):
        return file
    for what, rule in RULES:
        words = rule(ecosystem, text)
        if words is None or text in words:
            continue
        meant = _meant(ecosystem, words, reads, depth + 1)
        packages = meant if isinstance(meant, tuple) else ()
        if rule is lines and not packages:
            return Pasted(
                f"{what}; write each package as a text of its own{_READ.get(ecosystem, _UNREAD).lines}"
            )
        if isinstance(meant, Pasted):
            return meant
        return Pasted(what, packages) if packages or not words else None
    return None


def _meant(ecosystem: str, words: Sequence[str], reads: Reads, depth: int) -> tuple[str, ...] | Pasted:
    """Return the packages that words come to, none where one can't be told; or what the first is that is no package."""
    found: dict[str, None] = {}
    for word in words:
        inner = Pasted("", (word,)) if reads(word) else recognized(ecosystem, word, reads, depth)
        if inner is None:
            return ()
        if not inner.words and len(words) > 1 and inner.what.endswith("remove it"):
            continue
        if not inner.words:
            return inner
        found.update(dict.fromkeys(inner.words))
    return tuple(found)


def listed(words: Sequence[str]) -> str:
    """Return the first packages of many as they are written in a file."""
    shown = [f'"{word}"' for word in words[:_SHOWN]]
    return ", ".join([*shown, "…"] if len(words) > _SHOWN else shown)


def is_file(text: str) -> bool:
    """Tell whether a text names a file of a package manager's, which may look like a package's name."""
    return re.fullmatch(FILE, text) is not None


def _file(ecosystem: str, text: str) -> Pasted | None:
    found = re.fullmatch(rf"(?:(?:-r|--requirement)[ =]*|@)?((?:[\w.~-]*/)*{FILE})", text)
    if not found:
        return None
    path = found[1]
    read = _READ.get(ecosystem, _UNREAD)
    if not read.key:
        return Pasted("the name of a file, and none is read for this runtime; write its packages")
    if path.endswith(read.ending) or (ecosystem == "pypi" and re.search(r"(?:^|/)requirements[^/]*$", path)):
        return Pasted(
            f'the name of a file, not a package; write {read.key} = "{path}" under [dependencies], or {read.flag}{path}'
        )
    return Pasted(f"the name of a file that is not read; {read.instead}")


@frozen(kw_only=True)
class _Read:
    """The files that are read for an ecosystem."""

    key: str = ""
    """Of deps.toml."""
    flag: str = ""
    ending: str = ""
    instead: str = ""
    """What is said of a file that is not read."""
    lines: str = ""
    """Behind what is said of several lines."""


_UNREAD: Final = _Read()
_READ: Final = {
    "pypi": _Read(
        key="python_file",
        flag="--python @",
        ending=".txt",
        instead="write requirements.txt with `pip freeze`, `uv export` or `poetry export`, and "
        'python_file = "requirements.txt" under [dependencies]',
        lines=', or the lines into a file, and python_file = "requirements.txt" under [dependencies]',
    ),
    "npm": _Read(
        key="node_file (for bun, bun_file)",
        flag="--node @",
        ending="package.json",
        instead='write node_file (for bun, bun_file) = "package.json" under [dependencies]',
        lines=', or node_file (for bun, bun_file) = "package.json" under [dependencies]',
    ),
}
_SHOWN: Final = 4
_DEEPEST: Final = 9
"""So often a text is taken apart."""
