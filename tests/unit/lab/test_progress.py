"""What `up --lab` is at: steps, and by how much a folder grows meanwhile."""

from pathlib import Path

import pytest

from lab import progress
from lab.progress import Progress


def test_steps_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that began last, first without bytes; what was there before does not count."""
    monkeypatch.setattr(progress, "_PAUSE", 0.01)
    told: list[tuple[str, int]] = []
    steps = Progress(lambda *each: told.append(each))
    (tmp_path / "old").write_bytes(b"x" * 5)
    with steps.watched(), steps.step("starting"), steps.step("downloading", tmp_path):
        (tmp_path / "new").write_bytes(b"x" * 7)
        while told[-1] != ("downloading", 7):
            pass
        (tmp_path / "old").unlink()
        while told[-1] != ("downloading", 2):
            pass
    assert told[:2] == [("starting", 0), ("downloading", 0)]


def test_nobody_listens(tmp_path: Path) -> None:
    """Which is no fault; nor is a folder that is not there."""
    with Progress().watched(), Progress().step("unpacking", tmp_path / "none"):
        pass
