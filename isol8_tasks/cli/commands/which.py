"""The command which: the image that a request gets, and why."""

import shlex
from collections.abc import Mapping
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import split_flag
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images.choice import choose, client_choices, requested
from isol8_tasks.report import plan as report


class WhichCommand(OwnCommand):
    """Say which image a request gets."""

    name = "which"
    doc_purpose = "print which image has the packages for a runtime, and why"
    only_prints = True
    doc_usage = "RUNTIME [--packages a,b] [--json]"
    doc_description = "Exit code 1 when no image fits; 4 when the engine can't be asked."
    cmd_options = (
        {
            "name": "packages",
            "long": "packages",
            "type": list,
            "default": [],
            "help": "the packages that the image must have; comma-separated",
        },
        JSON_FLAG,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print the image, and where isol8's own clients take another."""
        if len(args) != 1:
            example = "which python"
            if args and args[0] in RUNTIMES and not RUNTIMES.keys() & {*args[1:]}:
                example = f"which {args[0]} --packages {shlex.quote(','.join(args[1:]))}"
            raise ConfigError(
                f"which: expected one runtime ({', '.join(RUNTIMES)}), for example: {COMMAND} {example}"
            )
        words = [word for text in params["packages"] for word in split_flag(text)]
        if params["packages"] and not words:
            raise ConfigError("--packages: no package is named; omit the flag for none")
        wanted = requested(args[0], words)
        current = session()
        try:
            found = choose(current.view.observed, args[0], wanted)
            choices = client_choices(current.view.observed, found)
        finally:
            current.close()
        if params["json"]:
            print(report.choice_json(found, choices))  # noqa: T201 - its purpose
        else:
            print("\n".join(report.choice_lines(found, choices)))  # noqa: T201 - its purpose
        return 0 if found.image else 1
