"""The engine's client, against a small server that speaks as an engine does."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.engine import BuildRequest, ImageDetail
from isol8_tasks.engine.daemon import BuilderSetting, DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import (
    BuildFailedError,
    EngineError,
    EngineUnreachableError,
    PlanError,
    UpstreamUnavailableError,
)
from tests.engine_server import DOCKER, PODMAN, Answer, Engine, Handler, serving

REQUEST = BuildRequest(tag="a:b", dockerfile="FROM x\n", args={"HTTP_PROXY": "mine"})


@pytest.fixture(name="engine")
def make_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Give a server that answers as it is told, and a docker configuration that says nothing."""
    with serving(monkeypatch) as engine:
        yield engine


def write_config(value: object) -> None:
    """Write docker's configuration."""
    Path(os.environ["DOCKER_CONFIG"], "config.json").write_text(json.dumps(value))


class TestPing:
    """Whether an engine answers."""

    def test_making_a_client_asks_nothing(self, engine: Engine) -> None:
        """Only a question opens a connection."""
        engine.client().close()
        assert engine.asked == []

    def test_one_ping_is_all_that_a_run_adds(self, engine: Engine) -> None:
        """The version to speak comes with the first answer, and holds for the rest."""
        engine.answers["GET /images/json"] = (200, [])
        client = engine.client()
        client.images()
        client.images()
        assert engine.paths() == ["GET /_ping", "GET /images/json", "GET /images/json"]
        assert client.version() == "20.10.24"

    def test_many_questions_need_no_more_connections(self, engine: Engine) -> None:
        """Docker's own client opens one for each address, and closes some of them while they are read from."""
        client = engine.client()
        assert [client.inspect(f"a:{number}") for number in range(60)] == [None] * 60
        assert engine.connections == 2, "one of them to see whether anybody listens"

    @pytest.mark.parametrize("refusals", [1, 4, 5])
    def test_an_image_that_goes_away_meanwhile(self, engine: Engine, refusals: int) -> None:
        """The engine refuses the whole list for it, and is asked again, though not for ever."""
        refused = [(404, {"message": "content digest sha256:1: not found"})] * refusals

        def answer(handler: Handler) -> None:
            handler._send(*(refused.pop() if refused else (200, [{"Id": "1", "RepoTags": ["a:b"]}])))  # noqa: SLF001

        engine.answers["GET /images/json"] = answer
        if refusals < 5:
            assert [image.id for image in engine.client().images()] == ["1"]
            return
        with pytest.raises(EngineError, match="did not list its images: content digest sha256:1: not found"):
            engine.client().images()

    def test_no_engine_is_told_with_its_fix(self, tmp_path: Path) -> None:
        """The message is the diagnosis of the endpoint."""
        endpoint = Endpoint(url=f"unix://{tmp_path}/none", why="private engine")
        with pytest.raises(EngineUnreachableError) as caught:
            DockerEngine(endpoint, environ={"PATH": "", "HOME": str(tmp_path)}).ping()
        assert str(caught.value).startswith(
            f"no Docker Engine answers at unix://{tmp_path}/none (from private engine): there is no such socket\n"
        )

    def test_something_else_that_speaks_http_is_no_engine(self, engine: Engine) -> None:
        """An answer without a version of the API is none."""
        engine.headers = {}
        with pytest.raises(EngineUnreachableError, match="does not answer as a Docker Engine does"):
            engine.client(HOME="/nowhere").ping()

    @pytest.mark.parametrize(
        ("endpoint", "start"),
        [
            (
                Endpoint(url="", why="docker context gone", context="gone"),
                "no Docker Engine: docker context gone does not exist, though docker's configuration names it\n",
            ),
            (
                Endpoint(url="ssh://me@host", why="DOCKER_HOST"),
                "no Docker Engine: ssh://***@host (from DOCKER_HOST) has an ssh address, which is not",
            ),
            (
                Endpoint(url="foo://host", why="DOCKER_HOST"),
                "no Docker Engine: foo://host (from DOCKER_HOST) can't be used: ",
            ),
        ],
        ids=["no context", "ssh", "not understood"],
    )
    def test_an_address_that_can_not_be_used(self, tmp_path: Path, endpoint: Endpoint, start: str) -> None:
        """Each has its own reason, and none is a traceback."""
        with pytest.raises(EngineUnreachableError) as caught:
            DockerEngine(endpoint, environ={"HOME": str(tmp_path)}).ping()
        assert str(caught.value).startswith(start)

    def test_certificates_that_are_not_there(self, engine: Engine, tmp_path: Path) -> None:
        """TLS without its files is told as that, with the files that are missed."""
        (tmp_path / "cert.pem").touch()
        endpoint = Endpoint(url="tcp://127.0.0.1:1", why="DOCKER_HOST")
        named = {"HOME": str(tmp_path), "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
        with pytest.raises(EngineUnreachableError) as caught:
            DockerEngine(endpoint, environ=named).ping()
        assert f" can't be read: DOCKER_CERT_PATH={tmp_path} has no ca.pem or key.pem\nPut " in str(
            caught.value
        )
        client = engine.client(DOCKER_CERT_PATH="", DOCKER_TLS_VERIFY="1", HOME=str(tmp_path))
        with pytest.raises(EngineUnreachableError, match=r"certificates for it can't be read\nPut ca.pem"):
            client.ping()

    def test_headers_of_docker_s_configuration_are_sent(self, engine: Engine) -> None:
        """A proxy in front of an engine may ask for them."""
        write_config({"HttpHeaders": {"X-Own": "1"}})
        engine.client().ping()
        assert engine.sent[-1]["X-Own"] == "1"


class TestInfo:
    """Which engine it is."""

    @pytest.mark.parametrize(
        ("headers", "product", "version"), [(DOCKER, "Docker", "20.10.24"), (PODMAN, "Podman", "4.3.1")]
    )
    def test_whose_it_is(self, engine: Engine, headers: dict[str, str], product: str, version: str) -> None:
        """By what it answers to a ping."""
        engine.headers = headers
        client = engine.client()
        client.ping()
        assert (client.product(), client.version()) == (product, version)

    @pytest.mark.parametrize(
        ("status", "store"),
        [
            ([["Backing Filesystem", "extfs"]], "x"),
            ([["driver-type", "io.containerd.snapshotter.v1"]], "containerd (x)"),
        ],
    )
    def test_docker(self, engine: Engine, status: list[list[str]], store: str) -> None:
        """Version and store are the engine's own words; engines with one id differ by their folder."""
        engine.answers["GET /info"] = (
            200,
            {"ID": "A:B", "DockerRootDir": "/d", "Driver": "x", "DriverStatus": status},
        )
        info = engine.client().info()
        assert (info.id, info.version, info.api, info.store, info.builder) == (
            "A:B:/d",
            "20.10.24",
            "1.41",
            store,
            "buildkit",
        )
        assert info.endpoint == engine.url

    def test_podman(self, engine: Engine) -> None:
        """Podman's id is another one each time, so its place stands for it."""
        engine.headers = PODMAN
        engine.answers["GET /info"] = (
            200,
            {"ID": "random", "Driver": "overlay", "Name": "vm", "DockerRootDir": "/r"},
        )
        info = engine.client().info()
        assert (info.id, info.version, info.builder) == ("podman:vm:/r", "4.3.1", "classic")


class TestImages:
    """The list."""

    def test_tags_and_digests_are_sorted_and_the_nameless_left_out(self, engine: Engine) -> None:
        """What the engine leaves null is empty here."""
        engine.answers["GET /images/json"] = (
            200,
            [
                {
                    "Id": "1",
                    "RepoTags": ["b:1", "a:1"],
                    "RepoDigests": ["a@2", "a@1"],
                    "Labels": None,
                    "Size": 5,
                },
                {"Id": "2", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"], "Labels": {}},
                {"Id": "3", "RepoTags": None, "RepoDigests": None},
            ],
        )
        (image,) = engine.client().images()
        assert (image.id, image.tags, image.digests, dict(image.labels)) == (
            "1",
            ("a:1", "b:1"),
            ("a@1", "a@2"),
            {},
        )
        assert engine.asked[-1][1] == {"filters": '{"dangling":["false"]}'}

    def test_podman_s_long_names_are_shortened(self, engine: Engine) -> None:
        """`isol8:bun` is `isol8:bun`, whatever its engine puts in front."""
        engine.headers = PODMAN
        tags = [
            "docker.io/library/isol8:bun",
            "localhost/isol8:x",
            "docker.io/denoland/deno:alpine",
            "quay.io/a:b",
        ]
        engine.answers["GET /images/json"] = (200, [{"Id": "1", "RepoTags": tags}])
        (image,) = engine.client().images()
        assert image.tags == ("denoland/deno:alpine", "isol8:bun", "isol8:x", "quay.io/a:b")

    def test_details(self, engine: Engine) -> None:
        """What the engine leaves null is empty here."""
        engine.answers["GET /images/a:b/json"] = (200, {"Id": "1", "Config": None, "RootFS": {}})
        assert engine.client().inspect("a:b") == ImageDetail(id="1", created="", size=0)
        assert engine.client().inspect("a:c") is None

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (
                (500, {"message": "at https://me:pw@host\n"}),
                "the engine did not inspect a:b: at https://***@host",
            ),
            ((500, "no JSON"), "the engine did not inspect a:b: no JSON"),
            ((503, ""), "the engine did not inspect a:b: HTTP status 503"),
            ((200, "<html>"), "the engine did not inspect a:b: its answer is not JSON"),
        ],
    )
    def test_errors_are_told_without_credentials(self, engine: Engine, answer: Answer, message: str) -> None:
        """The engine's own words, or at least its status."""
        engine.answers["GET /images/a:b/json"] = answer
        with pytest.raises(EngineError) as caught:
            engine.client().inspect("a:b")
        assert str(caught.value) == message


class TestUntag:
    """Taking tags away."""

    def test_an_image_in_use_loses_its_tag_by_force(self, engine: Engine) -> None:
        """Docker removes the last tag of an image that a container uses only when it is told twice."""

        def answer(handler: Handler) -> None:
            forced = "force=1" in handler.path
            handler._send(200 if forced else 409, [] if forced else {"message": "in use"})  # noqa: SLF001 - ours

        engine.answers["DELETE /images/a:b"] = answer
        engine.client().untag("a:b")
        assert engine.asked[1:] == [("DELETE /images/a:b", {}), ("DELETE /images/a:b", {"force": "1"})]


class TestPull:
    """Fetching an image."""

    def test_credentials_of_docker_s_configuration_are_sent(self, engine: Engine) -> None:
        """A private registry gets its login."""
        write_config({"auths": {"reg.example": {"auth": "bWU6cHc="}}})
        engine.answers["POST /images/create"] = lambda handler: handler.stream({"status": "done"})
        engine.client().pull("reg.example/a:b")
        assert engine.asked[-1][1] == {"fromImage": "reg.example/a", "tag": "b"}
        assert "X-Registry-Auth" in engine.sent[-1]
        engine.client().pull("a")
        assert engine.asked[-1][1] == {"fromImage": "a", "tag": "latest"}
        assert "X-Registry-Auth" not in engine.sent[-1]

    def test_repository_tag_and_digest_are_told_apart(self, engine: Engine) -> None:
        """A digest counts before a tag, and what is no reference is sent as it is, for the engine to say so."""
        engine.answers["POST /images/create"] = lambda handler: handler.stream({"status": "done"})
        digest = "sha256:" + "ab" * 32
        engine.client().pull(f"reg.example:5000/a:b@{digest}")
        assert engine.asked[-1][1] == {"fromImage": "reg.example:5000/a", "tag": digest}
        engine.client().pull("No:such")
        assert engine.asked[-1][1] == {"fromImage": "No:such", "tag": "latest"}, (
            "the engine says what is wrong with it"
        )

    @pytest.mark.parametrize(
        "answer",
        [
            (404, {"message": "pull access denied"}),
            lambda handler: handler.stream(
                {"status": "x"}, {"errorDetail": {"message": "pull access denied"}}
            ),
            lambda handler: handler.stream({"error": "pull access denied"}),
        ],
        ids=["status", "errorDetail", "error"],
    )
    def test_a_failure_names_image_reason_and_what_to_try(self, engine: Engine, answer: Answer) -> None:
        """However the engine tells of it."""
        engine.answers["POST /images/create"] = answer
        with pytest.raises(UpstreamUnavailableError) as caught:
            engine.client().pull("a:b")
        assert str(caught.value) == (
            "a:b could not be pulled: pull access denied\n"
            "The server refuses access (403). Check the user's rights in docker's login (docker login) and the "
            "image's address; [build] args in deps.toml can name a mirror. Without any, ./doitw up --lab makes a "
            "local stand-in."
        )


class TestBuild:
    """Which builder builds, and what breaks a build off."""

    def test_proxies_of_docker_s_configuration_become_arguments(self, engine: Engine) -> None:
        """As for `docker build`; what is given wins."""
        write_config({"proxies": {"default": {"httpProxy": "theirs", "noProxy": "local"}}})
        engine.answers["POST /build"] = lambda handler: handler.stream(
            {"id": "moby.image.id", "aux": {"ID": "sha256:1"}}
        )
        assert engine.client().build(REQUEST, lambda _event: None) == "sha256:1"
        _, params = engine.asked[-1]
        assert params["version"] == "2"
        assert json.loads(params["buildargs"]) == {
            "HTTP_PROXY": "mine",
            "http_proxy": "theirs",
            "no_proxy": "local",
            "NO_PROXY": "local",
        }

    def test_a_refused_buildkit_leads_to_the_classic_builder(self, engine: Engine) -> None:
        """And the engine is not asked for it again."""

        def answer(handler: Handler) -> None:
            if "version=2" in handler.path:
                handler._send(400, {"message": "BuildKit is not supported by daemon"})  # noqa: SLF001 - ours
            else:
                handler.stream({"aux": {"ID": "sha256:1"}})

        engine.answers["POST /build"] = answer
        client = engine.client()
        assert client.build(REQUEST, lambda _event: None) == "sha256:1"
        assert client.build(REQUEST, lambda _event: None) == "sha256:1"
        assert [params["version"] for what, params in engine.asked if what == "POST /build"] == [
            "2",
            "1",
            "1",
        ]

    @pytest.mark.parametrize("builder", ["auto", "buildkit"])
    def test_buildkit_that_cannot_read_its_context(self, engine: Engine, builder: BuilderSetting) -> None:
        """With containerd's store before Engine 27.5 another builder builds, unless BuildKit is asked for."""
        reason = 'failed to read downloaded context: failed to load cache key: Get "http://build-context-x"'

        def answer(handler: Handler) -> None:
            handler.stream(
                {"errorDetail": {"message": reason}, "error": reason}
                if "version=2" in handler.path
                else {"aux": {"ID": "sha256:1"}}
            )

        engine.answers["POST /build"] = answer
        if builder == "auto":
            assert engine.client(builder).build(REQUEST, lambda _event: None) == "sha256:1"
        else:
            with pytest.raises(BuildFailedError, match="downloaded context"):
                engine.client(builder).build(REQUEST, lambda _event: None)

    @pytest.mark.parametrize(
        ("builder", "message"),
        [("buildkit", "BuildKit is off"), ("auto", "no space left")],
        ids=["told to", "another"],
    )
    def test_other_refusals_are_errors(self, engine: Engine, builder: BuilderSetting, message: str) -> None:
        """Where BuildKit is asked for, or something else is wrong, no other builder helps."""
        engine.answers["POST /build"] = (500, {"message": message})
        with pytest.raises(EngineError) as caught:
            engine.client(builder).build(REQUEST, lambda _event: None)
        assert str(caught.value) == f"the engine refused the build of a:b: {message}"

    @pytest.mark.parametrize(("failures", "builds"), [(1, 2), (2, 2)])
    def test_build_that_waited_in_vain_for_another_is_tried_once_more(
        self, engine: Engine, failures: int, builds: int
    ) -> None:
        """With many builds at once BuildKit gives up a step that another build is at, too."""
        asked: list[str] = []

        def answer(handler: Handler) -> None:
            asked.append(handler.path)
            reason = "failed to compute cache key: flightcontrol: exceeded retry timeout"
            handler.stream(
                {"errorDetail": {"message": reason}, "error": reason}
                if len(asked) <= failures
                else {"id": "moby.image.id", "aux": {"ID": "sha256:1"}}
            )

        engine.answers["POST /build"] = answer
        client = engine.client("buildkit")
        if failures < builds:
            assert client.build(REQUEST, lambda _event: None) == "sha256:1"
        else:
            with pytest.raises(BuildFailedError, match="flightcontrol"):
                client.build(REQUEST, lambda _event: None)
        assert len(asked) == builds

    def test_podman_has_no_buildkit(self, engine: Engine) -> None:
        """It takes the order and builds in its own way, so it is not even asked."""
        engine.headers = PODMAN
        with pytest.raises(PlanError) as caught:
            engine.client("buildkit").build(REQUEST, lambda _event: None)
        assert str(caught.value) == (
            f"the engine at {engine.url} is Podman, which has no BuildKit\n"
            'Write builder = "auto" under [build] in deps.toml.'
        )

    def test_an_image_that_went_elsewhere(self, engine: Engine, tmp_path: Path) -> None:
        """Buildx may build for another engine; its success is then none here."""
        (tmp_path / "docker").write_text("#!/bin/sh\ncat > /dev/null\n")
        (tmp_path / "docker").chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.defpath}"
        with pytest.raises(EngineError, match=r"^buildx built a:b, but the engine does not have it\nLook at"):
            engine.client("buildx", PATH=path).build(REQUEST, lambda _event: None)
        engine.answers["GET /images/a:b/json"] = (200, {"Id": "sha256:1"})
        assert engine.client("buildx", PATH=path).build(REQUEST, lambda _event: None) == "sha256:1"

    def test_a_lost_connection_is_told(self, engine: Engine) -> None:
        """An engine that ends in the middle of a build leaves a clear line."""

        def answer(handler: Handler) -> None:
            handler.begin_stream()
            handler.chunk(b'{"stream": "x"}\n')
            handler.wfile.write(b"ff\r\n{")
            handler.close_connection = True

        engine.answers["POST /build"] = answer
        with pytest.raises(EngineError) as caught:
            engine.client().build(REQUEST, lambda _event: None)
        assert str(caught.value) == (
            "the build of a:b was aborted: the connection to the engine was lost\n"
            "Check that the engine still runs, then run again; images in use are untouched."
        )

    def test_an_answer_that_is_no_json_is_told(self, engine: Engine) -> None:
        """Whatever stands between may answer, too."""

        def answer(handler: Handler) -> None:
            handler.begin_stream()
            handler.chunk(b"<html>")
            handler.chunk(b"")

        engine.answers["POST /build"] = answer
        with pytest.raises(EngineError) as caught:
            engine.client().build(REQUEST, lambda _event: None)
        assert str(caught.value) == "the engine's answer can't be read: b'<html>'"

    def test_a_build_that_fails_closes_its_connection(self, engine: Engine) -> None:
        """Which is what makes an engine give up; so does whatever else ends a build here."""
        closed = threading.Event()

        def answer(handler: Handler) -> None:
            handler.begin_stream()
            handler.chunk(b'{"error": "bad"}\n')
            handler.rfile.read(1)
            closed.set()
            handler.close_connection = True

        engine.answers["POST /build"] = answer
        with pytest.raises(BuildFailedError):
            engine.client().build(REQUEST, lambda _event: None)
        assert closed.wait(5)

    def test_cancelling_closes_the_connection(self, engine: Engine) -> None:
        """From another thread, while nothing comes from the engine."""
        client = engine.client()
        closed = threading.Event()

        def answer(handler: Handler) -> None:
            handler.begin_stream()
            threading.Timer(0.2, client.cancel).start()
            handler.rfile.read(1)
            closed.set()
            handler.close_connection = True

        engine.answers["POST /build"] = answer
        with pytest.raises(EngineError) as caught:
            client.build(REQUEST, lambda _event: None)
        assert str(caught.value) == "the build of a:b was aborted"
        assert closed.wait(5)
