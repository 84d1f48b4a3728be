"""What COPY, ADD and the mounts of a RUN take of the build context, and how a COPY or ADD counts."""

import posixpath
import re
from collections.abc import Sequence

from isol8_tasks.dockerfile.context_files import Taking
from isol8_tasks.dockerfile.globs import BadPatternError, literal_start
from isol8_tasks.dockerfile.heredocs import heredoc_name
from isol8_tasks.dockerfile.stages import StageResolver
from isol8_tasks.dockerfile.syntax import Instruction
from isol8_tasks.dockerfile.variables import Scope
from isol8_tasks.dockerfile.workdirs import destination

_REMOTE = r"(https?|git|ssh)://|git@"


def expanded(resolver: StageResolver, step: Instruction, words: Sequence[str], scope: Scope) -> list[str]:
    """Return what words come to, as far as that counts."""
    return [word if heredoc_name(word) else resolver.expand(word, scope, step).counts for word in words]


class Copying:
    """Reads the steps that take files, for one target."""

    def __init__(self, resolver: StageResolver, taking: Taking, *, newer: bool) -> None:
        self._resolver = resolver
        self._newer = newer
        self.taking = taking
        self.warnings: list[str] = []

    def take_sources(self, step: Instruction, scope: Scope) -> None:
        """Take in the files of the context that a COPY or ADD names."""
        for word in step.words[:-1]:
            if heredoc_name(word) is None and not (step.keyword == "ADD" and re.match(_REMOTE, word)):
                self.take(word, step, scope, pattern=True, parents=step.flag("parents") is not None)

    def take(
        self, word: str, step: Instruction, scope: Scope, *, pattern: bool = False, parents: bool = False
    ) -> None:
        """Take in the files of the context that a word stands for."""
        value = self._resolver.expand(word, scope, step)
        source = value.text or ""
        if step.keyword == "ADD" and re.match(_REMOTE, source):
            return
        if not value.known:
            self.warnings.append(
                f"{self._resolver.dockerfile.name}:{step.line}: {word} depends on the upstream image or the "
                "platform, so a change of any file counts"
            )
            self.taking.take_all()
            return
        if parents:
            source = literal_start(source.replace("/./", "/"))
        try:
            found = self.taking.take(source, pattern=pattern)
        except BadPatternError as error:
            self._resolver.refuse(step, str(error))
        if not found and not parents:
            why = self.taking.why_missing(source)
            place = f"{self._resolver.dockerfile.name}:{step.line}"
            self.taking.missing.append(f"{place}: {step.keyword} {source}: {why}")

    def paths(self, step: Instruction, scope: Scope, folder: str | None) -> list[str]:
        """Return the words of a COPY or ADD in a stage that only files are taken from: by the paths that they come to.

        `folder` is where the stage works, if that is known.
        """
        sources = expanded(self._resolver, step, step.words[:-1], scope)
        if step.flag("parents") is None:
            sources = [
                word if heredoc_name(word) or re.match(_REMOTE, word) else posixpath.normpath(f"/{word}")
                for word in sources
            ]
        return [*sources, destination(folder, self._resolver.expand(step.words[-1], scope, step))]

    def owner_and_mode(self, step: Instruction, scope: Scope) -> dict[str, str]:
        """Return the flags of a step that give files an owner and a mode, as they count."""
        found = {}
        for name, value in step.options:
            if name == "chown":
                found[name] = self._resolver.expand(value, scope, step).counts
            if name == "chmod":
                from isol8_tasks.dockerfile.checks import mode_problem  # noqa: PLC0415 - few give one

                given = self._resolver.expand(value, scope, step)
                # Older builders overlook a mode that is none.
                if self._newer and given.plain and (problem := mode_problem(given.counts)):
                    self._resolver.refuse(step, problem)
                mode = given.counts
                found[name] = mode.lstrip("0") if re.fullmatch("0*[1-7][0-7]*", mode) else mode
        return found
