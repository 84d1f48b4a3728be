"""What the secrets of [build.secrets] are, read where something needs one: no run that builds nothing needs any."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from isol8_tasks.config.deps import Config
from isol8_tasks.errors import ConfigError
from isol8_tasks.run.textfiles import denial


@frozen(kw_only=True)
class SecretValues:
    """The secrets of a run; ConfigError says why one can't be had."""

    config: Config
    environ: Mapping[str, str]
    folder: Path
    """Where deps.toml is."""
    _had: dict[str, bytes] = field(factory=dict, init=False)

    def value(self, name: str) -> bytes:
        """Return what a secret is: all the run the same, as what is hidden in its output is that."""
        if name not in self._had:
            self._had[name] = self._value(name)
        return self._had[name]

    def _value(self, name: str) -> bytes:
        secret = self.config.build.secrets[name]
        place = f"{self.config.setting(f'build.secrets.{name}')}: build.secrets.{name}: "
        if secret.variable:
            found = os.fsencode(self.environ.get(secret.variable, ""))
            unset = "is empty" if secret.variable in self.environ else "is not set"
            problem = "" if found else f"the variable {secret.variable} {unset}; export it"
            if re.fullmatch(_ONE_LINE, secret.variable):
                problem = problem or _not_one_line(found, secret.variable)
        else:
            found, problem = _read(self.path(name))
            problem = problem and f"{secret.file}: {problem}"
        if len(found) > _MOST:
            problem = f"it has more than {_MOST:,} bytes, and builders take no more"
        if problem:
            raise ConfigError(place + problem)
        return found

    def option(self, name: str) -> str:
        """Return how buildx is told where a secret is."""
        variable = self.config.build.secrets[name].variable
        where = f"env={variable}" if variable else f"src={self.path(name)}"
        # Fields of CSV.
        return ",".join(
            f'"{each.replace(chr(34), chr(34) * 2)}"' if {",", '"'} & {*each} else each
            for each in (f"id={name}", where)
        )

    def known(self) -> Iterator[str]:
        """Give the texts of the secrets that can be had, so that they can be hidden."""
        for name in self.config.build.secrets:
            try:
                yield self.value(name).decode("utf-8", "replace")
            except ConfigError:
                # What nobody can read is in no output; who needs it says so.
                continue

    def path(self, name: str) -> Path:
        """Return where the file of a secret is."""
        file = self.config.build.secrets[name].file
        if file.startswith("~/"):
            # Of a cron job, say, which may have no HOME.
            return Path(self.environ.get("HOME") or os.path.expanduser("~"), file[2:])  # noqa: PTH111 - raises nothing
        return (self.folder / file).absolute()


def _not_one_line(found: bytes, variable: str) -> str:
    """Say what is wrong with a variable that is to be one line; empty if nothing is."""
    if len(found.splitlines()) > 1:
        return f"the variable {variable} has several lines, and is to be one; export it as one"
    if b"\r" in found:
        return (
            f"the variable {variable} ends with a carriage return, as lines of Windows do; export it without"
        )
    return ""


def _read(path: Path) -> tuple[bytes, str]:
    """Return what is in a file, or why that can't be read; of one that is too large, a byte too much."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b"", "not a regular file; name one"
        with path.open("rb") as file:
            found = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return b"", "not found; make it, or correct the path"
    except OSError as error:
        return b"", f"can't be read {denial(error)}"
    return found, "" if found else "is empty; write the secret into it"


_ONE_LINE: Final = r"PIP_INDEX_URL|\w*(?:TOKENS?|AUTH)"
"""Variables that package tools send as they are, in which a line break is a mistake of copying."""
_MOST: Final = 500 * 1024
"""Bytes of a secret (BuildKit, session/secrets/secretsprovider)."""
