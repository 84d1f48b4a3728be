"""Answers an engine's list of images from a file, over a socket of its own; everything else it refuses."""

import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path


def main(socket: str, answer: str, version: str) -> None:
    """Serve until it is ended."""
    body = Path(answer).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = f"Docker/{version}"
        sys_version = "(linux)"

        def do_GET(self) -> None:
            status, content = (200, body) if "/images/json" in self.path else (404, b"")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def address_string(self) -> str:
            return "local"

        def log_message(self, _format: str, *_arguments: object) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(socket, Handler) as server:
        print("ready", flush=True)
        os.close(sys.stdout.fileno())
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
