"""Runs on two machines that share an engine; the other one is a machine as tests/integration/machines.py makes it."""

import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Final

from tests.engines.suite import LONGEST, Suite
from tests.integration.checkouts import ROOT, Checkout, new_checkout, sleeping, wait_for
from tests.integration.machines import SLOT, ended, is_building, leases, slow, started

if TYPE_CHECKING:
    import subprocess

_FAR: Final = "far-away"
_CMD: Final = 'CMD ["bash"]'
_LONG: Final = 600
"""Seconds that the step of a run takes that is killed, and that the next one does not wait for."""


def take_turns(suite: Suite) -> None:
    """Refuse a run as long as one on another machine is at work; the next finds what that one built."""
    far = _far(suite)
    for each in (far, suite.checkout):
        each.edit("docker/Dockerfile", _CMD, f"RUN sleep 15 && echo {far.id}\n{_CMD}")
    with started(far, "base:bash", host=_FAR) as first:
        is_slow(first, far)
        run(suite, "run", "--wait=0", "base:bash", code=1)
        assert f"on {_FAR} in {far.folder}" in suite.output
        code, suite.output = ended(first, LONGEST)
        assert code == 0, f"exit code {code} on the other machine"
    assert not leases(suite.api)
    run(suite, "base:bash")
    assert "1 image up to date" in suite.output, "it was built again"


def killed(suite: Suite) -> None:
    """Go on at once after a run of this machine, and after a slot and a half after one of another machine."""
    for number, host in enumerate(("", _FAR)):
        far = _far(suite)
        slow(far, _LONG)
        slow(suite.checkout, number)
        try:
            with started(far, "base:bash", host=host) as first:
                is_slow(first, far)
                first.kill()
            began = time.monotonic()
            assert leases(suite.api)
            if host:
                _after_a_while(suite, far, began)
            else:
                run(suite, "run", "--wait=0", "base:bash")
            assert not leases(suite.api)
            if "Podman" not in str(suite.api.version()):
                _is_aborted(far)
        finally:
            # Podman goes on with the step that was under way.
            for pid in sleeping(far.id):
                os.kill(int(pid), signal.SIGKILL)


def _after_a_while(suite: Suite, far: Checkout, began: float) -> None:
    with started(suite.checkout, "base:bash") as second:
        wait_for(lambda: str(far.folder) not in "".join(leases(suite.api)), 60)
        waited = time.monotonic() - began
        code, suite.output = ended(second, LONGEST)
    assert code == 0, f"exit code {code} after a run that was killed"
    assert waited < SLOT * 1.5 + 30, f"it waited for {waited:.0f} s"


def _is_aborted(far: Checkout) -> None:
    wait_for(lambda: not is_building(far), 60)


def is_slow(begun: "subprocess.Popen[str]", where: Checkout) -> None:
    """Return once the slow step of a run's build is under way."""
    wait_for(lambda: is_building(where) or begun.poll() is not None, LONGEST)
    assert begun.poll() is None, f"it ended before its build did: exit code {begun.returncode}"


def _far(suite: Suite) -> Checkout:
    """Return a checkout on the other machine, with the same repository; the Dockerfile is the same in both."""
    folder = suite.checkout.folder.parent / "far"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copy(ROOT / "docker/Dockerfile", suite.checkout.folder / "docker/Dockerfile")
    return new_checkout(folder, suite.checkout.repository)


def run(suite: Suite, *words: str, code: int = 0) -> None:
    """Let doit run on this machine, with the short slots of the other one."""
    with started(suite.checkout, *words) as begun:
        found, suite.output = ended(begun, LONGEST)
    assert found == code, f"exit code {found}, not {code}, of {' '.join(words)}"
