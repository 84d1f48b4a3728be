"""What a target of a Dockerfile is built of: stages, and the files, arguments and upstream images in them."""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from isol8_tasks.dockerfile.builder import USUAL, BuilderTraits
from isol8_tasks.dockerfile.canonical import canonical, canonical_from, gathered
from isol8_tasks.dockerfile.context_files import Find, Taking
from isol8_tasks.dockerfile.copying import Copying, expanded
from isol8_tasks.dockerfile.environment import Surroundings
from isol8_tasks.dockerfile.inputs import Closure, StageInputs, Step
from isol8_tasks.dockerfile.lexer import UnreadableError
from isol8_tasks.dockerfile.stages import Origin, Stage, StageResolver, TriggersOf, Upstream, no_triggers
from isol8_tasks.dockerfile.syntax import Dockerfile, Instruction, parse
from isol8_tasks.dockerfile.variables import CountedArguments, Scope, Value
from isol8_tasks.dockerfile.workdirs import entered
from isol8_tasks.ecosystems.runtimes import is_location

__all__ = ["Closure", "Dockerfile", "closure", "parse", "upstream_images"]

_CONFIGURATION = {
    "CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "STOPSIGNAL", "VOLUME"
}  # fmt: skip
"""What goes into an image's configuration, and means nothing in a stage that only files are taken from."""
_CHECKED = {"EXPOSE", "STOPSIGNAL"}
_SURROUNDINGS = {"ARG", "ENV", "SHELL", "USER"}
"""What means something to the steps after it alone."""


def closure(  # noqa: PLR0913 - each of them decides what a target comes out as
    dockerfile: Dockerfile,
    target: str | None,
    args: Mapping[str, str],
    context: Collection[str] | Find,
    *,
    ignore: str = "",
    triggers: TriggersOf = no_triggers,
    builder: BuilderTraits = USUAL,
) -> Closure:
    """Return what the target (None: the last stage) is built of.

    `context` are the paths of the build context, or tells which of them a source takes; `ignore` is the text of its
    ignore file. `triggers` tells what an upstream image does, and `builder` is what builds. Where something can't be
    read here, the whole text and every file count, and a warning says so.
    """
    taking = Taking(context, ignore)
    resolver = StageResolver(dockerfile, args, triggers, builder)
    stage = resolver.stages[-1] if target is None else resolver.target(target)
    problems = dockerfile.unreadable
    if not problems:
        try:
            return _Walk(resolver, stage, taking, builder).closure()
        except UnreadableError as error:
            problems = (str(error),)
    from isol8_tasks.dockerfile.fallback import everything  # noqa: PLC0415 - few can't be read

    return everything(resolver, stage, taking, problems)


def upstream_images(
    dockerfile: Dockerfile,
    target: str,
    args: Mapping[str, str],
    *,
    triggers: TriggersOf = no_triggers,
    builder: BuilderTraits = USUAL,
) -> tuple[str, ...]:
    """Return the upstream images that a target is built of, or all where they can't be read; its steps don't matter."""
    resolver = StageResolver(dockerfile, args, triggers, builder)
    stage = resolver.target(target)
    if not dockerfile.unreadable:
        with contextlib.suppress(UnreadableError):
            return tuple(each.reference for each in _upstream_of(resolver, resolver.order(stage)).values())
    from isol8_tasks.dockerfile.fallback import everything  # noqa: PLC0415 - as above

    return everything(resolver, stage, Taking((), ""), ()).upstream


def _upstream_of(resolver: StageResolver, stages: Iterable[Stage]) -> dict[str, Upstream]:
    origins = (origin for each in stages for origin in resolver.origins(each))
    return {each.short: each for each in origins if isinstance(each, Upstream)}


class _Walk:
    """One pass over the stages that a target needs."""

    def __init__(
        self, resolver: StageResolver, target: Stage, taking: Taking, builder: BuilderTraits
    ) -> None:
        self._resolver = resolver
        self._target = target
        # A frontend that the file asks for is newer than any engine that does not write them.
        self._writes_values = builder.writes_values or bool(resolver.dockerfile.syntax)
        self._copying = Copying(resolver, taking, newer=self._writes_values)
        self._order = resolver.order(target)
        self._upstream = _upstream_of(resolver, self._order)
        self._arguments = CountedArguments()
        self._scopes: dict[int, Scope] = {}
        self._surroundings: dict[int, Surroundings] = {}
        line = list(self._line_of(target))
        self._ancestors = {each.index for each in line}
        self._base = resolver.base(line[-1])

    def closure(self) -> Closure:
        found = tuple(self._stage(each) for each in self._order)
        return Closure(
            stages=found,
            files=tuple(sorted(self._copying.taking.files)),
            args=tuple(sorted(self._arguments, key=lambda each: each[0].partition(" (")[0])),
            upstream=tuple(each.reference for each in self._upstream.values()),
            base=self._base.reference if isinstance(self._base, Upstream) else "",
            missing=tuple(self._copying.taking.missing),
            warnings=tuple(self._copying.warnings),
        )

    def _line_of(self, stage: Stage) -> Iterator[Stage]:
        base: Origin = stage
        while isinstance(base, Stage):
            yield base
            base = self._resolver.base(base)

    def _stage(self, stage: Stage) -> StageInputs:
        base = self._resolver.base(stage)
        self._scopes[stage.index] = scope = self._first_scope(base)
        self._surroundings[stage.index] = around = (
            self._surroundings[base.index].copy() if isinstance(base, Stage) else Surroundings()
        )
        self._arguments.begin(stage.index, base.index if isinstance(base, Stage) else None)
        platform = self._platform(stage)
        text = canonical_from(platform.counts if platform else None, self._token(base))
        steps = [Step(line=stage.start.line, text=text)]
        if stage is self._target and (syntax := self._resolver.dockerfile.syntax):
            steps.insert(0, Step(line=1, text=f"# syntax={syntax}"))
        self._global_values(base, platform)
        instructions = self._resolver.steps(stage)
        counted = self._counted(stage, instructions)
        for number, each in enumerate(instructions):
            text = self._step(each, stage, scope, counts=number in counted)
            if number in counted and text:
                if stage.index not in self._ancestors:
                    steps.extend(around.before(each.keyword))
                steps.append(Step(line=each.line, text=text))
        if stage.index in self._ancestors:
            around.tell_all()
        return StageInputs(name=stage.name, steps=gathered(steps))

    def _first_scope(self, base: Origin) -> Scope:
        if isinstance(base, Stage):
            return self._scopes[base.index].copy()
        scope = Scope(escape=self._resolver.dockerfile.escape, open=isinstance(base, Upstream))
        # The builder sets it, where nothing else does.
        scope.values["PATH"] = Value(text="", counts="${PATH}", known=False)
        return scope

    def _token(self, origin: Origin) -> str:
        """Name what is referred to by its place, so that names and the order of other stages don't count."""
        if isinstance(origin, Stage):
            return f"stage:{self._order.index(origin) + 1}"
        if isinstance(origin, Upstream):
            return f"upstream:{list(self._upstream).index(origin.short) + 1}"
        return origin

    def _counted(self, stage: Stage, instructions: tuple[Instruction, ...]) -> set[int]:
        """Return the numbers of the steps that can change what the target comes out as."""
        every = range(len(instructions))
        if stage is self._target:
            return set(every)
        if stage.index in self._ancestors:
            return {each for each in every if instructions[each].keyword != "ONBUILD"}
        return {each for each in every if instructions[each].keyword not in _CONFIGURATION}

    def _step(self, step: Instruction, stage: Stage, scope: Scope, *, counts: bool) -> str:
        """Take in what a step needs, and return it as it counts; empty for one that doesn't."""
        stays = stage.index in self._ancestors
        if counts and (stays or step.keyword not in _SURROUNDINGS):
            self._arguments.use(stage.index, None if step.keyword == "RUN" else _named(step))
        match step.keyword:
            case "ARG":
                words = self._declare(step, stage, scope)
                return canonical(step, words=words) if stays else ""
            case "ENV" | "LABEL":
                pairs = [
                    tuple(self._resolver.expand(word, scope, step) for word in pair) for pair in step.pairs
                ]
                if step.keyword == "ENV":
                    self._set(step, stage, scope, pairs)
                text = canonical(step, pairs=[(name.counts, value) for name, value in pairs])
                return text if stays or step.keyword == "LABEL" else ""
            case "USER" | "SHELL" | "WORKDIR":
                return self._set_other(step, stage, scope)
            case "COPY" | "ADD":
                return self._copy(step, stage, scope)
            case "RUN":
                return canonical(step, mounts=self._mounts(step, stage, scope))
        # The builder refuses a wrong value in a stage of files, too.
        text = self._setting(step, scope) if counts or step.keyword in _CHECKED else ""
        return text if counts else ""

    def _set(self, step: Instruction, stage: Stage, scope: Scope, pairs: list[tuple[Value, ...]]) -> None:
        """Set the variables of an ENV."""
        for name, value in pairs:
            scope.values[name.text or ""] = value
            text = canonical(step, pairs=[(name.counts, value)])
            around = self._surroundings[stage.index]
            around.set_variable(name.text or "", "", Step(line=step.line, text=text))
            if stage.index not in self._ancestors:
                self._arguments.hide(stage.index, name.text or "")

    def _setting(self, step: Instruction, scope: Scope) -> str:
        if step.keyword not in {"EXPOSE", "VOLUME", "STOPSIGNAL", "USER"}:
            return canonical(step)
        values = [self._resolver.expand(word, scope, step) for word in step.words or (step.rest,)]
        if step.keyword in _CHECKED:
            from isol8_tasks.dockerfile.checks import value_problem  # noqa: PLC0415 - few have either

            for each in values:
                if each.known and (problem := value_problem(step.keyword, each.text or "")):
                    self._resolver.refuse(step, problem)
        return canonical(step, words=[each.counts for each in values])

    def _set_other(self, step: Instruction, stage: Stage, scope: Scope) -> str:
        """Set the user, the shell or the folder."""
        around = self._surroundings[stage.index]
        if step.keyword != "WORKDIR":
            text = self._setting(step, scope)
            around.set_other(step.keyword, Step(line=step.line, text=text))
            return text if stage.index in self._ancestors else ""
        value = self._resolver.expand(step.rest, scope, step)
        folder = entered(around.folder, value)
        made = around.enter(folder, step.line)
        if stage.index in self._ancestors or folder is None:
            return canonical(step, words=[value.counts])
        return made.text if made else ""

    def _copy(self, step: Instruction, stage: Stage, scope: Scope) -> str:
        origin = self._resolver.copy_origin(step, stage) if step.keyword == "COPY" else None
        if origin is None:
            self._copying.take_sources(step, scope)
        options = self._copying.owner_and_mode(step, scope)
        if origin is not None:
            options["from"] = self._token(origin)
        if stage.index in self._ancestors:
            # How a path is spelled shows in its history.
            words = expanded(self._resolver, step, step.words, scope)
        else:
            words = self._copying.paths(step, scope, self._surroundings[stage.index].folder)
        return canonical(step, words=words, options=options)

    def _declare(self, step: Instruction, stage: Stage, scope: Scope) -> list[str]:
        """Set the arguments that a step declares, and return them as they stand in the history of the target.

        What stays there counts, a value or a default; else a value does where something makes use of it.
        """
        stays = stage.index in self._ancestors
        written = []
        for word, (name, value) in zip(step.words, self._resolver.arguments(step, scope), strict=True):
            _, equals, text = word.partition("=")
            passed = name in self._resolver.given
            if self._writes_values and not is_location(name):
                equals = "=" * (value is not None)
            elif equals and passed and stays:
                default = self._resolver.expand(text, scope, step)
                self._arguments.count(name, stage.name, default, default=True)
            written.append(name + equals)
            if value is not None:
                scope.values[name] = value
                self._surroundings[stage.index].set_variable(
                    name, value.counts, Step(line=step.line, text=f"ARG {name}")
                )
                if stays and equals and (self._writes_values or not passed):
                    self._arguments.count(name, stage.name, value)
                else:
                    self._arguments.declare((stage.index, step, name), stage.name, value)
        return written

    def _mounts(self, step: Instruction, stage: Stage, scope: Scope) -> dict[str, str]:
        """Take in the files that a RUN mounts, and return what its `from=` refer to."""
        tokens = {}
        for mount in self._resolver.mounts(step, stage):
            if mount.origin:
                tokens[mount.written] = self._token(mount.origin)
            elif mount.source is not None:
                self._copying.take(mount.source, step, scope)
        return tokens

    def _platform(self, stage: Stage) -> Value | None:
        if (written := stage.start.flag("platform")) is None:
            return None
        return self._resolver.expand(written, self._resolver.globals, stage.start)

    def _global_values(self, base: Origin, platform: Value | None) -> None:
        """Count the arguments before the first FROM that a FROM uses."""
        names = set(base.names) if isinstance(base, Upstream) else set()
        names |= platform.names if platform else set()
        names -= self._resolver.of_the_platform
        seen: set[str] = set()
        while names:
            seen.add(name := names.pop())
            value = self._resolver.globals.values.get(name)
            if value is not None:
                names |= value.names - seen - self._resolver.of_the_platform
                self._arguments.count(name, "", value)


def _named(step: Instruction) -> set[str]:
    """Return the names that look like those of variables in a step."""
    documents = (each.content for each in step.heredocs if each.expand)
    return set(re.findall(r"\$\{?(\w+)", " ".join((*step.flags, step.rest, *documents))))
