"""The command env: how other programs reach the engine."""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND
from isol8_tasks.safety.printing import exactly


class EnvCommand(OwnCommand):
    """Say how other Docker clients reach the engine."""

    name = "env"
    doc_purpose = f'print the engine in use, as a shell command: eval "$({COMMAND} env)"'
    only_prints = True
    doc_usage = ""

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Print it."""
        self.no_arguments(args)
        current = session()
        current.view.engine.ping()
        current.close()
        # A shell reads it, so an address with a user name in it stays as it is.
        print(f"export DOCKER_HOST={shlex.quote(current.view.endpoint.url)}", file=exactly(sys.stdout))
        return 0
