"""The credentials in build arguments and the environment, as values, and text without them however they are written."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from attrs import frozen

from isol8_tasks.safety.redact import HIDDEN, QUERY_KEY, redact

SHORTEST: Final = 6
"""Characters of a value that is hidden wherever it stands; a shorter one would take ordinary words with it."""
_SHORT: Final = 12

_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH|API_?KEY|ACCESS_KEY|PRIVATE_KEY)$",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
_QUERY: Final = re.compile(rf"[?&;]{QUERY_KEY}=([^&#;]+)", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    r"(?:\b_(?:authToken|auth|password)|\bx-[\w-]*(?:api-?key|token|secret))\s*[:=]\s*[\"']?([^\s\"']+)"
    r"|\b(?:basic|bearer)\s+([^\s\"']+)",
    re.IGNORECASE,
)
_TOKEN_PART: Final = re.compile(
    r"(?=.*(?=[0-9A-Za-z]*\d)(?=[0-9A-Za-z]*[A-Za-z])[0-9A-Za-z]{16})[\w~-]+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w.-]{16,}",
    re.IGNORECASE,
)
"""A part of a path that reads like a token: 16 letters and digits in a row, a UUID, or a JSON web token."""


@frozen(kw_only=True)
class Redactor:
    """Hides what `redact` knows by its shape, and the credentials of one run by their value."""

    values: tuple[str, ...] = ()
    """The longest first, since one may begin with another."""

    @classmethod
    def of(cls, arguments: Iterable[tuple[str, str]], environ: Mapping[str, str] | None = None) -> "Redactor":
        """Return what hides the credentials in build arguments, and those in an environment."""
        found = {each for name, value in arguments for each in credentials(name, value)}
        for name, value in (environ or {}).items():
            if _SECRET_NAME.search(name) or name.lower().endswith("_proxy") or name == "DOCKER_HOST":
                found.update(_in_environment(name, value))
        forms = {form for each in found for form in _forms(each)}
        return cls(values=tuple(sorted((each for each in forms if _can_be_hidden(each)), key=_longest_first)))

    def __call__(self, text: str) -> str:
        """Return the text without credentials."""
        return redact(self.hide(text))

    def hide(self, text: str) -> str:
        """Return the text without the values alone."""
        return self._pattern.sub(HIDDEN, text) if self.values else text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_alone, self.values)))


def hidden_argument(name: str, value: str) -> str:
    """Return the value of a build argument as labels and reasons may have it."""
    return Redactor.of([(name, value)])(value)


def credentials(name: str, value: str) -> Iterator[str]:
    """Yield the credentials in the value of a build argument: all of it where the argument's name says so."""
    if _SECRET_NAME.search(name) and "://" not in value:
        yield from (line.strip() for line in value.splitlines())
        return
    for found in _URL.finditer(value):
        yield from _in_url(found[0])
    yield from (word for found in _ASSIGNED.finditer(value) for word in found.groups() if word)


def _in_environment(name: str, value: str) -> Iterator[str]:
    """Yield what is secret in a variable; a path is none, as that of an agent's socket."""
    if not value.startswith("/"):
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
            yield from (plain, base64.b64encode(plain.encode()).decode())
        url = f"{scheme}://{host}"
    yield from (found[1] for found in _QUERY.finditer(url))
    try:
        path = urlsplit(url).path
    except ValueError:
        return
    yield from (part for part in path.split("/") if _TOKEN_PART.fullmatch(part))


def _forms(value: str) -> Iterator[str]:
    """Yield a value as URLs, forms and JSON write it."""
    for each in {value, unquote(value)}:
        encoded = quote(each, safe="")
        yield from (each, quote(each), encoded, encoded.replace("%20", "+"))
        yield re.sub("%..", lambda found: found[0].lower(), encoded)
        yield json.dumps(each, ensure_ascii=False)[1:-1]


def _can_be_hidden(value: str) -> bool:
    return len(value) >= SHORTEST and not value.startswith("$")


def _alone(value: str) -> str:
    """Return the pattern of a value; a short one without any sign may be a part of an ordinary word."""
    if len(value) >= _SHORT or not value.isalnum():
        return re.escape(value)
    return rf"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{{2}})){re.escape(value)}(?![0-9A-Za-z])"


def _longest_first(value: str) -> tuple[int, str]:
    return -len(value), value


def exposed(texts: Iterable[str], arguments: Mapping[str, str], redactor: Redactor) -> tuple[str, ...] | None:
    """Return the build arguments whose credentials stand in texts about an image; None where no credential does.

    None of the arguments where it is another credential. What names a variable of a shell says nothing of its value.
    """
    found = [_REFERENCE.sub("", text) for text in texts]
    if not any(redactor(text) != text for text in found):
        return None
    own = {name: Redactor.of([(name, value)]) for name, value in arguments.items()}
    return tuple(name for name, each in own.items() if any(each.hide(text) != text for text in found))


_REFERENCE: Final = re.compile(r"(?<=://)(?:git|:?(?:\$\{?\w+\}?:?)+)@|\$\{?\w+\}?")
