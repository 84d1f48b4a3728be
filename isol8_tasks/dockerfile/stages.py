"""The stages of a Dockerfile, and what each of them is built on and takes from."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Final, NoReturn

from attrs import evolve, frozen

from isol8_tasks.dockerfile.builder import OF_NO_PLATFORM, BuilderTraits, platform_values
from isol8_tasks.dockerfile.lexer import LexError, UnreadableError
from isol8_tasks.dockerfile.syntax import Dockerfile, Instruction, parse
from isol8_tasks.dockerfile.variables import Scope, Value, argument, platform_scope
from isol8_tasks.errors import PlanError

_DEFAULT_PLACE: Final = re.compile(r"\A((index\.)?docker\.io/)?(library/)?|:latest\Z")
_NOT_FROM_CONTEXT: Final = {"cache", "secret", "ssh", "tmpfs"}


@frozen(kw_only=True, eq=False, repr=False)
class Stage:
    """A stage as it stands in the file."""

    index: int
    name: str
    """In lower case; `stage-2` for one without a name, as BuildKit calls it."""
    named: bool
    start: Instruction
    """Its FROM."""
    steps: tuple[Instruction, ...]


@frozen(kw_only=True, eq=False, repr=False)
class Upstream:
    """An image that is not a stage of the file."""

    reference: str
    counts: str
    """The same, with the names of arguments that only say where to fetch in place of their values."""
    names: frozenset[str] = frozenset()
    """The arguments before the first FROM that were looked up for it."""

    @property
    def short(self) -> str:
        """As it counts, without what goes without saying."""
        return _DEFAULT_PLACE.sub("", self.counts)


SCRATCH: Final = "scratch"
Origin = Stage | Upstream | str
"""Where files come from: a stage, an upstream image, or SCRATCH."""


@frozen(kw_only=True, eq=False, repr=False)
class Mount:
    """A `--mount` of a RUN."""

    written: str
    """Its `from=`."""
    origin: Origin | None
    """None for the build context, and for what has no source."""
    source: str | None
    """The path in the build context, variables and all; None for what isn't taken from there."""


TriggersOf = Callable[[str], tuple[str, ...] | None]
"""Tells the ONBUILD triggers of an upstream image; None for more than is known."""


def no_triggers(_reference: str) -> tuple[str, ...]:
    """Say of every image that it holds nothing back."""
    return ()


@lru_cache(maxsize=1)
def stages(dockerfile: Dockerfile) -> tuple[Stage, ...]:
    """Return the stages in the order of the file."""
    found: list[Stage] = []
    for each in dockerfile.instructions:
        if each.keyword == "FROM":
            index = len(found)
            named = len(each.words) > 1
            name = each.words[2].lower() if named else f"stage-{index}"
            found.append(Stage(index=index, name=name, named=named, start=each, steps=()))
        elif found:
            found[-1] = evolve(found[-1], steps=(*found[-1].steps, each))
    return tuple(found)


class StageResolver:
    """Answers what the stages of one Dockerfile refer to, with the build arguments that are given.

    `triggers` tells the ONBUILD triggers of an upstream image, by its reference; None where there is too much.
    `builder` is what builds; without one, what depends on the platform is not known.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        given: Mapping[str, str],
        triggers: TriggersOf = no_triggers,
        builder: BuilderTraits = OF_NO_PLATFORM,
    ) -> None:
        self.dockerfile = dockerfile
        self.given = given
        self.stages = stages(dockerfile)
        self._bases: dict[int, Origin] = {}
        self._origins: dict[int, tuple[Origin, ...]] = {}
        self._triggers_of = triggers
        self._builder = builder
        self._triggers: dict[int, tuple[Instruction, ...]] = {}

    def refuse(self, instruction: Instruction, problem: str) -> NoReturn:
        """Raise the error about an instruction that BuildKit refuses too.

        About an ONBUILD trigger of an upstream image it is a doubt: whether BuildKit does, its build will tell.
        """
        message = f"{self.dockerfile.name}:{instruction.line}: {problem}"
        if any(instruction is each for triggers in self._triggers.values() for each in triggers):
            raise UnreadableError(message)
        raise PlanError(message)

    def expand(self, word: str, scope: Scope, instruction: Instruction) -> Value:
        """Return what a word of an instruction comes to."""
        try:
            return scope.expand(word)
        except LexError as error:
            self.refuse(instruction, f"{word}: {error}")
        except UnreadableError as error:
            raise UnreadableError(
                f"{self.dockerfile.name}:{instruction.line}: {error} can't be evaluated"
            ) from None

    @cached_property
    def _platform_values(self) -> Mapping[str, str]:
        return dict(platform_values(self.dockerfile, self._builder))

    @property
    def of_the_platform(self) -> frozenset[str]:
        """The names of the arguments that the builder sets and nobody passes: what they come to counts in a FROM."""
        return frozenset(self._platform_values) - frozenset(self.given)

    @cached_property
    def globals(self) -> Scope:
        """The variables before the first FROM."""
        scope = platform_scope(self.dockerfile.escape, {**self._platform_values, **self.given})
        for each in self.dockerfile.instructions:
            before_first = each.line < self.stages[0].start.line
            for name, value in self.arguments(each, scope) if before_first else ():
                if value is not None:
                    scope.values[name] = value
        return scope

    def arguments(self, instruction: Instruction, scope: Scope) -> Iterator[tuple[str, Value | None]]:
        """Return the names that an ARG declares, with the values that it gives them."""
        outer = scope if instruction.line < self.stages[0].start.line else self.globals
        for word in instruction.words:
            name, equals, default = word.partition("=")
            try:
                value = argument(name, default if equals else None, self.given, scope, outer)
            except (LexError, UnreadableError):
                # Says the same as an error of that instruction.
                value = self.expand(default, scope, instruction)
            yield name, value

    def target(self, name: str) -> Stage:
        """Return the stage of that name that a build would end with."""
        found = self._by_name(name)
        if found is None:
            known = ", ".join(each.name for each in self.stages if each.named)
            raise PlanError(f"{self.dockerfile.name}: no stage {name}; it has {known or 'none with a name'}")
        return found

    def base(self, stage: Stage) -> Origin:
        """Return what a stage is built on."""
        if stage.index not in self._bases:
            self._bases[stage.index] = self._base(stage)
        return self._bases[stage.index]

    def _base(self, stage: Stage) -> Origin:
        written = stage.start.words[0]
        value = self.expand(written, self.globals, stage.start)
        reference = value.text or ""
        if not reference:
            self.refuse(
                stage.start, f"FROM {written} expands to nothing; set its argument, or give it a default"
            )
        if not value.known:
            raise UnreadableError(
                f"{self.dockerfile.name}:{stage.start.line}: FROM {written} depends on the platform, "
                "which is not known"
            )
        if found := self._by_name(reference, before=stage.index):
            if found.name != reference:
                self.refuse(stage.start, f"FROM {reference}: write the name of a stage in lower case here")
            return found
        if reference == SCRATCH:
            return SCRATCH
        return Upstream(reference=reference, counts=value.counts, names=value.names)

    def steps(self, stage: Stage) -> tuple[Instruction, ...]:
        """Return what a stage runs, the ONBUILD triggers of its base first."""
        base = self.base(stage)
        if isinstance(base, Upstream):
            return (*self._upstream_triggers(stage, base.reference), *stage.steps)
        triggers = base.steps if isinstance(base, Stage) else ()
        return (*(each.trigger for each in triggers if each.trigger), *stage.steps)

    def _upstream_triggers(self, stage: Stage, reference: str) -> tuple[Instruction, ...]:
        """Return the ONBUILD triggers of an upstream image, as instructions that stand in the line of the FROM."""
        if stage.index not in self._triggers:
            place = f"{self.dockerfile.name}:{stage.start.line}"
            triggers = self._triggers_of(reference)
            if triggers is None:
                raise UnreadableError(f"{place}: {reference} has too many ONBUILD triggers")
            try:
                found = tuple(_trigger(text, stage.start.line) for text in triggers)
            except PlanError as error:
                raise UnreadableError(f"{place}: {error} of {reference}") from error
            self._triggers[stage.index] = found
        return self._triggers[stage.index]

    def origins(self, stage: Stage) -> tuple[Origin, ...]:
        """Return whatever a stage is built on and takes from, in the order of its steps."""
        if stage.index not in self._origins:
            self._origins[stage.index] = tuple(self._find_origins(stage))
        return self._origins[stage.index]

    def _find_origins(self, stage: Stage) -> Iterator[Origin]:
        yield self.base(stage)
        for each in self.steps(stage):
            if each.keyword == "COPY" and (origin := self.copy_origin(each, stage)):
                yield origin
            if each.keyword == "RUN":
                yield from (mount.origin for mount in self.mounts(each, stage) if mount.origin)

    def order(self, target: Stage) -> tuple[Stage, ...]:
        """Return the stages that a target needs, each after those that it needs itself."""
        found: list[Stage] = []

        def visit(stage: Stage) -> None:
            for origin in self.origins(stage):
                if isinstance(origin, Stage) and origin not in found:
                    visit(origin)
            found.append(stage)

        visit(target)
        return tuple(found)

    def copy_origin(self, instruction: Instruction, stage: Stage) -> Origin | None:
        """Return what a COPY takes from; None for the build context."""
        written = instruction.flag("from")
        if not written:
            return None
        if "$" in written:
            self.refuse(
                instruction,
                f"--from={written} can't hold a variable; put it into a FROM … AS name, and name that",
            )
        if re.fullmatch(r"[+-]?[0-9]+", written):
            number = int(written)
            if not 0 <= number < stage.index:
                self.refuse(instruction, f"--from={written}: no stage before this one has that number")
            return self.stages[number]
        return self._origin(written, instruction, stage)

    def _origin(self, name: str, instruction: Instruction, stage: Stage) -> Origin:
        found = self._by_name(name)
        if found is None:
            return SCRATCH if name == SCRATCH else Upstream(reference=name, counts=name)
        if found.index >= stage.index:
            self.refuse(instruction, f"stage {name} must come before the stage that copies from it")
        return found

    def mounts(self, instruction: Instruction, stage: Stage) -> Iterator[Mount]:
        """Return what a RUN mounts."""
        for option, text in instruction.options:
            if option != "mount":
                continue
            if '"' in text:
                raise UnreadableError(
                    f"{self.dockerfile.name}:{instruction.line}: the quotes in --mount={text}"
                )
            from isol8_tasks.dockerfile.mounts import BadMountError, read_mount  # noqa: PLC0415 - not all have one

            try:
                settings = read_mount(text)
            except BadMountError as error:
                self.refuse(instruction, f"--mount={text}: {error}")
            origin = None
            written = settings.get("from", "")
            if written:
                if "$" in written:
                    self.refuse(
                        instruction,
                        f"from={written} can't hold a variable; name a stage that is FROM it instead",
                    )
                origin = self._origin(written, instruction, stage)
            from_context = origin is None and settings["type"] not in _NOT_FROM_CONTEXT
            source = settings.get("source", "")
            yield Mount(written=written, origin=origin, source=source if from_context else None)

    def _by_name(self, name: str, before: int | None = None) -> Stage | None:
        """Where a name is given twice, the later stage has it."""
        candidates = self.stages[:before]
        return next((each for each in reversed(candidates) if each.named and each.name == name.lower()), None)


def _trigger(text: str, line: int) -> Instruction:
    """Return an ONBUILD trigger as an instruction in that line."""
    match parse(f"FROM scratch\nONBUILD {text}", name="ONBUILD").instructions:
        case (_, Instruction(trigger=Instruction() as trigger)):
            return evolve(trigger, line=line, end=line)
    raise PlanError(f"ONBUILD {text}: expected one instruction")
