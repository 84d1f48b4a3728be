"""Runs on two machines that share an engine; the other one is a machine as tests/integration/machines.py makes it."""

import os
import shutil
import signal
import time
from typing import Final

from tests.engines.suite import Suite
from tests.integration.checkouts import ROOT, Checkout, new_checkout, sleeping, wait_for
from tests.integration.machines import SLOT, ended, is_building, leases, slow, started

_FAR: Final = "far-away"
_CMD: Final = 'CMD ["bash"]'
_SECONDS: Final = 120
"""Until a step of a build runs."""


def take_turns(suite: Suite) -> None:
    """Refuse a run as long as one on another machine is at work; the next finds what that one built."""
    far = _far(suite)
    for each in (far, suite.checkout):
        each.edit("docker/Dockerfile", _CMD, f"RUN sleep 15 && echo {far.id}\n{_CMD}")
    with started(far, "base:bash", host=_FAR) as first:
        wait_for(lambda: is_building(far), _SECONDS)
        _run(suite, "run", "--wait=0", "base:bash", code=1)
        assert f"on {_FAR} in {far.folder}" in suite.output
        code, suite.output = ended(first)
        assert code == 0, f"exit code {code} on the other machine"
    assert not leases(suite.api)
    _run(suite, "base:bash")
    assert "1 image up to date" in suite.output, "it was built again"


def killed(suite: Suite) -> None:
    """Go on at once after a run of this machine, and after a slot and a half after one of another machine."""
    for number, host in enumerate(("", _FAR)):
        far = _far(suite)
        slow(far, 600)
        slow(suite.checkout, number)
        with started(far, "base:bash", host=host) as first:
            wait_for(lambda far=far: is_building(far), _SECONDS)  # type: ignore[misc]
            first.kill()
        began = time.monotonic()
        assert leases(suite.api)
        _end(suite, far)
        if host:
            with started(suite.checkout, "base:bash") as second:
                wait_for(lambda far=far: str(far.folder) not in "".join(leases(suite.api)), 60)  # type: ignore[misc]
                waited = time.monotonic() - began
                code, suite.output = ended(second)
            assert code == 0, f"exit code {code} after a run that was killed"
            assert waited < SLOT * 1.5 + 30, f"it waited for {waited:.0f} s"
        else:
            _run(suite, "run", "--wait=0", "base:bash")
        assert not leases(suite.api)


def _end(suite: Suite, far: Checkout) -> None:
    """Let the engine end the build of a run that was killed, which Podman does only after the step under way."""
    if "Podman" in str(suite.api.version()):
        for pid in sleeping(far.id):
            os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: not is_building(far), 60)


def _far(suite: Suite) -> Checkout:
    """Return a checkout on the other machine, with the same repository; the Dockerfile is the same in both."""
    folder = suite.checkout.folder.parent / "far"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copy(ROOT / "docker/Dockerfile", suite.checkout.folder / "docker/Dockerfile")
    return new_checkout(folder, suite.checkout.repository)


def _run(suite: Suite, *words: str, code: int = 0) -> None:
    """Let doit run on this machine, with the short slots of the other one."""
    with started(suite.checkout, *words) as run:
        found, suite.output = ended(run)
    assert found == code, f"exit code {found}, not {code}, of {' '.join(words)}"
