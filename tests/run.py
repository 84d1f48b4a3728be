"""Runs every test: on private engines where this machine can have them, else on the engine that answers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import lab
from isol8_tasks.engine.endpoint import find, private_run_dir
from isol8_tasks.errors import LabError
from lab.updown import CACHE_VARIABLE
from tests import quick_engine
from tests.integration.engines import ENGINES

WHOLE = ["tests/unit", "tests/integration", "tests/first_hour"]
SIDE_BY_SIDE = "-n4"
"""As the first argument: so many workers, each with an engine of its own, as one run at a time works on an engine.

Four are worth it on two cores: a test does one thing after the other, and many wait for limits and pauses.
"""
SHAPES = {(): [SIDE_BY_SIDE, "--short", *WHOLE], ("--thorough",): [SIDE_BY_SIDE, *WHOLE]}
"""What is meant by few words; whoever names files gets the whole of them."""
SHARED_OUT = ["--dist=loadfile", "--no-loadscope-reorder"]
_FAILED = 1
"""What pytest ends with where a test failed."""
_FEW = 5
"""As many tests are tried again: four workers on two cores may keep one waiting for longer than it allows."""
MORE = Path(".isol8", "engine-of-worker")


def main(arguments: list[str]) -> int:
    """Run pytest with engines for the integration tests, and stop what was started for it."""
    checkout = Path.cwd()
    words = SHAPES.get(tuple(arguments), arguments)
    wanted = re.fullmatch(r"-n(\d+)", words[0])
    workers = int(wanted[1]) if wanted else 0
    os.environ.setdefault(CACHE_VARIABLE, str(checkout / ".isol8/lab/fetched"))
    if any(word.partition("=")[0] == "--engines" for word in arguments):
        from tests.engines.run import main as run_on_engines  # noqa: PLC0415 - the tests proper need nothing of it

        return run_on_engines(arguments)
    environment = dict(os.environ)
    # Our __pycache__ is not written in CI, and that is what is measured of a run that has nothing to do.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    unit_only = all(word.startswith(("tests/unit", "tests/browser", "-")) for word in words)
    with ExitStack() as started:
        if "DOCKER_HOST" not in environment and not unit_only:
            hosts = _engines(checkout, started, count=workers or 1)
            environment |= {"DOCKER_HOST": hosts[0], ENGINES: " ".join(hosts)}
            workers = min(workers, len(hosts)) if len(hosts) > 1 else 0
        if wanted:
            words = [*([f"-n{workers}", *SHARED_OUT] if workers else []), *words[1:]]
        code = _pytest(words, environment)
        failed = _failed(checkout) if code == _FAILED and words is not arguments else []
        if 0 < len(failed) <= _FEW:
            _say(f"{len(failed)} failed beside others; each is run once more, alone:")
            code = _pytest(failed, environment)
            _say("They pass alone, which is a fault all the same." if code == 0 else "They fail alone, too.")
        return code


def _pytest(words: list[str], environment: dict[str, str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *words], env=environment, check=False).returncode


def _failed(checkout: Path) -> list[str]:
    """Return the tests that failed last; none where one could not even be collected."""
    file = checkout / ".pytest_cache/v/cache/lastfailed"
    names = list(json.loads(file.read_text())) if file.is_file() else []
    return names if all("::" in name for name in names) else []


def _engines(checkout: Path, started: ExitStack, *, count: int) -> list[str]:
    """Return that many private engines, or the one that answers where there can be none."""
    folders = [checkout, *(checkout / MORE / str(number) for number in range(1, count))]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    # Those that run already are somebody's, who stops them himself.
    ours = [folder for folder in folders if not (private_run_dir(folder) / "docker.sock").exists()]
    started.callback(_each, _down, ours)
    try:
        return _each(_up, folders)
    except LabError as error:
        endpoint = find(checkout, os.environ)
        _say(f"no private engine ({error}); the tests run on {endpoint.url}, under a repository of their own")
        return [endpoint.url]


def _each(work: Callable[[Path], str], folders: list[Path]) -> list[str]:
    """Do something to each engine, side by side, in processes: the lab marks what it starts by its own environment."""
    with ProcessPoolExecutor(max(1, len(folders))) as processes:
        return list(processes.map(work, folders))


def _up(folder: Path) -> str:
    return quick_engine.up(folder, _say)


def _down(folder: Path) -> str:
    lab.down(folder, _say)
    return ""


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people watch it run
