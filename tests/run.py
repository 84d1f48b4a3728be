"""Runs every test: on a private engine where this machine can have one, else on the engine that answers."""

import os
import subprocess
import sys
from pathlib import Path

import lab
from isol8_tasks.engine.endpoint import find, private_run_dir
from isol8_tasks.errors import LabError


def main(arguments: list[str]) -> int:
    """Run pytest with an engine for the integration tests, and stop what was started for it."""
    checkout = Path.cwd()
    environment = dict(os.environ)
    started = False
    unit_only = bool(arguments) and all(word.startswith(("tests/unit", "-")) for word in arguments)
    if "DOCKER_HOST" not in environment and not unit_only:
        running = (private_run_dir(checkout) / "docker.sock").exists()
        try:
            environment["DOCKER_HOST"] = lab.up(checkout, _say)
            started = not running
        except LabError as error:
            endpoint = find(checkout, environment)
            _say(
                f"no private engine ({error}); the tests run on {endpoint.url}, under a repository of their own"
            )
            environment["DOCKER_HOST"] = endpoint.url
    # Our __pycache__ is not written in CI, and that is what is measured of a run that has nothing to do.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        command = [sys.executable, "-m", "pytest", *(arguments or ["tests/unit", "tests/integration"])]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        if started:
            lab.down(checkout, _say)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people watch it run
