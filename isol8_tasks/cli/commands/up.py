"""The commands up and down: every image up to date, on a private engine if there is no other."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand, run_doit, say, setup_words
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.screen import Screen
from isol8_tasks.cli.tasks import SETUP_FLAGS, flag_request, session
from isol8_tasks.config.shipped import FOLDER


class UpCommand(OwnCommand):
    """Build everything on the engine that answers, or on a private one."""

    name = "up"
    doc_purpose = "build every image; with --lab on a private engine of this checkout"
    doc_usage = "[--lab] [the flags of setup]"
    cmd_options = (
        {
            "name": "lab",
            "long": "lab",
            "type": bool,
            "default": False,
            "help": "run a private engine (Debian or Ubuntu, as root); installs nothing on the machine",
        },
        *SETUP_FLAGS,
        *SHOWN,
        WAIT,
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Start the private engine where asked for, and run setup."""
        self.no_arguments(args)
        flag_request(params)
        if params["lab"]:
            # First, as an engine and its stand-ins take their time.
            session().view.check()
            if params["locked"]:
                from isol8_tasks.run.lock import required_lock  # noqa: PLC0415 - most runs hold to no lock

                required_lock(session().view)
            screen = _lab_screen(params)
            tell = _silent if params["quiet"] else screen.line
            try:
                host = _lab().up(Path.cwd(), tell, _Steps(screen))
            finally:
                screen.close()
            named = "DOCKER_HOST" if os.environ.get("DOCKER_HOST", host) != host else "DOCKER_CONTEXT"
            if named == "DOCKER_HOST" or (named in os.environ and "DOCKER_HOST" not in os.environ):
                tell(
                    f"{named} is set and names another engine; later commands use that one until you unset it"
                )
            os.environ["DOCKER_HOST"] = host
        return run_doit(["run", *_run_options(params), "setup", *setup_words(params)])


class DownCommand(OwnCommand):
    """Stop the private engine."""

    name = "down"
    doc_purpose = "stop the private engine of this checkout and its containers; images are kept"
    doc_usage = ""

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Stop it."""
        self.no_arguments(args)
        if not _lab().down(Path.cwd(), say):
            say("no private engine of this checkout is running")
        return 0


def _lab() -> ModuleType:
    """Return the lab, which lies beside the package in a checkout, and in the package where it is installed."""
    sys.path.insert(0, str(FOLDER))
    import lab  # noqa: PLC0415 - who has Docker never needs it

    return lab


def _run_options(params: Mapping[str, Any]) -> list[str]:
    flags = [f"--{name}" for name in ("quiet", "verbose") if params[name]]
    return [*flags, f"--progress={params['progress']}", f"--wait={params['wait']}"]


class _Steps:
    """Shows what the lab is at."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._last = ""
        screen.building(_LAB)

    def __call__(self, what: str, came: int) -> None:
        """Show what is done, and how many bytes of it have come."""
        from isol8_tasks.engine import BuildEvent  # noqa: PLC0415 - for who has a lab

        if what != self._last:
            self._last = what
            self._screen.event(_LAB, BuildEvent(kind="waiting", step=what))
        elif came:
            self._screen.event(_LAB, BuildEvent(kind="pulled", step=what, transfer=(came, 0)))


def _lab_screen(params: Mapping[str, Any]) -> Screen:
    """Return the screen for the lab, which is no image."""
    from isol8_tasks.cli.reporter import new_screen  # noqa: PLC0415 - as above

    shown = {flag["name"]: params[flag["name"]] for flag in SHOWN}
    return new_screen("", len(_LAB), **shown)


def _silent(_text: str) -> None:
    """Say nothing."""


_LAB: Final = "lab"
