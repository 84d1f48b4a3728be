"""What nothing needs any more in a registry, and what stays."""

import datetime as dt

import pytest
from attrs import evolve

from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.lifecycle.expiry import expired, likely_ours

NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
SINCE = NOW - dt.timedelta(days=30)
KEY = "0123456789ab"
OLD, NEW = f"bash-20260901-{KEY}", f"bash-20261128-{KEY}"


def image(build: str, *, days: int, parent: str = "", name: str = "bash") -> ObservedImage:
    record = Record(
        image=name, role="current", key=KEY.ljust(64, "0"), inputs="", build=build, checkout="", parent=parent
    )
    created = f"{NOW - dt.timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    return ObservedImage(
        id=build, labels={**labels.write(record), "org.opencontainers.image.created": created}
    )


TAGS = {"bash": "d2", NEW: "d2", f"bash-{KEY}": "d2", OLD: "d1", f"bash-{'f' * 12}": "d1"}
IMAGES = {"d1": image("b1", days=90), "d2": image("b2", days=40)}


def digests(
    tags: dict[str, str] = TAGS,
    images: dict[str, ObservedImage] = IMAGES,
    kept: tuple[str, ...] = (),
    builds: tuple[str, ...] = (),
) -> list[str]:
    return [each.digest for each in expired(tags, images, kept=kept, builds=builds, since=SINCE)]


def test_what_has_generated_tags_alone_and_is_old() -> None:
    (found,) = expired(TAGS, IMAGES, kept=(), builds=(), since=SINCE)
    assert (found.digest, found.name, found.tags) == ("d1", "bash", tuple(sorted((OLD, f"bash-{'f' * 12}"))))


@pytest.mark.parametrize(
    "more",
    [
        {"kept": ("d1",)},
        {"builds": ("b1",)},
        {
            "tags": {**TAGS, "bash": "d4"},
            "images": {**IMAGES, "d2": image("b2", days=1), "d4": image("b1", days=1)},
        },
        {"tags": {**TAGS, "bash": "d1"}, "images": {**IMAGES, "d2": image("b2", days=1)}},
        {"tags": {**TAGS, "release": "d1"}},
        {"tags": {**TAGS, f"other-{KEY}": "d1"}},
        {"images": {**IMAGES, "d1": image("b1", days=29)}},
        {"images": {**IMAGES, "d1": evolve(IMAGES["d1"], labels={})}},
        {"tags": {**TAGS, "x": "d3"}, "images": {**IMAGES, "d3": image("b3", days=1, parent="b1", name="x")}},
    ],
    ids=[
        "listed in the manifest",
        "held",
        "the same build as one in use",
        "in use",
        "another program's tag",
        "a tag of another image's",
        "young",
        "not ours",
        "parent of what is in use",
    ],
)
def test_what_stays(more: dict[str, object]) -> None:
    assert digests(**more) == []  # type: ignore[arg-type]  # each row knows its arguments


def test_parents_of_parents_stay() -> None:
    """Of what is young, though neither has a name any more."""
    images = {
        "d1": image("b1", days=90),
        "d2": image("b2", days=80, parent="b1", name="a"),
        "d3": image("b3", days=1, parent="b2", name="b"),
    }
    tags = {OLD: "d1", f"a-{KEY}": "d2", f"b-{KEY}": "d3"}
    assert digests(tags, images) == []
    assert digests(tags, {**images, "d3": image("b3", days=70, parent="b2", name="b")}) == ["d2", "d3", "d1"]


def test_only_what_may_be_ours_is_read() -> None:
    """Charts and signatures in the same repository are none of it."""
    assert likely_ours({**TAGS, "chart": "d8", "sha256-" + "a" * 64 + ".sig": "d9"}) == ("d1", "d2")
