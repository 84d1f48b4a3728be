"""How hints name the commands."""

import runpy
import shutil
from pathlib import Path

from isol8_tasks import errors


def test_hints_name_the_wrapper_in_a_checkout(tmp_path: Path) -> None:
    """A checkout has the wrapper beside the package; where only the package is installed, it has a command."""
    assert errors.COMMAND == "./doitw"
    package = tmp_path / "isol8_tasks"
    package.mkdir()
    copy = shutil.copy(errors.__file__, package)
    assert runpy.run_path(str(copy))["COMMAND"] == "isol8-tasks"
    (tmp_path / "doitw").touch()
    assert runpy.run_path(str(copy))["COMMAND"] == "./doitw"
