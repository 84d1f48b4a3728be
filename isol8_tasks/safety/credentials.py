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
from isol8_tasks.values import ByValue

SHORTEST: Final = 6
"""Characters of a value that is hidden wherever it stands; a shorter one would take ordinary words with it."""
_SHORT: Final = 12
_SHORTEST_OPAQUE: Final = 16

_SECRET_NAMES: Final = (
    *("_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_PASSPHRASE", "_CREDENTIAL", "_CREDENTIALS", "_AUTH"),
    *("_API_KEY", "_APIKEY", "_ACCESS_KEY", "_PRIVATE_KEY"),
)
"""How names end whose values are credentials."""
# Patterns are compiled when something is compared with them; in most runs nothing is.
_URL: Final = r"(?i)[a-z][a-z0-9+.-]*://[^\s\"'<>]+"
_QUERY: Final = rf"(?i)[?&;]{QUERY_KEY}=([^&#;]+)"
_ASSIGNED: Final = (
    r"(?i)(?:\b_(?:authToken|auth|password)|\bx-[\w-]*(?:api-?key|token|secret))\s*[:=]\s*[\"']?([^\s\"']+)"
    r"|\b(?:basic|bearer)\s+([^\s\"']+)"
)
_IN_NETRC: Final = r"\b(?:password|account)\s+(\S+)"
_OPAQUE: Final = (
    r"(?i)(?=.*(?=[0-9A-Za-z]*\d)(?=[0-9A-Za-z]*[A-Za-z])[0-9A-Za-z]{16})[\w~-]+"
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
    if _is_secret(name) and "://" not in value:
        yield from (line.strip() for line in value.splitlines())
        return
    for found in re.finditer(_URL, value):
        yield from _in_url(found[0])
    yield from (word for found in re.finditer(_ASSIGNED, value) for word in found.groups() if word)


def _is_secret(name: str) -> bool:
    return f"_{name.upper()}".endswith(_SECRET_NAMES)


def _in_secret(text: str) -> Iterator[str]:
    """Yield each line of a secret, and what is secret by itself in it: of URLs, .npmrc, pip.conf and .netrc."""
    for line in filter(None, map(str.strip, text.splitlines())):
        yield line
        yield from credentials("", line)
    yield from (found[1] for found in re.finditer(_IN_NETRC, text))


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
            yield from (plain, base64.b64encode(plain.encode()).decode())
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
    found = [re.sub(_REFERENCE, "", text) for text in texts]
    if not any(redactor(text) != text for text in found):
        return None
    own = {name: Redactor.of([(name, value)]) for name, value in arguments.items()}
    return tuple(name for name, each in own.items() if any(each.hide(text) != text for text in found))


_REFERENCE: Final = r"(?<=://)(?:git|:?(?:\$\{?\w+\}?:?)+)@|\$\{?\w+\}?"
