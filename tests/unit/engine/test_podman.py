"""What Podman does otherwise than Docker: where it looks for an image, tags of one in use, ONBUILD triggers."""

from collections.abc import Iterator
from typing import Any

import pytest

from isol8_tasks.engine.podman import places, triggers_in
from isol8_tasks.errors import NotInRegistryError, SourceUnavailableError
from isol8_tasks.images.references import Reference
from isol8_tasks.registry.client import RegistryClient
from tests.engine_server import PODMAN, Engine, serving

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(name="engine")
def make_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give a server that answers as Podman does."""
    with serving(monkeypatch) as engine:
        engine.headers = PODMAN
        yield engine


def registry(prefix: str, *mirrors: tuple[str, str], location: str = "") -> dict[str, Any]:
    told = [{"Location": where, "PullFromMirror": kind} for where, kind in mirrors]
    return {"Prefix": prefix, "Location": location or prefix, "Mirrors": told or None}


class TestPlaces:
    """The repositories in which Podman looks."""

    @pytest.mark.parametrize(
        ("reference", "found"),
        [
            ("alpine:3.21", ["docker.io/library/alpine"]),
            ("denoland/deno:alpine", ["docker.io/denoland/deno"]),
            ("registry.example:5000/team/isol8:bun", ["registry.example:5000/team/isol8"]),
        ],
    )
    def test_without_a_word_in_its_configuration(self, reference: str, found: list[str]) -> None:
        """It looks where the reference says; its list of registries to search is none of that."""
        assert list(places({"search": ["quay.io"]}, Reference.parse(reference))) == found

    def test_mirrors_come_first(self) -> None:
        """In their order, with the rest of the path behind them."""
        known = {"docker.io": registry("docker.io", ("127.0.0.1:5000", ""), ("mirror.example/hub", "all"))}
        assert list(places(known, Reference.parse("alpine:3.21"))) == [
            "127.0.0.1:5000/library/alpine",
            "mirror.example/hub/library/alpine",
            "docker.io/library/alpine",
        ]

    def test_mirrors_for_tags_or_digests_alone(self) -> None:
        """As each mirror says what it is for."""
        known = {
            "a.example": registry("a.example", ("tags.example", "tag-only"), ("d.example", "digest-only"))
        }
        assert next(places(known, Reference.parse("a.example/x:1"))) == "tags.example/x"
        assert next(places(known, Reference.parse(f"a.example/x@{DIGEST}"))) == "d.example/x"

    def test_the_longest_prefix_decides(self) -> None:
        """A prefix ends where a part of the path does; it may stand for another place."""
        known = {
            "a.example": registry("a.example"),
            "a.example/te": registry("a.example/te", location="wrong.example"),
            "a.example/team": registry("a.example/team", location="b.example/ours"),
        }
        assert list(places(known, Reference.parse("a.example/team/x:1"))) == ["b.example/ours/x"]


class TestDigests:
    """The digest that a reference has in its registry."""

    @pytest.fixture(autouse=True)
    def known(self, engine: Engine) -> None:
        """Let Podman know a mirror."""
        told = {"docker.io": registry("docker.io", ("mirror.example", ""))}
        engine.answers["GET /libpod/info"] = (200, {"registries": told})

    def ask(self, engine: Engine, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> str:
        """Ask for a reference of which registries say this; of others they can't be asked."""

        def digest(client: RegistryClient, tag: str) -> str:
            assert tag == "3.21"
            if client.repository not in answers:
                raise SourceUnavailableError(f"{client.repository.partition('/')[0]}: it is down")
            return answers[client.repository]

        monkeypatch.setattr(RegistryClient, "digest", digest)
        return engine.client().remote_digest("alpine:3.21")

    @pytest.mark.parametrize(
        "mirror", [{}, {"mirror.example/library/alpine": ""}], ids=["down", "without it"]
    )
    def test_the_next_place_is_asked(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch, mirror: dict[str, str]
    ) -> None:
        """Where a mirror does not have it, or does not answer."""
        answers = {**mirror, "docker.io/library/alpine": DIGEST}
        assert self.ask(engine, monkeypatch, answers) == DIGEST

    def test_nobody_has_it(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """All were asked."""
        answers = {"mirror.example/library/alpine": "", "docker.io/library/alpine": ""}
        with pytest.raises(NotInRegistryError) as caught:
            self.ask(engine, monkeypatch, answers)
        assert str(caught.value) == "alpine:3.21 could not be looked up: docker.io has no such image"

    def test_nobody_answers(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then nothing is known of it, and the first reason is told."""
        with pytest.raises(SourceUnavailableError) as caught:
            self.ask(engine, monkeypatch, {})
        assert str(caught.value) == "alpine:3.21 could not be looked up: mirror.example: it is down"


def test_the_tag_of_an_image_in_use(engine: Engine) -> None:
    """It is taken away by the name that Podman has for it: `force` would take the container, too."""
    engine.answers["DELETE /images/a:b"] = (409, {"message": "in use"})
    names = ["docker.io/library/a:c", "docker.io/library/a:b"]
    engine.answers["GET /images/a:b/json"] = (200, {"RepoTags": names})
    engine.answers["POST /libpod/images/a:b/untag"] = (201, "")
    engine.client().untag("a:b")
    untag = ("POST /libpod/images/a:b/untag", {"repo": "docker.io/library/a", "tag": "b"})
    assert engine.asked[-1] == untag


NO_LAYER = "/bin/sh -c #(nop) "


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([f"{NO_LAYER}ENV A=1", f"{NO_LAYER}ONBUILD ARG X"], ["ARG X"]),
        # As BuildKit writes it.
        (["ONBUILD ARG X", "ONBUILD ARG Y=1", "LABEL a=b"], ["ARG X", "ARG Y=1"]),
        # A build carried it out, and one of them said it again.
        ([f"{NO_LAYER}ONBUILD ARG X", f"{NO_LAYER} ARG X", "RUN x"], []),
        (["ONBUILD ARG X", "ONBUILD ARG Y=1", "ARG X=http://a", "ARG Y=2"], []),
        (["ONBUILD ARG X", "ARG X", "ONBUILD ARG X"], ["ARG X"]),
        (["ONBUILD ARG XY", "ARG X"], ["ARG XY"]),
        (["ONBUILD RUN touch /a"], []),
    ],
)
def test_triggers(steps: list[str], found: list[str]) -> None:
    """An argument that waits for a build is told from one that a build has had."""
    assert list(triggers_in((step, "") for step in steps)) == found


def test_an_image_s_triggers(engine: Engine) -> None:
    """They come from its history, where an argument that no value was given for has no name."""
    engine.answers["GET /images/a:b/json"] = (200, {"Id": "sha256:1", "Config": {"OnBuild": None}})
    history = [
        {"created_by": "RUN x"},
        {"created_by": f"{NO_LAYER}ONBUILD ARG X", "created": "2026-11-30T09:03:12Z"},
        {"created_by": f"{NO_LAYER}ARG ", "comment": "FROM docker.io/library/a:a"},
        {"created_by": f"{NO_LAYER}ONBUILD ARG Y", "comment": "FROM 78287ee75c8e"},
        {"created_by": "RUN y", "comment": "FROM 16e72f1031cd"},
    ]
    for reference in ("a:b", "sha256:1"):
        engine.answers[f"GET /libpod/images/{reference}/json"] = (200, {"History": [{}, *history]})
    client = engine.client()
    detail = client.inspect("a:b")
    assert detail is not None
    assert detail.onbuild == ("ARG Y",)
    assert client.steps("a:b") == (
        "",
        "RUN x",
        f"{NO_LAYER}ONBUILD ARG X",
        f"{NO_LAYER}ONBUILD ARG Y",
        "RUN y",
    )
    assert client.steps("a:c") == ()
