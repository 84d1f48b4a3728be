"""How a registry is reached: against a server with TLS of the tests' own on loopback."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.registry.client import RegistryClient
from isol8_tasks.registry.connections import is_loopback


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a certificate for 127.0.0.1 that nobody trusts yet, and its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        (
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-days", "2"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "own.key", "-out", "own.crt"),
        ),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "own.crt"


@pytest.fixture
def host(certificate: Path) -> Iterator[str]:
    """Give the address of an empty registry with that certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of the certificates of registries."""
    for name in ("registry.connections", "registry.client"):
        monkeypatch.setattr(f"isol8_tasks.{name}.CERTIFICATES", tmp_path)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def images(host: str) -> object:
    client = RegistryClient(f"{host}/isol8", credentials=lambda: None, platform=lambda: "linux/amd64")
    try:
        return client.images(["bash"])
    finally:
        client.close()


def test_certificate_that_nobody_trusts(host: str, folder: Path) -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        images(host)
    assert str(caught.value).startswith(f"{host}: its certificate is not trusted (")
    assert str(caught.value).endswith(f"put that of its CA into {folder}/{host}/ca.crt")


def test_certificate_in_dockers_folder(host: str, folder: Path, certificate: Path) -> None:
    """Whatever its file is called, as Docker's engine takes it."""
    (folder / host).mkdir()
    (folder / host / "company.crt").write_text(certificate.read_text())
    assert images(host) == {}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificate_of_the_system(
    host: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """What is installed there is trusted by Docker's engine, too."""
    monkeypatch.setenv(variable, str(certificate))
    assert images(host) == {}


def test_file_that_is_no_certificate(host: str, folder: Path) -> None:
    (folder / host).mkdir()
    (folder / host / "ca.crt").write_text("nothing")
    with pytest.raises(SourceUnavailableError, match=rf"{folder}/{host}/ca.crt: "):
        images(host)


def test_key_that_is_missing(host: str, folder: Path, certificate: Path) -> None:
    (folder / host).mkdir()
    for name in ("ca.crt", "client.cert"):
        (folder / host / name).write_text(certificate.read_text())
    with pytest.raises(SourceUnavailableError, match=r"client\.key"):
        images(host)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("localhost:5000", True), ("127.0.0.2", True), ("[::1]:5000", True), ("registry.example", False)],
)
def test_registry_on_this_machine(name: str, *, expected: bool) -> None:
    assert is_loopback(name) is expected
