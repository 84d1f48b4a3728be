"""What BuildKit refuses in an instruction that is otherwise well formed."""

import re
from collections.abc import Iterable
from typing import Final

_DURATION: Final = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)")
_NETWORKS: Final = {"default", "host", "none"}
_MODE: Final = re.compile(
    r"0*[0-7]{1,4}|([ugoa]*([-+=]([rwxXst]*|[ugo]))+)(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*"
)


def run_problem(options: Iterable[tuple[str, str]]) -> str:
    """Return what is wrong with the flags of a RUN, but for its mounts; empty for nothing."""
    for name, value in options:
        if name == "network" and value not in _NETWORKS:
            return f"--network={value}: expected default, host or none"
    return ""


def healthcheck_problem(rest: str, array: tuple[str, ...] | None, options: Iterable[tuple[str, str]]) -> str:
    """Return what is wrong with a HEALTHCHECK; empty for nothing."""
    kind, *command = rest.split(None, 1)
    if kind.upper() not in {"CMD", "NONE"}:
        return "HEALTHCHECK takes CMD and a command, or NONE"
    if kind.upper() == "NONE":
        return "HEALTHCHECK NONE takes nothing more" if command else ""
    if not command or array == ():
        return "HEALTHCHECK CMD has no command; expected HEALTHCHECK CMD command, or NONE"
    for name, value in options:
        if name == "retries" and value and not re.fullmatch(r"\+?[0-9]+", value):
            return f"--retries={value}: expected a number"
        if name != "retries" and value and not _DURATION.fullmatch(value):
            return f"--{name}={value}: expected a length of time, as 30s or 1m30s"
    return ""


def mode_problem(mode: str) -> str:
    """Return what is wrong with the mode that a COPY or ADD gives to files; empty for nothing."""
    if _MODE.fullmatch(mode):
        return ""
    return f"--chmod={mode}: expected an octal number up to 7777, or letters, as u=rw,go=r"
