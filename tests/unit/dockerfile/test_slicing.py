"""The part of a Dockerfile that the classic builder gets."""

from collections.abc import Mapping

import pytest

from isol8_tasks.dockerfile.closure import closure, parse
from isol8_tasks.dockerfile.slicing import slice_dockerfile, with_environment

TEXT = """\
# escape=\\
# Words about it.
ARG V=1

FROM a:$V AS base
# first
RUN one \\
    # within
    two

FROM base AS other
RUN three
FROM base
RUN four
FROM other AS bun
COPY --from=2 /x \\
  /y
ONBUILD COPY --from=2 /x /z
FROM a AS last"""


def test_only_what_is_needed_stays() -> None:
    """What the target doesn't need goes, and the rest is the same to the byte."""
    assert slice_dockerfile(parse(TEXT), "other") == TEXT[: TEXT.index("FROM base\n")]


def test_numbers_move_along() -> None:
    """A stage number says where the stage is now."""
    text = TEXT.replace("FROM base AS other\nRUN three\n", "").replace(
        "FROM other AS bun", "FROM base AS bun"
    )
    text = "FROM z AS unused\n".join(text.split("# first", 1)[0:1]) + "# first" + text.split("# first", 1)[1]
    moved = text.replace("FROM a:$V AS base", "FROM z AS unused\nFROM a:$V AS base")
    sliced = slice_dockerfile(parse(moved), "bun")
    assert sliced == text.replace("--from=2", "--from=1").removesuffix("FROM a AS last")


@pytest.mark.parametrize("target", ["base", "other", "bun", "last", None])
def test_slice_is_built_of_the_same(target: str | None) -> None:
    """A target is built of the same in the slice as in the whole."""
    whole = parse(TEXT)
    sliced = parse(slice_dockerfile(whole, target))
    texts = [
        [[step.text for step in stage.steps] for stage in closure(each, target, {}, ()).stages]
        for each in (whole, sliced)
    ]
    assert texts[0] == texts[1]


UNSAFE: Mapping[str, str] = {
    "unknown flag": "FROM a AS u\nFROM b AS t\nCOPY --new a b\n",
    "platform": "FROM a AS u\nFROM b-$TARGETOS AS t\n",
    "number in pieces": 'FROM u\nFROM b AS c\nFROM a AS t\nCOPY --from=\\\n1 a b\nCOPY "--from=0" a b\n',
}


@pytest.mark.parametrize("text", UNSAFE.values(), ids=UNSAFE)
def test_what_can_not_be_cut_stays_whole(text: str) -> None:
    """A file that can't be cut safely goes to the builder as it is."""
    assert slice_dockerfile(parse(text), "t") == text


def test_arguments_choose_the_stage() -> None:
    """An argument that names a stage is looked at."""
    text = "ARG K=x\nFROM a AS x\nFROM b AS y\nFROM $K AS t\n"
    assert slice_dockerfile(parse(text), "t") == text.replace("FROM b AS y\n", "")
    assert slice_dockerfile(parse(text), "t", {"K": "y"}) == text.replace("FROM a AS x\n", "")


@pytest.mark.parametrize(
    ("target", "before"), [("base", "\nFROM base AS other"), ("bun", "FROM a AS last"), ("last", "")]
)
def test_variables_at_the_end_of_a_stage(target: str, before: str) -> None:
    """They are the last that its stage sets, and the rest is the same to the byte; a last line gets its end."""
    found = with_environment(parse(TEXT), target, {"A": "1,2", "B": "3"})
    assert found.replace("ENV A=1,2\nENV B=3\n", "", 1) == TEXT + "\n" * (not before)
    assert found.partition("ENV B=3\n")[2].startswith(before.lstrip())
