"""An engine that is reached by a docker context with certificates."""

import hashlib
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import find
from isol8_tasks.errors import EngineUnreachableError


class Handler(BaseHTTPRequestHandler):
    """Answers a ping as an engine does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
        """Say nothing."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with one certificate, which stands for server, client and authority."""
    folder = tmp_path_factory.mktemp("certificates")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=engine",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture(scope="module")
def port(certificates: Path) -> Iterator[int]:
    """Give the port of an engine that wants the client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def engine_of_context(
    place: Path, port: int, files: dict[str, Path], *, trusting: bool = False
) -> DockerEngine:
    """Return the engine of a context that is written as docker's client writes it, which makes no config.json."""
    digest = hashlib.sha256(b"far").hexdigest()
    meta = place / "contexts/meta" / digest
    meta.mkdir(parents=True)
    endpoint = {"Host": f"tcp://127.0.0.1:{port}", "SkipTLSVerify": trusting}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": endpoint}}))
    folder = place / "contexts/tls" / digest / "docker"
    if files:
        folder.mkdir(parents=True)
    for name, source in files.items():
        shutil.copy(source, folder / name)
    environ = {"DOCKER_CONFIG": str(place), "DOCKER_CONTEXT": "far"}
    return DockerEngine(find(place, environ), environ=environ)


@pytest.mark.parametrize("trusting", [False, True])
def test_context_with_certificates(tmp_path: Path, certificates: Path, port: int, *, trusting: bool) -> None:
    """Its engine is asked by TLS, with or without a look at who it is."""
    names = ["cert.pem", "key.pem"] if trusting else ["ca.pem", "cert.pem", "key.pem"]
    engine = engine_of_context(
        tmp_path, port, {name: certificates / name for name in names}, trusting=trusting
    )
    engine.ping()
    engine.close()


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "it speaks TLS, and docker's context has no certificates"),
        (["ca.pem"], "one side rejected the other's TLS certificate"),
        (["cert.pem", "key.pem"], "one side rejected the other's TLS certificate"),
    ],
    ids=["none", "none of the client", "none of the authority"],
)
def test_context_without(
    tmp_path: Path, certificates: Path, port: int, names: list[str], problem: str
) -> None:
    """What is missed is told."""
    engine = engine_of_context(tmp_path, port, {name: certificates / name for name in names})
    with pytest.raises(EngineUnreachableError) as caught:
        engine.ping()
    assert problem in str(caught.value)
    engine.close()


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("ca.pem", "ca.pem, cert.pem or key.pem is not what it is to be, in PEM\nCheck the certificates of"),
        ("key.pem", "ca.pem, cert.pem or key.pem is not what it is to be, in PEM\nCheck the certificates of"),
        ("another key.pem", "key.pem is not the key of cert.pem\nCheck the certificates of"),
    ],
)
def test_files_that_are_no_certificates(
    tmp_path: Path, certificates: Path, port: int, broken: str, problem: str
) -> None:
    """They are named, and no server is said to have rejected what it was never sent."""
    files = {name: certificates / name for name in ("ca.pem", "cert.pem", "key.pem")}
    name = broken.rsplit(maxsplit=1)[-1]
    files[name] = tmp_path / name
    files[name].write_text("junk\n")
    if broken != name:
        subprocess.run(["openssl", "genrsa", "-out", files[name]], check=True, capture_output=True)
    engine = engine_of_context(tmp_path / "config", port, files)
    with pytest.raises(EngineUnreachableError) as caught:
        engine.ping()
    assert problem in str(caught.value)
    engine.close()


def test_server_without_tls(tmp_path: Path, certificates: Path) -> None:
    """It has no certificate, so nobody rejected any."""
    files = {name: certificates / name for name in ("ca.pem", "cert.pem", "key.pem")}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        engine = engine_of_context(tmp_path, server.server_address[1], files)
        with pytest.raises(EngineUnreachableError) as caught:
            engine.ping()
        server.shutdown()
    assert "what listens there does not speak TLS\nName the port at which" in str(caught.value)
    engine.close()
