"""What the tests in a browser share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

AXE = 'import axe from "npm:axe-core@4.14.1"; console.log(axe.source);'


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """Give axe-core's program."""
    deno = Path(sys.executable).with_name("deno")
    # By the machine's own configuration of npm, and trusting whom the machine does.
    own = {"DENO_DIR": str(pytestconfig.rootpath / ".isol8/deno"), "DENO_TLS_CA_STORE": "system"}
    environ = {**os.environ, **own}
    run = subprocess.run([deno, "eval", AXE], capture_output=True, text=True, check=False, env=environ)
    assert run.returncode == 0, run.stderr
    return run.stdout
