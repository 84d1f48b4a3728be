"""The command why: which images contain a package, and who asked for it."""

from collections.abc import Mapping
from typing import Any

from isol8_tasks.cli.command import JSON_FLAG, OwnCommand, say
from isol8_tasks.cli.ending import complain, ends_in_one_line
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.plan.model import task_of
from isol8_tasks.report import containing as report
from isol8_tasks.run.view import View


class WhyCommand(OwnCommand):
    """Tell which images contain a package."""

    name = "why"
    doc_purpose = "print which images contain a package, in which version, and who asked for it"
    only_prints = True
    doc_usage = "PACKAGE [--newer] [--json]"
    doc_description = (
        "As recorded when the images were verified. --newer also asks the package sources what is newer. Exit code 1 "
        "when no image contains it."
    )
    cmd_options = (
        JSON_FLAG,
        {
            "name": "newer",
            "long": "newer",
            "type": bool,
            "default": False,
            "help": "also ask the package sources of these images what is newer, as freshness does",
        },
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Print it."""
        if len(args) != 1:
            raise ConfigError(f"why: expected the name of one package, for example: {COMMAND} why numpy")
        current = session()
        view, word = current.view, args[0]
        try:
            found = report.containing(word, view.graph.images, view.observed, view.config)
            if found and params["newer"]:
                from isol8_tasks.run.refresh import look  # noqa: PLC0415 - for who asks sources

                with show_work(current, params) as screen:
                    found = report.with_news(found, look(view, watch=screen.work))
            name, version = next(iter(report.names_in(word).items()), (word, ""))
            if not found and name not in report.names_in(word):
                raise _no_package(view, word)
        finally:
            current.close()
        if version and found:
            complain(f"note: {name} in any version, not only {word}")
        if params["json"]:
            say(report.containing_json(found, view.repository))
        elif found:
            for line in report.containing_lines(found, view.repository):
                say(line)
        else:
            say(f"no image in use contains {name}; {COMMAND} inventory lists what is in them")
        return 0 if found else 1


def _no_package(view: View, word: str) -> ConfigError:
    """Return the error about a word that names no package, but maybe an image."""
    names = (spec.name for spec in view.graph.images)
    image = next((name for name in names if word in {view.public_tag(name), task_of(name)}), "")
    what = (
        f"an image; {COMMAND} inventory {image} lists its packages" if image else "not the name of a package"
    )
    return ConfigError(f"why: {word!r} is {what}; expected one, for example: {COMMAND} why numpy")
