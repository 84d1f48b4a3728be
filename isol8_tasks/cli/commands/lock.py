"""The command lock."""

from collections.abc import Mapping
from typing import Any

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.doit import SHOWN
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.showing import show_work
from isol8_tasks.cli.tasks import session
from isol8_tasks.run.locking import write_lock


class LockCommand(OwnCommand):
    """Write down exactly what is in the images."""

    name = "lock"
    doc_purpose = "write deps.lock.toml: the exact versions in every image, for setup --locked"
    doc_usage = ""
    cmd_options = SHOWN
    doc_description = (
        "All images must be up to date. Hashes of installed packages that the lock does not have yet are fetched from "
        "the package sources."
    )

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Write it, and say what changed."""
        self.no_arguments(args)
        current = session()
        try:
            current.view.ping()
            with show_work(current, params) as screen:
                screen.awaited = len(current.view.graph.images)
                for file, changed in write_lock(current, screen.work).items():
                    if changed or not screen.quiet:
                        screen.line(
                            f"{file}: {', '.join(changed)} changed" if changed else f"{file} unchanged"
                        )
        finally:
            current.close()
        return 0
