"""Runs tests on a newer Docker Engine, out of Debian's packages.

    .venv-dev/bin/python -m tests.newer_engine tests/integration/test_closure.py

`--suite trixie` takes another suite than sid (Engine 26.1.5 for 28.5.2 in November 2026), `--store containerd` keeps
images in containerd's store. The engine is a private one of its own under `.isol8/engines`, beside that of the
checkout, and nothing of it is left running.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve
from filelock import FileLock

from isol8_tasks.errors import LabError
from lab.debian import Apt
from lab.updown import Lab, bring_up, take_down

PACKAGES = ["docker.io", "containerd"]
"""The rest is the machine's own, or of its suite: a newer runc wants a newer C library."""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEBIAN = re.compile(r"^[^#\n]*?(https?://\S+/debian/?)(?=\s|$)", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Run pytest with the rest of the arguments on that engine, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.newer_engine", description=__doc__)
    parser.add_argument("--suite", default="sid")
    parser.add_argument("--store", choices=["overlay2", "containerd"], default="overlay2")
    chosen, words = parser.parse_known_args(arguments)
    try:
        lab = newer(Path.cwd(), chosen.suite, containerd_store=chosen.store == "containerd")
        host = bring_up(lab, _say)
    except LabError as error:
        _say(str(error))
        return 4
    try:
        environment = {**os.environ, "DOCKER_HOST": host}
        return subprocess.run(
            [sys.executable, "-m", "pytest", *words], env=environment, check=False
        ).returncode
    finally:
        take_down(lab, _say)


def newer(
    checkout: Path, suite: str, *, containerd_store: bool, more: Sequence[str] = (), owner: str = ""
) -> Lab:
    """Return the lab of an engine of that suite, its programs and those of `more` packages unpacked.

    Each `owner` has one of its own, as tests that run side by side need them.
    """
    store = "containerd" if containerd_store else "overlay2"
    folder = checkout / ".isol8/engines" / f"{suite}-{store}{owner}"
    folder.mkdir(parents=True, exist_ok=True)
    lab = Lab.of(folder)
    fetched = checkout / ".isol8/engines" / suite
    marks = ("usr/sbin/dockerd", *(f"usr/share/doc/{package}" for package in more))
    with FileLock(f"{fetched}.lock"):
        if not all((fetched / mark).exists() for mark in marks):
            apt = Apt(state=fetched / "apt", sources=sources(suite))
            apt.fetch([*PACKAGES, *more], fetched, with_libraries=False)
    return evolve(
        lab,
        places=evolve(lab.places, containerd_store=containerd_store),
        tools=evolve(lab.tools, newer=fetched),
    )


def sources(suite: str) -> str:
    """Return a file of apt's sources with that suite alone; LabError as below."""
    return f"Types: deb\nURIs: {archive()}\nSuites: {suite}\nComponents: main\nSigned-By: {_KEYRING}\n"


def archive() -> str:
    """Return where this machine gets Debian's packages from; LabError if it gets none."""
    for file in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if file.exists() and (found := _DEBIAN.search(file.read_text(encoding="utf-8"))):
            return found[1]
    raise LabError("apt knows no archive of Debian's here; a newer engine comes out of one")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people watch it run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
