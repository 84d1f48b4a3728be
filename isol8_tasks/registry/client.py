"""The images that tags of a repository name: digest, labels and size, by manifest and configuration alone.

The protocol is the OCI distribution specification's (github.com/opencontainers/distribution-spec, "Pull"). What counts
as a plain-HTTP registry, and where a CA of its own lies, is Docker's (docs.docker.com/engine/security/certificates;
docs.docker.com/reference/cli/dockerd, "Insecure registries").
"""

import contextlib
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from attrs import define, evolve, field, frozen
from requests import Session
from urllib3 import BaseHTTPResponse, HTTPConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as TooLateError

from isol8_tasks.errors import RegistryError, SourceUnavailableError
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.images.references import Reference
from isol8_tasks.registry.connections import (
    CERTIFICATES,
    REQUESTS_AT_ONCE,
    SILENT_SECONDS,
    address_of,
    connections,
    prepare,
)
from isol8_tasks.registry.login import UNAUTHORIZED, Login
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

_T = TypeVar("_T")

_LONGEST: Final = 30.0
"""Seconds that an answer may take to come in."""
_TOO_LATE: Final = f"it did not answer within {SILENT_SECONDS:.0f} s"
_OK: Final = 200
_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403
_ERROR: Final = 400
_INDEXES: Final = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
_ACCEPTED: Final = ", ".join(
    (
        *sorted(_INDEXES),
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_LARGEST: Final = 4 << 20
"""Bytes of a manifest or configuration, as registries limit them."""


class _AnswerError(Exception):
    """A registry that does not answer as one, whatever it is asked."""


@frozen(kw_only=True)
class RemoteImage:
    """What a tag names in a registry."""

    digest: str
    """`sha256:…` of its manifest, by which it is pulled; where the tag leads to an index, that of the platform's."""
    image: ObservedImage
    """As it will be listed once it is here, but for its tags; its size is that of its compressed layers."""
    problem: str = ""
    """Why it can't be read; it then has no labels, as what other tools put there. Empty for an image."""


@define(eq=False)
class RegistryClient:
    """One repository of a registry; close it after use.

    `platform` (`linux/amd64`) chooses from an index of several; `credentials` are asked for when the registry wants
    them.
    """

    repository: str
    credentials: Callable[[], tuple[str, str] | None]
    platform: Callable[[], str]
    _session: Session = field(factory=Session, init=False)
    _root: str = field(default="", init=False)
    _login: Login = field(init=False)
    _direct: HTTPConnectionPool | None = field(default=None, init=False)
    """The session's own connections, for what needs nothing else of it; None where they are not enough."""

    def images(self, tags: Iterable[str]) -> Mapping[str, RemoteImage]:
        """Return what each tag names, of those that are there.

        Raises:
            SourceUnavailableError: the registry could not be asked, or its answer can't be read.

        """
        return self._each(tuple(dict.fromkeys(tags)), self._image)

    def tags(self) -> Mapping[str, str]:
        """Return the digest of every tag of the repository; raises SourceUnavailableError as `images` does."""
        with self._told():
            names = tuple(self._names())
        manifests = self._each(names, self._manifest)
        return {tag: digest for tag, (digest, _) in manifests.items()}

    def digest(self, tag: str) -> str:
        """Return the digest of a tag, empty where it has none; raises SourceUnavailableError as `images` does."""
        found = self._each((tag,), self._manifest)
        return found[tag][0] if found else ""

    def manifests(self, digest: str) -> Mapping[str, bytes]:
        """Return the manifest of a digest by that, and of an index the platform's own too; raises as `images` does."""
        with self._told():
            self._connect()
            content = self._content(f"/manifests/{digest}", digest)
            own = self._own(loads(content))
            return {digest: content, **({own: self._content(f"/manifests/{own}", own)} if own else {})}

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield a blob in pieces, whose digest nobody compares here; raises as `images` does."""
        with (
            self._told(),
            self._session.get(f"{self._root}/blobs/{digest}", timeout=SILENT_SECONDS, stream=True) as answer,
        ):
            answer.raise_for_status()
            yield from answer.iter_content(1 << 20)

    def delete(self, digest: str) -> None:
        """Delete the image of a digest, with every tag that it has.

        Raises:
            RegistryError: the registry does not delete images, or not for this login.
            SourceUnavailableError: it could not be asked.

        """
        with self._told():
            self._connect()
            answer = self._session.delete(f"{self._root}/manifests/{digest}", timeout=SILENT_SECONDS)
        if answer.status_code >= _ERROR and answer.status_code != _NOT_FOUND:
            raise RegistryError(
                f"{self._host} does not delete it: {answer.status_code} {answer.reason}", lasting=True
            )

    def _each(self, names: tuple[str, ...], ask: Callable[[str], _T | None]) -> dict[str, _T]:
        with self._told():
            self._connect()
            with ThreadPoolExecutor(max(1, min(REQUESTS_AT_ONCE, len(names)))) as pool:
                try:
                    found = dict(zip(names, pool.map(ask, names), strict=True))
                except BaseException:
                    # Who does not answer one question is not asked the others.
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        return {name: each for name, each in found.items() if each is not None}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong with a question as a SourceUnavailableError."""
        try:
            yield
        except (OSError, _AnswerError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceUnavailableError(f"{self._host}: {_words(error, self._host)}") from error

    def _names(self) -> Iterator[str]:
        """Yield the tags of the repository, page by page."""
        self._connect()
        page: str | None = ""
        while page is not None:
            answer = self._session.get(f"{self._root}/tags/list?{page}", timeout=SILENT_SECONDS)
            if answer.status_code == _NOT_FOUND:
                return
            answer.raise_for_status()
            yield from answer.json()["tags"] or ()
            following = answer.links.get("next")
            # Of the address only that: no registry sends a login elsewhere.
            page = urlsplit(following["url"]).query if following else None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def _host(self) -> str:
        return Reference(self.repository).registry

    def _connect(self) -> None:
        """Find out how the registry is spoken to, and who asks."""
        if self._root:
            return
        session = self._session
        session.auth = self._login = Login(session, self.credentials, SILENT_SECONDS)
        prepare(session, self._host)
        self._root = address_of(session, Reference(self.repository))
        self._direct = connections(session, self._root)

    def _image(self, tag: str) -> RemoteImage | None:
        manifest = self._manifest(tag)
        if manifest is None:
            return None
        digest, document = manifest
        try:
            if _is_index(document):
                own = self._own(document)
                chosen = self._manifest(own) if own else None
                if chosen is None:
                    return None
                digest, document = chosen
            found = self._read(document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # What somebody else put there, or what is broken, says nothing of the other images.
            return RemoteImage(
                digest=digest,
                image=ObservedImage(id="", digests=(str(Reference(self.repository).at(digest)),)),
                problem=_words(error, self._host),
            )
        by_digest = (str(Reference(self.repository).at(digest)),)
        return RemoteImage(digest=digest, image=evolve(found, digests=by_digest)) if found else None

    def _read(self, document: Any) -> ObservedImage | None:  # noqa: ANN401 - JSON
        """Return the image of a manifest; None where it is for another platform."""
        config_digest = document["config"]["digest"]
        config: Any = loads(self._content(f"/blobs/{config_digest}", config_digest))
        if config.get("architecture") and _platform(config) != self.platform():
            return None
        labels: Any = (config.get("config") or {}).get("Labels") or {}
        if not all(isinstance(each, str) for pair in labels.items() for each in pair):
            raise TypeError(labels)
        return ObservedImage(
            id=config_digest, labels=labels, size=sum(layer["size"] for layer in document["layers"])
        )

    def _own(self, index: Mapping[str, Any]) -> str:
        """Return the digest that an index has for the platform; empty where it has none, and for no index."""
        if not _is_index(index):
            return ""
        wanted = self.platform()
        return next(
            (
                str(each["digest"])
                for each in index["manifests"]
                if _platform(each.get("platform") or {}) == wanted
            ),
            "",
        )

    def _content(self, path: str, digest: str) -> bytes:
        content = self._get(path, digest)
        if content is None:
            raise ValueError(f"it lacks {digest}")
        return content

    def _manifest(self, reference: str) -> tuple[str, Any] | None:
        content = self._get(f"/manifests/{reference}", reference if ":" in reference else "")
        if content is None:
            return None
        try:
            return content_digest(content), loads(content)
        except json.JSONDecodeError as error:
            raise _AnswerError("it does not answer as a registry does") from error

    def _get(self, path: str, digest: str) -> bytes | None:
        """Return what is there under a path, which has that digest if one is given; None where nothing is."""
        status, found = self._directly(path)
        content = found if status == _OK else None if status == _NOT_FOUND else self._by_session(path)
        if digest and content is not None and content_digest(content) != digest:
            raise ValueError(f"what it has as {digest} is something else")
        return content

    def _directly(self, path: str) -> tuple[int, bytes]:
        """Ask without what a session does for each request; the status is 0 for what has to be asked by it."""
        if self._direct is None:
            return 0, b""
        headers = {"Accept": _ACCEPTED, **self._login.header}
        place = urlsplit(self._root).path + path
        try:
            answer = self._direct.urlopen(
                "GET", place, headers=headers, retries=False, timeout=SILENT_SECONDS, preload_content=False
            )
            try:
                if answer.status == _OK:
                    return _OK, _whole(answer)
                # Read to its end, so that its connection serves the next.
                answer.drain_conn()
            finally:
                # The connection of what was not read to its end is of no use any more.
                answer.close()
                answer.release_conn()
        except NewConnectionError:
            # Which is a time limit to urllib3.
            return 0, b""
        except TooLateError as error:
            raise _AnswerError(_TOO_LATE) from error
        except (HTTPError, OSError):
            return 0, b""
        if answer.status not in {_OK, _NOT_FOUND, UNAUTHORIZED}:
            # What is redirected, or has to be asked again, mostly is so for all that follows.
            self._direct = None
        return answer.status if answer.status == _NOT_FOUND else 0, b""

    def _by_session(self, path: str) -> bytes | None:
        headers = {"Accept": _ACCEPTED, "Accept-Encoding": "identity"}
        with self._session.get(
            f"{self._root}{path}", headers=headers, timeout=SILENT_SECONDS, stream=True
        ) as answer:
            if answer.status_code == _NOT_FOUND:
                return None
            if answer.status_code in {UNAUTHORIZED, _FORBIDDEN}:
                raise _AnswerError(
                    f"it does not let {'this login' if self.credentials() else 'everyone'} read {self.repository} "
                    f"({answer.status_code} {answer.reason})"
                )
            if answer.status_code >= _ERROR:
                raise _AnswerError(f"it answered {answer.status_code} {answer.reason}")
            return _whole(answer.raw)


def _whole(answer: BaseHTTPResponse) -> bytes:
    """Read an answer, unless it is longer, or takes longer, than any that is of use."""
    end = time.monotonic() + _LONGEST
    content = b""
    if int(answer.headers.get("Content-Length", "0")) <= _LARGEST:
        while part := answer.read1(1 << 16):
            content += part
            if time.monotonic() > end:
                raise _AnswerError(f"its answer was not complete after {_LONGEST:.0f} s")
            if len(content) > _LARGEST:
                break
        else:
            return content
    raise ValueError(f"it has more than {_LARGEST >> 20} MiB")


def content_digest(content: bytes) -> str:
    """Return the digest that names a content in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _is_index(document: Mapping[str, Any]) -> bool:
    return document.get("mediaType") in _INDEXES or "manifests" in document


def _platform(said: Mapping[str, Any]) -> str:
    return f"{said.get('os')}/{said.get('architecture')}"


def _words(error: Exception, host: str) -> str:
    """Say in short why a registry could not be asked."""
    if isinstance(error, OSError):
        cause: BaseException = error
        while (
            inner := cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        ) is not None:
            cause = inner
        if isinstance(cause, TimeoutError):
            return _TOO_LATE
        if isinstance(cause, ssl.SSLCertVerificationError):
            file = CERTIFICATES / host / "ca.crt"
            return f"its certificate is not trusted ({cause.verify_message}); put that of its CA into {file}"
        return redact(f"it could not be asked: {(isinstance(cause, OSError) and cause.strerror) or cause}")
    if isinstance(error, KeyError | TypeError | AttributeError):
        return "it is not the manifest of an image"
    return redact(str(error))
