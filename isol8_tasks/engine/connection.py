"""A connection to an engine: each request as often as it takes, what it says when it fails, and what aborts it."""

import contextlib
import io
import os
import re
import socket
import threading
from collections.abc import Generator, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import docker
from attrs import frozen
from docker import constants

from isol8_tasks.engine.client import connect, proxy_args, registry_login
from isol8_tasks.engine.endpoint import Endpoint, diagnose
from isol8_tasks.engine.jobs import Job, JobList
from isol8_tasks.engine.pool import OnePool, shut
from isol8_tasks.engine.watch import Watch, patience
from isol8_tasks.engine.wire import (
    ERROR_STATUS,
    NOT_FOUND,
    SWITCHED,
    EngineRefusedError,
    SilenceError,
    is_silence,
    items,
    raise_refused,
)
from isol8_tasks.errors import EngineError, EngineUnreachableError
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

_PING_SECONDS: Final = 8
_LISTINGS: Final = 5
_ANSWER_SECONDS: Final = 300
_PIECE_BYTES: Final = 65536
_CERTIFICATES: Final = (
    "Check the certificates of docker's context, or DOCKER_CERT_PATH and DOCKER_TLS_VERIFY."
)


@frozen(kw_only=True)
class Hello:
    """What an engine says of itself in the headers of a ping."""

    api: str
    """The API version to speak: the newest that both sides know."""
    newest: str
    """The newest that the engine knows."""
    version: str
    podman: bool


class Connection:
    """A connection to an endpoint; made without work, and safe to be used by several threads.

    Each request says again whose certificates are trusted: otherwise a REQUESTS_CA_BUNDLE in the environment would
    win over the authority that docker's own configuration names.
    """

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._environ = environ
        self._mutex = threading.RLock()
        self._open: docker.APIClient | None = None
        self._hello: Hello | None = None
        self.jobs = JobList()
        """Builds and pulls under way."""
        self._watch = Watch(self._pong, self._give_up, lambda: patience(environ))

    @property
    def greeted(self) -> Hello | None:
        """What the engine said when it was greeted; None when it was not yet."""
        return self._hello

    def greet(self) -> Hello:
        """Ask the engine who it is; raise EngineUnreachableError when it does not answer."""
        client = self._client()
        try:
            response = client.get(f"{client.base_url}/_ping", timeout=_PING_SECONDS, verify=client.verify)
        except OSError as error:
            if "SSL" in type(error).__name__:
                raise EngineUnreachableError(
                    f"no Docker Engine answers at {redact(self._endpoint.url)} (from {self._endpoint.why}): "
                    f"{_tls_problem(str(error))}"
                ) from error
            silent = is_silence(error)
            raise EngineUnreachableError(diagnose(self._endpoint, self._environ, is_silent=silent)) from error
        api = response.headers.get("Api-Version")
        if response.status_code >= ERROR_STATUS or not api:
            raise EngineUnreachableError(diagnose(self._endpoint, self._environ))
        self._hello = Hello(
            api=min(api, constants.DEFAULT_DOCKER_API_VERSION, key=_number),
            newest=api,
            version=response.headers.get("Server", "").partition(" ")[0].partition("/")[2],
            podman="Libpod-Api-Version" in response.headers,
        )
        return self._hello

    def hello(self) -> Hello:
        """Return what the engine said of itself, asking at most once."""
        with self._mutex:
            return self._hello or self.greet()

    def list(self, path: str, what: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask for a list, again where something is removed meanwhile: containerd's store then refuses all of it."""
        for _ in range(_LISTINGS - 1):
            try:
                return self.call("GET", path, what, params)
            except EngineRefusedError as error:
                if error.status != NOT_FOUND:
                    raise
        return self.call("GET", path, what, params)

    def call(  # noqa: PLR0913 - one for each part of a request
        self,
        method: str,
        path: str,
        what: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """Ask one thing and return the answer's JSON, None if it has none; `what` is for the error."""
        return self.dated(method, path, what, params, body=body, headers=headers)[0]

    def dated(  # noqa: PLR0913 - one for each part of a request
        self,
        method: str,
        path: str,
        what: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, float]:
        """Do what `call` does, and return the engine's own time with it: seconds since 1970, 0 where it tells none."""
        url = self._url(path)
        try:
            client = self._client()
            with self._watch.waiting():
                response = client.request(
                    method,
                    url,
                    params=params,
                    json=body,
                    headers=headers,
                    timeout=_ANSWER_SECONDS,
                    verify=client.verify,
                )
                content = response.content
        except OSError as error:
            self._raise_silent(error)
            if is_silence(error) and self._answers():
                raise SilenceError(f"the engine did not {what} within {_ANSWER_SECONDS} s") from error
            raise EngineUnreachableError(diagnose(self._endpoint, self._environ)) from error
        raise_refused(response.status_code, content, f"the engine did not {what}")
        try:
            answer = loads(content) if content.strip() else None
        except ValueError as error:
            raise EngineError(f"the engine did not {what}: its answer is not JSON") from error
        told = parsedate_to_datetime(date) if (date := response.headers.get("Date")) else None
        return answer, told.timestamp() if told else 0.0

    def stream(  # noqa: PLR0913 - one for each part of a request
        self,
        path: str,
        what: str,
        params: Mapping[str, str],
        body: bytes | Iterator[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> Generator[Mapping[str, Any], None, None]:
        """Post, and yield each item of the answer as it comes; closing it aborts what the engine does.

        SilenceError says that nothing came for `silence` seconds; None waits as long as it takes.
        """
        chunks = self.read(path, what, params, body=body, headers=headers, silence=silence)
        with contextlib.closing(chunks):
            next(chunks)
            yield from items(chunks)

    def read(  # noqa: PLR0913 - one for each part of a request
        self,
        path: str,
        what: str,
        params: Mapping[str, str],
        *,
        method: str = "POST",
        body: bytes | Iterator[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> Generator[bytes, None, None]:
        """Ask, and yield nothing as soon as the engine heard it, then each piece of its answer as it comes."""
        url = self._url(path)
        with self.job() as job, contextlib.ExitStack() as stack:
            try:
                client = self._client()
                response = client.request(
                    method,
                    url,
                    params=params,
                    data=body,
                    headers=headers,
                    stream=True,
                    timeout=silence,
                    verify=client.verify,
                )
                stack.callback(response.close)
                # Of its own, since a response that ends with its connection has closed that already.
                sock = stack.enter_context(socket.socket(fileno=os.dup(response.raw.fileno())))
                job.closes_with(partial(shut, sock))
                if response.status_code >= ERROR_STATUS:
                    raise_refused(response.status_code, response.content, f"the engine refused {what}")
                yield b""
                # Without chunks of its own, an answer would be read to its end before there is a first piece.
                yield from response.iter_content(chunk_size=None if response.raw.chunked else _PIECE_BYTES)
            except OSError as error:
                self._raise_silent(error)
                if job.cancelled:
                    raise EngineError(f"{what} was aborted") from error
                if is_silence(error):
                    raise SilenceError(f"{what} was aborted: no progress for {silence} s") from error
                kind = EngineError if self._answers() else EngineUnreachableError
                raise kind(
                    f"{what} was aborted: the connection to the engine was lost\n"
                    "Check that the engine still runs, then run again; images in use are untouched."
                ) from error
            if job.cancelled:
                raise EngineError(f"{what} was aborted")

    @contextlib.contextmanager
    def upgraded(
        self, path: str, what: str, headers: Mapping[str, str]
    ) -> Iterator[tuple[io.BufferedReader, socket.socket]]:
        """Make a connection of its own another protocol's: give what reads from it, and its socket to write to."""
        client = self._client()
        try:
            with self._watch.waiting():
                response = client.post(
                    self._url(path), headers=headers, stream=True, timeout=None, verify=client.verify
                )
        except OSError as error:
            self._raise_silent(error)
            raise EngineUnreachableError(diagnose(self._endpoint, self._environ)) from error
        with contextlib.closing(response):
            if response.status_code != SWITCHED:
                raise_refused(
                    max(response.status_code, ERROR_STATUS), response.content, f"the engine did not {what}"
                )
            # What came right behind the answer is in the reader already. Python's and urllib3's own names.
            reader: Any = response.raw._fp.fp  # type: ignore[union-attr]  # noqa: SLF001 - as docker's client has it
            yield reader, reader.raw._sock  # noqa: SLF001 - as above

    @contextlib.contextmanager
    def job(self) -> Iterator[Job]:
        """Hold something under way that waits for the engine; it is aborted where that says nothing any more."""
        with self._watch.waiting(), self.jobs.job() as job:
            try:
                yield job
            except EngineError as error:
                self._raise_silent(error)
                raise

    def credentials(self, reference: str) -> dict[str, str]:
        """Return the header that lets the engine pull an image, from docker's own configuration."""
        return registry_login(self._client(), reference, self._environ)

    def proxies(self) -> dict[str, str]:
        """Return the build arguments that docker's configuration asks for, as `docker build` adds them."""
        return proxy_args(self._endpoint)

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        with self._mutex:
            client, self._open, self._hello = self._open, None, None
        if client is not None:
            client.close()

    def _answers(self) -> bool:
        try:
            self.greet()
        except EngineUnreachableError:
            return False
        return True

    def _pong(self, seconds: float) -> bool:
        """Tell whether the engine answers in time; one that has gone is noticed by whoever waits for it."""
        try:
            client = self._client()
            client.get(f"{client.base_url}/_ping", timeout=seconds, verify=client.verify)
        except OSError as error:
            return not is_silence(error)
        except EngineUnreachableError:
            return True
        return True

    def _give_up(self) -> None:
        """Abort all that waits for an engine that says nothing."""
        with self._mutex:
            adapters = list(self._open.adapters.values()) if self._open else []
        for adapter in adapters:
            if isinstance(adapter, OnePool):
                adapter.shut()
        self.jobs.cancel()

    def _raise_silent(self, error: Exception | None = None) -> None:
        """Say of an engine that was given up that it was."""
        if self._watch.silent is not None:
            raise EngineUnreachableError(
                f"the engine at {redact(self._endpoint.url)} (from {self._endpoint.why}) did not answer for "
                f"{self._watch.silent:g} s, not even a ping\n"
                "Look whether it hangs, and run again: what was there before is untouched."
            ) from error

    def _url(self, path: str) -> str:
        version = "" if path.startswith("/v1.") else f"/v{self.hello().api}"
        return f"{self._client().base_url}{version}{path}"

    def _client(self) -> docker.APIClient:
        self._raise_silent()
        with self._mutex:
            if self._open is None:
                self._open = connect(self._endpoint, self._environ)
            return self._open


def _tls_problem(text: str) -> str:
    """Say what is in the way of TLS, in OpenSSL's words, and what to do about it."""
    if re.search(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG", text):
        return (
            "what listens there does not speak TLS\n"
            "Name the port at which the engine does, as tcp://host:2376, or unset DOCKER_TLS_VERIFY and "
            "DOCKER_CERT_PATH."
        )
    if "KEY_VALUES_MISMATCH" in text:
        return f"key.pem is not the key of cert.pem\n{_CERTIFICATES}"
    if re.search(r"PEM lib|NO_CERTIFICATE|NO_START_LINE|BAD_BASE64|X509: ", text):
        return f"ca.pem, cert.pem or key.pem is not what it is to be, in PEM\n{_CERTIFICATES}"
    return f"one side rejected the other's TLS certificate\n{_CERTIFICATES}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
