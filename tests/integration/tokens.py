"""A server of tokens for docker-registry, after the distribution project's specification of token authentication.

(distribution.github.io/distribution/spec/auth/jwt). It signs with openssl, as no library that signs is among ours.
"""

import base64
import json
import secrets
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ISSUER = "tests"


class TokenServer:
    """Gives everybody tokens to pull, and who logs in as me those to push as well."""

    def __init__(self, folder: Path, password: str) -> None:
        folder.mkdir()
        self._key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        self._login = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-days", "2"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )
        self._chain = base64.b64encode(
            _openssl("x509", "-in", str(self.certificate), "-outform", "DER")
        ).decode()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = server._token(self.path, self.headers.get("Authorization", ""))
                content = json.dumps({"token": token}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                # containerd asks by OAuth first, and by GET where that is not offered.
                self.send_response(405)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def to_pull(self, repository: str) -> str:
        """Return a token that lets anybody pull from a repository."""
        return self._token(f"?service=registry&scope=repository:{repository}:pull", "")

    def _token(self, path: str, login: str) -> str:
        asked = parse_qs(urlsplit(path).query)
        allowed = {"pull", "push"} if login == self._login else {"pull"}
        access = []
        for scope in " ".join(asked.get("scope", ())).split():
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": sorted(allowed & {*actions.split(",")})})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "me",
            "aud": asked.get("service", [""])[0],
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        text = ".".join(
            _encoded(each) for each in ({"typ": "JWT", "alg": "RS256", "x5c": [self._chain]}, claims)
        )
        signed = _openssl("dgst", "-sha256", "-sign", str(self._key), given=text.encode())
        return f"{text}.{_base64(signed)}"


def _encoded(document: object) -> str:
    return _base64(json.dumps(document).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(("openssl", *words), input=given, capture_output=True, check=True).stdout
