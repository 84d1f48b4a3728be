"""Servers on this machine that fail, each in its own way."""

import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

STATUSES = {"login": 401, "denied": 403, "missing": 404, "proxy_login": 407, "busy": 429, "broken": 503}
"""By their names, servers that answer everything with one status."""
_PAGE = b"<!DOCTYPE html><html><body>Please log in to the network.</body></html>"


@contextmanager
def failing(folder: Path, host: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """Start one of each, and give their addresses, `host:port`, by their names.

    `refusing` is a port with nothing behind it, `hanging` takes connections and says nothing, `closing` ends them at
    once, `portal` answers all with a web page, `tls` has a certificate that nobody knows; the others are in STATUSES.
    """
    with ExitStack() as stack:
        found = {name: stack.enter_context(_http(host, status)) for name, status in STATUSES.items()}
        found["portal"] = stack.enter_context(_http(host, 200))
        found["tls"] = stack.enter_context(_http(host, 200, certificate=_certificate(folder, host)))
        found["hanging"] = stack.enter_context(_listening(host, ends=False))
        found["closing"] = stack.enter_context(_listening(host, ends=True))
        with closing(socket.create_server((host, 0))) as gone:
            found["refusing"] = f"{host}:{gone.getsockname()[1]}"
        yield found


@contextmanager
def _http(host: str, status: int, certificate: Path | None = None) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            if status == STATUSES["login"]:
                self.send_header("WWW-Authenticate", 'Basic realm="here"')
            if status == STATUSES["proxy_login"]:
                self.send_header("Proxy-Authenticate", 'Basic realm="here"')
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(_PAGE)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(_PAGE)

        do_GET = do_HEAD = do_POST = do_PUT = do_CONNECT = answer  # noqa: N815 - as http.server has it

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that leave."""

    server = Server((host, 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # Each connection shakes hands in its own thread, as one that never does would hold up the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _listening(host: str, *, ends: bool) -> Iterator[str]:
    """Take connections, and end each at once or keep it without a word."""
    server = socket.create_server((host, 0))
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if ends:
                connection.close()
            else:
                kept.append(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for each in kept:
            each.close()


def _certificate(folder: Path, host: str) -> Path:
    """Return a certificate that signed itself, with its key in the same file."""
    file = folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"),
            *("-addext", f"subjectAltName=IP:{host}", "-keyout", str(file), "-out", f"{file}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    with file.open("a", encoding="utf-8") as joined:
        joined.write(Path(f"{file}.crt").read_text(encoding="utf-8"))
    return file
