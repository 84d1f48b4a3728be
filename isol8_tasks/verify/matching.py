"""Looks for a user's pattern in what a command printed, and gives up in time.

A pattern such as `(a+)+b` can take ages for a text that it does not match, and nothing in this process could end that:
one that repeats anything is looked for in a process of its own.
"""

import re
import subprocess
import sys
from typing import Final

SECONDS: Final = 5
"""As long as a search may take."""
_FOUND: Final = 0
_ABSENT: Final = 9
"""No exit code of Python's own."""
_PROGRAM: Final = f"""\
import re, sys, warnings
warnings.simplefilter("ignore")
pattern = bytes.fromhex(sys.stdin.buffer.readline().decode()).decode()
sys.exit({_FOUND} if re.search(pattern, sys.stdin.buffer.read().decode()) else {_ABSENT})
"""


def is_in(pattern: str, text: str) -> bool | None:
    """Tell whether a pattern is in a text; None where that was not found out in time."""
    if not re.search(r"[*+{?]", pattern):
        return re.search(pattern, text) is not None
    try:
        done = subprocess.run(
            (sys.executable, "-I", "-S", "-c", _PROGRAM),
            input=f"{pattern.encode().hex()}\n{text}".encode("utf-8", "replace"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in {_FOUND, _ABSENT}:
        raise RuntimeError(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
    return done.returncode == _FOUND
