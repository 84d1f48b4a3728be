"""What the tags of holds say, and when a rollback counts as done."""

import datetime as dt

import pytest

from isol8_tasks.images.holds import are_settled, hold_tag, hold_tags, holds, takes_effect
from isol8_tasks.images.labels import Record, write
from isol8_tasks.images.observed import Observed, ObservedImage

NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)
HOLD = hold_tag("isol8", "bash", NOW)
OLDER = hold_tag("isol8", "bash", NOW - dt.timedelta(hours=1))


def image(build: str, *tags: str, ours: bool = True) -> ObservedImage:
    record = Record(image="bash", role="current", key="k", inputs="", build=build, checkout="here")
    return ObservedImage(id=f"sha256:{build}", tags=tags, labels=write(record) if ours else {})


def engine(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


DONE = engine(image("old", "isol8:bash", HOLD), image("new", "isol8:bash-previous"))
BEGUN = engine(image("new", "isol8:bash"), image("old", "isol8:bash-previous", HOLD))
HALF = engine(image("new", "isol8:bash", "isol8:bash-previous"), image("old", HOLD))
TWO = engine(image("old", "isol8:bash", HOLD), image("new", OLDER))
UNTAGGED = engine(image("old", HOLD))


@pytest.mark.parametrize(
    ("observed", "effect", "settled"),
    [
        (DONE, True, True),
        (BEGUN, False, False),
        (HALF, True, False),
        (TWO, True, False),
        (UNTAGGED, True, True),
        (engine(image("new", "isol8:bash"), image("old", HOLD)), False, False),
        (engine(image("new", "isol8:bash", ours=False), image("old", HOLD)), False, False),
    ],
    ids=["done", "begun", "half done", "twice", "no public tag", "previous gone", "tagged by others"],
)
def test_a_rollback_that_was_cut_off(observed: Observed, *, effect: bool, settled: bool) -> None:
    """It counts from the moment on that nothing but the hold keeps the image, and waits to be finished or undone."""
    newest = hold_tags(observed)["bash"][0]
    assert newest.since == NOW
    assert takes_effect(observed, "bash", newest) is effect
    assert ("bash" in holds(observed, NOW, WEEK)) is effect
    assert are_settled(observed, NOW, WEEK) is settled


def test_a_hold_that_is_over() -> None:
    """It is no hold any more, and its tag is to be taken away."""
    assert holds(DONE, NOW + WEEK, WEEK) == {}
    assert not are_settled(DONE, NOW + WEEK, WEEK)


@pytest.mark.parametrize(
    "tag", ["isol8:bash-held-yesterday", "isol8:bash-held", "other:bash-held-20261123T100000Z"]
)
def test_tags_of_others(tag: str) -> None:
    """A tag that we did not write holds nothing."""
    assert hold_tags(engine(image("old", tag))) == {}
    assert are_settled(engine(image("old", tag)), NOW, WEEK)
