"""doit's commands that have nothing to work on here: each says so, and what to do instead."""

from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.cli.command import OwnCommand
from isol8_tasks.cli.ending import ends_in_one_line
from isol8_tasks.errors import COMMAND, ConfigError

_NOTHING: Final = "build state lives in image labels; there is no database"


class _OfAnyWords(OwnCommand):
    """A command whose words make no difference."""

    doc_usage = ""

    def read(self, words: list[str]) -> int:
        """Take every word as it is."""
        return self.execute({}, words)


class ForgetCommand(_OfAnyWords):
    """Say that there is nothing to forget."""

    name = "forget"
    doc_purpose = "nothing to forget here: there is no database; --force rebuilds"

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - they make no difference
        """Say it."""
        tasks = [word for word in args if not word.startswith("-")] or ["base:bun"]
        words = " ".join(f"{task} --force" for task in tasks)
        print(f"nothing to forget: {_NOTHING}; to rebuild: {COMMAND} {words}")  # noqa: T201 - its purpose
        return 0


class _Refused(_OfAnyWords):
    """A command that would do nothing, or something that nobody expects."""

    why: str

    @ends_in_one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - they make no difference
        """Refuse it."""
        raise ConfigError(f"{self.name}: {self.why}")


class IgnoreCommand(_Refused):
    """Refuse what the next run would not know of."""

    name = "ignore"
    doc_purpose = "not supported: name the tasks to run, or use setup --only"
    why = f"{_NOTHING}; to leave out a runtime: {COMMAND} setup --only python,node, or name the tasks to run"


class ResetDepCommand(_Refused):
    """Refuse to write into a database that is gone with the run."""

    name = "reset-dep"
    doc_purpose = "not supported: there is no database to reset"
    why = f"{_NOTHING}; {COMMAND} plan prints the state of each image"


class DumpDbCommand(_Refused):
    """Refuse to show a database that is gone with the run."""

    name = "dumpdb"
    doc_purpose = "not supported: there is no database; docker image inspect shows the labels"
    why = f"{_NOTHING}; docker image inspect isol8:bun shows them"


class StraceCommand(_Refused):
    """Refuse to trace what happens in the engine."""

    name = "strace"
    doc_purpose = "not supported: dependencies are read from the Dockerfile"
    why = (
        f"the engine builds the images, so a trace of doit shows nothing; {COMMAND} plan prints why each would "
        "be built"
    )


class TabCompletionCommand(_Refused):
    """Refuse what would complete the command `doit`, which nobody types."""

    name = "tabcompletion"
    doc_purpose = "not supported: see completion"
    why = f"{COMMAND} completion bash prints what completes {COMMAND}; zsh and fish likewise"
