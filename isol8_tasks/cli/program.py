"""What depends on how doit was started: the folder worked in, its tasks and settings, and files that somebody names."""

import os
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

from isol8_tasks import errors

INSTALLED: Final = "isol8-tasks"
"""The command of an installation."""
_WITHOUT_FOLDER: Final = frozenset({"help", "completion", "tabcompletion"})
_ANYWHERE: Final = frozenset({"-h", "--help", "--version"})
"""What works without a deps.toml: commands, and flags of any command."""
typed_in = Path()
"""Where the command was typed, if that is not the folder worked in."""


def enter(words: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Enter the folder of the nearest deps.toml where the package is installed; ConfigError if there has to be one."""
    if errors.COMMAND != INSTALLED:
        return
    here = _current_folder()
    if words[:1] == ["init"]:
        return
    for name in ("ISOL8_DEPS", "ISOL8_CONFIG"):
        if environ.get(name):
            # It was written where the command was typed.
            environ[name] = str(here / environ[name])
    folder = _nearest(here, environ)
    if folder and folder != here:
        global typed_in  # noqa: PLW0603 - one process works in one folder
        typed_in = here
        os.chdir(folder)
    if folder is None and not _WITHOUT_FOLDER.intersection(words[:1]) and not _ANYWHERE.intersection(words):
        raise errors.ConfigError(
            f"{here}: no deps.toml in this folder or one above it; {INSTALLED} init writes one here"
        )


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise errors.ConfigError(
            f"the current folder is gone or can't be read ({error.strerror}); change into another one"
        ) from None


def _nearest(here: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the deps.toml that the environment names, else of the nearest one; None if there is none."""
    if "ISOL8_DEPS" in environ:
        named = Path(environ["ISOL8_DEPS"])
        return named.parent if named.is_file() else here
    return next((each for each in (here, *here.parents) if os.path.lexists(each / "deps.toml")), None)


def settings() -> dict[str, Any]:
    """Return what doit's start is given, by the names of its parameters."""
    if errors.COMMAND != INSTALLED:
        return _reading("pyproject.toml")
    from doit.cmd_base import ModuleTaskLoader  # noqa: PLC0415 - a checkout's run does not need it

    from isol8_tasks.cli import tasks  # noqa: PLC0415 - as above
    from isol8_tasks.config.shipped import FOLDER  # noqa: PLC0415 - as above

    # Whatever pyproject.toml and dodo.py lie in the folder are another project's.
    return {"task_loader": ModuleTaskLoader(tasks), **_reading(FOLDER / "pyproject.toml")}


def _reading(file: Path | str) -> dict[str, Any]:
    from doit.doit_cmd import DoitConfig  # noqa: PLC0415 - after import_doit

    class OfDoit(DoitConfig):  # type: ignore[misc]  # doit has no types
        # That of deps.toml, which is compiled; Python's own takes longer than all images are looked at.
        _TOML_LIBS = ("tomli",)

    return {"config_filenames": (), "extra_config": OfDoit().load_config_toml(file, "tool.doit")}


def named_file(name: str) -> Path:
    """Return the file or folder that somebody named on the command line."""
    if name == "-":
        raise errors.ConfigError("'-' does not stand for standard input or output here; name a file")
    return typed_in / name
