"""The command line on the fake engine."""

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from isol8_tasks.cli import tasks
from isol8_tasks.safety.crash import in_threads
from tests.command_line import CommandLine, command_line, engine_with_upstream
from tests.fake_engine import FakeEngine


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder of the test's own, and leave the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "path", [*sys.path])
    forget = tasks.session.cache_clear
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    in_threads.clear()
    forget()
    sys.modules.pop("dodo", None)


@pytest.fixture
def engine() -> FakeEngine:
    """Give an engine whose registry has both upstream images."""
    return engine_with_upstream()


@pytest.fixture
def cli(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Give the command line of a checkout with jq for bash, of which nothing is built."""
    return command_line(tmp_path, engine, monkeypatch)


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
