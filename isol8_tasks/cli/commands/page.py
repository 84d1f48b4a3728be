"""The command page: all images, their history and their sources in one HTML file."""

from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.commands.sources import say_next_steps
from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.program import named_file
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.config.deps import Config
from isol8_tasks.config.units import size
from isol8_tasks.run.refresh import look

_FILE: Final = "isol8-images.html"


class PageCommand(OwnCommand):
    """Write the page."""

    name = "page"
    doc_purpose = "write a page of all images: states, packages, freshness, history; one HTML file"
    doc_usage = "[--output FILE] [--offline]"
    doc_description = (
        "A browser shows it without a network. The package sources are asked how fresh the images are, which changes "
        "nothing; what they do not answer is undetermined on the page."
    )
    cmd_options = (
        {
            "name": "output",
            "short": "o",
            "long": "output",
            "type": str,
            "default": "",
            "help": f"the file; default: [page] file of deps.toml, else {_FILE}",
        },
        {
            "name": "offline",
            "long": "offline",
            "type": bool,
            "default": False,
            "help": "ask no source; freshness is left out",
        },
        *SHOWN,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Write it."""
        # Here, as no other command needs a template.
        from isol8_tasks.run.page import refuse_unwritable, write_page  # noqa: PLC0415

        self.no_arguments(args)
        current = session()
        view = current.view
        try:
            own = view.workspace.page_file(view.config.page.file)
            file = own if own and not params["output"] else named_file(params["output"] or _FILE)
            refuse_unwritable(file, _named_by(view.config, params["output"]))
            view.ping()
            with show_work(current, params) as screen:
                found = None if params["offline"] else look(view, watch=screen.work)
                images, length = write_page(view, found, file)
        finally:
            current.close()
        problems = [problem for each in found or () for problem in each.problems]
        if problems or not screen.quiet:
            screen.line(f"{file}: {images} image{'' if images == 1 else 's'}, {size(length)}")
        if problems:
            screen.line(f"undetermined: {'; '.join(dict.fromkeys(problems))}")
            say_next_steps(problems, view.config, screen.line)
        return 0


def _named_by(config: Config, flag: str) -> str:
    """Tell what names the file, as a message begins."""
    return f"{config.setting('page.file')}: page.file" if config.page.file and not flag else "--output"
