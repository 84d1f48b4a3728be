"""The command release: ends the hold of an image."""

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.one_image import OneImageCommand
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View


class ReleaseCommand(OneImageCommand):
    """Release an image that is held."""

    name = "release"
    doc_purpose = "end the hold of an image that was rolled back; the next run updates it"

    def check(self, view: View, name: str) -> None:
        """Refuse an image that is not held."""
        held = sorted(hold_tags(view.observed))
        if name not in held:
            more = f"held: {', '.join(held)}" if held else "no image is held"
            raise ConfigError(f"{view.public_tag(name)} is not held ({more})")

    def keep(self, current: Session, name: str) -> None:
        """Release it."""
        from isol8_tasks.lifecycle.rollback import release_hold  # noqa: PLC0415 - most runs release nothing

        # Once more, as it may have ended meanwhile.
        self.check(current.view, name)
        release_hold(name, current.view.observed, current.view.engine)
        say(f"{current.view.public_tag(name)}  released; {COMMAND} plan shows what a run would do")
