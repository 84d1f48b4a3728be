"""The command init: a deps.toml to begin with."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.config.shipped import BEGINNING, FOLDER
from isol8_tasks.errors import COMMAND, ConfigError


class InitCommand(OwnCommand):
    """Let a folder be one that the other commands work in."""

    name = "init"
    doc_purpose = "write a commented deps.toml into this folder, with its schema for editors"
    doc_usage = ""

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Write it, unless there is one."""
        self.no_arguments(args)
        text = BEGINNING.read_text(encoding="utf-8")
        schema = FOLDER / "docs" / "schemas" / "deps.schema.json"
        is_checkout = FOLDER.samefile(Path.cwd())
        if not is_checkout:
            text = text.replace(
                f"#:schema {schema.relative_to(FOLDER).as_posix()}", f"#:schema {schema.name}"
            )
        try:
            with Path("deps.toml").open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise ConfigError(
                "deps.toml: exists already, and was left untouched; edit it, or remove it first"
            ) from None
        # Beside it, where editors find it without a network; what is there may be somebody's own.
        if not is_checkout:
            with contextlib.suppress(FileExistsError), Path(schema.name).open("x", encoding="utf-8") as file:
                file.write(schema.read_text(encoding="utf-8"))
        say(f"deps.toml written; declare packages in it, then build them: {COMMAND} up")
        return 0
