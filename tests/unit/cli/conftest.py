"""The command line on the fake engine."""

import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.cli import tasks
from isol8_tasks.run import refresh
from isol8_tasks.run.session import open_session
from isol8_tasks.safety.crash import in_threads
from tests.command_line import DIGEST, CommandLine
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder of the test's own, and leave the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "path", [*sys.path])
    forget = tasks.session.cache_clear
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    in_threads.clear()
    forget()
    sys.modules.pop("dodo", None)


@pytest.fixture
def engine() -> FakeEngine:
    """Give an engine whose registry has both upstream images."""
    deno = FakeImage(id="sha256:deno1", digests=(f"denoland/deno@{DIGEST}",))
    alpine = FakeImage(id="sha256:alpine1", digests=(f"alpine@{DIGEST}",))
    return FakeEngine(registry={"alpine:3.21": alpine, "denoland/deno:alpine": deno})


@pytest.fixture
def cli(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Give the command line of a checkout with jq for bash, of which nothing is built."""
    shutil.copy(ROOT / "dodo.py", tmp_path)
    settings = (ROOT / "pyproject.toml").read_text()
    # All that doit reads of it, once for each command.
    of_doit = settings[settings.index("[tool.doit]") : settings.index("[tool.ruff]")]
    (tmp_path / "pyproject.toml").write_text(of_doit)
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "ISOL8_DEPS", "ISOL8_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = CommandLine(tmp_path, engine, monkeypatch)
    made.declare('[dependencies]\nbash = ["jq"]\n')
    monkeypatch.setattr(
        tasks,
        "open_session",
        lambda root, environ: open_session(root, environ, engine=made.engine, verify=made.check),
    )
    monkeypatch.setattr(refresh, "package_news", made.ask_packages)
    return made


@pytest.fixture
def built(cli: CommandLine) -> CommandLine:
    """Give the command line of that checkout with all of it built."""
    cli.build()
    cli.engine.asked.clear()
    return cli


@pytest.fixture
def dead(built: CommandLine) -> CommandLine:
    """Give the command line of that checkout, whose engine was stopped."""
    built.engine.reachable = False
    return built
