"""The credentials in build arguments and the environment, as values, and text without them however they are written."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from attrs import frozen

from isol8_tasks.safety.redact import HIDDEN, QUERY_KEY, redact
from isol8_tasks.values import ByValue

SHORTEST: Final = 6
"""Characters of a value that is hidden wherever it stands; a shorter one would take ordinary words with it."""
_SHORT: Final = 12
_PIECE: Final = 1000
_UNDECODED: Final = "surrogateescape"
"""As Python has variables of the environment that are not text."""
_SHORTEST_OPAQUE: Final = 16

_SECRET_NAMES: Final = (
    *("_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_PASSPHRASE", "_CREDENTIAL", "_CREDENTIALS", "_AUTH"),
    *("_API_KEY", "_APIKEY", "_ACCESS_KEY", "_PRIVATE_KEY"),
)
"""How names end whose values are credentials."""
# Patterns are compiled when something is compared with them; in most runs nothing is.
# Their repeats are bounded so that no long line takes quadratic time.
_URL: Final = r"(?i)[a-z][a-z0-9+.-]{0,31}://[^\s\"'<>]+"
_QUERY: Final = rf"(?i)[?&;]{QUERY_KEY}=([^&#;]+)"
_ASSIGNED: Final = (
    r"(?i)(?:\b_(?:authToken|auth|password)|\bx-[\w-]{0,64}?(?:api-?key|token|secret))\s{0,64}[:=]\s*[\"']?([^\s\"']+)"
    r"|\b(?:basic|bearer)\s+([^\s\"']+)"
)
_NAMED: Final = r"(?<![\w.-])([\w.-]{1,64})[\"']?[^\S\n]{0,8}[:=][^\S\n]{0,8}[\"']?([^\s\"',;]+)"
"""A name and its value, as files of settings have them."""
_LOGINS: Final = (
    r"\b(?:login\s+(\S+)\s+)?(?:password|account)\s+(\S+)",
    r"(?m)^basic:[^:\n]*:([^:\n]*):(.+)$",
    r"(?:^|;)(?:([^;:@\s]+):)?([^;@\s]+)@[\w.:-]+(?=;|\s*$)",
)
"""Of .netrc, apk's HTTP_AUTH and Deno's DENO_AUTH_TOKENS: user, if there is one, and password."""
_OPAQUE: Final = (
    r"(?i)(?=.*(?=[0-9A-Za-z]{0,15}\d)(?=[0-9A-Za-z]{0,15}[A-Za-z])[0-9A-Za-z]{16})[\w~-]+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w.-]{16,}"
)
"""A part of a path that reads like a token: 16 letters and digits in a row, a UUID, or a JSON web token."""


@frozen(kw_only=True, eq=False, repr=False)
class Redactor(ByValue):
    """Hides what `redact` knows by its shape, and the credentials of one run by their value."""

    values: tuple[str, ...] = ()
    """The longest first, since one may begin with another."""

    @classmethod
    def of(
        cls,
        arguments: Iterable[tuple[str, str]],
        environ: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> "Redactor":
        """Return what hides the credentials in build arguments, those in an environment, and secrets by their texts."""
        found = {each for name, value in arguments for each in credentials(name, value)}
        for name, value in (environ or {}).items():
            if _is_secret(name) or name.lower().endswith("_proxy") or name == "DOCKER_HOST":
                found.update(_in_environment(name, value))
        found.update(each for text in secrets for each in _in_secret(text))
        forms = {form for each in found for form in _forms(each)}
        return cls(values=tuple(sorted((each for each in forms if _can_be_hidden(each)), key=_longest_first)))

    def __call__(self, text: str) -> str:
        """Return the text without credentials."""
        return redact(self.hide(text))

    def hide(self, text: str) -> str:
        """Return the text without the values alone; it takes no longer for many of them than for one."""
        parts: list[str] = []
        end = 0
        for begin, found_end in self._places(text) if self.values else ():
            parts += (text[end:begin], HIDDEN)
            end = found_end
        return "".join((*parts, text[end:])) if parts else text

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where values stand, as begin and end; those without anything between them are one."""
        lengths, values = self._index
        begin = end = -1
        for at in range(len(text) - SHORTEST + 1):
            for length in lengths.get(text[at : at + SHORTEST], ()):
                if text[at : at + length] in values and _is_alone(text, at, at + length):
                    if at > end >= 0:
                        yield begin, end
                    begin, end = begin if 0 <= at <= end else at, max(end, at + length)
                    break
        if end >= 0:
            yield begin, end

    @cached_property
    def _index(self) -> tuple[Mapping[str, Sequence[int]], frozenset[str]]:
        """How long values are, the longest first, by what they begin with; and the values, long ones in pieces."""
        pieces = frozenset(piece for value in self.values for piece in _pieces(value))
        lengths: dict[str, set[int]] = {}
        for each in pieces:
            lengths.setdefault(each[:SHORTEST], set()).add(len(each))
        return {begin: sorted(found, reverse=True) for begin, found in lengths.items()}, pieces


def hidden_argument(name: str, value: str) -> str:
    """Return the value of a build argument as labels and reasons may have it."""
    return Redactor.of([(name, value)])(value)


def credentials(name: str, value: str) -> Iterator[str]:
    """Yield the credentials in the value of a build argument: all of it where the argument's name says so."""
    if _is_secret(name) and "://" not in value:
        yield from (line.strip() for line in value.splitlines())
        return
    for found in re.finditer(_URL, value):
        yield from _in_url(found[0])
    yield from (word for found in re.finditer(_ASSIGNED, value) for word in found.groups() if word)


def _is_secret(name: str) -> bool:
    return f"_{name.upper()}".endswith(_SECRET_NAMES)


def _in_secret(text: str) -> Iterator[str]:
    """Yield each line of a secret, and what is secret by itself in it, as programs may print it."""
    lines = [*filter(None, map(str.strip, text.splitlines()))]
    yield from lines
    words = {word for line in lines for word in credentials("", line)}
    words |= {found[2] for found in re.finditer(_NAMED, text) if _is_secret(found[1])}
    for found in (each for pattern in _LOGINS for each in re.finditer(pattern, text)):
        words |= {found[2], f"{found[1]}:{found[2]}"} if found[1] else {found[2]}
    if len(lines) == 1:
        words |= {*lines}
    words.update(decoded for word in [*words] for decoded in _decoded(word))
    yield from words
    yield from (encoded for word in words for encoded in _in_base64(word.encode("utf-8", _UNDECODED)))


def _decoded(word: str) -> Iterator[str]:
    """Yield a login that is in base 64, and its password."""
    try:
        found = base64.b64decode(word, validate=True).decode()
    except ValueError:
        return
    if found.isprintable():
        yield from (found, found.partition(":")[2])


def _in_base64(word: bytes) -> Iterator[str]:
    """Yield what base 64 makes of it, wherever in a longer text it stands; a sign at each end has others in it."""
    for before in range(3):
        found = base64.b64encode(b"\0" * before + word).decode().rstrip("=")
        ends = -1 if (before + len(word)) % 3 else None
        yield found[before + bool(before) : ends]


def _in_environment(name: str, value: str) -> Iterator[str]:
    """Yield what is secret in a variable; a path is none, as that of an agent's socket or an engine's."""
    if not value.startswith(("/", "unix://")):
        yield from credentials(name, value)


def _in_url(url: str) -> Iterator[str]:
    # A password may have characters in it that end the host for a parser.
    scheme, _, rest = url.partition("://")
    userinfo, at, host = rest.rpartition("@")
    if at and "?" not in userinfo:
        user, colon, password = userinfo.partition(":")
        yield password or user
        if colon:
            plain = f"{unquote(user)}:{unquote(password)}"
            yield from (plain, base64.b64encode(plain.encode("utf-8", _UNDECODED)).decode())
        url = f"{scheme}://{host}"
    if "=" in url:
        yield from (found[1] for found in re.finditer(_QUERY, url))
    try:
        path = urlsplit(url).path
    except ValueError:
        return
    yield from (
        part for part in path.split("/") if len(part) >= _SHORTEST_OPAQUE and re.fullmatch(_OPAQUE, part)
    )


def _forms(value: str) -> Iterator[str]:
    """Yield a value as URLs, forms and JSON write it."""
    for each in {value, unquote(value)}:
        encoded = quote(each, safe="", errors=_UNDECODED)
        yield from (each, quote(each, errors=_UNDECODED), encoded, encoded.replace("%20", "+"))
        yield re.sub("%..", lambda found: found[0].lower(), encoded)
        yield from (json.dumps(each, ensure_ascii=is_ascii)[1:-1] for is_ascii in (False, True))


def _can_be_hidden(value: str) -> bool:
    return len(value) >= SHORTEST and not re.fullmatch(_VARIABLE, value)


def _is_alone(text: str, begin: int, end: int) -> bool:
    """Tell whether what stands there is not within a word; only a short value without any sign may be part of one."""
    value = text[begin:end]
    if len(value) >= _SHORT or not value.isalnum():
        return True
    before, after = text[max(begin - 3, 0) : begin], text[end : end + 1]
    is_inside = (
        before[-1:].isascii() and before[-1:].isalnum() and not re.fullmatch("%[0-9A-Fa-f]{2}", before)
    )
    return not is_inside and not (after.isascii() and after.isalnum())


def _pieces(value: str) -> Iterator[str]:
    """Yield a long value in pieces, so that a builder that cuts a line shows none of it either."""
    yield from (value[at : at + _PIECE] for at in range(0, len(value) - _PIECE + 1, _PIECE))
    yield value[-_PIECE:]


def _longest_first(value: str) -> tuple[int, str]:
    return -len(value), value


def exposed(texts: Iterable[str], arguments: Mapping[str, str], redactor: Redactor) -> tuple[str, ...] | None:
    """Return the build arguments whose credentials stand in texts about an image; None where no credential does.

    None of the arguments where it is another credential. What names a variable of a shell says nothing of its value.
    """
    found = [re.sub(_REFERENCE, "", text) for text in texts]
    if not any(redactor(text) != text for text in found):
        return None
    own = {name: Redactor.of([(name, value)]) for name, value in arguments.items()}
    return tuple(name for name, each in own.items() if any(each.hide(text) != text for text in found))


_VARIABLE: Final = r"\$\{\w+\}|\$[A-Z_][A-Z0-9_]*"
"""What stands for a value, and is none."""
_REFERENCE: Final = r"(?<=://)(?:git|:?(?:\$\{?\w+\}?:?)+)@|\$\{?\w+\}?"
