"""Checks of a user's own: a command that runs in the sandbox, and what has to come of it."""

from attrs import frozen

from isol8_tasks.config.values import Command, ExitCode, Pattern, Timeout


@frozen(kw_only=True)
class UserCheck:
    """A table of [verify.<name>]."""

    command: Command
    exit: ExitCode = 0
    """The exit code that it has to end with."""
    output: Pattern = ""
    """A regular expression that has to be found in what it prints, to either stream; empty finds itself anywhere."""
    timeout: Timeout = 10
    """Seconds."""
