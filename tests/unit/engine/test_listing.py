"""The list of images, asked for without Docker's client."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from isol8_tasks.engine.listing import Listing, list_directly, platform_directly
from isol8_tasks.images.labels import SCHEMA_LABEL
from isol8_tasks.images.observed import ObservedImage

IMAGES = [
    {"Id": "1", "RepoTags": ["b:1", "a:1"], "RepoDigests": None, "Labels": None, "Created": 7, "Size": 9},
    {"Id": "2", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]},
    {"Id": "3", "RepoTags": None, "RepoDigests": ["a@sha256:1"]},
    {"Id": "4", "RepoTags": None, "RepoDigests": ["isol8@sha256:2"], "Labels": {SCHEMA_LABEL: "1"}},
]


class Engine(socketserver.ThreadingUnixStreamServer):
    """An engine that gives one answer to whatever it is asked."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.status, self.server, self.body = 200, "Docker/28.5.2 (linux)", json.dumps(IMAGES)
        self.asked: list[str] = []
        super().__init__(str(path), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of an answer that was not read to its end, as some are not."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Engine

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response_only(self.server.status)
        self.send_header("Server", self.server.server)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on a socket."""
    with Engine(tmp_path / "s") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url(engine: Engine) -> str:
    return f"unix://{engine.server_address!s}"


def test_the_images_with_a_name_and_the_version_come_back(engine: Engine) -> None:
    """One question gets the images that have a tag, others' that have a digest alone, and the engine's version."""
    assert list_directly(url(engine)) == Listing(
        version="28.5.2",
        images=(
            ObservedImage(id="1", tags=("a:1", "b:1"), created=7, size=9),
            ObservedImage(id="3", digests=("a@sha256:1",)),
        ),
    )
    assert engine.asked == ["/images/json?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", 500), ("server", "Libpod/4.3.1 (linux)"), ("server", ""), ("body", "{")],
    ids=["an error", "Podman", "nobody knows who", "no JSON"],
)
def test_what_is_not_plain_is_left_to_dockers_client(engine: Engine, field: str, value: object) -> None:
    """Whatever is not an engine of Docker's that answers well gives nothing."""
    setattr(engine, field, value)
    assert list_directly(url(engine)) is None


def test_the_platform_is_what_the_engine_says_of_itself(engine: Engine) -> None:
    """What it builds for is told with its version."""
    engine.body = json.dumps({"Version": "28.5.2", "Os": "linux", "Arch": "arm64"})
    assert platform_directly(url(engine)) == "linux/arm64"
    assert engine.asked == ["/version"]
    engine.server = "Libpod/4.3.1 (linux)"
    assert platform_directly(url(engine)) is None


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "unix:///nowhere/docker.sock", ""])
def test_what_cannot_be_asked_this_way_gives_nothing(address: str) -> None:
    """Other addresses, and sockets that nobody listens on, are for Docker's client."""
    assert list_directly(address) is None
