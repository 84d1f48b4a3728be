"""What freshness and refresh share."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from isol8_tasks.cli.command import say
from isol8_tasks.cli.tasks import SETUP_FLAGS
from isol8_tasks.config.deps import Config
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.run.view import View
from isol8_tasks.safety.printing import exactly


def say_next_steps(problems: Iterable[str], config: Config) -> None:
    """Print what to do about sources that could not be asked."""
    from isol8_tasks.report.remedies import next_steps  # noqa: PLC0415 - for who has problems

    for line in next_steps(problems, config):
        say(line)


UNDETERMINED: Final = SourceUnavailableError.exit_code


ONLY: Final = next(flag for flag in SETUP_FLAGS if flag["name"] == "only")


NO_FLAGS: Final[Mapping[str, Any]] = {flag["name"]: flag["default"] for flag in SETUP_FLAGS}


@contextmanager
def while_asking(view: View) -> Iterator[None]:
    """Say on a terminal what takes its time, as long as it does."""
    live = sys.stderr.isatty()
    if live:
        count = len(view.graph.images)
        sys.stderr.write(f"asking the sources of {count} image{'' if count == 1 else 's'} …")
        sys.stderr.flush()
    try:
        yield
    finally:
        if live:
            exactly(sys.stderr).write("\r\x1b[K")
            sys.stderr.flush()
