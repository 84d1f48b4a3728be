"""Images that an engine pulled in part: noticed before they are used, and brought to it whole."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from isol8_tasks.engine import ObservedImage
from isol8_tasks.errors import RegistryError, SourceUnavailableError
from isol8_tasks.registry.client import RegistryClient
from tests.engine_server import DOCKER, PODMAN, Answer, Engine, Handler, serving

REPOSITORY = "registry.example/isol8"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


CONFIG, LAYER = b'{"config": {}}', b"layer" * 300
MANIFEST = json.dumps(
    {
        "config": {"digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [{"digest": digest_of(LAYER), "size": len(LAYER)}] * 2,
    }
).encode()
DIGEST = digest_of(MANIFEST)
BY_DIGEST = f"{REPOSITORY}@{DIGEST}"
WHOLE = {"Id": DIGEST, "Architecture": "amd64", "Config": {"Labels": {"a": "b"}}}


def parts(*, available: bool) -> list[dict[str, Any]]:
    attestation = {"Kind": "attestation", "Available": True}
    return [{"Kind": "image", "Available": available}, attestation]


@pytest.fixture(name="engine")
def make_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give an engine that pulls, in front of a registry that has the image."""

    def blob(_client: RegistryClient, digest: str) -> Iterator[bytes]:
        content = {digest_of(CONFIG): CONFIG, digest_of(LAYER): LAYER}[digest]
        yield from (content[start : start + 700] for start in range(0, len(content), 700))

    monkeypatch.setattr(RegistryClient, "manifests", lambda _client, digest: {digest: MANIFEST})
    monkeypatch.setattr(RegistryClient, "blob", blob)
    with serving(monkeypatch) as engine:
        engine.headers = {**DOCKER, "Api-Version": "1.51"}
        engine.answers["POST /images/create"] = lambda handler: handler.stream({"status": "Pull complete"})
        engine.answers[f"DELETE /images/{BY_DIGEST}"] = (200, [])
        yield engine


def fetch(engine: Engine) -> ObservedImage:
    return engine.client().fetch(REPOSITORY, DIGEST)


def loading(kept: dict[str, bytes], engine: Engine) -> Answer:
    """Take an archive, and have its image from then on."""

    def load(handler: Handler) -> None:
        with tarfile.open(fileobj=io.BytesIO(handler.body)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                kept[member.name] = file.read()
        engine.answers[f"GET /images/{DIGEST}/json"] = (200, {**WHOLE, "Manifests": parts(available=True)})
        handler.stream({"stream": "Loaded"})

    return load


@pytest.mark.parametrize(
    "pulled",
    [{"Id": DIGEST, "Architecture": ""}, {**WHOLE, "Manifests": parts(available=False)}],
    ids=["Engine 28", "Engine 29"],
)
def test_a_part_is_replaced_by_the_whole(engine: Engine, pulled: dict[str, Any]) -> None:
    """As an archive in which each part is once; the name of the part goes before."""
    engine.answers[f"GET /images/{BY_DIGEST}/json"] = (200, pulled)
    kept: dict[str, bytes] = {}
    engine.answers["POST /images/load"] = loading(kept, engine)
    image = fetch(engine)
    assert (image.id, image.labels) == (DIGEST, {"a": "b"})
    (described,) = json.loads(kept.pop("index.json"))["manifests"]
    assert (described["digest"], described["size"]) == (DIGEST, len(MANIFEST))
    assert kept.pop("oci-layout") == b'{"imageLayoutVersion": "1.0.0"}'
    assert kept == {
        f"blobs/sha256/{digest_of(content).removeprefix('sha256:')}": content
        for content in (MANIFEST, CONFIG, LAYER)
    }
    assert engine.paths().index(f"DELETE /images/{BY_DIGEST}") < engine.paths().index("POST /images/load")


@pytest.mark.parametrize(
    ("headers", "pulled"),
    [
        ({}, {**WHOLE, "Manifests": parts(available=True)}),
        ({}, WHOLE),
        ({"Api-Version": "1.47"}, {**WHOLE, "Manifests": parts(available=False)}),
        (PODMAN, WHOLE),
    ],
    ids=["all of it", "a store without manifests", "an engine that does not tell", "Podman"],
)
def test_what_is_whole_stays(engine: Engine, headers: dict[str, str], pulled: dict[str, Any]) -> None:
    """Nothing of it is sent a second time."""
    engine.headers.update(headers)
    engine.answers[f"GET /images/{BY_DIGEST}/json"] = (200, pulled)
    assert fetch(engine).id == DIGEST
    assert "POST /images/load" not in engine.paths()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda handler: handler.stream({"error": "no space left"}), "no space left"),
        ((500, {"message": "it is broken"}), "the engine refused the pull of .*: it is broken"),
        (
            lambda handler: handler.stream({"stream": "Loaded"}),
            "the engine was given all of it, and has only a part",
        ),
    ],
    ids=["in the stream", "at once", "still a part"],
)
def test_an_engine_that_does_not_take_it(engine: Engine, answer: Answer, reason: str) -> None:
    """The engine's reason is told."""
    part = (200, {**WHOLE, "Manifests": parts(available=False)})
    engine.answers[f"GET /images/{BY_DIGEST}/json"] = engine.answers[f"GET /images/{DIGEST}/json"] = part
    engine.answers["POST /images/load"] = answer
    with pytest.raises(RegistryError, match=f"the pull of {BY_DIGEST} failed: {reason}"):
        fetch(engine)


def test_a_registry_that_ends_in_between(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as any pull that failed, so that it is tried again."""

    def cut(_client: RegistryClient, _digest: str) -> Iterator[bytes]:
        yield b"la"
        raise SourceUnavailableError("registry.example: it could not be asked: connection reset")

    monkeypatch.setattr(RegistryClient, "blob", cut)
    engine.answers[f"GET /images/{BY_DIGEST}/json"] = (200, {"Id": DIGEST, "Architecture": ""})
    engine.answers["POST /images/load"] = (500, {"message": "unexpected EOF"})
    with pytest.raises(RegistryError, match=r"failed: registry\.example: it could not be asked"):
        fetch(engine)
