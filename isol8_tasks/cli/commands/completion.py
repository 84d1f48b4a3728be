"""The command completion: a program for the shell that completes this one's command line."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand, say
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.cli.program import INSTALLED
from isol8_tasks.cli.tasks import FORCE, SETUP_FLAGS
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.errors import COMMAND, ConfigError
from isol8_tasks.report.completion import COMMANDS, FILES, IMAGES, OTHERS, SHELLS, TASKS, Completed, script

_OPERANDS: Final = {
    "TASK": (TASKS,),
    "NAME": (IMAGES,),
    "FILE]": (FILES,),
    "[FILE ": (FILES,),
    "RUNTIME ": (*RUNTIMES,),
    "SHELL": SHELLS,
    "COMMAND": (COMMANDS,),
}
"""By what stands for them in a command's usage."""

_FIRST: Final = {"--help": "show help", "--version": "print the version"}


class CompletionCommand(OwnCommand):
    """Let a shell complete commands, flags, tasks and images."""

    name = "completion"
    doc_purpose = "print a program that completes commands, for bash, zsh or fish"
    doc_usage = "SHELL (bash, zsh or fish)"

    def __init__(self, cmds: Any = None, **kwargs: Any) -> None:  # noqa: ANN401 - whatever doit passes
        super().__init__(**kwargs)
        self._made = {"cmds": cmds, **kwargs}

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - it has no options
        """Print it."""
        if len(args) != 1 or args[0] not in SHELLS:
            raise ConfigError(
                f"completion: expected one shell ({', '.join(SHELLS)}): {COMMAND} completion bash"
            )
        say(script(args[0], COMMAND, [*self._completed()]).rstrip())
        return 0

    def _completed(self) -> Iterator[Completed]:
        """Yield the commands that somebody types."""
        for name, kind in sorted(self._made["cmds"].to_dict().items()):
            module = kind.__module__.rpartition(".")[2]
            if module in {"unsupported", "cmd_completion"} or (module == "develop" and COMMAND == INSTALLED):
                continue
            command = kind(**self._made)
            flags = {"--" + each["long"]: _first_line(each) for each in kind.cmd_options if each.get("long")}
            operands = [word for mark, words in _OPERANDS.items() if mark in kind.doc_usage for word in words]
            yield Completed(name=name, purpose=command.doc_purpose, flags=flags, operands=operands)
            if name == "run":
                yield Completed(name="", flags={**_FIRST, **flags}, operands=(TASKS,))
        yield Completed(name="setup", flags={"--" + each["long"]: _first_line(each) for each in SETUP_FLAGS})
        yield Completed(name=OTHERS, flags={"--force": _first_line(FORCE)}, operands=(TASKS,))


def _first_line(flag: Mapping[str, Any]) -> str:
    return str(flag["help"]).partition("\n")[0].partition(" [default")[0]
