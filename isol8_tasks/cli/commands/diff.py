"""The command diff: what differs between two builds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand, say
from isol8_tasks.cli.commands.images import image_name, no_such_image
from isol8_tasks.cli.commands.past import changes_of
from isol8_tasks.cli.ending import complain, ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images.journal import PastBuild
from isol8_tasks.report import history as report
from isol8_tasks.report.history import Numbered
from isol8_tasks.run.view import View


class DiffCommand(OwnCommand):
    """Tell what differs between two builds."""

    name = "diff"
    doc_purpose = "print what differs between two builds: packages, size, inputs, configuration"
    only_prints = True
    doc_usage = (
        "NAME[@N] [NAME[@M]] [--json] (as web@1 web; @0 is the newest, and one name alone is NAME@1 NAME)"
    )
    doc_description = f"{COMMAND} log prints the numbers."
    cmd_options = (JSON_FLAG,)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it."""
        if not 1 <= len(args) <= 2:  # noqa: PLR2004 - one build or two
            raise ConfigError(
                f"diff: expected one or two builds, for example: {COMMAND} diff python-custom@1 python-custom"
            )
        current = session()
        try:
            changes, known = changes_of(current.view)
            if known.problem:
                complain(f"warning: {known.problem}")
            # What was typed first, as the build before it may be the one that is not known.
            new, other = _build(current.view, args[-1], changes)
            old, one = _build(current.view, args[0] if len(args) > 1 else _before(args[0]), changes)
        finally:
            current.close()
        if params["json"]:
            say(report.diff_json((old, new), one, other))
            return 0
        for line in report.diff_lines((old, new), one, other):
            say(line)
        return 0


def _before(word: str) -> str:
    """Return the word for the build before the one that is meant."""
    name, number = _split(word)
    return f"{name}@{number + 1}"


def _split(word: str) -> tuple[str, int]:
    name, at, number = word.partition("@")
    if not name or (at and not re.fullmatch(r"[0-9]{1,9}", number)):
        raise ConfigError(f"diff: {word!r} is not a build; write NAME or NAME@N, for example web@1")
    return name, int(number or 0)


def _build(view: View, word: str, changes: Sequence[Numbered]) -> tuple[str, PastBuild]:
    """Return the build that a word means, and how it is called."""
    spelled, number = _split(word)
    name = image_name(view, spelled)
    of_image = [each for each in changes if each.entry.image == name and each.entry.is_change]
    if not of_image:
        names = {each.entry.image for each in changes if each.entry.image} | {
            spec.name for spec in view.graph.images
        }
        if name not in names:
            raise no_such_image(view.public_tag(name), name, names)
        raise ConfigError(
            f"{view.public_tag(name)}: no build of it is known yet; {COMMAND} log lists those that are"
        )
    found = next((each for each in of_image if each.number == number), None)
    if found is None:
        known = "only @0 is" if len(of_image) == 1 else f"@0 to @{len(of_image) - 1} are"
        raise ConfigError(f"{view.public_tag(name)}@{number}: {known} known; {COMMAND} log {name} lists them")
    if found.entry.new is None:
        raise ConfigError(f"{found.name}: the image was removed then; name a build before that")
    return found.name, found.entry.new
