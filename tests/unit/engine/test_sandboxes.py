"""What a container prints, as the engine sends it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.jobs import JobList
from isol8_tasks.engine.output import frames
from isol8_tasks.engine.sandboxes import host_config, run, with_sandbox_secrets
from isol8_tasks.errors import EngineError


def _frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


WHOLE = _frame(1, b"out\n") + _frame(2, b"error\n") + _frame(1, b"")


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_frames(size: int) -> None:
    """However the stream is cut on its way, each piece comes whole, with where it was written to."""
    chunks = [WHOLE[begin : begin + size] for begin in range(0, len(WHOLE), size)]
    assert list(frames(chunks)) == [("stdout", b"out\n"), ("stderr", b"error\n"), ("stdout", b"")]


def test_a_frame_that_is_cut_short() -> None:
    """What did not come whole is left out."""
    assert list(frames([WHOLE[:10]])) == []


def test_podman() -> None:
    """It knows no owner of a tmpfs but the user of the container, and takes no profile that is sent to it."""
    options = "rw,exec,size=512m,uid=100,gid=101"
    request = RunRequest(
        image="a", command=("true",), seconds=1, tmpfs={"/sandbox": options}, seccomp="{}", capabilities=()
    )
    docker, podman = host_config(request, podman=False), host_config(request, podman=True)
    assert docker["Tmpfs"] == {"/sandbox": options}
    assert podman["Tmpfs"] == {"/sandbox": "rw,exec,size=512m,mode=1777,U"}
    assert (docker["SecurityOpt"], podman["SecurityOpt"]) == (
        ["no-new-privileges", "seccomp={}"],
        ["no-new-privileges"],
    )


class Source:
    """Has secrets."""

    def value(self, name: str) -> bytes:
        return {"pip": b"canary", "large": os.urandom(100_000)}[name]

    def option(self, name: str) -> str:
        raise NotImplementedError


def test_secrets_are_files_for_the_command(tmp_path: Path) -> None:
    """They go there in a variable that the command does not see, and its own words stay as they are."""
    request = RunRequest(image="a", command=("sh", "-c", "set", "it's"), seconds=1, secrets=("pip",))
    found = with_sandbox_secrets(request, Source())
    script = found.command[2].replace("/dev/shm", str(tmp_path))
    done = subprocess.run(
        ("sh", "-ec", script, *found.command[3:]),
        env={**os.environ, **found.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "canary" not in done.stdout + str(found)
    assert "ISOL8_SECRETS" not in done.stdout
    # An engine that is asked for its log writes requests of at most 4,096 bytes into it.
    assert sum(map(len, found.environment.values())) > 4096
    assert (tmp_path / "pip").read_bytes() == b"canary"
    assert (tmp_path / "pip").stat().st_mode & 0o777 == 0o400
    assert with_sandbox_secrets(RunRequest(image="a", command=("b",), seconds=1), None).command == ("b",)


def test_secrets_that_are_too_large_for_it() -> None:
    """Linux takes no such variable."""
    request = RunRequest(image="a", command=("b",), seconds=1, secrets=("large",))
    with pytest.raises(EngineError, match="the secrets large are too large to be given to package tools"):
        with_sandbox_secrets(request, Source())


def test_capabilities() -> None:
    """All are taken away, unless an image is to have a client's."""
    request = RunRequest(image="a", command=("true",), seconds=1)
    assert host_config(request, podman=False)["CapDrop"] == ["ALL"]
    ours = RunRequest(image="a", command=("true",), seconds=1, capabilities=("NET_ADMIN",))
    found = host_config(ours, podman=False)
    assert (found["CapDrop"], found["CapAdd"]) == ([], ["NET_ADMIN"])


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("at", ["POST /containers/create", "POST /containers/1/start"])
def test_none_is_made_or_started_once_a_run_was_interrupted(at: str, *, online: bool) -> None:
    """What was made by then is removed, and nothing begins again."""
    asked: list[str] = []
    jobs = JobList()

    def call(method: str, path: str, *_: object, **__: object) -> Any:  # noqa: ANN401 - JSON
        asked.append(f"{method} {path}")
        if asked[-1] == at:
            jobs.cancel(for_good=True)
        return {"Id": "1"}

    def read(*_: object, **__: object) -> Iterator[bytes]:
        with jobs.job():
            yield b""

    podman = SimpleNamespace(podman=False)
    connection: Any = SimpleNamespace(jobs=jobs, call=call, read=read, hello=lambda: podman, proxies=dict)
    request = RunRequest(image="a", command=("true",), seconds=1, online=online)
    with pytest.raises(EngineError):
        run(connection, request)
    assert at in asked
    begun = [each for each in asked if each != "POST /containers/1/exec"]
    assert begun[begun.index(at) + 1 :] == ["DELETE /containers/1"]
    asked.clear()
    with pytest.raises(EngineError, match="not begun, as the run was interrupted"):
        run(connection, request)
    assert asked == []
