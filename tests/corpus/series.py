"""A series of edits to a case, each built, with what this project says beside what the builder did."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from random import Random

from attrs import Factory, define, frozen

from isol8_tasks.dockerfile.closure import Closure
from isol8_tasks.dockerfile.stages import stages
from isol8_tasks.dockerfile.syntax import parse
from isol8_tasks.engine import BuildRequest, FileContent
from isol8_tasks.errors import BuildFailedError, PlanError
from tests.corpus.builder import LAYERS, Builder, Built, closure_of, files_of, key_of
from tests.corpus.cases import Case
from tests.corpus.edits import EDITS, Project

TRIES = 20
"""How often chance may pick an edit that has nothing to change, or that the builder refuses."""


@frozen(kw_only=True)
class State:
    """What a build is made of."""

    files: Mapping[str, FileContent]
    args: Mapping[str, str]

    def told(self) -> str:
        files = sorted(
            f"{path}{'*' * file.executable}={file.data[:30]!r}"
            for path, file in self.files.items()
            if path != "Dockerfile"
        )
        text = self.files["Dockerfile"].data.decode("utf-8", "replace")
        return f"{text}\nargs {dict(self.args)}\nfiles {' '.join(files)}"

    def on(self, old: str, new: str) -> "State":
        """Return the same on another upstream repository, with which nothing is in the builder's cache."""
        files = {
            path: FileContent(data=file.data.replace(old.encode(), new.encode()), executable=file.executable)
            for path, file in self.files.items()
        }
        return State(files=files, args={name: value.replace(old, new) for name, value in self.args.items()})


@frozen(kw_only=True)
class Change:
    """An edit, with what it was made to and what it left."""

    edit: str
    before: State
    after: State


@frozen(kw_only=True)
class Finding:
    """Something on which this project and the builder don't agree."""

    kind: str
    """`too much`, `too little`, `stages`, or `refused here alone`."""
    case: str
    change: Change
    why: str

    def __str__(self) -> str:
        before, after = self.change.before.told(), self.change.after.told()
        said = f"{self.case}: {self.kind} after {self.change.edit}: {self.why}"
        return f"{said}\n--- before\n{before}\n--- after\n{after}"


@define(kw_only=True)
class Report:
    """What came of a case."""

    builds: int = 0
    edits: int = 0
    stale: int = 0
    refused: int = 0
    targets: int = 0
    unknown: str = ""
    """Why the builder refuses the case, though it is none of the edits."""
    surplus: int = 0
    """Edits that seem stale here alone, where a warning or the case itself says that more counts than has to."""
    findings: list[Finding] = Factory(list)


def build(builder: Builder, state: State, target: str | None) -> Built:
    """Build a state."""
    request = BuildRequest(
        tag=builder.new_tag(),
        dockerfile=state.files["Dockerfile"].data.decode("utf-8", "surrogateescape"),
        target=target,
        context=state.files,
        args=state.args,
    )
    return builder.build(request)


def stages_differ(found: Closure, built: Built, *, strict: bool) -> str:
    """Return how the stages that the builder names differ from ours; empty if they don't.

    A stage without a step of its own has no name in the trace. A stage whose steps are another's to the letter need
    not have one either; `strict`: there is none of that kind.
    """
    if found.warnings and any("any change of the Dockerfile" in each for each in found.warnings):
        return ""
    ours = {each.name for each in found.stages}
    theirs = built.stages if built.stages != {""} else ours
    if (len(ours) > 1 and "" in built.stages) or not theirs <= ours:
        return f"the builder needs {sorted(theirs)}, and here are {sorted(ours)}"
    layered = {
        each.name
        for each in found.stages
        if any(step.text.split(None, 1)[0] in LAYERS for step in each.steps)
    }
    if strict and not layered <= theirs:
        return f"the builder needs {sorted(theirs)} alone, and here are {sorted(layered)}"
    return ""


class Series:
    """A case on disk, and everything that was built of it."""

    def __init__(self, case: Case, builder: Builder, folder: Path, chance: Random) -> None:
        self.report = Report()
        self._case = case
        self._builder = builder
        self._chance = chance
        self._repository = builder.for_case(case.name, case.text)
        self._project = Project(folder, case.args, chance)
        self._known: dict[str, Built] = {}
        self._configurations: set[str] = set()
        case.write(folder, self._repository, builder.addresses)

    def run(self, edits: int) -> Report:
        """Build every target of the case, and then one of them after each of some edits."""
        text = self._project.text
        names = [each.name if each.named else None for each in stages(parse(text))]
        targets = [name for name in names[:-1] if name] + names[-1:]
        try:
            for target in targets:
                self._first(target)
        except BuildFailedError as error:
            if not self._case.needs:
                raise
            self.report.unknown = str(error)
            return self.report
        self._target = self._chance.choice(targets)
        state = self._state()
        self._warned = bool(self._closure(state, self._target).warnings)
        for _ in range(edits):
            self._edit()
        return self.report

    def _state(self) -> State:
        return State(files=files_of(self._project.folder), args=dict(self._project.args))

    def _closure(self, state: State, target: str | None) -> Closure:
        return closure_of(state.files, target, state.args, self._builder.triggers, self._builder.kind)

    def _first(self, target: str | None) -> None:
        state = self._state()
        found = self._closure(state, target)
        built = build(self._builder, state, target)
        self._remember(key_of(state.files, found, self._builder), built)
        self.report.targets += 1
        if why := stages_differ(found, built, strict=True):
            self._find("stages", Change(edit=f"target {target}", before=state, after=state), why)

    def _remember(self, key: str, built: Built) -> None:
        self.report.builds += 1
        self._known.setdefault(key, built)
        self._configurations.add(built.configuration)

    def _find(self, kind: str, change: Change, why: str) -> None:
        finding = Finding(kind=kind, case=self._case.name, change=change, why=why)
        self.report.findings.append(finding)

    def _edit(self) -> None:
        before = self._state()
        saved = self._project.folder / "saved"
        for _ in range(TRIES):
            shutil.copytree(self._project.context, saved, symlinks=True)
            edit = self._chance.choice(EDITS)
            if edit(self._project) and self._built(
                Change(edit=edit.__name__, before=before, after=self._state())
            ):
                shutil.rmtree(saved)
                self.report.edits += 1
                return
            self._project.args = dict(before.args)
            shutil.rmtree(self._project.context)
            saved.rename(self._project.context)

    def _built(self, change: Change) -> bool:
        """Build what an edit left, and compare; False if the builder refuses it."""
        found, why = None, ""
        try:
            found = self._closure(change.after, self._target)
        except PlanError as error:
            why = str(error)
            if "no FROM" in why:
                # Engine 20.10 would die of it.
                return False
        try:
            built = build(self._builder, change.after, self._target)
        except (BuildFailedError, PlanError):
            self.report.refused += 1
            return False
        if found is None:
            self._find("refused here alone", change, why)
            return False
        self._warned, warned = bool(found.warnings), self._warned
        self._compare(change, key_of(change.after.files, found, self._builder), built, warned=warned)
        if why := stages_differ(found, built, strict=False):
            self._find("stages", change, why)
        return True

    def _compare(self, change: Change, key: str, built: Built, *, warned: bool) -> None:
        known = self._known.get(key)
        if known is None:
            self.report.stale += 1
            nothing_ran = not built.ran and built.configuration in self._configurations
            more = warned or self._warned or self._case.counts_more
            if nothing_ran and more:
                self.report.surplus += 1
            elif nothing_ran and self._nothing_new(change):
                self._find("too much", change, "the key differs, and all came from the cache")
        elif built.ran and build(self._builder, change.after, self._target).ran != built.ran:
            # What it runs each time, as a WORKDIR on scratch, says nothing about the edit.
            self._find("too little", change, f"the builder ran {built.ran}")
        elif built.configuration != known.configuration:
            self._find("too little", change, f"{known.configuration}\nbecame\n{built.configuration}")
        self._remember(key, built)

    def _nothing_new(self, change: Change) -> bool:
        """Tell whether the builder reuses all from nothing but what was there before, and as well the other way round.

        The other way, since a step may be gone that changed nothing by chance.
        """
        return self._reuses_all(change.before, change.after) and self._reuses_all(change.after, change.before)

    def _reuses_all(self, first: State, second: State) -> bool:
        with self._builder.another() as fresh:
            old, new = self._repository, fresh.repository
            one = build(fresh, first.on(old, new), self._target)
            other = build(fresh, second.on(old, new), self._target)
            return not other.ran and one.configuration == other.configuration
