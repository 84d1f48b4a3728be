"""The command clean: removes images that are named, and those based on them."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.plan.model import task_of
from isol8_tasks.report import plan as report
from isol8_tasks.run.session import Session


class CleanCommand(OwnCommand):
    """Remove images; in the place of doit's own clean, which knows no undeclared image."""

    name = "clean"
    doc_purpose = "remove the images of the named tasks, with all their tags"
    doc_usage = "TASK ... (for example base:bun or 'custom:*')"
    cmd_options = (
        {
            "name": "dryrun",
            "short": "n",
            "long": "dry-run",
            "type": bool,
            "default": False,
            "help": "print what would be removed, and remove nothing",
        },
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Remove them, and write the manifest of what is left."""
        if not args:
            raise ConfigError(
                f"clean needs to know which images to remove: {COMMAND} clean base:bun (or 'base:*', 'custom:*')"
            )
        current = session()
        try:
            current.view.ping()
            removed = [self._remove(current, name, dryrun=params["dryrun"]) for name in _named(current, args)]
            if any(removed):
                current.view.look_again()
                current.resolve()
        finally:
            current.close()
        return 0

    @staticmethod
    def _remove(current: Session, name: str, *, dryrun: bool) -> bool:
        from isol8_tasks.lifecycle.prune import tags_of  # noqa: PLC0415 - most runs remove nothing

        before = current.view.observed
        found = bool(tags_of(name, before)) if dryrun else current.remove(name)
        if found and not dryrun:
            current.publication.history.add(name, "removed", before, None)
        what = "does not exist" if not found else "would be removed" if dryrun else "removed"
        say(current.view.public_tag(name).ljust(report.NAME_WIDTH) + f"  {what}")
        return found and not dryrun


_KINDS: Final = ("base", "custom", "image")


def _named(current: Session, args: Sequence[str]) -> list[str]:
    """Return the names of the images whose tasks are meant, each before the one that it is based on."""
    names = [*(spec.name for spec in current.view.graph.images), *current.view.graph.undeclared]
    tasks = {task_of(name): name for name in names}
    found: dict[str, None] = {}
    for word in args:
        fitting = [task for task in tasks if fnmatch(task, word) or task.partition(":")[0] == word]
        if not fitting and word.removesuffix(":*") in _KINDS:
            say(f"no image matches {word}; nothing to remove")
        elif not fitting:
            from isol8_tasks.cli.suggestions import meant  # noqa: PLC0415 - only a mistake has use for it

            hint = f"did you mean {near}? " if (near := meant(word, (), tasks)) else ""
            raise ConfigError(f"clean: no image matches {word}; {hint}there are {', '.join(sorted(tasks))}")
        found.update(dict.fromkeys(fitting))
    return [name for task, name in reversed(tasks.items()) if task in found]
