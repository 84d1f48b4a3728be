"""Keys differ exactly where inputs differ in what counts, and labels remember the inputs in short."""

import json
from typing import Any

import pytest
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from isol8_tasks.dockerfile.inputs import StageInputs, Step
from isol8_tasks.plan.differences import differences
from isol8_tasks.plan.fingerprint import Summary, decode_inputs, encode_inputs, key
from isol8_tasks.plan.model import ContextFile, Inputs
from isol8_tasks.plan.reasons import PlatformChanged


def _stage(name: str, *texts: str, line: int = 1) -> StageInputs:
    return StageInputs(
        name=name, steps=tuple(Step(line=line + at, text=text) for at, text in enumerate(texts))
    )


BUN = Inputs(
    recipe=1,
    runtime="bun",
    stages=(_stage("base", "FROM upstream:1", "RUN apk"), _stage("bun", "FROM stage:1", "RUN bun", line=5)),
    files=(("proxy.mjs", ContextFile(digest="ab" * 32)), ("run.sh", ContextFile(digest="cd" * 32, executable=True))),
    args=(("ALPINE_VERSION", "3.21"), ("BUN_VERSION", "1.4.4")),
    upstream=(("alpine:3.21", "0123456789ab"),),
)  # fmt: skip
CUSTOM = Inputs(recipe=1, runtime="python", packages=("numpy", "pandas"), setup="echo hi\n")

GOLDEN = {
    "nothing": (
        Inputs(recipe=1, runtime="python"),
        "c532a97ca285ec798a775fc18c911b296cef861a75b5354ddd328ea1ef9de54d",
    ),
    "base": (BUN, "42bfa3d393f75fd1730b1cb3371becbd5a4460e19310b310f14603bf7f3395b4"),
    "custom": (CUSTOM, "45dd94bde1fe9351aac16d25d7bab5abf0dd507c8cf9a73a4749d7c91ee0e51b"),
    "upstream not here": (
        evolve(BUN, upstream=(("alpine:3.21", None),)),
        "e8173141c6f6fdbef28a18dde70e94d6e395e304cd9092bc1722c6b1e865140a",
    ),
    "not UTF-8": (
        evolve(CUSTOM, setup="\udcff é"),
        "0c96d05e92f59bce26822954da4adaf1a78bab5125c8d1a1ea7843e52a34041a",
    ),
}


@pytest.mark.parametrize(("inputs", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_golden_key(inputs: Inputs, expected: str) -> None:
    """A key stays what it is: another one makes every image in the world stale."""
    assert key(inputs) == expected


SAME = {
    "lines": evolve(BUN, stages=tuple(evolve(s, steps=tuple(evolve(t, line=9) for t in s.steps)) for s in BUN.stages)),
    "names of stages": evolve(BUN, stages=tuple(evolve(s, name="other") for s in BUN.stages)),
    "where an upstream image comes from": evolve(BUN, upstream=(("mirror/alpine:3.21", "0123456789ab"),)),
}  # fmt: skip


@pytest.mark.parametrize("inputs", SAME.values(), ids=SAME)
def test_what_is_for_people_does_not_count(inputs: Inputs) -> None:
    """Lines, names of stages and references say where things are, not what they are."""
    assert inputs != BUN
    assert key(inputs) == key(BUN)


def test_place_of_an_argument_does_not_count() -> None:
    """Where an argument has one of its values is for people, and the order of the values is not."""
    keys = {
        key(Inputs(recipe=1, runtime="any", args=((one, "1"), (other, "2"))))
        for one, other in (("V (stage a)", "V (stage b)"), ("V (stage c, 1)", "V (default)"))
    }
    keys.add(key(Inputs(recipe=1, runtime="any", args=(("V (stage a)", "2"), ("V (stage b)", "1")))))
    assert len(keys) == 2


def test_secret_in_a_url_does_not_count() -> None:
    """A token that is changed makes nothing stale, and can't be guessed from a key."""
    one, other = (
        Inputs(
            recipe=1,
            runtime="deno",
            args=(("U", f"https://{token}@h/"),),
            upstream=((f"https://{token}@h/x", None),),
            packages=(f"https://{token}@h/mod.ts",),
        )
        for token in ("abc", "def")
    )
    assert key(one) == key(other)
    assert encode_inputs(one) == encode_inputs(other)
    assert "abc" not in encode_inputs(one)


TEXT = st.text(max_size=3)
# The name of an argument is one: what stands in brackets behind it is for people.
PAIRS = st.lists(st.tuples(st.text("AB_", max_size=3), TEXT), max_size=2).map(tuple)
INPUTS = st.builds(
    Inputs,
    recipe=st.integers(0, 2),
    runtime=TEXT,
    stages=st.lists(
        st.lists(TEXT, max_size=2).map(lambda texts: _stage("s", *texts)), max_size=2
    ).map(tuple),
    files=st.lists(
        st.tuples(TEXT, st.builds(ContextFile, digest=TEXT, executable=st.booleans())), max_size=2
    ).map(tuple),
    args=PAIRS,
    upstream=st.lists(st.tuples(st.just("r"), TEXT), max_size=2).map(tuple),
    packages=st.lists(TEXT, max_size=2).map(tuple),
    setup=TEXT,
)  # fmt: skip


@given(INPUTS, INPUTS)
def test_key_tells_inputs_apart(one: Inputs, other: Inputs) -> None:
    """Two keys are the same only for the same inputs: nothing runs into what stands beside it."""
    assert (key(one) == key(other)) == (one == other)


@given(INPUTS)
def test_moving_text_across_a_boundary_changes_the_key(inputs: Inputs) -> None:
    """`ab` and `c` are not `a` and `bc`, in packages as between fields."""
    keys = {
        key(evolve(inputs, runtime="ab", packages=("c", "d"))),
        key(evolve(inputs, runtime="a", packages=("bc", "d"))),
        key(evolve(inputs, runtime="a", packages=("b", "cd"))),
        key(evolve(inputs, runtime="a", packages=("bcd",))),
    }
    assert len(keys) == 4


def test_label() -> None:
    """The label is compact JSON that a version of this tool reads back."""
    text = encode_inputs(BUN)
    assert text == (
        '{"args":[["ALPINE_VERSION","3.21"],["BUN_VERSION","1.4.4"]],'
        '"files":[["proxy.mjs","abababababab"],["run.sh","cdcdcdcdcdcdx"]],'
        '"images":[["alpine:3.21","0123456789ab"]],"packages":[],"recipe":1,"runtime":"bun","setup":"",'
        '"stages":[["base","900410a3c907e92b"],["bun","57d1a1eaa55823d4"]],"v":1}'
    )
    recorded = decode_inputs(text)
    assert recorded is not None
    assert asdict(recorded) == {
        "recipe": 1,
        "runtime": "bun",
        "stages": (("base", "900410a3c907e92b"), ("bun", "57d1a1eaa55823d4")),
        "files": (("proxy.mjs", "abababababab"), ("run.sh", "cdcdcdcdcdcdx")),
        "args": (("ALPINE_VERSION", "3.21"), ("BUN_VERSION", "1.4.4")),
        "images": (("alpine:3.21", "0123456789ab"),),
        "packages": (),
        "setup": "",
        "system": (),
        "build": (),
        "platform": "",
        "secrets": (),
    }


def test_platform() -> None:
    """It counts where it is declared; an image of none has the key and the label that it had before."""
    arm = evolve(CUSTOM, platform="linux/arm64")
    assert len({key(CUSTOM), key(arm), key(evolve(arm, platform="linux/amd64"))}) == 3
    assert "platform" not in encode_inputs(CUSTOM)
    recorded = decode_inputs(encode_inputs(arm))
    assert recorded
    assert recorded.platform == "linux/arm64"
    assert [*differences(recorded, CUSTOM)] == [PlatformChanged(old="linux/arm64", new="")]


def test_alpine_packages() -> None:
    """They count, each in its place; an image without any has the key and the label that it had before."""
    system, build = evolve(CUSTOM, system=("jq",)), evolve(CUSTOM, build=("jq",))
    assert len({key(CUSTOM), key(system), key(build)}) == 3
    assert "system" not in encode_inputs(CUSTOM)
    secret = evolve(CUSTOM, secrets=("pip",))
    assert len({key(CUSTOM), key(secret), key(evolve(CUSTOM, build=("pip",)))}) == 3
    assert "secrets" not in encode_inputs(CUSTOM)
    assert '"secrets":["pip"]' in encode_inputs(secret)
    recorded = decode_inputs(encode_inputs(evolve(system, build=("build-base",))))
    assert recorded is not None
    assert (recorded.system, recorded.build) == (("jq",), ("build-base",))
    many = decode_inputs(encode_inputs(evolve(CUSTOM, system=_many(600, "package"))))
    assert many is not None
    assert isinstance(many.system, Summary)


def _many(count: int, prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{number:04d}" for number in range(count))


LONG = {
    "packages": evolve(CUSTOM, packages=_many(600, "package")),
    "steps": evolve(BUN, stages=(_stage("bun", *_many(600, "RUN ")),)),
    "files": evolve(BUN, files=tuple((path, ContextFile(digest="e" * 64)) for path in _many(600, "file"))),
    "args": evolve(BUN, args=(("A", "x" * 5000),)),
    "stages": evolve(BUN, stages=tuple(_stage(name, "FROM") for name in _many(600, "stage"))),
    "images": evolve(BUN, upstream=tuple((name, "0" * 12) for name in _many(600, "image"))),
    "é": evolve(BUN, args=(("A", "é" * 2100),)),
}


@pytest.mark.parametrize("inputs", LONG.values(), ids=LONG)
def test_long_label(inputs: Inputs) -> None:
    """What would be too long for a label is remembered by a hash, and only as much of it as has to be."""
    text = encode_inputs(inputs)
    assert len(text.encode()) <= 4096
    recorded = decode_inputs(text)
    assert recorded is not None
    short = [
        name
        for name in ("packages", "files", "args", "stages", "images")
        if isinstance(getattr(recorded, name), Summary)
    ]
    order = ["packages", "files", "args", "stages", "images"]
    assert short == order[: len(short)]


def test_steps_give_way_before_files() -> None:
    """One hash for a stage is left when there is no room for one for each step."""
    recorded = decode_inputs(encode_inputs(LONG["steps"]))
    assert recorded is not None
    assert not isinstance(recorded.stages, Summary)
    assert [(name, steps[0], len(steps)) for name, steps in recorded.stages] == [("bun", "=", 17)]
    assert recorded.files == (("proxy.mjs", "abababababab"), ("run.sh", "cdcdcdcdcdcdx"))


def test_remembered_upstream_images() -> None:
    """What is remembered one by one can be asked for; where it is not, there is nothing."""
    recorded = decode_inputs(encode_inputs(BUN))
    assert recorded is not None
    assert recorded.upstream == (("alpine:3.21", "0123456789ab"),)
    short = decode_inputs(encode_inputs(LONG["images"]))
    assert short is not None
    assert short.upstream == ()


@given(INPUTS)
def test_every_label_is_read_back(inputs: Inputs) -> None:
    """Whatever is written can be read."""
    recorded = decode_inputs(encode_inputs(inputs))
    assert recorded is not None
    assert (recorded.recipe, recorded.runtime) == (inputs.recipe, inputs.runtime)


def _label(**changes: Any) -> str:  # noqa: ANN401 - a label may hold anything
    return json.dumps({**json.loads(encode_inputs(BUN)), **changes})


UNREADABLE = {
    "nothing": "",
    "no JSON": "{",
    "deep": "[" * 100_000,
    "a list": "[]",
    "a number": "1",
    "another version": _label(v=2),
    "no version": "{}",
    "recipe of another type": _label(recipe="1"),
    "files of another type": _label(files="x"),
    "file without hash": _label(files=[["a"]]),
    "file of another type": _label(files=["ab"]),
    "stage of another type": _label(stages=[["a", 1]]),
    "package of another type": _label(packages=[1]),
    "summary without hash": _label(args={"n": 1}),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_label(text: str) -> None:
    """A label that can't be read is nothing, not an error."""
    assert decode_inputs(text) is None
