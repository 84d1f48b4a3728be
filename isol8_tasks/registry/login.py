"""What a registry asks for before it answers: a token (distribution.github.io/distribution/spec/auth/token), or basic.

Credentials are those of `docker login`, from docker's own configuration, credential helpers included.
"""

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field
from requests import PreparedRequest, RequestException, Response, Session
from requests.auth import AuthBase, _basic_auth_str
from requests.utils import parse_dict_header

UNAUTHORIZED: Final = 401
_CHALLENGE: Final = re.compile(r"(bearer|basic)\s+(.*)", re.IGNORECASE | re.DOTALL)


class LoginError(RequestException):
    """A registry asks for a login that nobody has, or does not accept it."""


@define(eq=False)
class Login(AuthBase):
    """Answers a registry's challenge, once for all requests of a session."""

    session: Session
    credentials: Callable[[], tuple[str, str] | None]
    """Name and password; None for nobody's."""
    seconds: float
    _header: str = field(default="", init=False)
    _mutex: threading.Lock = field(factory=threading.Lock, init=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Send with a request what the registry accepted before, and hear what it says to it."""
        request.headers.update(self.header)
        request.register_hook("response", self._answer)  # type: ignore[no-untyped-call]
        return request

    @property
    def header(self) -> Mapping[str, str]:
        """What the registry accepted before."""
        return {"Authorization": self._header} if self._header else {}

    def _answer(self, response: Response, **options: Any) -> Response:  # noqa: ANN401 - whatever requests passes
        """Log in and send the request again where the registry wants that."""
        if response.status_code != UNAUTHORIZED:
            return response
        sent = response.request.headers.get("Authorization", "")
        with self._mutex:
            # Another thread may have logged in meanwhile.
            if self._header == sent:
                self._header = self._log_in(response.headers.get("WWW-Authenticate", ""))
            header = self._header
        if not header or header == sent:
            return response
        # Read to its end, so that its connection serves the next.
        _ = response.content
        again = response.request.copy()
        again.hooks["response"] = []
        again.headers["Authorization"] = header
        return response.connection.send(again, **options)

    def _log_in(self, challenge: str) -> str:
        found = _CHALLENGE.match(challenge)
        known = self.credentials()
        basic = _basic_auth_str(*known) if known else ""
        if found is None or found[1].lower() == "basic":
            return basic
        asked: dict[str, str] = parse_dict_header(found[2])  # type: ignore[no-untyped-call]
        realm = asked.get("realm", "")
        if urlsplit(realm).scheme not in {"http", "https"}:
            raise LoginError(f"it sends for a token to {realm!r}, which is not an address")
        answer = self.session.get(
            realm,
            params={name: asked[name] for name in ("service", "scope") if name in asked},
            headers={"Authorization": basic} if basic else {},
            auth=_nobody,
            timeout=self.seconds,
        )
        if answer.status_code == UNAUTHORIZED:
            return ""
        answer.raise_for_status()
        token = answer.json()
        return f"Bearer {token.get('token') or token['access_token']}"


def _nobody(request: PreparedRequest) -> PreparedRequest:
    """Leave a request as it is: the token's server must get no token, nor what .netrc says."""
    return request
