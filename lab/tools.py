"""Programs of the machine, and those unpacked for us where it has none."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from isol8_tasks.errors import LabError
from isol8_tasks.safety.redact import redact
from isol8_tasks.safety.troubles import shortest, trouble_in

_LONGEST = 200
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def last_line(text: str) -> str:
    """Return the last line that says something, without credentials, for an error message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return redact(lines[-1]) if lines else "it printed nothing"


def reason(text: str) -> str:
    """Return the cause that a program's output tells of, with the line that does; else its last line."""
    found = trouble_in(text)
    if found is None:
        return last_line(text).rstrip(".")
    return f"{found.cause} ({redact(shortest(found.line, _LONGEST))})"


def run(
    command: list[str], *, what: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end and return what it printed; LabError, with its last line, if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        failed = what or Path(command[0]).name
        said = reason(f"{done.stdout}\n{done.stderr}")
        raise LabError(f"{failed} failed: {said}")
    return done.stdout


@frozen(kw_only=True)
class Tools:
    """Finds programs on the machine first, then among Debian's packages unpacked under a root of ours."""

    root: Path
    newer: Path | None = None
    """Where packages are unpacked whose programs come before the machine's."""

    def folders(self) -> tuple[str, ...]:
        """Return where programs are looked for, the machine's before ours."""
        path = os.environ.get("PATH", "").split(os.pathsep)
        # Administrators' folders are missing from many a user's PATH.
        machine = dict.fromkeys(folder for folder in (*path, *_SYSTEM) if folder)
        newer = tuple(f"{self.newer}{folder}" for folder in _SYSTEM) if self.newer else ()
        return (*newer, *machine, *(f"{self.root}{folder}" for folder in _SYSTEM))

    def find(self, program: str) -> str | None:
        """Return the full path of a program, or None if neither the machine nor we have it."""
        return shutil.which(program, path=os.pathsep.join(self.folders()))

    def environment(self, program: str) -> dict[str, str]:
        """Return what a program needs beside our own environment: ours need their libraries."""
        if not program.startswith(f"{self.root}/"):
            return {}
        libraries = [
            str(folder)
            for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*")
            for folder in self.root.glob(pattern)
        ]
        environment = {"LD_LIBRARY_PATH": os.pathsep.join([*libraries, f"{self.root}/usr/lib"])}
        if plugins := next(self.root.glob("usr/lib/*/xtables"), None):
            environment["XTABLES_LIBDIR"] = str(plugins)
        return environment

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end and return what it printed; LabError if it is missing or fails."""
        path = self.find(program)
        if path is None:
            raise LabError(
                f"{program} is neither on this machine nor in the packages that were unpacked for it."
            )
        environment = {**os.environ, **self.environment(path)}
        return run([path, *arguments], what=" ".join([program, *arguments]), env=environment)
