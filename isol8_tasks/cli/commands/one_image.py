"""What the commands about one image share."""

from collections.abc import Mapping
from typing import Any

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.commands.images import image_name
from isol8_tasks.cli.doit import WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now


class OneImageCommand(OwnCommand):
    """A command about one image that is named."""

    cmd_options = (WAIT,)
    doc_usage = "NAME (for example python-custom)"

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Do it, holding the engine's lock, and write the manifest of what is there then."""
        if len(args) != 1:
            raise ConfigError(
                f"{self.name}: expected one image, for example: {COMMAND} {self.name} python-custom"
            )
        current = session()
        current.wait = params["wait"]
        try:
            name = image_name(current.view, args[0])
            # First, as another run may keep the lock for long.
            self.check(current.view, name)
            current.lock()
            mend_rollbacks(current.view)
            self.keep(current, name)
            current.view.look_again()
            current.resolve()
        finally:
            current.close()
        return 0

    def check(self, view: View, name: str) -> None:
        """Raise ConfigError for an image that this can't be done to."""
        raise NotImplementedError

    def keep(self, current: Session, name: str) -> None:
        """Do what the command is for."""
        raise NotImplementedError


def mend_rollbacks(view: View) -> None:
    """Bring rollbacks that were cut off to their end, as the image that one goes back to is named by its hold alone."""
    from isol8_tasks.lifecycle.rollback import finish_rollbacks  # noqa: PLC0415 - most runs roll nothing back

    if finish_rollbacks(view.observed, view.engine, now=now(), longest=view.config.hold.max_age):
        view.look_again()
