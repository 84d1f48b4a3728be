"""The command release: ends the hold of an image."""

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.one_image import OneImageCommand
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.run.session import Session


class ReleaseCommand(OneImageCommand):
    """Release an image that is held."""

    name = "release"
    doc_purpose = "end the hold of an image that was rolled back; the next run updates it"

    def keep(self, current: Session, name: str) -> None:
        """Release it."""
        from isol8_tasks.lifecycle.rollback import release_hold  # noqa: PLC0415 - most runs release nothing

        if not release_hold(name, current.view.observed, current.view.engine):
            held = sorted(hold_tags(current.view.observed))
            more = f"held: {', '.join(held)}" if held else "no image is held"
            raise ConfigError(f"{current.view.public_tag(name)} is not held ({more})")
        say(f"{current.view.public_tag(name)}  released; {COMMAND} plan shows what a run would do")
