"""How commands are shown that take long and are no run: with --quiet, --verbose and --progress, as a run is."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.reporter import open_screen
from isol8_tasks.cli.screen import Screen
from isol8_tasks.run.session import Session


@contextmanager
def show_work(
    current: Session, params: Mapping[str, Any], names: Iterable[str] | None = None
) -> Iterator[Screen]:
    """Give the screen that the flags of SHOWN ask for, as wide as the images of these names need, or all images.

    It hears what the session does, and its live lines go away at the end. Beside a document it shows nothing.
    """
    flags = {flag["name"]: params.get(flag["name"], flag["default"]) for flag in SHOWN}
    if params.get("json") or params.get("print"):
        flags = {"quiet": True}
    screen = open_screen(current.view, names, **flags)
    current.listener = screen
    try:
        yield screen
    finally:
        screen.close()
