"""What BuildKit refuses in an instruction that is otherwise well formed."""

import re
from collections.abc import Iterable
from typing import Final

_DURATION: Final = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)")
_NETWORKS: Final = {"default", "host", "none"}
_MODE: Final = re.compile(
    r"0*[0-7]{1,4}|([ugoa]*([-+=]([rwxXst]*|[ugo]))+)(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*"
)

_PORTS: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(?:tcp|udp|sctp)?)?", re.IGNORECASE)
_LAST_PORT: Final = 65535
_SIGNALS: Final = (
    "ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    "|TSTP|TTIN|TTOU|UNUSED|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN([+][0-9]+)?|RTMAX(-[0-9]+)?"
)
_SIGNAL: Final = re.compile(rf"(SIG)?({_SIGNALS})|[-+]?0*[1-9][0-9]*", re.IGNORECASE)


def value_problem(keyword: str, text: str) -> str:
    """Return what is wrong with what the words of an EXPOSE or STOPSIGNAL come to; empty for nothing."""
    if keyword == "STOPSIGNAL" and not _SIGNAL.fullmatch(text):
        return f"STOPSIGNAL {text}: expected the name or the number of a signal, as SIGTERM or 15"
    for word in text.split() if keyword == "EXPOSE" else ():
        # What stands before a colon is of the host, which nothing here looks at.
        found = _PORTS.fullmatch(word.rpartition(":")[2])
        if not found or not int(found[1]) <= int(found[2] or found[1]) <= _LAST_PORT:
            return (
                f"EXPOSE {word}: expected a port up to {_LAST_PORT}, or a range, as 80, 53/udp or 8000-8010"
            )
    return ""


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
