"""What the tests read of a command in a container."""

import socket
import threading
from pathlib import Path

import docker

from tests.executed import read

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: close\r\n\r\n"
HELLO = b"\x01\0\0\0\0\0\0\x03hi\n\x02\0\0\0\0\0\0\x03no\n"


def test_what_comes_with_the_headers_is_read(tmp_path: Path) -> None:
    """A command may be done before the engine's answer has left."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def answer() -> None:
            link, _ = server.accept()
            with link:
                link.recv(65536)
                link.sendall(ANSWER + HELLO)

        thread = threading.Thread(target=answer)
        thread.start()
        api = docker.APIClient(base_url=f"unix://{tmp_path}/s", version="1.41", timeout=10)
        assert read(api, {"Id": "1"}) == ("hi\n", "no\n")
        api.close()
        thread.join()
