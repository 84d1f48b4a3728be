"""What changed between two builds is said down to the line, file and value."""

from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.inputs import StageInputs, Step
from isol8_tasks.plan import reasons
from isol8_tasks.plan.differences import differences
from isol8_tasks.plan.fingerprint import decode_inputs, encode_inputs, key
from isol8_tasks.plan.model import ContextFile, Inputs
from isol8_tasks.plan.reasons import Reason


def _stage(name: str, texts: str, first: int = 1) -> StageInputs:
    return StageInputs(
        name=name, steps=tuple(Step(line=first + at, text=text) for at, text in enumerate(texts))
    )


def _since(before: Inputs, now: Inputs) -> tuple[Reason, ...]:
    recorded = decode_inputs(encode_inputs(before))
    assert recorded is not None
    return tuple(differences(recorded, now))


BUN = Inputs(
    recipe=1,
    runtime="bun",
    stages=(_stage("base", "abcd"), _stage("bun", "xyz", 11)),
    files=(("f", ContextFile(digest="ab" * 32)),),
    args=(("V", "1"),),
    upstream=(("alpine:3", "0" * 12),),
    packages=("p", "q"),
)


def _stages(*stages: StageInputs) -> Inputs:
    return evolve(BUN, stages=stages)


BASE, OWN = BUN.stages
UP = "1" * 12

DIFFERENCES: Mapping[str, tuple[Inputs, tuple[Reason, ...]]] = {
    "nothing": (BUN, ()),
    "recipe": (evolve(BUN, recipe=4), (reasons.RecipeChanged(old=1, new=4),)),
    "runtime": (evolve(BUN, runtime="node"), (reasons.RuntimeChanged(old="bun", new="node"),)),
    "lines only": (_stages(_stage("base", "abcd", 5), OWN), ()),
    "step changed": (_stages(_stage("base", "abXd"), OWN), (reasons.StepChanged(stage="base", line=3),)),
    "first of two changed": (_stages(_stage("base", "aXYd"), OWN), (reasons.StepChanged(stage="base", line=2),)),
    "step added": (_stages(_stage("base", "abXcd"), OWN), (reasons.StepChanged(stage="base", line=3),)),
    "step added at the end": (_stages(_stage("base", "abcdX"), OWN), (reasons.StepChanged(stage="base", line=5),)),
    "step removed": (_stages(_stage("base", "acd"), OWN), (reasons.StepRemoved(stage="base"),)),
    "steps removed": (_stages(_stage("base", "ad"), OWN), (reasons.StepRemoved(stage="base"),)),
    "last step removed": (_stages(_stage("base", "abc"), OWN), (reasons.StepRemoved(stage="base"),)),
    "step removed and another changed": (
        _stages(_stage("base", "acX"), OWN), (reasons.StepChanged(stage="base", line=2),)
    ),
    "two stages": (
        _stages(_stage("base", "Xbcd"), _stage("bun", "xYz", 11)),
        (reasons.StepChanged(stage="base", line=1), reasons.StepChanged(stage="bun", line=12)),
    ),
    "stage added": (_stages(BASE, _stage("new", "n"), OWN), (reasons.StageAdded(stage="new"),)),
    "stage removed": (_stages(OWN), (reasons.StageRemoved(stage="base"),)),
    "everything counts": (_stages(_stage("bun", "\n", 1)), (reasons.StepChanged(stage="bun", line=1),)),
    "stage renamed": (_stages(evolve(BASE, name="other"), OWN), ()),
    "stage renamed and changed": (
        _stages(_stage("other", "aXcd"), OWN), (reasons.StageAdded(stage="other"), reasons.StageRemoved(stage="base"))
    ),
    "file changed": (evolve(BUN, files=(("f", ContextFile(digest="cd" * 32)),)), (reasons.FileChanged(path="f"),)),
    "file can be executed": (
        evolve(BUN, files=(("f", ContextFile(digest="ab" * 32, executable=True)),)),
        (reasons.FileModeChanged(path="f", executable=True),),
    ),
    "file added and removed": (
        evolve(BUN, files=(("e", ContextFile(digest="ab" * 32)),)),
        (reasons.FileAdded(path="e"), reasons.FileRemoved(path="f")),
    ),
    "argument": (evolve(BUN, args=(("V", "2"),)), (reasons.ArgChanged(name="V", old="1", new="2"),)),
    "argument for another": (
        evolve(BUN, args=(("U", ""),)),
        (reasons.ArgChanged(name="U", old=None, new=""), reasons.ArgChanged(name="V", old="1", new=None)),
    ),
    "upstream moved": (evolve(BUN, upstream=(("alpine:3", UP),)), (reasons.UpstreamMoved(reference="alpine:3"),)),
    "upstream from a mirror": (evolve(BUN, upstream=(("mirror/alpine:3", "0" * 12),)), ()),
    "another upstream": (
        evolve(BUN, upstream=(("alpine:4", UP),)), (reasons.UpstreamReplaced(old="alpine:3", new="alpine:4"),)
    ),
    "upstream not here": (
        evolve(BUN, upstream=(("alpine:3", None),)), (reasons.UpstreamNotHere(reference="alpine:3"),)
    ),
    "one more upstream": (
        evolve(BUN, upstream=(("deno", UP), ("alpine:3", UP))), (reasons.UpstreamMoved(reference="alpine:3"),)
    ),
    "packages": (evolve(BUN, packages=("a", "q")), (reasons.PackagesChanged(added=("a",), removed=("p",)),)),
    "system packages": (
        evolve(BUN, system=("jq",)), (reasons.AlpineChanged(key="system", added=("jq",), removed=()),)
    ),
    "build packages": (
        evolve(BUN, build=("cc",)), (reasons.AlpineChanged(key="build", added=("cc",), removed=()),)
    ),
    "secrets": (
        evolve(BUN, secrets=("npm",)), (reasons.AlpineChanged(key="secrets", added=("npm",), removed=()),)
    ),
    "setup": (evolve(BUN, setup="x"), (reasons.SetupChanged(),)),
}  # fmt: skip


@pytest.mark.parametrize(("now", "expected"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_difference(now: Inputs, expected: tuple[Reason, ...]) -> None:
    """Each kind of change has its reason, and nothing else is said."""
    assert _since(BUN, now) == expected


def test_upstream_that_was_never_known() -> None:
    """Nobody can say that an image moved that was not here then nor is now."""
    unknown = evolve(BUN, upstream=(("alpine:3", None),))
    assert _since(unknown, unknown) == ()
    assert _since(unknown, evolve(BUN, upstream=(("alpine:4", None),))) == (
        reasons.UpstreamNotHere(reference="alpine:4"),
    )


LONG_NAME = "n" * 4000
SHORTENED: Mapping[str, tuple[Inputs, Inputs, Reason]] = {
    "packages": (
        evolve(BUN, packages=("p" * 5000,)),
        evolve(BUN, packages=("q",)),
        reasons.ManyChanged(what="packages"),
    ),
    "steps": (
        _stages(_stage("base", "a" * 600), OWN),
        _stages(_stage("base", "a" * 599), OWN),
        reasons.StepChanged(stage="base", line=None),
    ),
    "steps of a renamed stage": (
        _stages(_stage("base", "a" * 600), OWN),
        _stages(_stage("other", "a" * 600), _stage("bun", "x")),
        reasons.StepChanged(stage="bun", line=None),
    ),
    "files": (
        evolve(BUN, files=((LONG_NAME, ContextFile(digest="a" * 64)),)),
        evolve(BUN, files=((LONG_NAME, ContextFile(digest="b" * 64)),)),
        reasons.ManyChanged(what="files"),
    ),
    "arguments": (
        evolve(BUN, args=(("V", LONG_NAME),)),
        evolve(BUN, args=(("V", "2"),)),
        reasons.ManyChanged(what="arguments"),
    ),
    "system packages": (
        evolve(BUN, system=(LONG_NAME,)),
        evolve(BUN, system=("jq",)),
        reasons.ManyChanged(what="system packages"),
    ),
    "build packages": (
        evolve(BUN, build=(LONG_NAME,)),
        BUN,
        reasons.ManyChanged(what="build packages"),
    ),
    "stages": (
        _stages(_stage(LONG_NAME, "a")),
        _stages(_stage(LONG_NAME, "b")),
        reasons.ManyChanged(what="stages"),
    ),
    "upstream images": (
        evolve(BUN, upstream=((LONG_NAME, UP),)),
        evolve(BUN, upstream=((LONG_NAME, "2" * 12),)),
        reasons.ManyChanged(what="upstream images"),
    ),
}


@pytest.mark.parametrize(("before", "now", "expected"), SHORTENED.values(), ids=SHORTENED)
def test_difference_in_what_was_too_long(before: Inputs, now: Inputs, expected: Reason) -> None:
    """What is remembered by a hash alone is said to have changed, without more."""
    assert _since(before, now) == (expected,)
    assert _since(before, before) == ()


STEPS = st.text(alphabet="abc", max_size=4)


@given(STEPS, STEPS, STEPS, STEPS)
def test_a_reason_for_every_other_key(a: str, b: str, c: str, d: str) -> None:
    """Where a step differs the key does, and there is a reason."""
    before, now = _stages(_stage("base", a), _stage("bun", b)), _stages(_stage("base", c), _stage("bun", d))
    assert bool(_since(before, now)) == (key(before) != key(now))
