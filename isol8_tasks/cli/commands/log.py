"""The command log: what changed in the images, newest first."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand, say
from isol8_tasks.cli.commands.images import image_name, no_such_image
from isol8_tasks.cli.commands.past import changes_of
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError, UndecidedError
from isol8_tasks.report import history as report
from isol8_tasks.run.view import View

_SHOWN: Final = 50


class LogCommand(OwnCommand):
    """Tell what changed in the images."""

    name = "log"
    doc_purpose = "print what changed in the images, newest first"
    only_prints = True
    doc_usage = "[NAME ...] [--limit N] [--json] [--rebuild]"
    doc_description = (
        "Of images that are named every package is listed that changed. --rebuild first adds the builds that the "
        "registry of [registry] has and the history does not."
    )
    cmd_options = (
        JSON_FLAG,
        {
            "name": "limit",
            "long": "limit",
            "type": int,
            "default": None,
            "help": f"print the newest N changes; 0: all [default: {_SHOWN}; with --json all]",
        },
        {
            "name": "rebuild",
            "long": "rebuild",
            "type": bool,
            "default": False,
            "help": "first add the builds that the registry has under tags with a date",
        },
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it."""
        limit = params["limit"]
        if limit is None:
            limit = 0 if params["json"] else _SHOWN
        if limit < 0:
            raise ConfigError(
                f"--limit: {limit} is not a number of changes; expected 1 or more, or 0 for all"
            )
        current = session()
        try:
            if params["rebuild"]:
                _rebuild(current.view, quiet=params["json"])
            changes, known = changes_of(current.view)
            wanted = {
                _known(current.view, word, {each.entry.image for each in changes} - {""}) for word in args
            }
        finally:
            current.close()
        chosen = [each for each in changes if not args or each.entry.image in wanted]
        shown = chosen[:limit] if limit else chosen
        if params["json"]:
            say(report.log_json(shown, known.wrong))
        else:
            for line in report.log_lines(shown, whole=bool(args)):
                say(line)
            if len(chosen) > len(shown):
                say(f"and {len(chosen) - len(shown)} earlier changes: {COMMAND} log --limit 0 shows all")
            if not chosen and not known.problem:
                where = "" if changes else f" on {known.engine}"
                say(f"no change{where} is known yet; {COMMAND} up builds the images")
        if known.problem:
            # What labels say stands there all the same.
            raise UndecidedError(known.problem)
        return 0


def _rebuild(view: View, *, quiet: bool) -> None:
    if not view.config.registry.repository:
        raise ConfigError(
            f"log --rebuild: {view.config.source} names no registry; write under [registry] "
            'repository = "registry.example/isol8"'
        )
    from isol8_tasks.run.history import rebuild_history  # noqa: PLC0415 - few have a registry

    added = rebuild_history(view)
    if not quiet:
        say(f"{added} build{'' if added == 1 else 's'} of {view.config.registry.repository} added")


def _known(view: View, word: str, names: Collection[str]) -> str:
    """Return the image that a word means; one that is declared and was never built has no change yet."""
    name = image_name(view, word)
    declared = {spec.name for spec in view.graph.images}
    if name not in names and name not in declared:
        raise no_such_image(view.public_tag(name), name, {*names, *declared})
    return name
