"""The engines that the tests start for their workers: private ones that can start containers and builds with crun.

With crun a container costs a fifth less of a processor's time in all, and the tests start thousands. What is about
the things that a container is given stays on runc, as users' engines are, and so do engines that tests bring up with
`lab.up`.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
from attrs import evolve

from isol8_tasks.errors import LabError
from lab.processes import of_engine, wait_until
from lab.tools import run
from lab.updown import Lab, bring_up

ON_CRUN = frozenset(
    {"test_cli", "test_graph", "test_keeping", "test_refresh", "test_refresh_command", "test_selection"}
    | {"test_closure", "test_lock", "test_many"}
)
"""The files of tests that use it: they are about what is built, and when."""

_UNIFIED = Path("/sys/fs/cgroup/unified")
"""The second hierarchy of control groups on a machine that has both, with which crun does not work."""


def up(checkout: Path, say: Callable[[str], None], kind: type[Lab] = Lab) -> str:
    """Make sure that this checkout's private engine runs, and return its DOCKER_HOST; one that ran stays as it is."""
    lab = kind.of(checkout)
    ran = lab.is_up()
    tools = evolve(lab.tools, newer=_first(lab.places.run))
    host = bring_up(evolve(lab, tools=tools), say)
    if not ran:
        _first(lab.places.run).mkdir()
        with suppress(LabError):  # All works with runc, too.
            _offer_crun(lab)
    return host


def choose(host: str, *, crun: bool) -> None:
    """Let what an engine of `up` starts from now on be started by crun, or by runc."""
    places = Path(host.removeprefix("unix://")).parent
    offered = places / "crun"
    if not offered.is_symlink():
        return
    name = "crun" if crun else "runc"
    # Builds start what is found by this name.
    link = _first(places) / "usr/sbin/runc"
    link.unlink(missing_ok=True)
    if crun:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(offered.readlink())
    file = places / "daemon.json"
    runtimes = {"runtimes": {"crun": {"path": str(offered.readlink())}}, "default-runtime": name}
    file.write_text(json.dumps(json.loads(file.read_text()) | runtimes), encoding="utf-8")
    os.kill(int((places / "docker.pid").read_text()), signal.SIGHUP)
    with closing(docker.APIClient(base_url=host)) as api:
        assert wait_until(lambda: api.info()["DefaultRuntime"] == name, seconds=30)


@contextmanager
def suited(host: str, file: Path) -> Iterator[None]:
    """Let a file of tests have crun if it may, and leave nothing nameless on an engine of `up`."""
    on_crun = file.stem in ON_CRUN
    if on_crun:
        choose(host, crun=True)
    yield
    if on_crun:
        choose(host, crun=False)
    tidy(host)


def tidy(host: str) -> None:
    """Remove the images without a tag from an engine of `up`: it reads them all for every list of images."""
    if _first(Path(host.removeprefix("unix://")).parent).is_dir():
        with closing(docker.APIClient(base_url=host, timeout=300)) as api:
            api.prune_images({"dangling": True})


def _first(places: Path) -> Path:
    """Return where the engine's daemons look for programs first; those of `up` have the folder."""
    return places / "first"


def _offer_crun(lab: Lab) -> None:
    """Make crun ready to be chosen; LabError if it can't be had."""
    with lab.fetching():
        if lab.tools.find("crun") is None:
            lab.apt.fetch(["crun"], lab.tools.root, with_libraries=True)
    crun = lab.tools.find("crun") or ""
    # As the engine's daemons run it.
    run([crun, "--version"], env={**os.environ, **lab.tools.environment(lab.tools.find("dockerd") or "")})
    for pid, program in of_engine(lab.places.name).items():
        if program == "containerd" and _UNIFIED.is_mount():
            # The daemons have a mount namespace of their own.
            subprocess.run(["nsenter", f"--mount=/proc/{pid}/ns/mnt", "umount", str(_UNIFIED)], check=True)
    (lab.places.run / "crun").symlink_to(crun)
