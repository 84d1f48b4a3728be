"""What a container prints, as the engine sends it."""

import pytest

from isol8_tasks.engine.containers import RunRequest
from isol8_tasks.engine.output import frames
from isol8_tasks.engine.sandboxes import host_config


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
    """It knows no owner of a tmpfs, so that everybody may write there, and takes no profile that is sent to it."""
    options = "rw,exec,size=512m,uid=100,gid=101"
    request = RunRequest(
        image="a", command=("true",), seconds=1, tmpfs={"/sandbox": options}, seccomp="{}", capabilities=()
    )
    docker, podman = host_config(request, podman=False), host_config(request, podman=True)
    assert docker["Tmpfs"] == {"/sandbox": options}
    assert podman["Tmpfs"] == {"/sandbox": "rw,exec,size=512m,mode=1777"}
    assert (docker["SecurityOpt"], podman["SecurityOpt"]) == (
        ["no-new-privileges", "seccomp={}"],
        ["no-new-privileges"],
    )


def test_capabilities() -> None:
    """All are taken away, unless an image is to have a client's."""
    request = RunRequest(image="a", command=("true",), seconds=1)
    assert host_config(request, podman=False)["CapDrop"] == ["ALL"]
    ours = RunRequest(image="a", command=("true",), seconds=1, capabilities=("NET_ADMIN",))
    found = host_config(ours, podman=False)
    assert (found["CapDrop"], found["CapAdd"]) == ([], ["NET_ADMIN"])
