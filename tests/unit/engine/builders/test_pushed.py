"""What of a builder elsewhere may go through a registry, before it is known what comes of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.builders.pushed import Passage, digest_in, may_pass, parent_in
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import EngineError
from tests.engine_server import Engine, serving

PASSAGE = Passage(repository="registry.example/isol8")
REQUEST = BuildRequest(tag="a:b", dockerfile="FROM x\nRUN true\n", built_on={"x": "sha256:parent"})
OF_INDEX = {"PIP_INDEX_URL": "https://me:hunter2hunter@index.example/simple"}


@pytest.fixture(name="engine")
def make_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give an engine that has the parent."""
    with serving(monkeypatch) as engine:
        parent = {
            "Config": {"Labels": {"a": "b"}, "Env": ["PATH=/bin"]},
            "RepoDigests": ["r.example/a@sha256:1"],
        }
        engine.answers["GET /images/sha256:parent/json"] = (200, parent)
        engine.answers["GET /images/sha256:parent/history"] = (200, [{"CreatedBy": "RUN true"}])
        yield engine


def passes(engine: Engine, request: BuildRequest, passage: Passage = PASSAGE) -> bool:
    """Tell whether it may."""
    connection = Connection(Endpoint(url=engine.url, why="DOCKER_HOST"), {})
    try:
        return may_pass(request, passage, connection, {"NPM_TOKEN": "abcdef0123456789"})
    finally:
        connection.close()


def test_without_a_registry(engine: Engine) -> None:
    """Nothing is asked."""
    assert not passes(engine, REQUEST, Passage())
    assert engine.paths() == []


@pytest.mark.parametrize(
    ("dockerfile", "arguments", "expected"),
    [
        ("RUN true", {"MIRROR": "https://mirror.example/alpine"}, True),
        ("RUN true", OF_INDEX, False),
        ("ENV URL=https://me:hunter2hunter@index.example", {}, False),
        (
            "ARG NAME\nARG WORD\nENV URL=https://$NAME:${WORD}@index.example",
            {"NAME": "me", "WORD": "hunter2hu"},
            False,
        ),
        ("ARG NAME=me\nARG WORD=hunter2hu\nENV URL=https://$NAME:$WORD@index.example", {}, False),
        ("LABEL npm=abcdef0123456789", {}, False),
    ],
)
def test_credentials(
    engine: Engine, dockerfile: str, arguments: Mapping[str, str], *, expected: bool
) -> None:
    """What could be read in the image is not pushed, unless the settings say so."""
    request = evolve(REQUEST, dockerfile=f"FROM x\n{dockerfile}\n", args=arguments)
    assert passes(engine, request) == expected
    assert passes(engine, request, evolve(PASSAGE, credentials=True))


@pytest.mark.parametrize(
    "config", [{"Env": ["URL=https://me:hunter2hunter@h.example"]}, {"OnBuild": ["ENV NPM=abcdef0123456789"]}]
)
def test_credentials_of_a_parent(engine: Engine, config: object) -> None:
    """They are in what is based on it."""
    engine.answers["GET /images/sha256:parent/json"] = (200, {"Config": config})
    assert not passes(engine, REQUEST)


@pytest.mark.parametrize("label", ["org.isol8.lab.standin", "org.isol8.tasks.standin"])
def test_stand_ins(engine: Engine, label: str) -> None:
    """They are pushed where the settings say so."""
    engine.answers["GET /images/sha256:parent/json"] = (200, {"Config": {"Labels": {label: "alpine:3.21"}}})
    assert not passes(engine, REQUEST)
    assert passes(engine, REQUEST, evolve(PASSAGE, standins=True))


def test_where_a_parent_is(engine: Engine) -> None:
    """By the digest in that repository."""
    connection = Connection(Endpoint(url=engine.url, why="DOCKER_HOST"), {})
    there = parent_in(Passage(repository="r.example/a"), "sha256:parent", connection)
    assert there == "docker-image://r.example/a@sha256:1"
    assert parent_in(PASSAGE, "sha256:parent", connection) == ""
    connection.close()


def test_digest_that_is_missing(tmp_path: Path) -> None:
    """A buildx that wrote none."""
    with pytest.raises(EngineError, match="docker buildx ended without the digest of what it pushed"):
        digest_in(tmp_path / "metadata.json")
