"""What a container prints, as the engine sends it."""

import pytest

from isol8_tasks.engine.sandboxes import frames


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
