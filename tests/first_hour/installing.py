"""Brings about that the command isol8-tasks is there, in a folder that is no checkout."""

import shlex
import sys

from tests.first_hour.scenes import ROOT, Scene

_PROGRAM = "import sys; from isol8_tasks.cli.installed import main; sys.exit(main())"


def command(scene: Scene) -> None:
    """Put the command into a folder outside of every folder with a deps.toml."""
    (scene.folder / "deps.toml").unlink()
    file = scene.write(
        "elsewhere/isol8-tasks",
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -c "{_PROGRAM}" "$@"\n',
    )
    file.chmod(0o755)
