"""What people ask of a page first."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from isol8_tasks.report.page.answers import answers, last_change, sizes_since


def image(name: str, built: str | None = "2026-11-01T00:00:00Z", **more: object) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "custom",
        "state": "up-to-date",
        "built": built,
        "builds": [],
        "last": None,
    } | more


def build(at: str, size: int | None = 100, how: str = "built", was: int | None = None) -> dict[str, Any]:
    return {"at": at, "size": size, "how": how, "was": was, "why": ["it moved"]}


def document(
    *images: dict[str, Any], freshness: Sequence[Mapping[str, object]] | None = None
) -> dict[str, Any]:
    for number, each in enumerate(images):
        each["last"], each["order"] = last_change(each["builds"]), number
    return {"at": "2026-11-30T04:00:00Z", "images": [*images], "freshness": freshness}


class TestOldest:
    """Which image was built first."""

    def test_it_is_the_one_built_first(self) -> None:
        """Whatever order they are in; upstream images are not ours to rebuild."""
        upstream = image("alpine:3.21", "2020-01-01T00:00:00Z", kind="upstream")
        found = answers(document(upstream, image("isol8:a"), image("isol8:b", "2026-10-31T00:00:00Z")))
        assert (found["oldest"]["name"], found["images"]) == ("isol8:b", 2)

    def test_none_is_oldest_where_none_is_built(self) -> None:
        """Nothing is made up."""
        found = answers(document(image("isol8:a", None)))
        assert (found["oldest"], found["grew"], found["rebuilt"]) == (None, None, None)


class TestGrew:
    """Which image takes most more than thirty days ago."""

    def test_growth_is_from_the_size_at_the_begin_of_the_time(self) -> None:
        """That is the last one before; what was earlier does not count."""
        one = image(
            "isol8:a",
            builds=[
                build("2026-09-01T00:00:00Z", 1),
                build("2026-10-01T00:00:00Z", 90),
                build("2026-11-20T00:00:00Z", 100),
            ],
        )
        other = image(
            "isol8:b", builds=[build("2026-11-02T00:00:00Z", 60, was=45), build("2026-11-03T00:00:00Z", 61)]
        )
        found = answers(document(one, other))["grew"]
        assert found == {"name": "isol8:b", "by": 16, "was": 45, "size": 61}

    def test_what_shrank_did_not_grow(self) -> None:
        """None did, then."""
        shrank = image(
            "isol8:a", builds=[build("2026-11-02T00:00:00Z", 60), build("2026-11-03T00:00:00Z", 50)]
        )
        assert answers(document(shrank))["grew"] is None

    @pytest.mark.parametrize(
        ("builds", "sizes"),
        [
            ([], []),
            ([build("2026-11-02T00:00:00Z", None)], []),
            ([build("2026-10-02T00:00:00Z", 5), build("2026-11-02T00:00:00Z", None)], [5]),
            ([build("2026-10-02T00:00:00Z", 5), build("2026-10-03T00:00:00Z", None)], [5]),
            ([build("2026-11-02T00:00:00Z", 7, was=5), build("2026-11-03T00:00:00Z", 9, was=7)], [5, 7, 9]),
        ],
        ids=["none", "unknown", "only before", "unknown before", "with the one before the first"],
    )
    def test_sizes_that_are_not_known_are_left_out(
        self, builds: list[dict[str, Any]], sizes: list[int]
    ) -> None:
        """And the size before the first change is what it began with."""
        assert sizes_since(builds, dt.datetime(2026, 11, 1, tzinfo=dt.UTC)) == sizes


class TestRebuilt:
    """What clients run since last."""

    def test_the_newest_change_of_all_images(self) -> None:
        """With its reason; what was only found or relabelled changed nothing.

        Which it was the order of the history says: a clock may have been set back, or be too coarse.
        """
        one = image(
            "isol8:a", builds=[build("2026-11-02T00:00:00Z"), build("2026-11-09T00:00:00Z", how="relabelled")]
        )
        other = image(
            "isol8:b",
            builds=[
                build("2026-11-02T00:00:00Z", how="rolled back"),
                build("2026-11-04T00:00:00Z", how="found"),
            ],
        )
        found = answers(document(one, other))["rebuilt"]
        assert (found["name"], found["how"], found["why"]) == ("isol8:b", "rolled back", ["it moved"])


class TestFreshness:
    """How many images are behind."""

    def test_counts_are_none_where_no_source_was_asked(self) -> None:
        """Which is not the same as that none is behind."""
        found = answers(document(image("isol8:a")))
        assert (found["behind"], found["undetermined"]) == (None, None)

    def test_images_are_counted(self) -> None:
        """By what their sources say."""
        told = [
            {"state": "behind", "problems": ["no answer"], "young": []},
            {"state": "fresh", "problems": [], "young": ["x"]},
        ]
        found = answers(document(image("isol8:a"), freshness=told))
        assert (found["behind"], found["undetermined"], found["young"]) == (1, 1, 1)

    def test_states_are_counted_most_first(self) -> None:
        """As in the plan."""
        found = answers(document(image("a", state="stale"), image("b"), image("c")))
        assert [*found["states"].items()] == [("up-to-date", 2), ("stale", 1)]
