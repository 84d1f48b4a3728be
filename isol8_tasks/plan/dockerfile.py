"""What a target of a Dockerfile is built of: stages, and the files, arguments and upstream images in them."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping

from attrs import frozen

from isol8_tasks.plan.canonical import canonical, canonical_from
from isol8_tasks.plan.globs import BadPatternError, compile_glob, has_wildcards
from isol8_tasks.plan.lexer import UnreadableError
from isol8_tasks.plan.model import StageInputs, Step
from isol8_tasks.plan.stages import Origin, Resolver, Stage, Upstream
from isol8_tasks.plan.syntax import Dockerfile, Instruction, heredoc_name, parse
from isol8_tasks.plan.variables import Scope, Value
from isol8_tasks.runtimes import LOCATION_ARGS

__all__ = ["Closure", "Dockerfile", "closure", "parse", "slice_dockerfile"]

_CONFIGURATION = {
    "CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "STOPSIGNAL", "VOLUME"
}  # fmt: skip
"""What goes into an image's configuration, and means nothing in a stage that only files are taken from."""
_ENVIRONMENT = {"ARG", "ENV", "SHELL", "USER"}
"""What means something to the steps after it alone."""
_REMOTE = r"(https?|git|ssh)://|git@"


@frozen(kw_only=True, eq=False, repr=False)
class Closure:
    """Everything in Dockerfile, arguments and context that decides what a target comes out as."""

    stages: tuple[StageInputs, ...]
    """In the order in which they stand upon one another, the target last."""
    files: tuple[str, ...]
    """Paths in the build context, sorted."""
    args: tuple[tuple[str, str], ...]
    """Sorted; a name that has several values is told apart by its stage."""
    upstream: tuple[str, ...]
    """`alpine:3.21`, …, in the order of the stages; without `scratch`."""
    warnings: tuple[str, ...] = ()


def closure(
    dockerfile: Dockerfile,
    target: str | None,
    args: Mapping[str, str],
    context: Collection[str],
    *,
    ignore: str = "",
) -> Closure:
    """Return what the target (None: the last stage) is built of.

    `context` are the paths of the build context, `ignore` is the text of its ignore file. Where something in
    the Dockerfile can't be read here, all of it counts, and every file, and a warning says so.
    """
    paths = _left(context, ignore)
    resolver = Resolver(dockerfile, args)
    stage = resolver.stages[-1] if target is None else resolver.target(target)
    if dockerfile.unreadable:
        return _everything(resolver, stage, paths, dockerfile.unreadable)
    try:
        return _Walk(resolver, stage, paths).closure()
    except UnreadableError as error:
        return _everything(resolver, stage, paths, (str(error),))


def slice_dockerfile(
    dockerfile: Dockerfile, target: str | None, args: Mapping[str, str] | None = None
) -> str:
    """Return the text with only what precedes the first FROM, and the stages that a target needs.

    What stays is the same to the byte, but for stage numbers. None as target is the last stage. A text that
    can't be cut safely is returned whole.
    """
    from isol8_tasks.plan.slicing import cut  # noqa: PLC0415 - one builder of three needs it

    resolver = Resolver(dockerfile, args or {})
    stage = resolver.stages[-1] if target is None else resolver.target(target)
    return cut(resolver, stage)


def _left(context: Collection[str], ignore: str) -> tuple[str, ...]:
    if not ignore:
        return tuple(sorted(context))
    from isol8_tasks.plan.ignore import included, parse_ignore  # noqa: PLC0415 - few have an ignore file

    return included(context, parse_ignore(ignore))


def _everything(
    resolver: Resolver, target: Stage, paths: tuple[str, ...], problems: tuple[str, ...]
) -> Closure:
    dockerfile = resolver.dockerfile
    references = []
    for stage in resolver.stages:
        try:
            base = resolver.base(stage)
        except UnreadableError:
            base = Upstream(written=stage.start.words[0], reference=stage.start.words[0])
        if isinstance(base, Upstream):
            references.append(base.reference)
    step = Step(line=1, text=f"{target.index}\n{dockerfile.text}")
    return Closure(
        stages=(StageInputs(name=target.name, steps=(step,)),),
        files=paths,
        args=tuple(
            sorted((name, value) for name, value in resolver.given.items() if name not in LOCATION_ARGS)
        ),
        upstream=tuple(dict.fromkeys(references)),
        warnings=tuple(
            f"{each}; so the whole Dockerfile and every file count for {target.name}" for each in problems
        ),
    )


class _Walk:
    """One pass over the stages that a target needs."""

    def __init__(self, resolver: Resolver, target: Stage, paths: tuple[str, ...]) -> None:
        self._resolver = resolver
        self._target = target
        self._paths = paths
        self._order = resolver.order(target)
        origins = [origin for each in self._order for origin in resolver.origins(each)]
        self._upstream = {each.written: each for each in origins if isinstance(each, Upstream)}
        self._files: set[str] = set()
        self._values: dict[str, dict[str, list[str]]] = {}
        self._warnings: list[str] = []
        self._scopes: dict[int, Scope] = {}
        bases = [base for each in self._order if isinstance(base := resolver.base(each), Stage)]
        self._built_on = {base.index for base in bases}
        self._ancestors = {each.index for each in self._line_of(target)}

    def closure(self) -> Closure:
        found = tuple(self._stage(each) for each in self._order)
        return Closure(
            stages=found,
            files=tuple(sorted(self._files)),
            args=tuple(sorted(self._args())),
            upstream=tuple(each.reference for each in self._upstream.values()),
            warnings=tuple(self._warnings),
        )

    def _line_of(self, stage: Stage) -> Iterator[Stage]:
        base: Origin = stage
        while isinstance(base, Stage):
            yield base
            base = self._resolver.base(base)

    def _stage(self, stage: Stage) -> StageInputs:
        base = self._resolver.base(stage)
        self._scopes[stage.index] = scope = self._first_scope(base)
        steps = [Step(line=stage.start.line, text=canonical_from(stage.start, self._token(base)))]
        if stage is self._target and (syntax := self._resolver.dockerfile.syntax):
            steps.insert(0, Step(line=1, text=f"# syntax={syntax}"))
        self._global_values(stage, base)
        instructions = self._resolver.steps(stage)
        counted = self._counted(stage, instructions)
        for number, each in enumerate(instructions):
            text = self._step(each, stage, scope, counts=number in counted)
            if number in counted:
                steps.append(Step(line=each.line, text=text))
        return StageInputs(name=stage.name, steps=tuple(steps))

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
            return f"upstream:{list(self._upstream).index(origin.written) + 1}"
        return origin

    def _counted(self, stage: Stage, instructions: tuple[Instruction, ...]) -> set[int]:
        """Return the numbers of the steps that can change what the target comes out as."""
        every = range(len(instructions))
        if stage is self._target:
            return set(every)
        if stage.index in self._ancestors:
            return {each for each in every if instructions[each].keyword != "ONBUILD"}
        counted = [each for each in every if instructions[each].keyword not in _CONFIGURATION]
        while (
            counted
            and stage.index not in self._built_on
            and instructions[counted[-1]].keyword in _ENVIRONMENT
        ):
            counted.pop()
        return set(counted)

    def _step(self, step: Instruction, stage: Stage, scope: Scope, *, counts: bool) -> str:
        match step.keyword:
            case "ARG":
                for name, value in self._resolver.arguments(step, scope):
                    if value is not None:
                        scope.values[name] = value
                        if counts:
                            self._count_value(name, stage.name, value)
            case "ENV" | "LABEL":
                pairs = [
                    tuple(self._resolver.expand(word, scope, step) for word in pair) for pair in step.pairs
                ]
                if step.keyword == "ENV":
                    scope.values.update((name.text or "", value) for name, value in pairs)
                return canonical(step, pairs=[(name.counts, value) for name, value in pairs])
            case "COPY" | "ADD":
                origin = self._resolver.copy_origin(step, stage) if step.keyword == "COPY" else None
                if origin is None:
                    self._copy(step, scope)
                return canonical(step, origin=self._token(origin) if origin else None)
            case "RUN":
                return canonical(step, mounts=self._mounts(step, stage, scope))
        return canonical(step)

    def _mounts(self, step: Instruction, stage: Stage, scope: Scope) -> dict[str, str]:
        """Take in the files that a RUN mounts, and return what its `from=` refer to."""
        tokens = {}
        for mount in self._resolver.mounts(step, stage):
            if mount.origin:
                tokens[mount.written] = self._token(mount.origin)
            elif mount.source is not None:
                self._take(mount.source, step, scope)
        return tokens

    def _copy(self, step: Instruction, scope: Scope) -> None:
        for word in step.words[:-1]:
            if heredoc_name(word) is None and not (step.keyword == "ADD" and re.match(_REMOTE, word)):
                self._take(word, step, scope, pattern=True, parents=step.flag("parents") is not None)

    def _take(
        self, word: str, step: Instruction, scope: Scope, *, pattern: bool = False, parents: bool = False
    ) -> None:
        """Take in the files of the context that a word stands for."""
        value = self._resolver.expand(word, scope, step)
        source = value.text or ""
        if step.keyword == "ADD" and re.match(_REMOTE, source):
            return
        if not value.known:
            self._warnings.append(
                f"{self._resolver.dockerfile.name}:{step.line}: {word} depends on the upstream image or the "
                "platform; so every file counts"
            )
            self._files.update(self._paths)
            return
        if parents:
            source = _literal_start(source.replace("/./", "/"))
        try:
            takes = _taker(source, pattern=pattern)
        except BadPatternError as error:
            self._resolver.refuse(step, str(error))
        self._files.update(filter(takes, self._paths))

    def _global_values(self, stage: Stage, base: Origin) -> None:
        """Count the arguments before the first FROM that a FROM uses."""
        names = set(base.names) if isinstance(base, Upstream) else set()
        if platform := stage.start.flag("platform"):
            names |= self._resolver.expand(platform, self._resolver.globals, stage.start).names
        seen: set[str] = set()
        while names:
            seen.add(name := names.pop())
            value = self._resolver.globals.values.get(name)
            if value is not None:
                names |= value.names - seen
                self._count_value(name, "", value)

    def _count_value(self, name: str, stage: str, value: Value) -> None:
        if name not in LOCATION_ARGS and value.counts != f"${{{name}}}":
            self._values.setdefault(name, {}).setdefault(stage, []).append(value.counts)

    def _args(self) -> Iterator[tuple[str, str]]:
        for name, by_stage in self._values.items():
            if len({value for values in by_stage.values() for value in values}) == 1:
                yield name, next(iter(by_stage.values()))[0]
                continue
            for stage, values in by_stage.items():
                for number, value in enumerate(values, 1):
                    place = f"stage {stage}" if stage else "FROM"
                    yield f"{name} ({place}{f', {number}' if number > 1 else ''})", value


def _literal_start(source: str) -> str:
    """Return the folders of a path before its first wildcard."""
    parts = source.split("/")
    wild = next((number for number, part in enumerate(parts) if has_wildcards(part)), len(parts))
    return "/".join(parts[:wild])


def _taker(source: str, *, pattern: bool) -> Callable[[str], bool]:
    """Return what tells whether a source takes a path, by itself or with a folder that it is in."""
    wanted = [part for part in posixpath.normpath(f"/{source}").split("/") if part]
    wild = (
        next((n for n, part in enumerate(wanted) if has_wildcards(part)), len(wanted))
        if pattern
        else len(wanted)
    )
    globs = [compile_glob(part) for part in wanted[wild:]]

    def takes(path: str) -> bool:
        parts = path.split("/")
        return (
            len(parts) >= len(wanted)
            and parts[:wild] == wanted[:wild]
            and all(glob.match(part) for glob, part in zip(globs, parts[wild:], strict=False))
        )

    return takes
