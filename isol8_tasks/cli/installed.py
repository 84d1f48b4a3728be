"""The command isol8-tasks, which an installation provides."""

from isol8_tasks import errors
from isol8_tasks.cli.program import INSTALLED


def main() -> int:
    """Run a command in the folder of the nearest deps.toml; return its exit code."""
    # Before any other module takes it over.
    errors.COMMAND = INSTALLED
    from isol8_tasks.cli.__main__ import main as run  # noqa: PLC0415 - as above

    return run()
