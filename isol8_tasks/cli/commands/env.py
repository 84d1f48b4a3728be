"""The command env: how other programs reach the engine."""

import os
import shlex
import sys
from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.engine.configuration import config_folder, context_tls
from isol8_tasks.engine.endpoint import Endpoint
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
        for line in shell_lines(current.view.endpoint, os.environ):
            print(line, file=exactly(sys.stdout))
        return 0


def shell_lines(endpoint: Endpoint, environ: Mapping[str, str]) -> list[str]:
    """Return the commands of a shell after which every Docker client reaches that engine, by TLS if it has to.

    By variables rather than by docker's context, which clients of the API don't know; but these have no word for a
    context that trusts any server.
    """
    wanted = {_HOST: endpoint.url}
    if endpoint.context:
        certificates, trusting = context_tls(config_folder(environ), endpoint.context)
        if trusting:
            return [
                f"unset {_HOST} {' '.join(_TLS)}",
                f"export DOCKER_CONTEXT={shlex.quote(endpoint.context)}",
            ]
        if certificates:
            wanted |= dict(zip(_TLS, ("1", str(certificates)), strict=True))
    elif endpoint.why == _HOST:
        wanted |= {name: environ[name] for name in _TLS if environ.get(name)}
    unwanted = [name for name in _TLS if environ.get(name) and name not in wanted]
    lines = [f"unset {' '.join(unwanted)}"] if unwanted else []
    return [*lines, *(f"export {name}={shlex.quote(value)}" for name, value in wanted.items())]


_HOST: Final = "DOCKER_HOST"
_TLS: Final = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
