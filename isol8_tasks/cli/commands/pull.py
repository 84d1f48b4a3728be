"""The command pull: images from a registry, by digest."""

import functools
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.commands.transfers import Teller
from isol8_tasks.cli.doit import SHOWN, WAIT
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.program import named_file
from isol8_tasks.cli.screen import Screen
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.errors import COMMAND, ConfigError, RegistryError, ReplacedError, VerifyFailedError
from isol8_tasks.images.journal import FAILED
from isol8_tasks.images.pushed import Listed, as_one_manifest, read_manifest
from isol8_tasks.run.session import Session
from isol8_tasks.run.textfiles import NoTextError, read_text


class PullCommand(OwnCommand):
    """Have the images that another machine pushed."""

    name = "pull"
    doc_purpose = "pull the images of manifests by digest, and promote them"
    doc_usage = "[FILE ...] (default: resolved-images.json)"
    doc_description = (
        "A pulled image is promoted like one that was built here; the replaced one is kept as -previous. Held images "
        "are left untouched. Several manifests are pulled as one; different builds of one image are refused. Exit "
        "code 1 when an image could not be pulled."
    )
    cmd_options = (*SHOWN, WAIT)

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Pull them, one after the other, and write the manifest of what is here then."""
        current = session()
        workspace = current.view.workspace
        names = [str(named_file(each)) for each in args]
        names = names or [os.path.relpath(workspace.manifest, workspace.root)]
        images = as_one_manifest({name: read_manifest(_text(name), name) for name in names})
        current.wait = params["wait"]
        began = time.monotonic()
        try:
            with show_work(current, params, [listed.name for listed in images]) as screen:
                current.lock()
                counts = self._pull(current, images, screen)
                current.view.look_again()
                if not counts["failed"]:
                    # Else it would no longer say what is missing.
                    current.publication.write_manifest()
                Teller(current, screen).summary(counts, began)
        finally:
            current.close()
        return 1 if counts["failed"] else 0

    @staticmethod
    def _pull(current: Session, images: Sequence[Listed], screen: Screen) -> dict[str, int]:
        from isol8_tasks.lifecycle.prune import forget_strays  # noqa: PLC0415 - most runs pull nothing

        screen.awaited = len(images)
        counts = dict.fromkeys(("pulled", "failed", "held", "up to date"), 0)
        repositories = {each.pushed.repository for each in images if each.pushed}
        forget_strays(repositories, current.view.observed, current.view.engine)
        held, teller = current.view.holds, Teller(current, screen)
        for each in images:
            if each.name in held:
                teller.left(each.name, "held", f"left untouched; end the hold: {COMMAND} release {each.name}")
                screen.awaited -= 1
                counts["held"] += 1
            else:
                others = each.pushed.others if each.pushed else ()
                listed = each.for_platform(current.view.engine.platform()) if others else each
                counts[_pull_one(current, listed, teller, screen)] += 1
        return counts


def _pull_one(current: Session, listed: Listed, teller: Teller, screen: Screen) -> str:
    """Pull an image and tell what came of it, also to the history; return that in a word."""
    from isol8_tasks.lifecycle.transfer import pull_image  # noqa: PLC0415 - most runs pull nothing
    from isol8_tasks.run.updating import acceptance  # noqa: PLC0415 - as above

    publication, observed, name = current.publication, current.view.observed, listed.name
    came: list[int] = []
    began = time.monotonic()
    try:
        with screen.work(name, "pulling"):
            accepted = acceptance(name, current.view, current.checks)
            hear = functools.partial(_hear, screen, name, came)
            image = pull_image(listed, observed, current.view.engine, accepted, hear)
    except (RegistryError, ReplacedError, VerifyFailedError) as error:
        teller.failed(name, error)
        publication.history.add_note(
            name,
            FAILED,
            problem=str(error).partition("\n")[0],
            seconds=time.monotonic() - began,
            pulled=max(came, default=0),
        )
        return "failed"
    here = image or observed.public(name)
    if listed.pushed and here:
        publication.pushed[name] = (here.id, listed.pushed)
    if not image:
        return "up to date"
    seconds = time.monotonic() - began
    publication.history.add(
        name,
        "pulled",
        observed,
        image,
        seconds=seconds,
        verified=current.view.config.verify.again,
        digest=listed.pushed.digest if listed.pushed else "",
        pulled=max(came, default=0),
    )
    teller.pulled(listed, seconds)
    return "pulled"


def _hear(screen: Screen, name: str, came: list[int], done: int, size: int) -> None:
    """Show how many bytes of an image came, and remember them."""
    from isol8_tasks.run.updating import pulled  # noqa: PLC0415 - most runs pull nothing

    came.append(done)
    screen.event(name, pulled("pulling", done, size))


def _text(name: str) -> str:
    try:
        return read_text(Path(name))
    except NoTextError as error:
        raise ConfigError(f"{name}: can't be read {error}") from error
    except FileNotFoundError as error:
        raise ConfigError(
            f"{name}: can't be read as a manifest ({error.strerror}); copy resolved-images.json from the machine that "
            f"pushed, or name it: {COMMAND} pull FILE"
        ) from error
