"""Package specs: checked by their ecosystem's grammar, gathered from lists, and written for a shell."""

import contextlib
import functools
import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from isol8_tasks.ecosystems.grammar import NotUnderstoodError
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS
from isol8_tasks.errors import ConfigError
from isol8_tasks.safety.redact import redact
from isol8_tasks.values import ByValue

LONGEST: Final = 512
"""Characters of a spec; more is no package's name, and labels have to hold all of them together."""


class SpecError(ConfigError):
    """A package is not written as its ecosystem writes packages."""

    def __init__(self, what: str, *, words: tuple[str, ...] = (), form: str = "") -> None:
        super().__init__(f"{what}; {form}" if form else what)
        self.what = what
        """What is wrong, without what to write."""
        self.words = words
        """The packages that were meant; empty where that is not known."""


@frozen(kw_only=True, eq=False, repr=False)
class Spec(ByValue):
    """A package as somebody asked for it."""

    text: str
    """As the installer gets it."""
    name: str
    """Canonical: PEP 503 for PyPI, `@scope/pkg` for npm, the specifier without its version for Deno."""
    constraint: str
    """What is asked for beside the name, in canonical form; empty where any version will do."""


def parse_spec(ecosystem: str, text: str) -> Spec:
    """Read one spec; a SpecError says what was found and what the ecosystem takes."""
    return _parse(ecosystem, text.strip())


def split_flag(text: str) -> tuple[str, ...]:
    """Split the comma list of a flag, not in brackets or quotes nor before a comparison; blanks vanish."""
    words, begin = [], 0
    for comma in _commas(text):
        words.append(text[begin:comma])
        begin = comma + 1
    words.append(text[begin:])
    return tuple(word for word in map(str.strip, words) if word)


def merge(ecosystem: str, *lists: Iterable[str]) -> tuple[str, ...]:
    """Gather the specs of all lists, sorted, each once however it is spelled."""
    merged: dict[tuple[str, str], str] = {}
    for text in sorted({word for words in lists for word in words}):
        spec = parse_spec(ecosystem, text)
        merged.setdefault((spec.name, spec.constraint), spec.text)
    return tuple(sorted(merged.values()))


def skipped_names(ecosystem: str, names: Iterable[str]) -> frozenset[str]:
    """Return names that an ecosystem understands, in its canonical form; others are of another ecosystem."""
    found = set()
    for name in names:
        with contextlib.suppress(SpecError):
            found.add(parse_spec(ecosystem, name).name)
    return frozenset(found)


def shell_word(text: str) -> str:
    """Write the text so that a POSIX shell, and a Dockerfile's RUN, gets it as one word and unchanged."""
    if not text.isprintable():
        raise ValueError(f"{text!r} can't be written on one line of a Dockerfile")
    if re.fullmatch(_PLAIN_WORD, text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def client_label(specs: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return the comma-joined label for isol8's clients, and the specs left out of it for their own comma."""
    unique = sorted(set(specs))
    return (
        ",".join(spec for spec in unique if "," not in spec),
        tuple(spec for spec in unique if "," in spec),
    )


@functools.cache
def _parse(ecosystem: str, stripped: str) -> Spec:
    """Read a spec once, however many images name it, and however often they are gathered."""
    found = _unfit(stripped) or _read(ecosystem, stripped)
    if isinstance(found, Spec):
        return found
    what, forms = f"{_shown(stripped)}: {found}", ECOSYSTEMS[ecosystem].forms
    if not _unfit(stripped):
        # Here, since only a mistake has use for it.
        from isol8_tasks.ecosystems.pasted import listed, recognized  # noqa: PLC0415

        if meant := recognized(ecosystem, stripped, lambda text: isinstance(_read(ecosystem, text), Spec)):
            what = f"{_shown(stripped)}: {meant.what}"
            raise SpecError(
                what, words=meant.words, form=f"write {listed(meant.words)}" if meant.words else ""
            )
    raise SpecError(what, form=forms)


def _read(ecosystem: str, text: str) -> Spec | str:
    """Return a spec, or what is wrong with its text."""
    if problem := _common_problem(text):
        return problem
    try:
        name, constraint = ECOSYSTEMS[ecosystem].read(text)
    except NotUnderstoodError as error:
        return str(error)
    return Spec(text=text, name=name, constraint=constraint)


def _unfit(text: str) -> str:
    """Tell why a text is not looked at any further; empty when it is."""
    if not text:
        return "an empty text, not a package"
    if redact(text) != text:
        return "contains a user name, password or token, and specs are written into labels; remove it"
    return ""


def _common_problem(text: str) -> str:
    """Tell what no ecosystem takes; empty when there is nothing of that."""
    if not (text.isascii() and text.isprintable()):
        return "a character that is neither printable nor ASCII"
    if len(text) > LONGEST:
        return f"{len(text)} characters; at most {LONGEST} are allowed"
    if text.startswith("-"):
        return "an option, not a package"
    if text.endswith(_FILES):
        from isol8_tasks.ecosystems.pasted import is_file  # noqa: PLC0415 - as above

        return "the name of a file, not a package" if is_file(text) else ""
    return ""


def _shown(text: str) -> str:
    """Quote the text as far as it is fit for one line on a screen."""
    hidden = redact(text)
    return repr(hidden if len(hidden) <= _SHOWN else f"{hidden[:_SHOWN]}…")


def _commas(text: str) -> Iterable[int]:
    """Find the commas that stand between two specs."""
    depth, quote = 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == "," and depth <= 0 and not re.compile(_COMPARISON).match(text, index + 1):
            yield index


_SHOWN: Final = 80
_FILES: Final = (
    ".txt",
    ".in",
    ".toml",
    "Pipfile",
    ".lock",
    ".py",
    ".cfg",
    ".yml",
    ".yaml",
    ".json",
    ".jsonc",
    ".lockb",
)
"""How files of package managers end; few packages' names do."""
_PLAIN_WORD: Final = r"[A-Za-z0-9@%_+=:,./-]+"
# `requests>=2,<3` is one requirement of Python's; no spec of any ecosystem begins like this.
_COMPARISON: Final = r"\s*(?:[<>]|[=!~]=)"
