"""How a registry is reached: over TLS or not, past which proxy, and whose certificates it may show.

As Docker's engine does it, so that what can be pulled can be asked (docs.docker.com/engine/security/certificates,
docs.docker.com/reference/cli/dockerd "Insecure registries").
"""

import ipaddress
import os
import ssl
from pathlib import Path
from typing import Any, Final, cast

from requests import ConnectionError as NoConnectionError
from requests import Request, RequestException, Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool
from urllib3.util.retry import Retry

from isol8_tasks.images.references import Reference

REQUESTS_AT_ONCE: Final = 8
"""Requests side by side."""
SILENT_SECONDS: Final = 10.0
"""How long a registry may be silent."""
CERTIFICATES: Final = Path("/etc/docker/certs.d")


def prepare(session: Session, host: str) -> None:
    """Let a session trust what Docker's engine trusts of that registry, and ask it past the same proxies."""
    if is_loopback(host):
        # Go's programs, and so Docker's engine, never ask a proxy for it.
        session.trust_env = False
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    folder = CERTIFICATES / host
    for certificate in sorted(folder.glob("*.cert")):
        session.cert = (str(certificate), str(certificate.with_suffix(".key")))
    session.mount("https://", _Adapter(tuple(sorted(folder.glob("*.crt")))))


def address_of(session: Session, repository: Reference) -> str:
    """Return the address below which a registry has a repository."""
    host, path = repository.registry, repository.path
    if host == "docker.io":
        host, path = "registry-1.docker.io", path if "/" in path else f"library/{path}"
    address = f"{_scheme(session, host)}://{host}/v2/{path}"
    # Only now, as one without TLS would be asked for it again and again.
    for scheme in ("https://", "http://"):
        adapter = session.get_adapter(scheme)
        if scheme == "http://":
            adapter = HTTPAdapter(pool_maxsize=REQUESTS_AT_ONCE)
            session.mount(scheme, adapter)
        cast("HTTPAdapter", adapter).max_retries = _RETRIES
    return address


def connections(session: Session, url: str) -> HTTPConnectionPool | None:
    """Return the session's own connections to an address; None where it goes through a proxy."""
    options = session.merge_environment_settings(url, {}, True, None, None)  # noqa: FBT003 - as requests has it
    if select_proxy(url, options["proxies"]):
        return None
    adapter, request = session.get_adapter(url), Request("GET", url).prepare()
    found = adapter.get_connection_with_tls_context(  # type: ignore[attr-defined]
        request, options["verify"], cert=options["cert"]
    )
    adapter.cert_verify(found, url, options["verify"], options["cert"])  # type: ignore[attr-defined]
    return cast("HTTPConnectionPool", found)


def is_loopback(host: str) -> bool:
    """Tell whether a registry is on this machine."""
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class _Adapter(HTTPAdapter):
    """Trusts the system's certificates and some more, beside those that requests brings."""

    def __init__(self, certificates: tuple[Path, ...]) -> None:
        self._certificates = certificates
        super().__init__(pool_maxsize=REQUESTS_AT_ONCE)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as requests has it
        super().init_poolmanager(*arguments, **options, ssl_context=self._context())

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as requests has it
        return super().proxy_manager_for(*arguments, **options, ssl_context=self._context())

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for certificate in self._certificates:
            try:
                context.load_verify_locations(certificate)
            except OSError as error:
                raise RequestException(f"{certificate}: {error.strerror or 'is no certificate'}") from None
        return context


def _scheme(session: Session, host: str) -> str:
    if not is_loopback(host):
        return "https"
    try:
        session.get(f"https://{host}/v2/", timeout=SILENT_SECONDS)
    except NoConnectionError as error:
        # That of a registry that has one is told when it is asked.
        return "https" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "http"
    return "https"


_RETRIES: Final = Retry(
    total=2,
    read=1,
    backoff_factor=0.3,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    # It may ask for hours, and a run without it builds.
    respect_retry_after_header=False,
)
