"""What differs between inputs as a label remembers them and the current ones."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from isol8_tasks.dockerfile.inputs import StageInputs
from isol8_tasks.plan import reasons
from isol8_tasks.plan.fingerprint import (
    Framed,
    Pairs,
    RecordedInputs,
    Summary,
    arg_marks,
    file_marks,
    image_marks,
    package_marks,
    setup_mark,
    stage_marks,
    step_marks,
    summary,
    whole_stage,
)
from isol8_tasks.plan.model import Inputs
from isol8_tasks.plan.reasons import Reason

_LISTS: Final[Mapping[str, reasons.Lists]] = {
    "system": "system packages",
    "build": "build packages",
    "secrets": "secrets",
}
_DIGITS: Final = 8
"""Of a step's hash."""


def differences(before: RecordedInputs, now: Inputs) -> Iterator[Reason]:
    """Return what became different, in the order in which people look for it."""
    if before.recipe != now.recipe:
        yield reasons.RecipeChanged(old=before.recipe, new=now.recipe)
    if before.runtime != now.runtime:
        yield reasons.RuntimeChanged(old=before.runtime, new=now.runtime)
    if before.platform != now.platform:
        yield reasons.PlatformChanged(old=before.platform, new=now.platform)
    if isinstance(before.stages, Summary):
        yield from _many("stages", before.stages, stage_marks(now))
    else:
        yield from _stages(before.stages, now.stages)
    if isinstance(before.files, Summary):
        yield from _many("files", before.files, file_marks(now))
    else:
        yield from _named(before.files, file_marks(now), _file)
    if isinstance(before.args, Summary):
        yield from _many("arguments", before.args, arg_marks(now))
    else:
        yield from _named(before.args, arg_marks(now), _argument)
    if isinstance(before.images, Summary):
        yield from _many("upstream images", before.images, image_marks(now))
    else:
        yield from _upstream(before.images, image_marks(now))
    yield from _packages(before.packages, package_marks(now))
    yield from _alpine("system", before.system, now.system)
    yield from _alpine("build", before.build, now.build)
    yield from _alpine("secrets", before.secrets, now.secrets)
    if before.setup != setup_mark(now):
        yield reasons.SetupChanged()


def _many(
    what: reasons.Lists,
    before: Summary,
    now: tuple[Framed, ...],
) -> Iterator[Reason]:
    if before != summary(now):
        yield reasons.ManyChanged(what=what)


def _packages(before: tuple[str, ...] | Summary, now: tuple[str, ...]) -> Iterator[Reason]:
    if isinstance(before, Summary):
        yield from _many("packages", before, now)
    elif set(before) != set(now):
        added, removed = {*now} - {*before}, {*before} - {*now}
        yield reasons.PackagesChanged(added=tuple(sorted(added)), removed=tuple(sorted(removed)))


def _alpine(
    key: Literal["system", "build", "secrets"], before: tuple[str, ...] | Summary, now: tuple[str, ...]
) -> Iterator[Reason]:
    if isinstance(before, Summary):
        yield from _many(_LISTS[key], before, now)
    elif before != now:
        added, removed = {*now} - {*before}, {*before} - {*now}
        yield reasons.AlpineChanged(key=key, added=tuple(sorted(added)), removed=tuple(sorted(removed)))


def _named(
    before: Pairs, now: Pairs, reason: Callable[[str, str | None, str | None], Reason]
) -> Iterator[Reason]:
    old, new = dict(before), dict(now)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield reason(name, old.get(name), new.get(name))


def _file(path: str, old: str | None, new: str | None) -> Reason:
    if old is None:
        return reasons.FileAdded(path=path)
    if new is None:
        return reasons.FileRemoved(path=path)
    if old.rstrip("x") == new.rstrip("x"):
        return reasons.FileModeChanged(path=path, executable=new.endswith("x"))
    return reasons.FileChanged(path=path)


def _argument(name: str, old: str | None, new: str | None) -> Reason:
    return reasons.ArgChanged(name=name, old=old, new=new)


def _stages(before: Pairs, now: tuple[StageInputs, ...]) -> Iterator[Reason]:
    """Compare stages of the same name; one that has another name and the same steps is the same."""
    old = [each for each in before if each[0] not in {stage.name for stage in now}]
    new = [stage for stage in now if stage.name not in dict(before)]
    renamed = {steps for _, steps in old} & {_marks(stage, whole=_is_whole(old)) for stage in new}
    for stage in now:
        if stage not in new:
            yield from _steps(dict(before)[stage.name], stage)
        elif _marks(stage, whole=_is_whole(old)) not in renamed:
            yield reasons.StageAdded(stage=stage.name)
    # Where everything counts, the whole text is one step, and no stage is gone.
    if not any("\n" in step.text for stage in now for step in stage.steps[:1]):
        yield from (reasons.StageRemoved(stage=name) for name, steps in old if steps not in renamed)


def _is_whole(stages: list[tuple[str, str]]) -> bool:
    return any(steps.startswith("=") for _, steps in stages)


def _marks(stage: StageInputs, *, whole: bool) -> str:
    return whole_stage(step_marks(stage)) if whole else step_marks(stage)


def _steps(before: str, stage: StageInputs) -> Iterator[Reason]:
    now = step_marks(stage)
    if before.startswith("="):
        if before != whole_stage(now):
            yield reasons.StepChanged(stage=stage.name, line=None)
        return
    if before == now:
        return
    old, new = _cut(before), _cut(now)
    same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    first = min(len(old), len(new)) if same is None else same
    rest = len(new) - first
    if len(old) > len(new) and (not rest or old[-rest:] == new[first:]):
        yield reasons.StepRemoved(stage=stage.name)
    else:
        yield reasons.StepChanged(stage=stage.name, line=stage.steps[first].line)


def _cut(marks: str) -> list[str]:
    return [marks[at : at + _DIGITS] for at in range(0, len(marks), _DIGITS)]


def _upstream(before: Pairs, now: Pairs) -> Iterator[Reason]:
    """Compare by place: where an image comes from may change without another image coming from there."""
    if len(before) != len(now):
        before = tuple((name, dict(before).get(name, short)) for name, short in now)
    for (old_name, old), (name, short) in zip(before, now, strict=True):
        if not short and (old or old_name != name):
            yield reasons.UpstreamNotHere(reference=name)
        elif old != short and old_name == name:
            yield reasons.UpstreamMoved(reference=name)
        elif old != short:
            yield reasons.UpstreamReplaced(old=old_name, new=name)
