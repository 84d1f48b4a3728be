"""A sixth runtime goes the whole way by what is said of it in ecosystems/ and a stage of the Dockerfile alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field

from isol8_tasks.cli.tasks import SETUP_FLAGS, flag_request
from isol8_tasks.config.deps import parse_config
from isol8_tasks.config.lockfile import parse_lock
from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS, RUNTIMES
from isol8_tasks.ecosystems.sbom import purl
from isol8_tasks.ecosystems.updates import Pin
from isol8_tasks.engine.containers import Finished, RunRequest
from isol8_tasks.errors import ConfigError, SourceUnavailableError, VerifyFailedError
from isol8_tasks.freshness.news import package_news
from isol8_tasks.run.lock import lock_policy
from isol8_tasks.run.locking import write_lock
from isol8_tasks.run.session import Session, open_session
from tests.fake_engine import FakeEngine, FakeImage
from tests.sixth import lua

ROOT = Path(__file__).parents[2]
DOCKERFILE = "FROM alpine:3.21 AS base\n" + "".join(
    f"FROM base AS {name}\n" for name in ("python", "node", "bun", "deno", "bash")
)
SECTIONS = """
{mark} first
tini

{mark} release
3.21.0

{mark} apk
P:lua5.4
V:5.4.7-r0

{mark} modes
seen /etc

{mark} filter 99 0
HTTP/1.1 403 Forbidden

{mark} runtime
{answer}

{mark} end 0 yes
"""


@define(eq=False)
class Engine(FakeEngine):
    """Builds as the fake does, and answers as an image of Lua with these rocks would."""

    rocks: dict[str, str] = field(factory=dict)
    """What is wrong with each rock that is there; empty for nothing."""
    runs: list[RunRequest] = field(factory=list)

    def run(self, request: RunRequest) -> Finished:
        self.runs.append(request)
        mark = next(word for word in request.command if len(word) == 16)
        program = lua.LUA.probe.text()
        items = request.command[request.command.index(program) + 1 :]
        told = [{"problem": self.rocks[item]} if item in self.rocks else None for item in items]
        answer = {"answer": 42, "rocks": [[name, "1.1.0-2"] for name in self.rocks], "items": told}
        text = SECTIONS.format(mark=mark, answer=json.dumps(answer)).encode()
        return Finished(exit=0, stdout=text, stderr=b"", output=text)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ECOSYSTEMS, "luarocks", lua.ROCKS)
    monkeypatch.setitem(RUNTIMES, "lua", lua.LUA)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a folder whose Dockerfile has one more stage."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE + lua.STAGE)
    (tmp_path / "deps.toml").write_text('[dependencies]\nlua = ["lpeg", "daurnimator/luaossl"]\n')
    return tmp_path


@pytest.fixture
def engine() -> Engine:
    """Give an engine that can pull Alpine, and images with both rocks."""
    alpine = FakeImage(id="sha256:" + "1" * 64)
    return Engine(registry={"alpine:3.21": alpine}, rocks={"lpeg": "", "luaossl": ""})


@pytest.fixture
def session(checkout: Path, engine: Engine) -> Iterator[Session]:
    """Give a session that verifies as every run does."""
    session = open_session(checkout, {}, engine=engine)
    yield session
    session.close()


def test_graph(session: Session) -> None:
    """There is a base image, and a custom one with a command for each rock."""
    assert [spec.task for spec in session.view.graph.images][-2:] == ["base:lua", "custom:lua"]
    custom = session.view.graph.images[-1]
    assert custom.packages == ("daurnimator/luaossl", "lpeg")
    assert custom.dockerfile.splitlines() == [
        "FROM isol8:lua",
        "RUN luarocks install daurnimator/luaossl && luarocks install lpeg",
    ]


def test_source_is_no_part_of_the_key(checkout: Path, session: Session, engine: Engine) -> None:
    """A mirror of the rocks is handed to the builds, and makes no image stale."""
    for name in ("lua", "lua-custom"):
        session.make(name)
    with (checkout / "deps.toml").open("a") as file:
        file.write('[build.args]\nLUAROCKS_SERVER = "https://rocks.example"\n')
    with_mirror = open_session(checkout, {}, engine=engine)
    assert all(with_mirror.view.is_current(name) for name in ("lua", "lua-custom"))


def test_deps_toml() -> None:
    """Rocks have a key in [dependencies], and their own grammar."""
    config = parse_config('[dependencies]\nlua = ["lpeg"]\n', "deps.toml")
    assert config.dependencies["lua"] == ("lpeg",)
    with pytest.raises(ConfigError) as caught:
        parse_config('[dependencies]\nlua = ["lpeg 1.1"]\n', "deps.toml")
    assert str(caught.value) == (
        "deps.toml:2: dependencies.lua[0]: 'lpeg 1.1': not the name of a rock; "
        "luarocks accepts name and user/name, for example lpeg"
    )


def test_flags() -> None:
    """A flag asks for rocks, and --only knows the runtime."""
    given: dict[str, Any] = {flag["name"]: flag["default"] for flag in SETUP_FLAGS}
    assert flag_request({**given, "lua": ["lpeg,luaossl"]}).packages[-1] == ("lua", ("lpeg", "luaossl"))
    assert flag_request({**given, "lua": [], "only": ["lua"]}).only == ("lua",)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("list", "--all"), ["base:lua Base image of lua", "custom:lua lua with daurnimator/luaossl lpeg"]),
        (("help", "setup"), ["--lua=ARG Lua rocks, installed with luarocks; comma-separated;"]),
    ],
    ids=["list", "help"],
)
def test_command_line(checkout: Path, words: tuple[str, ...], lines: list[str]) -> None:
    """The command line lists its images, and explains its flag."""
    for name in ("dodo.py", "pyproject.toml"):
        (checkout / name).write_text((ROOT / name).read_text())
    program = (
        "import sys; from tests.sixth import lua; lua.register(); "
        "from isol8_tasks.cli.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        (sys.executable, "-c", program, *words),
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": f"unix://{checkout}/none.sock"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done
    shown = " ".join(done.stdout.split())
    assert [line for line in lines if line not in shown] == []


def test_built_verified_and_promoted(checkout: Path, session: Session, engine: Engine) -> None:
    """Both images are looked into as clients run them, and the manifest says what is in them."""
    for spec in session.view.graph.images[-2:]:
        session.make(spec.name)
    session.resolve()
    assert {"isol8:lua", "isol8:lua-custom"} <= {tag for image in engine.images() for tag in image.tags}
    manifest = json.loads((checkout / "resolved-images.json").read_text())
    assert manifest["runtimes"]["lua"]["reference"] == "isol8:lua-custom"
    assert manifest["runtimes"]["lua"]["inventory"] == {
        "alpine": "3.21.0",
        "packages": {"apk": {"lua5.4": "5.4.7-r0"}, "luarocks": {"lpeg": "1.1.0-2", "luaossl": "1.1.0-2"}},
    }


def test_what_is_run(session: Session, engine: Engine) -> None:
    """The probe is written where clients write code, and started as they start it, with the rocks to look for."""
    session.make("lua")
    engine.runs.clear()
    session.make("lua-custom")
    assert engine.runs
    for request in engine.runs:
        assert request.command[-4:] == ("json", lua.LUA.probe.text(), "luaossl", "lpeg")
        assert any("lua5.4 /sandbox/main.lua" in word for word in request.command)


@pytest.mark.parametrize(
    ("rocks", "finding"),
    [
        ({"luaossl": ""}, "lpeg is not installed"),
        ({"luaossl": "", "lpeg": "no libc"}, "lpeg is installed, but `require 'lpeg'` fails"),
    ],
)
def test_image_that_fails_verification(
    session: Session, engine: Engine, rocks: dict[str, str], finding: str
) -> None:
    """What is wrong with a rock keeps the image from being promoted."""
    session.make("lua")
    engine.rocks = rocks
    with pytest.raises(VerifyFailedError) as caught:
        session.make("lua-custom")
    assert caught.value.findings == (finding,)


def test_versions_that_nobody_can_be_asked_for(session: Session, engine: Engine) -> None:
    """An ecosystem without a source is undetermined, not up to date."""
    for name in ("lua", "lua-custom"):
        session.make(name)
    custom = session.view.graph.images[-1]
    with pytest.raises(
        SourceUnavailableError,
        match="isol8:lua: this project can't look up newer versions of luarocks packages",
    ):
        package_news(
            custom,
            session.view.observed,
            engine,
            settings=session.view.config.refresh,
            now=session.view.observed.images[0].built,
        )


def test_lock(checkout: Path, engine: Engine) -> None:
    """A lock has the versions of rocks, and nothing else is promoted by who holds to it."""
    rock = Package(ecosystem="luarocks", name="lpeg", version="1.1.0-2")
    musl = Package(ecosystem="apk", name="musl", version="1.2.5-r0", checksum="Q1" + "a" * 27 + "=")
    found = {"lua-custom": [musl, rock]}
    alpine = FakeImage(id="sha256:alpine", digests=("alpine@sha256:" + "0" * 64,))
    engine.registry["alpine:3.21"] = alpine

    def begin() -> Session:
        return open_session(
            checkout, {}, engine=engine, verify=lambda spec, _: encode("3.21", found.get(spec.name, [musl]))
        )

    first = begin()
    for spec in first.view.graph.images:
        first.make(spec.name)
    first.close()
    assert "lua-custom" in write_lock(begin())["deps.lock.toml"]
    locked = parse_lock((checkout / "deps.lock.toml").read_text(), "deps.lock.toml").images["lua-custom"]
    assert locked.packages == (Pin(ecosystem="luarocks", name="lpeg", version="1.1.0-2"),)
    assert not locked.lockfile
    later = begin()
    later.follow(lock_policy(later.view))
    assert later.view.is_current("lua-custom")
    found["lua-custom"] = [musl, evolve(rock, version="1.1.0-3")]
    later.view.force("lua-custom")
    with pytest.raises(VerifyFailedError) as caught:
        later.make("lua-custom")
    later.close()
    assert caught.value.findings == ("luarocks lpeg 1.1.0-2 → 1.1.0-3",)


def test_purl() -> None:
    """A bill of materials names a rock by the type that package URLs have for it."""
    rock = Package(ecosystem="luarocks", name="lpeg", version="1.1.0-2")
    assert purl(rock, release="3.21.0").to_string() == "pkg:luarocks/lpeg@1.1.0-2"
