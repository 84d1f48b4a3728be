"""The command push: images to the registry of [registry]."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.commands.transfers import Teller
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.screen import Screen
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import ConfigError
from isol8_tasks.images.pushed import Pushed, in_use
from isol8_tasks.run.session import Session


class PushCommand(OwnCommand):
    """Bring the images in use into the registry of deps.toml."""

    name = "push"
    doc_purpose = "push the images in use that [registry] repository does not have yet"
    doc_usage = ""
    doc_description = (
        "A run pushes at its end what resolved-images.json does not list as pushed; this command asks the registry "
        "about every image."
    )
    cmd_options = (*SHOWN, WAIT)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Push them, one after the other, and write the manifest of where they are."""
        self.no_arguments(args)
        current = session()
        settings = current.view.config.registry
        if not settings.repository:
            raise ConfigError(
                f"push: {current.view.config.source} names no registry to push to; write under [registry] "
                'repository = "registry.example/isol8"'
            )
        current.wait = params["wait"]
        began = time.monotonic()
        try:
            with show_work(current, params) as screen:
                current.lock()
                names = in_use(current.view.observed, standins=settings.standins)
                teller = Teller(current, screen)
                left = current.publication.left_out
                for name in left:
                    teller.left(
                        name,
                        "left out",
                        "based on a stand-in of the lab; [registry] standins = true pushes it",
                    )
                written = self._push(current, names, screen)
                pushed = sum(map(bool, written))
                counts = {"pushed": pushed, "already there": len(names) - pushed, "left out": len(left)}
                teller.summary(counts, began, _words(sum(map(len, written)), settings.repository))
        finally:
            current.close()
        return 0

    @staticmethod
    def _push(current: Session, names: Sequence[str], screen: Screen) -> list[tuple[str, ...]]:
        """Push images, and return which tags that took for each; the manifest says where all are that were pushed."""
        known = current.publication.in_registry
        screen.awaited = len(names)
        written = []
        try:
            for name in names:
                with screen.work(name, "asking the registry"):
                    still = _still(current, name, known.get(name))
                    written.append(current.push(name, known=still, takes_name=True))
            current.bring_platforms(())
        finally:
            current.publication.write_manifest()
        return written


def _words(tags: int, repository: str) -> str:
    return f"{tags} tag{'' if tags == 1 else 's'} written in {repository}" if tags else ""


def _still(current: Session, name: str, known: tuple[str, Pushed] | None) -> Pushed | None:
    """Return where the image in use is in the current registry, as far as that is known."""
    image = current.view.observed.public(name)
    if known is None or image is None or known[0] != image.id:
        return None
    return known[1] if known[1].repository == current.view.config.registry.repository else None
