"""Runs doit, and writes a line to a file when an image has passed its verification, or is to be pulled or pushed.

python -m tests.integration.killing FILE doit's words…
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isol8_tasks.images.labels import BUILD
from isol8_tasks.lifecycle import build, transfer


def note(file: Path, module: object, name: str, what: Callable[..., str]) -> None:
    """Write what is said of each call of a function, before it does anything."""
    whole = getattr(module, name)

    def noted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - handed on
        with file.open("a") as stream:
            stream.write(f"{what(*arguments, **options)}\n")
        return whole(*arguments, **options)

    setattr(module, name, noted)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    # The first thing that is done with a build that passed.
    note(path, build, "compare", lambda *_, promoted, **__: promoted[BUILD])
    note(path, transfer, "pull_image", lambda *_: "pull")
    note(path, transfer, "push_image", lambda *_, **__: "push")
    sys.argv[1:] = sys.argv[2:]
    from isol8_tasks.cli.main import start

    sys.exit(start(sys.argv[1:]))
