"""The command import: writes what isol8.config.json declares into deps.toml, whose comments and layout stay."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.config.editing import add_lists, joined_document
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error
from isol8_tasks.report import plan as report

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class ImportCommand(OwnCommand):
    """Let deps.toml alone say what is built."""

    name = "import"
    doc_purpose = "copy what isol8.config.json declares into deps.toml"
    doc_usage = ""
    doc_description = "Comments and layout of deps.toml are kept. isol8.config.json is not changed."

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Write what it lacks, and say what that was."""
        self.no_arguments(args)
        current = session()
        config, workspace = current.view.config, current.view.workspace
        if config.added is None:
            say(f"no {' and no '.join(workspace.client_files) or 'isol8.config.json'} here; nothing to write")
            return 0
        if config.added.dependencies or config.added.images:
            workspace.write_deps(with_added(workspace.read_deps(), config))
            last = f"written to {config.source}"
        else:
            what = f"everything {'else ' if config.added.others else ''}that {config.added.source} declares"
            last = f"{config.source} has {what}; nothing to write"
        for line in (*report.added_lines(config, hint=False), last):
            say(line)
        return 0


def with_added(text: str, config: Config) -> str:
    """Return the text of deps.toml with what isol8's own file adds to it; what stood there stays as it was.

    Raises Isol8Error where the text can't be changed without another meaning.
    """
    from tomlkit import parse  # noqa: PLC0415 - no other command writes TOML
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    if config.added is None:
        return text
    try:
        document = parse(text.removeprefix("\ufeff"))
        tables = [
            *_add_packages(document, config.added.dependencies),
            *_add_images(document, config.added.images),
        ]
        new = joined_document(document, tables, text)
        same = parse_config(new, config.source) == config
    except (TOMLKitError, ConfigError):
        same = False
    if not same:
        raise Isol8Error(
            f"{config.source}: can't be changed without side effects on other settings; add by hand what "
            f"{COMMAND} plan lists"
        )
    return new


def _add_packages(document: "TOMLDocument", dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Add packages to the table that is there; else return the text of one."""
    from tomlkit.items import AbstractTable  # noqa: PLC0415 - as above

    table = document.get("dependencies")
    if not isinstance(table, AbstractTable):
        return [_table("dependencies", dependencies)] if dependencies else []
    add_lists(table, dependencies)
    return []


def _add_images(document: "TOMLDocument", images: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Add images to the inline table that is there; else return the text of a table for each."""
    from tomlkit import key  # noqa: PLC0415 - as above
    from tomlkit.items import InlineTable  # noqa: PLC0415 - as above

    table = document.get("images")
    if not isinstance(table, InlineTable):
        return [_table(f"images.{key(name).as_string()}", keys) for name, keys in images.items()]
    for name, keys in images.items():
        table.add(name, dict(keys))
    return []


def _table(header: str, keys: Mapping[str, Any]) -> str:
    from tomlkit import item, string  # noqa: PLC0415 - as above

    lines = [f"[{header}]\n"]
    for key, value in keys.items():
        if isinstance(value, str) and "\n" in value[:-1] and not value.startswith("\n"):
            text = string(value, multiline=True).as_string()
        else:
            text = item(value if isinstance(value, str) else list(value)).as_string()
        lines.append(f"{key} = {text}\n")
    return "".join(lines)
