"""Which tasks and settings doit runs with: those of the checkout, or the installed ones."""

from typing import Any, Final

from isol8_tasks import errors

NAME: Final = "isol8-tasks"
"""The command of an installation."""


def settings() -> dict[str, Any]:
    """Return what doit's start is given, by the names of its parameters."""
    if errors.COMMAND != NAME:
        return {"config_filenames": ("pyproject.toml",)}
    from doit.cmd_base import ModuleTaskLoader  # noqa: PLC0415 - a checkout's run does not need it
    from doit.doit_cmd import DoitConfig  # noqa: PLC0415 - as above

    from isol8_tasks.cli import tasks  # noqa: PLC0415 - as above
    from isol8_tasks.shipped import FOLDER  # noqa: PLC0415 - as above

    # Whatever pyproject.toml and dodo.py lie in the folder are another project's.
    found = DoitConfig().load_config_toml(FOLDER / "pyproject.toml", "tool.doit")
    return {"task_loader": ModuleTaskLoader(tasks), "config_filenames": (), "extra_config": found}
