"""The command rollback: restores the previous build of an image and holds it."""

from isol8_tasks.cli.command import say
from isol8_tasks.cli.commands.one_image import OneImageCommand
from isol8_tasks.errors import COMMAND
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.images.manifest import built_on
from isol8_tasks.run.session import Session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now


class RollbackCommand(OneImageCommand):
    """Let an image be what it was before its last build, and stay so."""

    name = "rollback"
    doc_purpose = "restore the previous build of an image, and hold it"
    doc_description = f"The hold ends with {COMMAND} release, or after [hold] max_age of deps.toml."

    def check(self, view: View, name: str) -> None:
        """Refuse an image that has no build to go back to."""
        from isol8_tasks.lifecycle.rollback import way_back  # noqa: PLC0415 - most runs roll nothing back

        # One that was cut off is brought to its end first.
        if name not in hold_tags(view.observed):
            way_back(name, view.observed)

    def keep(self, current: Session, name: str) -> None:
        """Roll it back."""
        from isol8_tasks.lifecycle.rollback import roll_back  # noqa: PLC0415 - most runs roll nothing back

        before = current.view.observed
        roll_back(name, before, current.view.engine, now=now())
        current.view.look_again()
        image = current.view.observed.public(name)
        current.publication.history.add(name, "rolled back", before, image)
        day = f"of {built_on(image)} " if image else ""
        until = (now() + current.view.config.hold.max_age).strftime("%Y-%m-%d %H:%M UTC")
        say(
            f"{current.view.public_tag(name)}  rolled back: the build {day}is in use again; held until {until}"
        )
        say(
            f"  The replaced build is {current.view.public_tag(name)}-previous. End the hold: {COMMAND} release {name}"
        )
