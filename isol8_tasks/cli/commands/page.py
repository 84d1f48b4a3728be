"""The command page: all images, their history and their sources in one HTML file."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

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
from isol8_tasks.run.view import View

_FILE: Final = "isol8-images.html"
_OUTPUT: Final = {"-", "/dev/stdout", "/dev/fd/1"}
"""What people write for standard output."""


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
            "help": f"the file, - for standard output; default: [page] file of deps.toml, else {_FILE}",
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
        self.no_arguments(args)
        if params["output"] not in _OUTPUT:
            return _write(params, None)
        # What is said beside it would be part of the page.
        output = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            return _write(params, output)


def _write(params: Mapping[str, Any], stream: TextIO | None) -> int:
    """Write the page to a stream, or else into the file that the flags or deps.toml name."""
    # Here, as no other command needs a template.
    from isol8_tasks.run.page import refuse_unwritable, write_page  # noqa: PLC0415

    current = session()
    view = current.view
    try:
        to = stream or _file(view, params["output"])
        if isinstance(to, Path):
            refuse_unwritable(to, _named_by(view.config, params["output"]))
        view.ping()
        with show_work(current, params) as screen:
            found = None if params["offline"] else look(view, watch=screen.work)
            written = write_page(view, found, to)
    finally:
        current.close()
    problems = [problem for each in found or () for problem in each.problems]
    unknown = [*dict.fromkeys(problems), *filter(None, [written.problem])]
    if unknown or not screen.quiet:
        images = f"{written.images} image{'' if written.images == 1 else 's'}"
        screen.line(f"{'page' if stream else to}: {images}, {size(written.length)}")
    if unknown:
        screen.line(f"undetermined: {'; '.join(unknown)}")
        say_next_steps(problems, view.config, screen.line)
    return 0


def _file(view: View, flag: str) -> Path:
    own = view.workspace.page_file(view.config.page.file)
    return own if own and not flag else named_file(flag or _FILE)


def _named_by(config: Config, flag: str) -> str:
    """Tell what names the file, as a message begins."""
    return f"{config.setting('page.file')}: page.file" if config.page.file and not flag else "--output"
