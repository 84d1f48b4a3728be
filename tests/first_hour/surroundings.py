"""What brings the faults of surroundings.toml about: files of a checkout that are gone or closed, and no sockets."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.first_hour.preparations import as_nobody, without_venv

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.first_hour.scenes import Scene


def _gone(name: str) -> Callable[[Scene], None]:
    def remove(scene: Scene) -> None:
        file = scene.folder / name
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return remove


def _closed(name: str) -> Callable[[Scene], None]:
    def close(scene: Scene) -> None:
        (scene.folder / name).chmod(0)
        as_nobody(scene)

    return close


def without_lock(scene: Scene) -> None:
    """Make it the first run of a checkout that has no lock."""
    without_venv(scene)
    (scene.folder / "requirements.lock").unlink()


without_package = _gone("isol8_tasks")
without_commands = _gone("isol8_tasks/cli")
without_a_part = _gone("isol8_tasks/run")
without_lab = _gone("lab")
without_dodo = _gone("dodo.py")
without_pyproject = _gone("pyproject.toml")
package_closed = _closed("isol8_tasks")
dodo_closed = _closed("dodo.py")
pyproject_closed = _closed("pyproject.toml")


def pyproject_is_a_folder(scene: Scene) -> None:
    """Let a folder be where pyproject.toml should be, as a container's mount makes one."""
    without_pyproject(scene)
    (scene.folder / "pyproject.toml").mkdir()


def two_certificates(scene: Scene) -> None:
    """Give docker's client certificates without the key."""
    folder = scene.folder.parent / "certs"
    folder.mkdir()
    for name in ("ca.pem", "cert.pem"):
        (folder / name).touch()


def empty_certificates(scene: Scene) -> None:
    """Give docker's client certificates with nothing in them."""
    two_certificates(scene)
    (scene.folder.parent / "certs" / "key.pem").touch()
