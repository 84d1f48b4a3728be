"""What a registry is asked, and what is made of its answers: against a server of the tests' own on loopback."""

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from isol8_tasks.errors import RegistryError, SourceUnavailableError
from isol8_tasks.registry.client import RegistryClient

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Served:
    """A registry in memory: paths below /v2/isol8, and who may read them."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.sent: list[int] = []
        """How long each answer was that was read to its end."""
        self.login: str = ""
        """`basic`, `token`, or nothing for a registry that everybody reads."""
        self.failing = 0
        """How many requests it answers by 503 before it does anything else."""
        self.busy = 0
        """The same by 429, and asks to wait for an hour."""
        self.endless: tuple[float, bytes] | None = None
        """Seconds between the parts of an answer that has no end, and what comes again and again."""
        self.address = ""
        self.keeps = False
        """It deletes nothing."""
        self.redirects = False
        """Blobs are elsewhere."""
        self.realm = ""
        """Where it sends for a token; empty for itself."""

    def blob(self, document: object) -> str:
        """Keep a blob, and return its digest."""
        data = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.content[f"/blobs/{digest}"] = data
        return digest

    def image(self, tag: str, labels: dict[str, str] | None = None, **more: str) -> str:
        """Keep an image under a tag, and return its digest."""
        config = self.blob({"config": {"Labels": labels}, **more})
        return self.manifest(
            tag,
            {"mediaType": OCI, "config": {"digest": config}, "layers": [{"size": 5}, {"size": 7}]},
        )

    def manifest(self, tag: str, document: object) -> str:
        """Keep a manifest under a tag and its digest."""
        data = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.content[f"/manifests/{tag}"] = self.content[f"/manifests/{digest}"] = data
        return digest

    def page(self, start: int) -> tuple[int, bytes, dict[str, str]]:
        """Return two tags, and a link to the next ones that leads elsewhere but for its question."""
        names = [name.rpartition("/")[2] for name in self.content if name.startswith("/manifests/")]
        tags = sorted(name for name in names if ":" not in name)
        more = f"<http://elsewhere.example/x?from={start + 2}>; rel=next"
        shown = json.dumps({"tags": tags[start : start + 2]}).encode()
        return 200, shown, {"Link": more} if start + 2 < len(tags) else {}

    def answer(  # noqa: PLR0911 - an answer for each kind of question
        self, handler: BaseHTTPRequestHandler
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return what is answered to a request."""
        address = urlsplit(handler.path)
        given = handler.headers.get("Authorization", "")
        self.asked.append(address.path)
        if address.path == "/token":
            known = given == f"Basic {base64.b64encode(b'me:secret').decode()}"
            who = "mine" if known else "anybody"
            return 200, json.dumps({"token": f"{who} {parse_qs(address.query)['scope'][0]}"}).encode(), {}
        if self.failing:
            self.failing -= 1
            return 503, b"", {}
        if self.busy:
            self.busy -= 1
            return 429, b"", {"Retry-After": "3600"}
        scope = "repository:isol8:pull"
        wanted = {
            "": "",
            "basic": f"Basic {base64.b64encode(b'me:secret').decode()}",
            "token": f"Bearer mine {scope}",
        }
        if self.login and given != wanted[self.login]:
            realm = self.realm or f"http://{self.address}/token"
            challenge = f'Bearer realm="{realm}",service="s",scope="{scope}"'
            return 401, b"{}", {"WWW-Authenticate": challenge if self.login == "token" else 'Basic realm="x"'}
        path = address.path.removeprefix("/v2/isol8")
        if handler.command == "DELETE":
            gone = not self.keeps and self.content.pop(path, b"")
            return 405 if self.keeps else 202 if gone else 404, b"{}", {}
        if path == "/tags/list":
            return self.page(int(parse_qs(address.query).get("from", ["0"])[0]))
        found = self.content.get(path)
        if self.redirects and path.startswith("/blobs/") and not address.query:
            return 307, b"", {"Location": f"{handler.path}?elsewhere"}
        return (200, found, {}) if found is not None else (404, b"{}", {})


@pytest.fixture
def served() -> Iterator[Served]:
    """Give a registry that answers."""
    registry = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if registry.endless and "/manifests/" in self.path:
                self.without_end(*registry.endless)
                return
            code, content, headers = registry.answer(self)
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)
                registry.sent.append(len(content))

        def without_end(self, seconds: float, chunk: bytes) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    self.wfile.write(chunk)
                    time.sleep(seconds)
            self.close_connection = True

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield registry
    server.shutdown()
    server.server_close()


def client_of(served: Served, login: tuple[str, str] | None = None) -> RegistryClient:
    return RegistryClient(
        f"{served.address}/isol8", credentials=lambda: login, platform=lambda: "linux/amd64"
    )


def test_image_is_read_without_its_layers(served: Served) -> None:
    digest = served.image("bash", {"org.isol8.tasks.image": "bash"})
    found = client_of(served).images(["bash", "ml"])
    assert list(found) == ["bash"]
    assert found["bash"].digest == digest
    assert found["bash"].image.labels == {"org.isol8.tasks.image": "bash"}
    assert found["bash"].image.digests == (f"{served.address}/isol8@{digest}",)
    assert found["bash"].image.size == 12
    assert not any("layers" in path for path in served.asked)


def test_image_without_labels_has_none(served: Served) -> None:
    served.image("bash")
    assert client_of(served).images(["bash"])["bash"].image.labels == {}


def test_index_is_read_for_the_platform(served: Served) -> None:
    """It is pulled by its own digest."""
    own = served.image("amd64", {"for": "amd64"})
    other = served.image("arm64", {"for": "arm64"})
    entries = [
        {"digest": other, "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": own, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    served.manifest("bash", {"mediaType": INDEX, "manifests": entries})
    served.manifest("foreign", {"mediaType": INDEX, "manifests": entries[:1]})
    found = client_of(served).images(["bash", "foreign"])
    assert list(found) == ["bash"]
    assert found["bash"].digest == own
    assert found["bash"].image.labels == {"for": "amd64"}


def test_digest_of_a_tag(served: Served) -> None:
    digest = served.image("bash")
    client = client_of(served)
    assert (client.digest("bash"), client.digest(digest), client.digest("ml")) == (digest, digest, "")


def test_manifests_and_blobs_of_a_digest(served: Served) -> None:
    """What an engine is given that pulled a part: of an index the platform's own image, byte by byte."""
    own = served.image("amd64")
    entries = [{"digest": own, "platform": {"os": "linux", "architecture": "amd64"}}]
    index = served.manifest("bash", {"mediaType": INDEX, "manifests": entries})
    client = client_of(served)
    assert list(client.manifests(own)) == [own]
    found = client.manifests(index)
    assert list(found) == [index, own]
    assert found[own] == served.content[f"/manifests/{own}"]
    config = json.loads(found[own])["config"]["digest"]
    assert b"".join(client.blob(config)) == served.content[f"/blobs/{config}"]


def test_what_is_not_there_is_told(served: Served) -> None:
    client, absent = client_of(served), "sha256:" + "0" * 64
    with pytest.raises(SourceUnavailableError, match=f"it lacks {absent}"):
        client.manifests(absent)
    with pytest.raises(SourceUnavailableError, match="404"):
        list(client.blob(absent))


def test_image_for_another_platform_is_none_for_this(served: Served) -> None:
    """An engine of another platform may have pushed it under the same name."""
    served.image("own", architecture="amd64", os="linux")
    served.image("other", architecture="arm64", os="linux")
    assert list(client_of(served).images(["own", "other"])) == ["own"]


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_login_is_asked_for_once(served: Served, kind: str) -> None:
    for number in range(20):
        served.image(f"n{number}")
    served.login = kind
    client = client_of(served, ("me", "secret"))
    assert len(client.images([f"n{number}" for number in range(20)])) == 20
    assert served.asked.count("/token") == (1 if kind == "token" else 0)
    asked = len(served.asked)
    assert client.images(["n1"])
    assert len(served.asked) == asked + 2


@pytest.mark.parametrize("kind", ["basic", "token"])
@pytest.mark.parametrize(
    ("login", "who"), [(None, "everyone"), (("me", "wrong"), "this login")], ids=["nobody", "wrong"]
)
def test_who_may_not_read_is_told(served: Served, kind: str, login: tuple[str, str] | None, who: str) -> None:
    served.image("bash")
    served.login = kind
    with pytest.raises(SourceUnavailableError) as caught:
        client_of(served, login).images(["bash"])
    told = f"{served.address}: it does not let {who} read {served.address}/isol8 (401 Unauthorized)"
    assert str(caught.value) == told


def test_realm_that_is_no_address_is_refused(served: Served) -> None:
    served.image("bash")
    served.login, served.realm = "token", "file:///etc/passwd"
    with pytest.raises(SourceUnavailableError, match="'file:///etc/passwd', which is not an address"):
        client_of(served).images(["bash"])


def test_redirected_blobs_are_read(served: Served) -> None:
    """Of the first one alone the registry is asked twice."""
    for number in range(9):
        served.image(f"n{number}", {"a": str(number)})
    served.redirects = True
    client = client_of(served)
    assert list(client.images(["n0"])) == ["n0"]
    served.asked.clear()
    assert len(client.images([f"n{number}" for number in range(1, 9)])) == 8
    assert len(served.asked) == 24


def test_token_that_expires_is_fetched_again(served: Served) -> None:
    for number in range(2):
        served.image(f"n{number}")
    served.login = "token"
    client = client_of(served, ("me", "secret"))
    assert client.images(["n0"])
    served.login = "basic"
    assert client.images(["n1"])


def test_registry_that_is_busy_is_asked_again(served: Served) -> None:
    served.image("bash")
    served.failing = 2
    assert list(client_of(served).images(["bash"])) == ["bash"]


def test_registry_that_stays_busy_is_told(served: Served) -> None:
    served.image("bash")
    served.failing = 99
    with pytest.raises(SourceUnavailableError, match="it answered 503"):
        client_of(served).images(["bash"])


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "not the manifest of an image"),
        ({}, "not the manifest of an image"),
        ({"schemaVersion": 1, "fsLayers": []}, "not the manifest of an image"),
        ({"config": {}}, "not the manifest of an image"),
        ({"config": {"digest": "sha256:0"}, "layers": [{}]}, "it lacks sha256:0"),
    ],
)
def test_what_is_no_image_says_nothing_of_the_others(served: Served, document: object, problem: str) -> None:
    """A chart, a signature or what an old registry kept counts as somebody else's."""
    digest = served.manifest("node", document)
    served.image("bash", {"a": "b"})
    found = client_of(served).images(["bash", "node"])
    assert (found["bash"].image.labels, found["bash"].problem) == ({"a": "b"}, "")
    assert (found["node"].image.labels, found["node"].digest) == ({}, digest)
    assert problem in found["node"].problem


@pytest.mark.parametrize("labels", [["a"], "a", {"org.isol8.tasks.schema": 2}, {"a": None}])
def test_labels_that_no_builder_writes(served: Served, labels: object) -> None:
    config = served.blob({"config": {"Labels": labels}})
    served.manifest("bash", {"mediaType": OCI, "config": {"digest": config}, "layers": []})
    assert client_of(served).images(["bash"])["bash"].problem == "it is not the manifest of an image"


def test_answer_that_is_no_registrys_is_told(served: Served) -> None:
    """As that of a proxy which wants a login."""
    served.content["/manifests/bash"] = b"<html>Log in</html>"
    with pytest.raises(SourceUnavailableError) as caught:
        client_of(served).images(["bash"])
    assert str(caught.value) == f"{served.address}: it does not answer as a registry does"


def test_registry_that_asks_to_wait_is_not_waited_for(served: Served) -> None:
    served.image("bash")
    served.busy = 99
    began = time.monotonic()
    with pytest.raises(SourceUnavailableError, match="it answered 429"):
        client_of(served).images(["bash"])
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("seconds", "chunk", "words"),
    [(0.2, b"x", "its answer was not complete after"), (0.0, b"x" * (1 << 20), "it has more than 4 MiB")],
)
def test_answer_without_an_end(
    served: Served, monkeypatch: pytest.MonkeyPatch, seconds: float, chunk: bytes, words: str
) -> None:
    """Whether it comes slowly or fast, it is left."""
    monkeypatch.setattr("isol8_tasks.registry.client._LONGEST", 1.0)
    served.endless = (seconds, chunk)
    with pytest.raises(SourceUnavailableError, match=words):
        client_of(served).images(["bash"])


def test_registry_on_this_machine_is_asked_past_a_proxy(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an engine does."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    served.image("bash")
    assert list(client_of(served).images(["bash"])) == ["bash"]


def test_configuration_of_another_digest_is_refused(served: Served) -> None:
    """A registry can't give an image labels that its digest does not cover."""
    served.image("bash", {"a": "b"})
    path = next(path for path in served.content if path.startswith("/blobs/"))
    served.content[path] = b'{"config": {"Labels": {"org.isol8.tasks.role": "current"}}}'
    found = client_of(served).images(["bash"])["bash"]
    assert found.image.labels == {}
    assert found.problem.endswith("is something else")


def test_answer_that_is_too_long_is_not_read(served: Served) -> None:
    """No configuration has so many bytes, and nobody waits for them."""
    config = served.blob("x" * (32 << 20))
    served.manifest("bash", {"mediaType": OCI, "config": {"digest": config}, "layers": []})
    assert client_of(served).images(["bash"])["bash"].problem == "it has more than 4 MiB"
    assert max(served.sent) < 1 << 20


def test_every_tag_has_its_digest(served: Served) -> None:
    """Page by page, and of a repository that is not there none."""
    digests = {name: served.image(name, {"n": name}) for name in ("a", "b", "c", "d", "e")}
    assert client_of(served).tags() == digests
    other = RegistryClient(f"{served.address}/none", credentials=lambda: None, platform=lambda: "linux/amd64")
    assert other.tags() == {}


def test_image_is_deleted_by_its_digest(served: Served) -> None:
    digest = served.image("bash")
    client = client_of(served)
    client.delete(digest)
    assert f"/manifests/{digest}" not in served.content
    client.delete(digest)


def test_registry_that_deletes_nothing_is_told(served: Served) -> None:
    served.keeps = True
    with pytest.raises(RegistryError) as caught:
        client_of(served).delete(served.image("bash"))
    assert str(caught.value) == f"{served.address} does not delete it: 405 Method Not Allowed"


def test_nobody_there_is_told_in_short() -> None:
    client = RegistryClient("127.0.0.1:9/isol8", credentials=lambda: None, platform=lambda: "linux/amd64")
    with pytest.raises(SourceUnavailableError) as caught:
        client.images(["bash"])
    assert str(caught.value) == "127.0.0.1:9: it could not be asked: Connection refused"
