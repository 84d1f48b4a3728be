"""doit's commands that have nothing to work on here: each says so, and what to do instead."""

from collections.abc import Mapping
from typing import Any, Final

from isol8_tasks.commands import OwnCommand
from isol8_tasks.errors import ConfigError
from isol8_tasks.running import one_line

_NOTHING: Final = "what is built is told by labels on the images, and nothing is kept beside them"


class _OfAnyWords(OwnCommand):
    """A command whose words make no difference."""

    doc_usage = ""

    def parse_execute(self, in_args: list[str]) -> int:
        """Take every word as it is."""
        return self.execute({}, in_args)


class Forget(_OfAnyWords):
    """Say that there is nothing to forget."""

    name = "forget"
    doc_purpose = "say that nothing is remembered; --force rebuilds"

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - they make no difference
        """Say it."""
        tasks = [word for word in args if not word.startswith("-")] or ["base:bun"]
        words = " ".join(f"{task} --force" for task in tasks)
        print(f"nothing to forget: {_NOTHING}; to rebuild: doit {words}")  # noqa: T201 - its purpose
        return 0


class _Refused(_OfAnyWords):
    """A command that would do nothing, or something that nobody expects."""

    why: str

    @one_line
    def act(self, params: Mapping[str, Any], args: list[str]) -> int:  # noqa: ARG002 - they make no difference
        """Refuse it."""
        raise ConfigError(f"{self.name}: {self.why}")


class Ignore(_Refused):
    """Refuse what the next run would not know of."""

    name = "ignore"
    doc_purpose = "not here: name the tasks to be run, or the runtimes by setup --only"
    why = f"{_NOTHING}; leave a runtime out with doit setup --only python,node, or name the tasks to run"


class ResetDep(_Refused):
    """Refuse to write into a database that is gone with the run."""

    name = "reset-dep"
    doc_purpose = "not here: nothing is kept that could be reset"
    why = f"{_NOTHING}; doit plan says what is the matter with each"


class DumpDb(_Refused):
    """Refuse to show a database that is gone with the run."""

    name = "dumpdb"
    doc_purpose = "not here: there is no database; docker image inspect shows the labels"
    why = f"{_NOTHING}; docker image inspect isol8:bun shows them"


class Strace(_Refused):
    """Refuse to trace what happens in the engine."""

    name = "strace"
    doc_purpose = "not here: the engine builds, and what an image depends on is read from the Dockerfile"
    why = "images are built by the engine, of which a trace shows nothing; doit plan says what they depend on"
