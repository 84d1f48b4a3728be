"""Registries as an engine speaks of them: what is asked and sent, what comes back, and what went wrong."""

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.engine import registry
from isol8_tasks.errors import NotInRegistryError, RegistryError, SourceUnavailableError
from tests.engine_server import Answer, Engine, Handler, serving

TAG = "registry.example/isol8:bun"
DIGEST = "sha256:" + "a" * 64
BY_DIGEST = f"registry.example/isol8@{DIGEST}"
PUSH = "POST /images/registry.example/isol8/push"


@pytest.fixture(name="engine")
def make_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give a server that answers as it is told."""
    with serving(monkeypatch) as engine:
        yield engine


def streaming(*items: object) -> Answer:
    return lambda handler: handler.stream(*items)


def silent(handler: Handler) -> None:
    handler.begin_stream()
    time.sleep(0.5)
    handler.chunk(b"")


def repeating(handler: Handler) -> None:
    handler.begin_stream()
    for _ in range(50):
        handler.chunk(b'{"status": "Waiting", "id": "1"}\n{"status": "Waiting", "id": "2"}\n')
        time.sleep(0.01)
    handler.chunk(b"")


class TestPushing:
    """An image on its way to a registry."""

    @pytest.mark.parametrize(
        "item",
        [
            {"progressDetail": {}, "aux": {"Tag": "bun", "Digest": DIGEST, "Size": 1156}},
            {"status": f"bun: digest: {DIGEST} size: 692"},
        ],
        ids=["overlay2", "containerd"],
    )
    def test_the_digest_is_what_the_engine_says(self, engine: Engine, item: object) -> None:
        """Each store says it in its own way; the tag goes apart, and nobody's credentials with it."""
        engine.answers[PUSH] = streaming({"status": "Pushed", "id": "1"}, item)
        assert engine.client().push(TAG) == DIGEST
        assert engine.asked[-1] == (PUSH, {"tag": "bun"})
        assert engine.sent[-1]["X-Registry-Auth"] == "e30="

    def test_a_digest_that_is_not_said_is_asked_for(self, engine: Engine) -> None:
        """The registry knows it."""
        engine.answers[PUSH] = streaming({"status": "Pushed"})
        engine.answers[f"GET /distribution/{TAG}/json"] = (200, {"Descriptor": {"digest": DIGEST}})
        assert engine.client().push(TAG) == DIGEST

    def test_credentials_of_docker_s_configuration_are_sent(self, engine: Engine) -> None:
        """As `docker login` left them, and to that registry alone."""
        login = {"auths": {"registry.example": {"auth": base64.b64encode(b"me:secret").decode()}}}
        Path(os.environ["DOCKER_CONFIG"], "config.json").write_text(json.dumps(login))
        engine.answers[PUSH] = streaming({"aux": {"Digest": DIGEST}})
        engine.answers["POST /images/other.example/isol8/push"] = engine.answers[PUSH]
        client = engine.client()
        client.push(TAG)
        sent = json.loads(base64.urlsafe_b64decode(engine.sent[-1]["X-Registry-Auth"]))
        assert (sent["username"], sent["password"]) == ("me", "secret")
        client.push("other.example/isol8:bun")
        assert engine.sent[-1]["X-Registry-Auth"] == "e30="

    @pytest.mark.parametrize(
        ("answer", "reason", "lasting"),
        [
            (
                streaming({"status": "x"}, {"errorDetail": {"message": "denied: not you"}}),
                "denied: not you",
                True,
            ),
            (streaming({"error": "no basic auth credentials"}), "no basic auth credentials", True),
            (streaming({"error": "EOF at https://me:secret@host/"}), "EOF at https://***@host/", False),
            ((500, {"message": "connection refused"}), "connection refused", False),
        ],
        ids=["in the stream", "old style", "with credentials", "at once"],
    )
    def test_a_failure(self, engine: Engine, answer: Answer, reason: str, *, lasting: bool) -> None:
        """What goes wrong comes in the middle of a good answer, and says whether it is of use to try again."""
        engine.answers[PUSH] = answer
        with pytest.raises(RegistryError) as caught:
            engine.client().push(TAG)
        assert str(caught.value).splitlines()[0] == f"the push of {TAG} failed: {reason}"
        assert caught.value.lasting == lasting

    @pytest.mark.parametrize("answer", [silent, repeating], ids=["nothing", "always the same"])
    def test_silence(self, engine: Engine, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
        """A registry of which nothing new is heard is given up."""
        monkeypatch.setattr(registry, "SILENCE", 0.1)
        engine.answers[PUSH] = answer
        with pytest.raises(RegistryError) as caught:
            engine.client().push(TAG)
        assert str(caught.value).splitlines()[0] == f"the push of {TAG} failed: no progress for 0.1 s"


class TestFetching:
    """An image that comes by its digest."""

    def test_what_came(self, engine: Engine) -> None:
        """It is told with its labels and digests, and has no name but the digest."""
        engine.answers["POST /images/create"] = streaming({"status": "Pull complete"})
        engine.answers[f"GET /images/{BY_DIGEST}/json"] = (
            200,
            {
                "Id": "sha256:1",
                "RepoTags": [],
                "RepoDigests": [BY_DIGEST],
                "Architecture": "amd64",
                "Size": 7,
                "Config": {"Labels": {"a": "b"}},
            },
        )
        found = engine.client().fetch("registry.example/isol8", DIGEST)
        assert (found.id, found.tags, found.digests, found.labels) == (
            "sha256:1",
            (),
            (BY_DIGEST,),
            {"a": "b"},
        )
        create = next(params for what, params in engine.asked if what == "POST /images/create")
        assert create == {"fromImage": "registry.example/isol8", "tag": DIGEST}

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ((404, {"message": "manifest unknown"}), "manifest unknown"),
            (streaming({"error": "unexpected EOF"}), "unexpected EOF"),
            (streaming(), "the engine reported success, but does not have it"),
        ],
        ids=["not there", "aborted", "not here"],
    )
    def test_a_failure(self, engine: Engine, answer: Answer, reason: str) -> None:
        """The reference and the engine's reason are told."""
        engine.answers["POST /images/create"] = answer
        with pytest.raises(RegistryError) as caught:
            engine.client().fetch("registry.example/isol8", DIGEST)
        assert str(caught.value).splitlines()[0] == f"the pull of {BY_DIGEST} failed: {reason}"


class TestAsking:
    """The digest that a reference has there."""

    @pytest.mark.parametrize(
        ("answer", "kind", "reason"),
        [
            ((404, {"message": "manifest unknown"}), NotInRegistryError, "manifest unknown"),
            ((500, {"message": "dial tcp: refused"}), SourceUnavailableError, "dial tcp: refused"),
            ((200, {}), SourceUnavailableError, "its answer can't be read"),
        ],
        ids=["not there", "no registry", "nonsense"],
    )
    def test_no_digest(
        self, engine: Engine, answer: Answer, kind: type[SourceUnavailableError], reason: str
    ) -> None:
        """That there is none is another answer than none at all."""
        engine.answers[f"GET /distribution/{TAG}/json"] = answer
        with pytest.raises(SourceUnavailableError) as caught:
            engine.client().remote_digest(TAG)
        assert type(caught.value) is kind
        assert str(caught.value) == f"{TAG} could not be looked up: {reason}"

    def test_silence(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """A registry that does not answer could not be asked, and the engine is not blamed for it."""
        monkeypatch.setattr("isol8_tasks.engine.connection._ANSWER_SECONDS", 0.1)
        engine.answers[f"GET /distribution/{TAG}/json"] = lambda _handler: time.sleep(0.5)
        with pytest.raises(SourceUnavailableError) as caught:
            engine.client().remote_digest(TAG)
        assert str(caught.value) == f"{TAG} could not be looked up: it does not answer"
