"""What freshness and refresh share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from isol8_tasks.cli.command import say
from isol8_tasks.cli.tasks import SETUP_FLAGS
from isol8_tasks.config.deps import Config
from isol8_tasks.errors import SourceUnavailableError


def say_next_steps(problems: Iterable[str], config: Config, tell: Callable[[str], None] = say) -> None:
    """Print what to do about sources that could not be asked."""
    from isol8_tasks.report.remedies import next_steps  # noqa: PLC0415 - for who has problems

    for line in next_steps(problems, config):
        tell(line)


UNDETERMINED: Final = SourceUnavailableError.exit_code


ONLY: Final = next(flag for flag in SETUP_FLAGS if flag["name"] == "only")


NO_FLAGS: Final[Mapping[str, Any]] = {flag["name"]: flag["default"] for flag in SETUP_FLAGS}
