"""Tags of candidates: whose they are, and when nobody uses them any more."""

import datetime as dt

import pytest
from attrs import evolve

from isol8_tasks.images import labels
from isol8_tasks.images.candidates import abandoned, candidate_tag
from isol8_tasks.images.labels import Record, Role
from isol8_tasks.images.observed import Observed, ObservedImage

NOW = dt.datetime(2026, 11, 29, 5, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
RECORD = Record(image="bun", role="candidate", key="k", inputs="", build="b1", checkout="c")


def image(tag: str, role: Role = "candidate") -> ObservedImage:
    return ObservedImage(id=tag, tags=(tag,), labels=labels.write(evolve(RECORD, role=role)))


def test_each_build_has_its_own() -> None:
    """The tag names image, build and time, and is no longer than tags may be."""
    assert candidate_tag("isol8", "bun", "0123456789abcdef", NOW) == (
        "isol8_build:bun-20261129T050000Z-0123456789abcdef-candidate"
    )
    longest = candidate_tag("isol8", "x" * 118, "0123456789abcdef", NOW).partition(":")[2]
    assert len(longest) == 128
    assert longest.endswith("x-20261129T050000Z-0123456789abcdef-candidate")


@pytest.mark.parametrize(
    ("role", "age", "over"),
    [
        ("candidate", 23 * HOUR, False),
        ("candidate", 24 * HOUR, True),
        ("current", HOUR / 12, False),
        ("current", HOUR / 6, True),
        ("previous", HOUR / 6, True),
    ],
)
def test_a_young_one_may_be_in_use(role: Role, age: dt.timedelta, *, over: bool) -> None:
    """A build may take a day, and what it has of the labels of an image in use minutes."""
    tag = candidate_tag("isol8", "bun", "0123456789abcdef", NOW)
    observed = Observed(repository="isol8", images=(image(tag, role=role),))
    assert abandoned(observed, NOW + age) == ((tag,) if over else ())


def test_other_tags() -> None:
    """Only private tags count; one that names no time, as older versions set it, is as old as its image."""
    old = evolve(image("isol8_build:bun-candidate"), created=int((NOW - 30 * HOUR).timestamp()))
    new = evolve(image("isol8_build:bash-candidate"), created=int(NOW.timestamp()))
    public = evolve(old, id="3", tags=("isol8:bun-candidate", "isol8_build:bun"))
    odd = evolve(old, id="4", tags=("isol8_build:a-99999999T999999Z-0123456789abcdef-candidate",))
    observed = Observed(repository="isol8", images=(old, new, public, odd))
    assert abandoned(observed, NOW) == (*old.tags, *odd.tags)
