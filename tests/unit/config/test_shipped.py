"""Where docker/, the lab and doit's settings lie."""

import runpy
import shutil
from pathlib import Path

from isol8_tasks.config import shipped


def test_an_installation_has_a_copy(tmp_path: Path) -> None:
    """They lie at the top level of a checkout, and in the package where a build put a copy of them there."""
    assert (shipped.FOLDER / "doitw").is_file()
    package = tmp_path / "isol8_tasks"
    (package / "config").mkdir(parents=True)
    copy = shutil.copy(shipped.__file__, package / "config")
    assert runpy.run_path(str(copy))["FOLDER"] == tmp_path
    (package / "checkout").mkdir()
    assert runpy.run_path(str(copy))["FOLDER"] == package / "checkout"
