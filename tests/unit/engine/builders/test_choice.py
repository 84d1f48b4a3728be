"""A builder elsewhere, next to the engine's own; docker's command is played by a small program."""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.builders.pushed import Passage
from isol8_tasks.engine.daemon import BuilderSetting, DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import BuildFailedError, ConfigError, EngineError, PlanError, RegistryError
from tests.engine_server import Engine, Handler, serving
from tests.unit.engine.builders.test_layouts import CONFIG, LAYERS, digest, manifest, saved
from tests.unit.engine.builders.test_plugin import FAR, NEW
from tests.unit.engine.builders.test_results import write_result

REQUEST = BuildRequest(tag="a:b", dockerfile="FROM x\n", built_on={"x": "sha256:parent"}, image="bash")
PLAYED = f"""#!/bin/sh
case "$2" in
    version) echo "{NEW}" ;;
    inspect) echo "$2 $3" >> asked; cat inspect ;;
    *) cat > /dev/null
       for word; do case "$word" in
           --output=type=oci,tar=false,dest=*)
               dest=${{word#*dest=}}; dest=${{dest%%,*}}
               ls "$dest/blobs/sha256" > seeded; rm -r "$dest/blobs"; cp -r result/. "$dest" ;;
           --metadata-file=*) [ ! -e metadata ] || cp metadata "${{word#*=}}" ;;
           *push=true*) [ ! -e refused ] || {{ cat refused >&2; exit 1; }} ;;
       esac; done
       for word; do echo "$word"; done >> words; env | grep -E 'BUILDX|PLATFORM' >> words; true ;;
esac
"""


@pytest.fixture(name="engine")
def make_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Engine]:
    """Give an engine that has the parent, gets what is built, and builds by itself, too."""
    (tmp_path / "docker").write_text(PLAYED)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "inspect").write_text(FAR.format(status="running", platforms="linux/amd64"))
    monkeypatch.chdir(tmp_path)
    broken = getattr(request, "param", False)
    files = {"a/layer.tar": LAYERS[0], "b/layer.tar": LAYERS[1], "c.json": b"{}" if broken else CONFIG}
    archive = b"".join(
        saved({**files, "manifest.json": manifest("c.json", ["a/layer.tar", "b/layer.tar"])}, {})
    )

    def send(handler: Handler) -> None:
        handler.begin_stream()
        handler.chunk(archive)
        handler.chunk(b"")

    def build(handler: Handler) -> None:
        handler.stream({"id": "moby.image.id", "aux": {"ID": "sha256:labels"}})

    write_result(tmp_path / "result")
    with serving(monkeypatch) as engine:
        engine.answers["GET /version"] = (200, {"Os": "linux", "Arch": "amd64"})
        engine.answers["GET /info"] = (200, {"ID": "X", "Driver": "overlay2"})
        engine.answers["GET /images/sha256:parent/json"] = (200, {"RootFS": {"Layers": []}})
        engine.answers["POST /images/load"] = lambda handler: handler.stream({"stream": "Loaded"})
        engine.answers["GET /images/sha256:parent/get"] = send
        engine.answers["GET /images/a:b/json"] = (200, {"Id": "sha256:1"})
        engine.answers["POST /build"] = build
        yield engine


class Source:
    """Has secrets, and tells nobody but builders what they are."""

    def value(self, name: str) -> bytes:
        if name == "gone":
            raise ConfigError("deps.toml:2: build.secrets.gone: the variable GONE is not set; export it")
        return b"canary"

    def option(self, name: str) -> str:
        return f"id={name},env=PIP"


def client(  # noqa: PLR0913 - as the engine's
    engine: Engine,
    *,
    builder: BuilderSetting = "auto",
    buildx: str = "far",
    cache: str = "",
    platform: str = "",
    passage: Passage | None = None,
) -> DockerEngine:
    """Return the engine with a builder elsewhere."""
    path = f"{Path.cwd()}{os.pathsep}{os.defpath}"
    environ = {"PATH": path, "BUILDX_BUILDER": "other", "DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    endpoint = Endpoint(url=engine.url, why="DOCKER_HOST")
    made = DockerEngine(
        endpoint,
        environ=environ,
        builder=builder,
        buildx=buildx,
        cache=cache,
        platform=platform,
        secrets=Source(),
        passage=passage,
    )
    engine.clients.append(made)
    return made


def test_builder_gets_the_parents(engine: Engine) -> None:
    """Each is saved once, and the layouts are gone at the end; docker's own variables do not reach it."""
    found = client(engine)
    for _ in range(2):
        assert found.build(REQUEST, lambda _event: None) == "sha256:1"
    words = Path("words").read_text().splitlines()
    assert words[:2] == ["buildx", "build"]
    assert {"--builder=far", "--platform=linux/amd64"} <= set(words)
    # No builder sends what is there already.
    assert {digest(each) for each in LAYERS} <= set(Path("seeded").read_text().split())
    assert not [word for word in words if "arm64" in word or "other" in word or "cache" in word]
    (layout,) = {word for word in words if word.startswith("--build-context=x=oci-layout://")}
    folder = Path(layout.partition("://")[2].partition("@")[0])
    assert (folder / "index.json").exists()
    assert engine.paths().count("GET /images/sha256:parent/get") == 1
    found.close()
    assert not folder.parent.exists()


def test_what_a_killed_run_left_for_its_builder(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run removes it, but not what another one is using, nor what has just been made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = client(engine)
    other.build(REQUEST, lambda _event: None)
    (in_use,) = tmp_path.glob("isol8-layouts-*")
    for name in ("dead/0/blobs", "new"):
        (tmp_path / f"isol8-layouts-{name}").mkdir(parents=True)
    (tmp_path / "isol8-layouts-file").touch()
    for name in ("isol8-layouts-dead", "isol8-layouts-file", in_use.name):
        os.utime(tmp_path / name, (1, 1))
    found = client(engine)
    found.build(REQUEST, lambda _event: None)
    assert in_use.exists()
    assert (tmp_path / "isol8-layouts-new").exists()
    assert not (tmp_path / "isol8-layouts-dead").exists()
    found.close()
    other.close()
    assert {each.name for each in tmp_path.glob("isol8-layouts-*")} == {
        "isol8-layouts-new",
        "isol8-layouts-file",
    }


PUSHED = f"sha256:{'1' * 64}"
PASSAGE = Passage(repository="registry.example/isol8")


@pytest.fixture(name="remote")
def make_remote(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Give that engine, to which a registry gives what the builder pushed, and that has the parent from there."""
    name = f"{PASSAGE.repository}@{PUSHED}"
    parent = {"Config": {}, "RootFS": {}, "RepoDigests": [f"{PASSAGE.repository}@sha256:of-parent"]}
    engine.answers["GET /images/sha256:parent/json"] = (200, parent)
    engine.answers["GET /images/sha256:parent/history"] = (200, [])
    engine.answers["POST /images/create"] = lambda handler: handler.stream({"status": "Pulled"})
    engine.answers[f"GET /images/{name}/json"] = (200, {"Id": "sha256:2", "Architecture": "amd64"})
    engine.answers["POST /images/sha256:2/tag"] = (201, {})
    engine.answers[f"DELETE /images/{name}"] = (200, [])
    Path("metadata").write_text(json.dumps({"containerimage.digest": PUSHED}))

    def forget(_engine: DockerEngine, repository: str, digest: str) -> None:
        Path("deleted").write_text(f"{repository}@{digest}")
        raise RegistryError("it does not delete")

    monkeypatch.setattr(DockerEngine, "remote_delete", forget)
    return engine


def test_result_by_digest(remote: Engine) -> None:
    """It gets its tag on the engine alone, and is deleted in the registry, if that does it."""
    assert client(remote, passage=PASSAGE).build(REQUEST, lambda _event: None) == "sha256:2"
    words = Path("words").read_text().splitlines()
    assert f"--build-context=x=docker-image://{PASSAGE.repository}@sha256:of-parent" in words
    assert not [word for word in words if word.startswith("--tag")]
    assert Path("deleted").read_text() == f"{PASSAGE.repository}@{PUSHED}"


def test_registry_that_takes_nothing(remote: Engine) -> None:
    """The result comes without it; what else is wrong with a build stays wrong."""
    Path("refused").write_text(f"ERROR: failed to push {PASSAGE.repository}: denied\n")
    assert client(remote, passage=PASSAGE).build(REQUEST, lambda _event: None) == "sha256:1"
    assert "POST /images/load" in remote.paths()
    Path("refused").write_text("ERROR: no space left on device\n")
    with pytest.raises(BuildFailedError, match="no space left"):
        client(remote, passage=PASSAGE).build(REQUEST, lambda _event: None)


def test_another_platform_elsewhere(engine: Engine) -> None:
    """The builder has to have it, and is told."""
    with pytest.raises(
        ConfigError, match="the builder 'far' builds for linux/amd64, and linux/arm64 is wanted"
    ):
        client(engine, platform="linux/arm64").build(REQUEST, lambda _event: None)
    Path("inspect").write_text(FAR.format(status="running", platforms="linux/amd64, linux/arm64"))
    client(engine, platform="linux/arm64").build(REQUEST, lambda _event: None)
    assert "--platform=linux/arm64" in Path("words").read_text().splitlines()


@pytest.mark.parametrize(
    ("platform", "asked", "told"),
    [
        ("linux/arm64", "", True),
        ("linux/arm64", "linux/amd64", False),
        ("linux/amd64", "", False),
        ("", "linux/arm64", True),
    ],
)
def test_another_platform_here(engine: Engine, platform: str, asked: str, *, told: bool) -> None:
    """The engine's own builder is told as well, unless it is the engine's own platform."""
    paths = []

    def build(handler: Handler) -> None:
        paths.append(handler.path)
        handler.stream({"id": "moby.image.id", "aux": {"ID": "sha256:1"}})

    engine.answers["POST /build"] = build
    found = client(engine, buildx="", platform=platform)
    request = BuildRequest(tag="a:b", dockerfile="FROM x\n", platform=asked)
    assert found.build(request, lambda _event: None) == "sha256:1"
    assert found.platform() == (platform or "linux/amd64")
    assert ["platform=linux%2Farm64" in path for path in paths] == [told]
    # Where the engine has none, the builder does without docker's login.
    assert any("/session" in path for path in engine.paths()) == told


def test_engine_changes_labels_itself(engine: Engine) -> None:
    """Nor is the builder asked for anything by who builds nothing."""
    found = client(engine)
    assert found.info().builder == "buildx far"
    request = BuildRequest(tag="a:b", dockerfile="FROM x\n", only_labels=True)
    assert found.build(request, lambda _event: None) == "sha256:labels"
    assert not Path("asked").exists()


def test_builds_side_by_side(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent is saved once for all of them, though each finds what builds not imported yet."""
    monkeypatch.delitem(sys.modules, "isol8_tasks.engine.builders.choice", raising=False)
    found, together = client(engine), threading.Barrier(4)

    def build(_number: int) -> str:
        together.wait()
        return found.build(REQUEST, lambda _event: None)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(build, range(4))) == {"sha256:1"}
    assert engine.paths().count("GET /images/sha256:parent/get") == 1


@pytest.mark.parametrize("builder", ["auto", "buildx"])
def test_engine_without_buildkit_changes_labels(engine: Engine, builder: BuilderSetting) -> None:
    """By whatever it has, as `builder` is about what the builder elsewhere builds."""

    def build(handler: Handler) -> None:
        if "version=2" in handler.path:
            handler._send(400, {"message": "BuildKit is not supported by daemon"})  # noqa: SLF001 - ours
        else:
            handler.stream({"aux": {"ID": "sha256:labels"}})

    engine.answers["POST /build"] = build
    request = BuildRequest(tag="a:b", dockerfile="FROM x\n", only_labels=True)
    assert client(engine, builder=builder).build(request, lambda _event: None) == "sha256:labels"


@pytest.mark.parametrize("engine", [True], indirect=True)
def test_engine_that_saves_nothing_sensible(engine: Engine) -> None:
    """It is told, of each image that is built on it, and nothing is built."""
    found = client(engine)
    for _ in range(2):
        with pytest.raises(EngineError, match="the copy of sha256:parent for the builder failed: 'rootfs'"):
            found.build(REQUEST, lambda _event: None)
    assert not Path("words").exists()


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (404, r"^buildx built a:b, but the engine does not have it\n"),
        (500, r"^the engine did not inspect a:b: gone wrong$"),
    ],
)
def test_engine_without_what_was_built(engine: Engine, status: int, problem: str) -> None:
    """Only where it says so it is said; what else it says is told."""
    engine.answers["GET /images/a:b/json"] = (status, {"message": "gone wrong"})
    with pytest.raises(EngineError, match=problem):
        client(engine).build(REQUEST, lambda _event: None)


def test_cache(engine: Engine) -> None:
    """It is the builder's, by the image's name; the engine's own builder has none."""
    client(engine, cache="host/cache").build(REQUEST, lambda _event: None)
    where = "type=registry,ref=host/cache:bash"
    words = Path("words").read_text().splitlines()
    assert {f"--cache-from={where}", f"--cache-to={where},mode=max,ignore-error=true"} <= set(words)
    with pytest.raises(PlanError, match=r"the engine's own can't\nName one by --builder"):
        client(engine, buildx="", cache="host/cache").build(REQUEST, lambda _event: None)


def test_secrets(engine: Engine) -> None:
    """A builder of buildx is told where they are, and the classic one gets no build with any."""
    request = evolve(REQUEST, secrets=("pip", "npm"))
    client(engine).build(request, lambda _event: None)
    words = Path("words").read_text().splitlines()
    assert {"--secret=id=pip,env=PIP", "--secret=id=npm,env=PIP"} <= set(words)
    assert "canary" not in str(words)
    said = r"^bash needs the secrets pip, npm, and only BuildKit keeps secrets out of images: this engine's "
    with pytest.raises(PlanError, match=said):
        client(engine, builder="classic", buildx="").build(request, lambda _event: None)


@pytest.mark.parametrize("buildx", ["far", ""])
def test_secret_that_cannot_be_had(engine: Engine, buildx: str) -> None:
    """Nothing is built without it."""
    request = evolve(REQUEST, secrets=("pip", "gone"))
    with pytest.raises(ConfigError, match="the variable GONE is not set"):
        client(engine, buildx=buildx).build(request, lambda _event: None)
    assert not Path("words").exists()
    assert not [path for path in engine.paths() if "/build" in path or "/session" in path]


def test_engine_without_sessions(engine: Engine) -> None:
    """It refuses in its own words, and whatever it says else is no session."""
    for status in (404, 200):
        engine.answers["POST /session"] = (status, {"message": "page not found"})
        with pytest.raises(EngineError, match="did not open a session for secrets: page not found"):
            client(engine, buildx="").build(evolve(REQUEST, secrets=("pip",)), lambda _event: None)
    assert not [path for path in engine.paths() if "/build" in path]
