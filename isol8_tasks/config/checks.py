"""Checks of a user's own: a command that runs in the sandbox, and what has to come of it."""

from attrs import frozen


@frozen(kw_only=True)
class UserCheck:
    """A table of [verify.<name>]."""

    command: tuple[str, ...]
    exit: int = 0
    """The exit code that it has to end with."""
    output: str = ""
    """A regular expression that has to be found in what it prints, to either stream; empty finds itself anywhere."""
    timeout: float = 10
    """Seconds."""
