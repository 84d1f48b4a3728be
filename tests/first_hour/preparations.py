"""What brings the faults of the table about, a function each, on this machine alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.first_hour.pythons import folder_of_quick_python
from tests.first_hour.scenes import end_engine
from tests.first_hour.servers import failing

if TYPE_CHECKING:
    from tests.first_hour.scenes import Scene

NOBODY = 65534


def without_venv(scene: Scene) -> None:
    """Make it a first run: there is no .venv."""
    shutil.rmtree(scene.folder / ".venv")


def as_nobody(scene: Scene) -> None:
    """Let a user type it who has no rights; the checkout is his."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    python = scene.folder / ".venv" / "bin" / "python"
    if python.exists() and not _is_open(python.resolve()):
        found = shutil.which(python.resolve().name, path="/usr/bin:/usr/local/bin")
        if found is None:
            pytest.skip("this Python is for its owner alone")
        python.unlink()
        python.symlink_to(found)
    for place in (scene.folder.parent, *scene.folder.parent.rglob("*")):
        os.chown(place, NOBODY, NOBODY, follow_symlinks=False)
    scene.user = NOBODY


def _is_open(file: Path) -> bool:
    """Tell whether anybody gets at a file."""
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (file, *file.parents))


def servers(scene: Scene) -> None:
    """Put the addresses of failing servers into the words, `{refusing}` and the others of servers.py."""
    scene.words |= scene.stack.enter_context(failing(scene.folder.parent))


def servers_for_builds(scene: Scene) -> None:
    """Put the addresses of failing servers into the words, as containers reach them."""
    import docker  # noqa: PLC0415 - for rows on an engine

    client = docker.APIClient(base_url=scene.words["host"], version="1.41")
    (network,) = client.inspect_network("bridge")["IPAM"]["Config"]
    client.close()
    scene.words |= scene.stack.enter_context(failing(scene.folder.parent, network["Gateway"]))
    scene.words["gateway"] = network["Gateway"]


def own_pip(scene: Scene) -> None:
    """Let pip have no configuration but its variables."""
    scene.environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}


def quick_pip(scene: Scene) -> None:
    """Let pip come quickly into a new .venv, and have no configuration but its variables."""
    own_pip(scene)
    scene.environ["PATH"] = f"{folder_of_quick_python()}{os.pathsep}{scene.environ['PATH']}"


def first_run(scene: Scene) -> None:
    """Make it a first run, with failing servers, and nothing that configures pip."""
    without_venv(scene)
    quick_pip(scene)
    servers(scene)


def docker_config(scene: Scene, data: bytes | None) -> None:
    """Give docker a configuration; a folder in its place without data."""
    file = scene.home / ".docker" / "config.json"
    file.parent.mkdir(parents=True)
    if data is None:
        file.mkdir()
    else:
        file.write_bytes(data)


def config_truncated(scene: Scene) -> None:
    """Cut docker's configuration off."""
    docker_config(scene, b'{"auths": {')


def config_in_utf16(scene: Scene) -> None:
    """Write docker's configuration as Windows' editors do."""
    docker_config(scene, '{"auths": {}}'.encode("utf-16"))


def config_is_a_folder(scene: Scene) -> None:
    """Make a folder of docker's configuration, as a mount of a file that is not there does."""
    docker_config(scene, None)


def helper_missing(scene: Scene) -> None:
    """Let docker's configuration name a credential helper that is not installed."""
    docker_config(scene, b'{"credsStore": "desktop"}')


def read_only(scene: Scene) -> None:
    """Make the checkout read-only."""
    _mount(scene, scene.folder, "--bind", str(scene.folder))
    _run("mount", "-o", "remount,bind,ro", str(scene.folder))


def of_somebody_else(scene: Scene) -> None:
    """Let nobody type it in root's checkout."""
    as_nobody(scene)
    os.chown(scene.folder, 0, 0)


def without_space(scene: Scene) -> None:
    """Put the checkout on a disk that is full."""
    _disk(scene, scene.folder, "12m")


def packages_of_the_same_names(scene: Scene) -> None:
    """Let PYTHONPATH lead to modules called as packages of ours are."""
    folder = scene.folder.parent / "modules"
    folder.mkdir()
    for name in (
        "doit",
        "attr",
        "attrs",
        "cattrs",
        "docker",
        "lab",
        "typing_extensions",
        "tomli",
        "filelock",
    ):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    scene.environ["PYTHONPATH"] = str(folder)


def empty_python(scene: Scene) -> None:
    """Empty the program of the environment, as a disk that was full does; then no index answers."""
    first_python = scene.folder / ".venv" / "bin" / "python"
    first_python.unlink()
    first_python.write_bytes(b"")
    first_python.chmod(0o755)
    quick_pip(scene)
    servers(scene)


def empty_venv(scene: Scene) -> None:
    """Leave a .venv with nothing in it; then no index answers."""
    without_venv(scene)
    (scene.folder / ".venv").mkdir()
    own_pip(scene)
    servers(scene)


def another_first_run(scene: Scene) -> None:
    """Let another ./doitw be at work on .venv until this one waits for it."""
    folder = scene.folder / ".isol8"
    folder.mkdir()
    mark = scene.folder / ".venv" / "checkout"
    text = mark.read_text(encoding="utf-8")
    mark.write_text("elsewhere\n", encoding="utf-8")
    locked = os.open(folder, os.O_RDONLY)
    fcntl.flock(locked, fcntl.LOCK_EX)
    waits = re.compile(rf"^\d+: -> FLOCK .*:{os.fstat(locked).st_ino} ", re.MULTILINE)

    def work() -> None:
        end = time.monotonic() + 60
        while not waits.search(Path("/proc/locks").read_text(encoding="utf-8")) and time.monotonic() < end:
            time.sleep(0.05)
        mark.write_text(text, encoding="utf-8")
        os.close(locked)

    worker = threading.Thread(target=work)
    worker.start()
    scene.stack.callback(worker.join)


def _mount(scene: Scene, place: Path, *words: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    _run("mount", *words, str(place))
    scene.stack.callback(_run, "umount", str(place))


def _disk(scene: Scene, place: Path, size: str) -> None:
    """Put a folder with all that is in it on a disk of its own, and fill that."""
    kept = place.with_name(f"{place.name}-kept")
    place.rename(kept)
    place.mkdir()
    _mount(scene, place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    shutil.copytree(kept, place, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(kept)
    shutil.rmtree(place / ".venv")
    fill(place)


def fill(place: Path) -> None:
    """Leave no space on a folder's disk."""
    with contextlib.suppress(OSError), (place / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(1 << 12))
            filler.flush()


def engine_on_a_full_disk(scene: Scene) -> None:
    """Give the checkout a private engine with the image bash, on a disk that then has no space left."""
    fill(_engine_on_a_disk(scene, "bash", "900m"))


def engine_with_little_space(scene: Scene) -> None:
    """Give the checkout a private engine with the image python, on a disk with 25 MB left."""
    data = _engine_on_a_disk(scene, "python", "1200m")
    free = shutil.disk_usage(data).free
    with (data / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - 25_000_000)


def _engine_on_a_disk(scene: Scene, runtime: str, size: str) -> Path:
    """Start a private engine with an image, and return the folder that is a disk of its own."""
    data = scene.folder / ".isol8" / "lab" / "docker"
    data.mkdir(parents=True)
    _mount(scene, data, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    # Before the disk goes.
    scene.stack.callback(end_engine, scene.folder)
    done = scene.run("up", "--lab", "--only", runtime)
    # A push that fails behind the build is what some rows are about.
    assert " built " in done.stdout or "up to date" in done.stdout, done.stdout
    return data


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def closed_socket(scene: Scene) -> None:
    """Let a socket be for its owner alone, behind which somebody listens."""
    _socket(scene, 0o700)


def hanging_socket(scene: Scene) -> None:
    """Let somebody listen behind a socket, and never answer."""
    _socket(scene, 0o777)


def _socket(scene: Scene, mode: int) -> None:
    path = scene.folder.parent.parent / f"{scene.folder.parent.name}.sock"
    listening = scene.stack.enter_context(socket.socket(socket.AF_UNIX))
    listening.bind(str(path))
    listening.listen()
    path.chmod(mode)
    scene.stack.callback(path.unlink)
    scene.words["socket"] = str(path)


def client_certificates(scene: Scene) -> None:
    """Give docker's client certificates of its own, which prove nothing to anybody."""
    folder = scene.folder.parent / "certs"
    folder.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        _run(
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=client",
            ),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        )
        if name == "ca.pem":
            shutil.copy(folder / "cert.pem", folder / name)


def config_of_root(scene: Scene) -> None:
    """Let docker's configuration be root's alone."""
    docker_config(scene, b"{}")
    (scene.home / ".docker" / "config.json").chmod(0)


def registry(scene: Scene) -> None:
    """Start a registry that has nothing; its address is {registry}."""
    from tests.integration.registries import Registry  # noqa: PLC0415 - for rows on an engine

    started = Registry(scene.folder.parent / "registry").start()
    scene.stack.callback(started.kill)
    scene.words["registry"] = started.address


def bash_built(scene: Scene) -> None:
    """Build the image bash."""
    _built(scene, "base:bash")


def many_packages(scene: Scene) -> None:
    """Declare 5,000 packages for one image."""
    names = ", ".join(f'"a-package-{number:05}"' for number in range(5000))
    scene.declare(f"[dependencies]\nbash = [{names}]\n")


def python_built(scene: Scene) -> None:
    """Build the image python."""
    _built(scene, "base:python")


def node_built(scene: Scene) -> None:
    """Build the image node."""
    _built(scene, "base:node")


def six_built(scene: Scene) -> None:
    """Build the custom image of Python from the index that the engine's builds reach by themselves."""
    scene.declare('[dependencies]\npython = ["six"]\n')
    _built(scene, "custom:python")


def _built(scene: Scene, task: str) -> None:
    done = scene.run(task)
    # A push that fails behind the build is what some rows are about.
    assert " built " in done.stdout or "up to date" in done.stdout, done.stdout


def without_deps(scene: Scene) -> None:
    """Let there be no deps.toml."""
    (scene.folder / "deps.toml").unlink()


def with_dangling_deps(scene: Scene) -> None:
    """Let deps.toml be a link that leads nowhere."""
    without_deps(scene)
    (scene.folder / "deps.toml").symlink_to("elsewhere.toml")


def with_folder_for_deps(scene: Scene) -> None:
    """Let a folder be where deps.toml should be, as a container's mount makes one."""
    without_deps(scene)
    (scene.folder / "deps.toml").mkdir()


def with_images(scene: Scene) -> None:
    """Let everything be built."""
    assert scene.cli is not None
    scene.cli.build()


def requirements(scene: Scene) -> None:
    """Write a requirements file as companies have them."""
    text = "--index-url https://user:secret@index.example/simple\nnumpy==1.26.4\n"
    (scene.folder / "requirements.txt").write_text(text, encoding="utf-8")


def requirements_in_utf_16(scene: Scene) -> None:
    """Write a requirements file as PowerShell's `>` does."""
    (scene.folder / "requirements.txt").write_text("numpy==1.26.4\n", encoding="utf-16")


def conda_environment(scene: Scene) -> None:
    """Write the environment of a program of conda's."""
    text = "name: x\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.11\n  - numpy=1.26\n"
    (scene.folder / "environment.yml").write_text(text, encoding="utf-8")


def manifest_of_tools(scene: Scene) -> None:
    """Write a package.json of a program that needs packages only while it is made."""
    text = '{"devDependencies": {"typescript": "^5"}}\n'
    (scene.folder / "package.json").write_text(text, encoding="utf-8")


def manifest_with_folder(scene: Scene) -> None:
    """Write a package.json of a program with a package of its own."""
    text = '{"dependencies": {\n"zod": "^3",\n"mine": "file:../mine"\n}}\n'
    (scene.folder / "package.json").write_text(text, encoding="utf-8")


def two_manifests(scene: Scene) -> None:
    """Write the manifests of two machines that built and pushed an image of one name."""
    for name, digit in (("a.json", "1"), ("b.json", "2")):
        digest = f"sha256:{digit * 64}"
        pushed = {"repository": "registry.example/isol8", "tag": "bash-20261129-1", "digest": digest}
        entry = {"reference": "isol8:bash", "id": digest, "kind": "base", "key": None, "upstream": None}
        listed = {"schema": 1, "images": {"isol8:bash": {**entry, "pushed": pushed}}}
        (scene.folder / name).write_text(json.dumps(listed), encoding="utf-8")
