"""Builds that keep what installers download: the Dockerfile's text, the names of steps, and who can't."""

import json
import re
import shlex
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.locks.contents import lock_file
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import BuildEvent, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError, PlanError
from isol8_tasks.lifecycle.caching import cached_build, with_cache
from isol8_tasks.lifecycle.pinned import render_pinned
from isol8_tasks.lifecycle.programs import compiling
from isol8_tasks.plan.rendering import render_custom
from tests.fake_engine import FakeEngine
from tests.unit.lifecycle.test_pinned import LOCKS, spec

MOUNT = "RUN --mount=type=cache,id=isol8-tasks-{},target=/mnt,sharing={} "
PROGRAM = shlex.quote(f"exec({json.dumps(Path(compiling.__file__).read_text())})")
LONGEST = 65_535
"""Of a line that builders read."""


@pytest.mark.parametrize(
    ("runtime", "sharing", "command"),
    [
        (
            "python",
            "shared",
            f"python3 -I -c {PROGRAM} /mnt/compiled pip install --no-compile --cache-dir /mnt a b",
        ),
        ("node", "shared", "npm install -g --cache /mnt a b"),
        ("bun", "locked", "bun install -g --no-cache --cache-dir=/mnt a b"),
        ("bash", "locked", "ln -s /mnt /etc/apk/cache && apk add -U a b && rm /etc/apk/cache"),
    ],
)
def test_installers_keep_what_they_download(runtime: str, sharing: str, command: str) -> None:
    """In a mount, of which no layer has anything; what stands before and behind the step stays."""
    text = RUNTIMES[runtime].patiently(spec(runtime, "a", "b").dockerfile) + "RUN find\nONBUILD ARG A\n"
    first, _, rest = text.partition("\nRUN ")
    behind = rest.partition("\n")[2]
    assert with_cache(text, runtime) == f"{first}\n{MOUNT.format(runtime, sharing)}{command}\n{behind}"


def test_denos_cache_is_what_it_installs() -> None:
    """There is nothing to keep beside it."""
    text = spec("deno", "npm:a").dockerfile
    assert with_cache(text, "deno") == text


@pytest.mark.parametrize(
    ("runtime", "gone", "there"),
    [
        (
            "python",
            "--no-cache-dir",
            " '' pip install --no-compile --cache-dir /mnt --no-deps --require-hashes",
        ),
        ("node", '--cache \\"$folder/cache\\"', "--no-fund --cache /mnt\\n"),
    ],
)
def test_locks_hold_hashes_against_what_is_kept(runtime: str, gone: str, there: str) -> None:
    """Pip and npm do so by themselves."""
    kind = lock_file(runtime)
    assert kind is not None
    text = render_pinned(spec(runtime, "a"), Resolution(pins=(), lockfile=LOCKS[runtime]), kind)
    cached = with_cache(text, runtime)
    assert gone in text
    assert gone not in cached
    assert there in cached
    assert MOUNT.format(runtime, "shared") + "[" in cached


@pytest.mark.parametrize("runtime", ["bun", "deno"])
def test_no_hash_is_held_against_unpacked_packages(runtime: str) -> None:
    """So a lock's are downloaded as they were."""
    kind = lock_file(runtime)
    assert kind is not None
    text = render_pinned(spec(runtime, "a"), Resolution(pins=(), lockfile=LOCKS[runtime]), kind)
    assert with_cache(text, runtime) == text


class Engine(FakeEngine):
    """An engine on which every build fails in its step for packages."""

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Fail."""
        step = f"RUN {request.dockerfile.split(f'{chr(10)}RUN ')[1].strip()}"
        on_event(BuildEvent(kind="step", step="FROM isol8:node"))
        on_event(BuildEvent(kind="step", step=step))
        raise BuildFailedError(f"x could not be built: [2/2] {step}: exit code 1", step=f"[2/2] {step}")


def test_steps_keep_their_names() -> None:
    """People read the specification's command, whatever runs in its place."""
    told: list[str] = []
    image = spec("node", "a")
    build = cached_build(Engine().build, Engine(), image)
    with pytest.raises(BuildFailedError) as caught:
        build(BuildRequest(tag="x", dockerfile=image.dockerfile), lambda event: told.append(event.step))
    assert told == ["FROM isol8:node", "RUN npm install -g a"]
    assert caught.value.step == "[2/2] RUN npm install -g a"
    assert str(caught.value) == "x could not be built: [2/2] RUN npm install -g a: exit code 1"


def test_script_of_a_lock_keeps_its_words() -> None:
    """By which its step is known to who made it."""
    told: list[str] = []
    request = BuildRequest(
        tag="x", dockerfile='FROM a\nRUN ["/bin/sh", "-euc", "pip install --no-cache-dir"]'
    )
    with pytest.raises(BuildFailedError):
        cached_build(Engine().build, Engine(), spec("python", "a"))(
            request, lambda event: told.append(event.step)
        )
    words = json.loads(told[1].removeprefix("RUN "))
    assert words == [
        "/bin/sh",
        "-euc",
        f"python3 -I -c {PROGRAM} '' pip install --no-compile --cache-dir /mnt",
    ]


class Recording(FakeEngine):
    """An engine that only notes what it is to build."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[BuildRequest] = []

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:  # noqa: ARG002 - the engine's own
        """Note it."""
        self.seen.append(request)
        return "sha256:1"


def test_a_build_without_cache_keeps_the_mount() -> None:
    """The builder would begin with an empty one; the step is run again for being another."""
    engine = Recording()
    for runtime in ("python", "python", "deno"):
        image = spec(runtime, "npm:a" if runtime == "deno" else "a")
        request = BuildRequest(tag="x", dockerfile=image.dockerfile, no_cache=True)
        cached_build(engine.build, engine, image)(request, lambda _: None)
    assert [request.no_cache for request in engine.seen] == [False, False, True]
    first, second, deno = (request.dockerfile for request in engine.seen)
    assert re.fullmatch(
        r"FROM isol8:python\nARG ISOL8_BUILD=[0-9a-f]{16}\nRUN --mount=.* pip install .*a\n", first
    )
    assert first != second
    assert deno == spec("deno", "npm:a").dockerfile


def test_classic_builder_has_no_caches() -> None:
    """It is said before anything is built."""
    with pytest.raises(
        PlanError, match="download_cache needs BuildKit, and this engine builds with the classic"
    ):
        cached_build(Engine().build, Engine(builder="classic"), spec("python", "a"))


def test_cache_is_that_of_the_installer_beside_alpine_packages_and_a_compiler() -> None:
    """The step of apk before it stays as it is, and a build without cache begins again in each stage."""
    text = render_custom(RUNTIMES["python"], "isol8:python", ("numpy",), ("libsndfile",), ("build-base",))
    cached = with_cache(text, "python")
    assert cached.count("--mount=type=cache") == 1
    assert max(len(line) for line in cached.splitlines()) < LONGEST
    assert "RUN apk add --no-cache libsndfile\n" in cached
    assert "RUN --mount=type=cache,id=isol8-tasks-python,target=" in cached
    assert "pip install --no-compile --cache-dir " in cached
    engine = Recording()
    wanted = evolve(
        spec("python", "numpy"),
        inputs=evolve(spec("python", "numpy").inputs, system=("libsndfile",), build=("build-base",)),
        dockerfile=text,
    )
    request = BuildRequest(tag="isol8_build:x-candidate", dockerfile=text, no_cache=True)
    cached_build(engine.build, engine, wanted)(request, lambda _event: None)
    lines = engine.seen[0].dockerfile.splitlines()
    stages = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2
    assert all(lines[at + 1].startswith("ARG ISOL8_BUILD=") for at in stages)
    assert not engine.seen[0].no_cache
