"""The images that tags of a repository name: digest, labels and size, by manifest and configuration alone.

The protocol is the OCI distribution specification's (github.com/opencontainers/distribution-spec, "Pull"). What counts
as a plain-HTTP registry, and where a CA of its own lies, is Docker's (docs.docker.com/engine/security/certificates;
docs.docker.com/reference/cli/dockerd, "Insecure registries").
"""

import contextlib
import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from attrs import define, field, frozen
from requests import ConnectionError as NoConnectionError
from requests import Request, RequestException, Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from isol8_tasks.errors import RegistryError, SourceUnavailableError
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.images.references import Reference
from isol8_tasks.registry.login import UNAUTHORIZED, Login
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

_T = TypeVar("_T")

_AT_ONCE: Final = 8
"""Requests side by side."""
CERTIFICATES: Final = Path("/etc/docker/certs.d")
_SECONDS: Final = 10.0
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


@frozen(kw_only=True)
class RemoteImage:
    """What a tag names in a registry."""

    digest: str
    """`sha256:…` of what the tag points to, by which it is pulled."""
    image: ObservedImage
    """As it will be listed once it is here, but for its tags; its size is that of its compressed layers."""


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

    def delete(self, digest: str) -> None:
        """Delete the image of a digest, with every tag that it has.

        Raises:
            RegistryError: the registry does not delete images, or not for this login.
            SourceUnavailableError: it could not be asked.

        """
        with self._told():
            self._connect()
            answer = self._session.delete(f"{self._root}/manifests/{digest}", timeout=_SECONDS)
        if answer.status_code >= _ERROR and answer.status_code != _NOT_FOUND:
            raise RegistryError(
                f"{self._host} does not delete it: {answer.status_code} {answer.reason}", lasting=True
            )

    def _each(self, names: tuple[str, ...], ask: Callable[[str], _T | None]) -> dict[str, _T]:
        with self._told():
            self._connect()
            with ThreadPoolExecutor(max(1, min(_AT_ONCE, len(names)))) as pool:
                found = dict(zip(names, pool.map(ask, names), strict=True))
        return {name: each for name, each in found.items() if each is not None}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong with a question as a SourceUnavailableError."""
        try:
            yield
        except (RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceUnavailableError(f"{self._host}: {_words(error)}") from error

    def _names(self) -> Iterator[str]:
        """Yield the tags of the repository, page by page."""
        self._connect()
        page: str | None = ""
        while page is not None:
            answer = self._session.get(f"{self._root}/tags/list?{page}", timeout=_SECONDS)
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
        session.auth = self._login = Login(session, self.credentials, _SECONDS)
        folder = CERTIFICATES / self._host
        if (folder / "ca.crt").is_file():
            session.verify = str(folder / "ca.crt")
        if (folder / "client.cert").is_file():
            session.cert = (str(folder / "client.cert"), str(folder / "client.key"))
        host = "registry-1.docker.io" if self._host == "docker.io" else self._host
        path = Reference(self.repository).path
        if self._host == "docker.io" and "/" not in path:
            path = f"library/{path}"
        root = f"{self._scheme(host)}://{host}/v2/{path}"
        # Only now, as one without TLS would be asked for it again and again.
        retries = Retry(
            total=2, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_AT_ONCE, max_retries=retries))
        self._root = root
        self._direct = self._connections()

    def _connections(self) -> HTTPConnectionPool | None:
        session, url = self._session, self._root
        options = session.merge_environment_settings(url, {}, True, None, None)  # noqa: FBT003 - as requests has it
        if select_proxy(url, options["proxies"]):
            return None
        adapter, request = session.get_adapter(url), Request("GET", url).prepare()
        found = adapter.get_connection_with_tls_context(  # type: ignore[attr-defined]
            request, options["verify"], cert=options["cert"]
        )
        adapter.cert_verify(found, url, options["verify"], options["cert"])  # type: ignore[attr-defined]
        return cast("HTTPConnectionPool", found)

    def _scheme(self, host: str) -> str:
        if not _is_loopback(host):
            return "https"
        try:
            self._session.get(f"https://{host}/v2/", timeout=_SECONDS)
        except NoConnectionError:
            return "http"
        return "https"

    def _image(self, tag: str) -> RemoteImage | None:
        manifest = self._manifest(tag)
        if manifest is None:
            return None
        digest, document = manifest
        if document.get("mediaType") in _INDEXES or "manifests" in document:
            wanted = self.platform()
            manifests = document["manifests"]
            own = next((each for each in manifests if _platform(each.get("platform") or {}) == wanted), None)
            chosen = self._manifest(own["digest"]) if own else None
            if chosen is None:
                return None
            document = chosen[1]
        config_digest = document["config"]["digest"]
        found = self._get(f"/blobs/{config_digest}", config_digest)
        if found is None:
            raise ValueError(f"it lacks the configuration of {tag}")
        config: Any = loads(found)
        if config.get("architecture") and _platform(config) != self.platform():
            return None
        return RemoteImage(
            digest=digest,
            image=ObservedImage(
                id=config_digest,
                digests=(str(Reference(self.repository).at(digest)),),
                labels=(config.get("config") or {}).get("Labels") or {},
                size=sum(layer["size"] for layer in document["layers"]),
            ),
        )

    def _manifest(self, reference: str) -> tuple[str, Any] | None:
        content = self._get(f"/manifests/{reference}", reference if ":" in reference else "")
        return None if content is None else (_digest(content), loads(content))

    def _get(self, path: str, digest: str) -> bytes | None:
        """Return what is there under a path, which has that digest if one is given; None where nothing is."""
        status, found = self._directly(path)
        content = found if status == _OK else None if status == _NOT_FOUND else self._by_session(path)
        if digest and content is not None and _digest(content) != digest:
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
                "GET", place, headers=headers, retries=False, timeout=_SECONDS, preload_content=False
            )
            try:
                if answer.status == _OK:
                    return _OK, answer.read() if _size(answer.headers) <= _LARGEST else b""
                # Read to its end, so that its connection serves the next.
                answer.drain_conn()
            finally:
                # The connection of what was not read to its end is of no use any more.
                answer.close()
                answer.release_conn()
        except (HTTPError, OSError):
            return 0, b""
        if answer.status not in {_OK, _NOT_FOUND, UNAUTHORIZED}:
            # What is redirected, or has to be asked again, mostly is so for all that follows.
            self._direct = None
        return answer.status if answer.status == _NOT_FOUND else 0, b""

    def _by_session(self, path: str) -> bytes | None:
        with self._session.get(
            f"{self._root}{path}", headers={"Accept": _ACCEPTED}, timeout=_SECONDS, stream=True
        ) as answer:
            if answer.status_code == _NOT_FOUND:
                return None
            if answer.status_code in {UNAUTHORIZED, _FORBIDDEN}:
                raise ValueError(
                    f"it does not let {'this login' if self.credentials() else 'everyone'} read {self.repository}"
                )
            if answer.status_code >= _ERROR:
                raise ValueError(f"it answered {answer.status_code} {answer.reason}")
            return b"".join(answer.iter_content(1 << 16)) if _size(answer.headers) <= _LARGEST else b""


def _size(headers: Mapping[str, str]) -> int:
    return int(headers.get("Content-Length", "0"))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _platform(said: Mapping[str, Any]) -> str:
    return f"{said.get('os')}/{said.get('architecture')}"


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _words(error: Exception) -> str:
    """Say in short why a registry could not be asked."""
    if isinstance(error, RequestException):
        cause: BaseException = error
        while (inner := cause.__cause__ or cause.__context__) is not None:
            cause = inner
        return redact(f"it could not be asked: {cause}")
    if isinstance(error, KeyError | TypeError | AttributeError):
        return "its answer is not a manifest"
    return redact(str(error))
