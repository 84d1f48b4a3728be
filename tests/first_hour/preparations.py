"""What brings the faults of the table about, a function each, on this machine alone."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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
