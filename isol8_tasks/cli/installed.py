"""The command isol8-tasks, which an installation provides: it works in the folder of the nearest deps.toml."""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from isol8_tasks import errors
from isol8_tasks.cli.program import NAME

_WITHOUT_FOLDER: Final = frozenset({"help", "--help", "-h", "--version", "completion", "tabcompletion"})
"""What works without a deps.toml."""


def main() -> int:
    """Run a command in the folder of the nearest deps.toml; return its exit code."""
    # Before any other module takes it over.
    errors.COMMAND = NAME
    words = sys.argv[1:]
    try:
        if words[:1] != ["init"]:
            enter(words, os.environ)
    except (errors.ConfigError, OSError) as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return errors.ConfigError.exit_code
    from isol8_tasks.cli.__main__ import main as run  # noqa: PLC0415 - as its modules take COMMAND over

    return run()


def enter(words: list[str], environ: MutableMapping[str, str]) -> None:
    """Enter the folder that the words are about; ConfigError if they need one and there is none."""
    for name in ("ISOL8_DEPS", "ISOL8_CONFIG"):
        if environ.get(name):
            # It was written where the command was typed.
            environ[name] = str(Path(environ[name]).absolute())
    if "ISOL8_DEPS" in environ:
        named = Path(environ["ISOL8_DEPS"])
        if named.is_file():
            os.chdir(named.parent)
        return
    here = Path.cwd()
    for folder in (here, *here.parents):
        if os.path.lexists(folder / "deps.toml"):
            os.chdir(folder)
            return
    if not words or not (words[0] in _WITHOUT_FOLDER or {"-h", "--help"}.intersection(words)):
        raise errors.ConfigError(
            f"{here}: no deps.toml in this folder or one above it; {NAME} init writes one here"
        )
