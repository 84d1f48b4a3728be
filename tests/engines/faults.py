"""An engine that stops answering, and runs that are killed at random moments."""

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.engines.suite import LONGEST, Suite
from tests.engines.turns import is_slow, run
from tests.integration.checkouts import ROOT, tags_of
from tests.integration.machines import ended, leases, started

_CMD: Final = 'CMD ["bash"]'
_KILLS: Final = int(os.environ.get("ISOL8_KILLS", "3"))
_SILENT: Final = 4
_ROLE: Final = "org.isol8.tasks.role"


def silent(suite: Suite) -> None:
    """Stop the engine while it builds: the run says so and ends; as soon as the engine goes on, the next completes."""
    suite.checkout.edit(
        "docker/Dockerfile", _CMD, f"RUN sleep 20 && echo {suite.checkout.id}\nENV SILENT=1\n{_CMD}"
    )
    before = suite.builds()
    daemon = _daemon(Path(os.environ["DOCKER_HOST"].removeprefix("unix://")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOL8_ENGINE_SECONDS", str(_SILENT))
        with started(suite.checkout, "base:bash") as begun:
            is_slow(begun, suite.checkout)
            os.kill(daemon, signal.SIGSTOP)
            try:
                code, suite.output = ended(begun, 60)
            finally:
                os.kill(daemon, signal.SIGCONT)
    assert code == 4, f"exit code {code}"
    assert f"did not answer for {_SILENT} s, not even a ping" in suite.output
    assert suite.builds() == before
    run(suite, "run", "--wait=0", "base:bash")
    assert suite.builds()["bash"] != before["bash"]
    assert not leases(suite.api)


def kills(suite: Suite) -> None:
    """Kill runs at random moments: what is in use was verified, whenever; the next run that nobody kills completes."""
    verified = suite.checkout.folder.parent / "verified.txt"
    verified.write_text("\n".join(["", *suite.builds().values(), ""]))
    chance = random.Random(_KILLS)  # noqa: S311 - it chooses moments
    seconds, code = 0.0, 0
    for number in range(_KILLS + 1):
        # A candidate of inputs that are gone would stay for a day.
        if code == 0:
            suite.checkout.edit("docker/Dockerfile", _CMD, f"ENV KILLED={number}\n{_CMD}")
        began = time.monotonic()
        code = _cut(suite, verified, chance.random() * seconds if number else LONGEST)
        assert code in ({0, -signal.SIGKILL} if number else {0}), f"exit code {code}"
        seconds = seconds or time.monotonic() - began
        used = {name: image["Labels"] for name, image in suite.images().items() if name in suite.names}
        assert used.keys() == suite.names
        assert {labels[_ROLE] for labels in used.values()} == {"current"}
        strangers = {suite.builds()[name] for name in used} - set(verified.read_text().split())
        assert not strangers, f"nobody verified {', '.join(sorted(strangers))}"
    suite.setup()
    suite.is_current()
    assert not leases(suite.api)
    left = [tag for tag in tags_of(suite.api, suite.checkout.repository) if tag.endswith("-candidate")]
    roles = {tag: suite.api.inspect_image(tag)["Config"]["Labels"][_ROLE] for tag in left}
    assert "candidate" not in roles.values(), f"left: {roles}"


def _cut(suite: Suite, verified: Path, seconds: float) -> int:
    """Let `setup` run for so long at most, and return its exit code; what it verifies is written down."""
    command = [sys.executable, "-m", "tests.integration.killing", str(verified), "setup", *suite.only]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    with (suite.checkout.folder.parent / "killed.log").open("a") as log:
        begun = subprocess.Popen(
            command,
            cwd=suite.checkout.folder,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            return begun.wait(seconds)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            begun.kill()
            begun.wait()


def _daemon(path: Path) -> int:
    """Return the process that listens on an engine's socket."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(path))
        return int(struct.unpack("3i", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
