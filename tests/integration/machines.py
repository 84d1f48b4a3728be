"""Runs on several machines that share an engine, for tests of how they take turns.

A machine is a process with a host name, a network, processes and a home of its own, to whom the engine's socket is
given: the lock of this machine's kernel does not keep it out. Slots are a tenth as long as in earnest; `ISOL8_SLOTS=40`
has them whole.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker

from isol8_tasks.engine.lease import LEASE
from tests.integration.checkouts import ROOT, Checkout, sleeping

SLOT = float(os.environ.get("ISOL8_SLOTS", "4"))
_RUN = """
import sys
from isol8_tasks.engine import lease

lease.SLOT_SECONDS = float(sys.argv[1])
from doit.doit_cmd import DoitMain
sys.exit(DoitMain().run(sys.argv[2:]))
"""
_MACHINE = ("unshare", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c")


@contextlib.contextmanager
def started(where: Checkout, *words: str, host: str = "") -> Iterator["subprocess.Popen[str]"]:
    """Let doit run, on a machine of that name or on this one."""
    command = (sys.executable, "-c", _RUN, str(SLOT), *words)
    if host:
        command = (*_MACHINE, f'hostname {host} && exec "$0" "$@"', *command)
    with subprocess.Popen(
        command,
        cwd=where.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "HOME": str(where.folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextlib.contextmanager
def contained(api: docker.APIClient, socket: Path, where: Checkout, *words: str) -> Iterator[str]:
    """Let doit run in a container named in-a-box that has the engine's socket, and give the container's id.

    It has this machine's programs, and no network.
    """
    image = f"{where.repository}_box:machine"
    api.import_image_from_data(_links(), repository=f"{where.repository}_box", tag="machine")
    mounted = {"/usr", *map(str, (ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix)))}
    binds = [
        *(f"{each}:{each}:ro" for each in mounted),
        *(f"{each}:{each}" for each in (where.folder, socket)),
    ]
    environment = {
        "PATH": "/usr/bin:/usr/sbin",
        "PYTHONPATH": f"{ROOT}:{next(each for each in sys.path if each.endswith('site-packages'))}",
        "DOCKER_HOST": f"unix://{socket}",
        "HOME": str(where.folder),
    }
    container = api.create_container(
        image,
        [str(Path(sys.executable).resolve()), "-c", _RUN, str(SLOT), *words],
        hostname="in-a-box",
        environment=environment,
        working_dir=str(where.folder),
        host_config=api.create_host_config(binds=binds, network_mode="none"),
    )["Id"]
    try:
        api.start(container)
        yield container
    finally:
        api.remove_container(container, force=True)
        api.remove_image(image)


def _links() -> bytes:
    """Return an archive of the links that lead into /usr, and of a folder for what is temporary."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return stream.getvalue()


def ended(process: "subprocess.Popen[str]", seconds: float = 240) -> tuple[int, str]:
    out, _ = process.communicate(timeout=seconds)
    assert "Traceback" not in out, out
    return process.returncode, out


def leases(api: docker.APIClient) -> list[str]:
    found = api.volumes(filters={"label": [LEASE]})["Volumes"] or []
    return [json.dumps(each["Labels"]) for each in found]


def slow(where: Checkout, seconds: int) -> None:
    """Let the build of bash take a while, with a step that names the checkout."""
    where.edit(
        "docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep {seconds} && echo {where.id} >/who\nCMD ["bash"]'
    )


def is_building(where: Checkout) -> bool:
    return bool(sleeping(where.id))
