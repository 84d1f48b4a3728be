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

LONGEST: Final = 512
"""Characters of a spec; more is no package's name, and labels have to hold all of them together."""


class SpecError(ConfigError):
    """A package is not written as its ecosystem writes packages."""


@frozen(kw_only=True)
class Spec:
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
    problem = _common_problem(stripped)
    if problem is None:
        try:
            name, constraint = ECOSYSTEMS[ecosystem].read(stripped)
        except NotUnderstoodError as error:
            problem = str(error)
        else:
            return Spec(text=stripped, name=name, constraint=constraint)
    raise SpecError(f"{_shown(stripped)}: {problem}; {ECOSYSTEMS[ecosystem].forms}")


def _common_problem(text: str) -> str | None:
    """Tell what no ecosystem takes; None when there is nothing of that."""
    if not text:
        return "an empty text, not a package"
    if len(text) > LONGEST:
        return f"{len(text)} characters; at most {LONGEST} are allowed"
    if not (text.isascii() and text.isprintable()):
        return "a character that is neither printable nor ASCII"
    if text.startswith("-"):
        return "an option, not a package"
    if redact(text) != text:
        return "contains a user name, password or token, and specs are written into labels; remove it"
    return None


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
_PLAIN_WORD: Final = r"[A-Za-z0-9@%_+=:,./-]+"
# `requests>=2,<3` is one requirement of Python's; no spec of any ecosystem begins like this.
_COMPARISON: Final = r"\s*(?:[<>]|[=!~]=)"
