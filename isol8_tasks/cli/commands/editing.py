"""The commands add and remove: packages in deps.toml, whose comments and layout stay, and then the plan."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isol8_tasks.cli.command import OwnCommand, run_doit, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.tasks import session
from isol8_tasks.config.editing import Declared, Edit, with_packages, without_packages
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.ecosystems.specs import split_flag
from isol8_tasks.errors import COMMAND, ConfigError, Isol8Error, UndecidedError
from isol8_tasks.run.workspace import Workspace

_UNSHOWN = frozenset({1, 3, 4})
"""Exit codes of a plan that does not say what follows."""
_MINUS = "\N{MINUS SIGN}"


class _EditCommand(OwnCommand):
    """A command about packages of a runtime, or of a named image."""

    doc_usage = "RUNTIME PACKAGE ..., or --image NAME PACKAGE ... [--system]"
    cmd_options = (
        {
            "name": "image",
            "long": "image",
            "type": str,
            "default": "",
            "help": "of the named image [images.NAME], and not of a runtime",
        },
        {
            "name": "system",
            "long": "system",
            "type": bool,
            "default": False,
            "help": "Alpine packages beside those of the runtime: [system], or `system` of the image",
        },
    )
    edit: Callable[[str, str, Declared, Iterable[str]], Edit]

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:
        """Write deps.toml, and print what a run would do then."""
        current = session()
        workspace = current.view.workspace
        # What is wrong with it now is told before anything else.
        source = current.view.config.source
        place, words = self._place(params, args, current.view.config.images)
        text = workspace.read_deps()
        edit = type(self).edit(text, source, place, words)
        current.close()
        if edit.text == text:
            say(f"{source} has {', '.join(dict.fromkeys(words))} under {place.words}; nothing to write")
            return 0
        write_edited(workspace, source, text, edit.text)
        changes = [*(f"+ {each}" for each in edit.added), *(f"{_MINUS} {each}" for each in edit.removed)]
        say(f"{source}: {', '.join(changes)} under {place.words}")
        return show_plan(source)

    def _place(
        self, params: Mapping[str, Any], args: Sequence[str], images: Iterable[str]
    ) -> tuple[Declared, tuple[str, ...]]:
        """Return the list that is meant, and the packages."""
        name, rest = (params["image"], args) if params["image"] else (args[0] if args else "", args[1:])
        name = name.partition(":")[2] or name
        words = tuple(word for text in rest for word in split_flag(text))
        if not params["image"] and name not in RUNTIMES:
            example = f"{COMMAND} {self.name} python numpy"
            if name in images:
                example = f"{COMMAND} {self.name} --image {name} {' '.join(words) or 'numpy'}"
            raise ConfigError(
                f"{self.name}: expected one runtime ({', '.join(RUNTIMES)}) and its packages, for example: {example}"
            )
        if not words:
            raise ConfigError(
                f"{self.name}: no package is named, for example: {COMMAND} {self.name} python numpy"
            )
        return Declared(name=name, is_image=bool(params["image"]), is_system=params["system"]), words


def write_edited(workspace: Workspace, source: str, before: str, after: str) -> None:
    """Write deps.toml, unless somebody else changed it since it was read."""
    if workspace.read_deps() != before:
        raise Isol8Error(f"{source}: was changed meanwhile, and is left as it is; run again")
    workspace.write_deps(after)


def show_plan(source: str) -> int:
    """Print what a run would do with the file that was written, and return the exit code of that."""
    session.cache_clear()
    code = run_doit(["plan"])
    if code not in _UNSHOWN:
        return code
    sys.stderr.write(f"{source} is written; only the plan could not be printed: {COMMAND} plan\n")
    return UndecidedError.exit_code


class AddCommand(_EditCommand):
    """Declare packages."""

    name = "add"
    doc_purpose = "add packages to deps.toml, or change their versions, and print the plan"
    doc_description = (
        "Comments, order and layout of deps.toml are kept. Nothing is built: the next run does that."
    )
    edit = staticmethod(with_packages)


class RemoveCommand(_EditCommand):
    """No longer declare packages."""

    name = "remove"
    doc_purpose = "remove packages from deps.toml, and print the plan"
    doc_description = AddCommand.doc_description
    edit = staticmethod(without_packages)
