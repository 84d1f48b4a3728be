"""How far the first set-up is, by pip's log, and the process that tells it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from isol8_tasks.safety.first_setup import how_far

ROOT: Final = Path(__file__).parents[3]
LOCK: Final = "attrs==26.1.0 \\\n    --hash=sha256:1\ndoit==0.36.0 \\\n    --hash=sha256:2\n# via x==1\n"
BEGUN: Final = "/usr/bin/python3\n"
ASKING: Final = f"{BEGUN}Looking in indexes: http://index.example/simple\n"
FIRST: Final = (
    f"{ASKING}Processing /wheels/attrs-26.1.0-py3-none-any.whl (from -r requirements.lock (line 1))\n"
)
SECOND: Final = (
    f"{FIRST}Collecting doit==0.36.0 (from -r x (line 2))\n  Downloading doit-0.36.0.whl (1.2 MB)\n"
)
TELL: Final = (
    "import sys; from isol8_tasks.safety import first_setup as s; s._PAUSE = 0.1; "
    "s.tell('log', 'lock', sys.argv[1])"
)
LINE: Final = "doitw: 0 s: 1.2 MB, package 2 of 2: doit==0.36.0; log: log"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (BEGUN, "making an environment"),
        (ASKING, "waiting for pip and its package index"),
        (FIRST, "package 1 of 2: attrs-26.1.0-py3-none-any.whl"),
        (SECOND, "1.2 MB, package 2 of 2: doit==0.36.0"),
        (f"{SECOND}  Downloading b.whl (400 kB)\n", "1.6 MB, package 2 of 2: doit==0.36.0"),
        (f"{ASKING}Collecting a\x1b[31m==1 (from x)\n", "package 1 of 2: a[31m==1"),
        (f"{SECOND}Installing collected packages: attrs, doit\n", "installing 2 packages"),
    ],
)
def test_how_far(log: str, said: str) -> None:
    """Packages, megabytes, and the one that pip is at."""
    assert how_far(log, LOCK) == said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a log and a lock."""
    (tmp_path / "log").write_text(SECOND)
    (tmp_path / "lock").write_text(LOCK)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_until_it_is_ended(folder: Path, number: int) -> None:
    """In lines that stay where nobody sits at a terminal; nothing of its own end is seen."""
    teller = subprocess.Popen(
        [sys.executable, "-c", TELL, str(os.getpid())],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert teller.stderr is not None
    assert teller.stderr.readline() == f"{LINE}\n"
    teller.send_signal(number)
    rest = teller.communicate(timeout=30)[1]
    assert "Traceback" not in rest
    assert teller.returncode == 0


def test_it_ends_with_who_began_it(folder: Path) -> None:
    """Also where that one was killed: whoever reads its output comes to an end."""
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" $$ & kill -9 $$', "sh", sys.executable, TELL],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
