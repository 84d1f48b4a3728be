"""The history of images as values and as lines."""

import datetime as dt
import json
from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.images import labels
from isol8_tasks.images.journal import (
    HistoryEntry,
    PastBuild,
    found_entry,
    joined_history,
    outlived,
    past_build,
    with_images_in_use,
)
from isol8_tasks.images.journal_lines import history_line, read_history, render_history
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
PLACE = "unix:///e", "isol8"


def build(number: int, packages: Mapping[str, str] | None = None, **more: object) -> PastBuild:
    found = None if packages is None else {("pypi", name): version for name, version in packages.items()}
    return PastBuild(
        id=f"sha256:{number}",
        key=f"k{number}",
        build=f"b{number}",
        size=number,
        built="2026-11-29T12:00:00Z",
        alpine="3.21.3",
        packages=found,
        **more,  # type: ignore[arg-type]
    )


def entry(
    old: PastBuild | None, new: PastBuild | None, *, image: str = "web", days: int = 0, **more: object
) -> HistoryEntry:
    return HistoryEntry(
        at=NOON + days * DAY,
        image=image,
        repository="isol8",
        engine="unix:///e",
        how="built",
        old=old,
        new=new,
        **more,  # type: ignore[arg-type]
    )


ONE = build(1, {"a": "1", "b": "1"}, inputs='{"v":1}', configuration={"Env PATH": "/bin"})
TWO = build(2, {"a": "2", "c": "1"}, inputs='{"v":1}', configuration={"Env PATH": "/bin"})
THREE = build(3, {"a": "2", "c": "1"}, inputs='{"v":1,"x":1}', configuration={"Env PATH": "/sbin"})


WRONG: tuple[Mapping[str, object], ...] = (
    {"at": "yesterday"},
    {"at": "2026-11-30T12:00:00"},
    {"at": 7},
    {"at": "0001-01-01T00:00:00Z"},
    {"image": 7},
    {"why": [7]},
    {"seconds": "x"},
    {"seconds": float("nan")},
    {"seconds": -1},
    {"old": []},
    {"new": {"id": 7}},
    {"new": {"id": "x", "size": float("inf")}},
    {"new": {"id": "x", "size": -1}},
    {"packages": ["x"]},
    {"packages": {"pypi": {"x": 7}}},
    {"inputs": {}},
    {"configuration": [1]},
)
"""What makes a line none."""


class TestLines:
    """A line says what is different from the line before it about the same image."""

    def test_what_is_written_is_read(self) -> None:
        """Whatever leads from one to the next."""
        unknown = PastBuild(id="sha256:4", built="2026-11-29T12:00:00Z")
        history = (
            entry(None, ONE, why=("new",), seconds=2.5, verified=True, checkout="c", parent="python"),
            entry(None, ONE, image="other"),
            entry(ONE, TWO),
            entry(TWO, THREE),
            entry(THREE, unknown),
            entry(unknown, THREE),
            entry(THREE, None),
            entry(None, evolve(ONE, digest="sha256:d")),
        )
        assert read_history(render_history(history)) == (history, ())

    def test_what_changes_nothing_stands_between_changes(self) -> None:
        """A failure and a refresh leave the image as it was, so the next difference is to the change before them."""
        failed = evolve(entry(ONE, ONE), how="failed", new=None, problem="no such package")
        refreshed = evolve(entry(None, None, image=""), how="refreshed", counts={"behind": 1, "fresh": 2})
        moved = evolve(entry(ONE, TWO, days=1), transferred={"pulled": 3, "built": 5})
        history = (entry(None, ONE), failed, refreshed, moved)
        assert read_history(render_history(history)) == (history, ())
        assert not failed.is_change
        assert failed.repeats(evolve(failed, at=failed.at + DAY / 4))
        assert not failed.repeats(evolve(failed, at=failed.at + DAY))
        assert not failed.repeats(refreshed)
        assert not failed.repeats(None)

    def test_only_the_difference_is_written(self) -> None:
        """So that many builds of an image take little."""
        lines = [
            json.loads(line) for line in render_history((entry(None, ONE), entry(ONE, TWO))).splitlines()
        ]
        assert lines[0]["packages"] == {"pypi": {"a": "1", "b": "1"}}
        assert "changed" not in lines[0]
        assert lines[1]["changed"] == [
            ["pypi", "a", "1", "2"],
            ["pypi", "b", "1", ""],
            ["pypi", "c", "", "1"],
        ]
        assert not lines[1].keys() & {"packages", "inputs", "configuration"}

    def test_whole_where_the_line_before_is_about_another_build(self) -> None:
        """As after a line that was lost."""
        line = json.loads(history_line(entry(ONE, TWO), THREE))
        assert line["packages"] == {"pypi": {"a": "2", "c": "1"}}
        assert line["configuration"] == {"Env PATH": "/bin"}

    def test_lost_line_leaves_what_follows_unknown_until_there_is_a_whole_one(self) -> None:
        """And nothing that is wrong."""
        first, second, third = render_history(
            (entry(None, ONE), entry(ONE, TWO), entry(TWO, THREE))
        ).splitlines(keepends=True)
        (_, last), _ = read_history(first + third)
        assert last.new == evolve(THREE, packages=None)
        assert last.updates == ()
        # Who adds the next line finds that it is not known, and writes all.
        line = history_line(entry(last.new, evolve(TWO, id="sha256:5")), last.new)
        (*_, healed), _ = read_history(first + third + line)
        assert healed.new == evolve(TWO, id="sha256:5")
        del second

    def test_line_that_was_changed_by_hand_does_not_lead_to_wrong_packages(self) -> None:
        """What it says changed is not what was there."""
        text = render_history((entry(None, ONE), entry(ONE, TWO))).replace(
            '"pypi","a","1","2"', '"pypi","a","7","2"'
        )
        (_, last), _ = read_history(text)
        assert last.new
        assert last.new.packages is None

    def test_digest_of_a_push_belongs_to_the_image(self) -> None:
        """Not to another one that took its place meanwhile."""
        pushed = evolve(entry(None, PastBuild(id="sha256:2", digest="sha256:d")), how="pushed")
        text = render_history((entry(None, ONE), entry(ONE, TWO)))
        (_, last), _ = read_history(text + history_line(pushed, None))
        assert last.new == evolve(TWO, digest="sha256:d")
        other = history_line(evolve(pushed, new=PastBuild(id="sha256:1", digest="sha256:d")), None)
        assert read_history(text + other) == read_history(text)
        assert read_history(other) == ((), ())

    @pytest.mark.parametrize(
        "line",
        [
            "no JSON",
            "[]",
            "{}",
            '{"v":2}',
            '{"v":1,"at":"2026-11-30T12:00:00Z","image":"web","repository":"isol8","engine":"e"}',
            "[" * 100_000,
            *(json.dumps({**json.loads(history_line(entry(ONE, TWO), ONE)), **wrong}) for wrong in WRONG),
        ],
    )
    def test_line_that_is_none_is_left_out(self, line: str) -> None:
        """And named; the others count."""
        good = history_line(entry(None, ONE), None)
        found, wrong = read_history(f"{good}{line}\n\n{good}")
        assert (len(found), wrong) == (2, (2,))

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_no_damage_is_an_error(self, data: st.DataObject) -> None:
        """Whatever becomes of the file's text."""
        text = render_history((entry(None, ONE), entry(ONE, TWO), entry(TWO, THREE), entry(THREE, None)))
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 80)))
        found, _ = read_history(text[:at] + data.draw(st.text(max_size=20)) + text[end:])
        for each in found:
            assert each.updates is not None
        render_history(found)


class TestWhatStays:
    """Which changes are kept."""

    def test_newer_ones_and_the_last_of_each_image(self) -> None:
        """Unless it was removed."""
        history = (
            entry(None, ONE),
            entry(ONE, TWO, days=1),
            entry(None, ONE, image="old"),
            entry(ONE, None, image="old", days=1),
            entry(None, ONE, image="new", days=5),
        )
        assert outlived(history, NOON + 2 * DAY) == (history[1], history[4])
        assert outlived(history, NOON) == history

    def test_what_was_a_difference_is_whole_then(self) -> None:
        """The line before it is gone."""
        text = render_history(outlived((entry(None, ONE), entry(ONE, TWO, days=1)), NOON + DAY))
        assert read_history(text)[0][0].new == TWO


class TestJoined:
    """What a registry has is added."""

    def test_builds_stand_in_the_order_of_time(self) -> None:
        """Each behind the one before it, of which nobody says that it was replaced by it."""
        first = evolve(entry(None, ONE), how="found")
        third = evolve(entry(None, THREE, days=2), how="found")
        second = entry(None, TWO, days=1)
        failed = evolve(entry(TWO, None, days=1), how="failed", problem="no such package")
        found = joined_history((second, failed), (third, first))
        assert found == (first, second, failed, evolve(third, old=TWO))


def image(name: str, number: int, *tags: str, role: str = "current", **more: object) -> ObservedImage:
    record = Record(
        image=name,
        role=role,  # type: ignore[arg-type]
        key=f"{number:064x}",
        inputs="{}",
        build=f"{number:016x}",
        checkout="c",
        inventory=encode("3.21.3", [Package(ecosystem="pypi", name="a", version=str(number))]),
        **more,  # type: ignore[arg-type]
    )
    written = {**labels.write(record), labels.BASE_NAME: "isol8:python"}
    return ObservedImage(
        id=f"sha256:{number}", tags=tags, labels=written, created=1_700_000_000 + number, size=number
    )


IN_USE = image("web", 2, "isol8:web", "isol8_build:web")
BEFORE = image("web", 1, "isol8:web-previous", role="previous")


class TestWithoutLines:
    """What labels tell of images of which no line does."""

    def test_build_is_read_from_labels(self) -> None:
        """Nothing of an image that something else made."""
        found = past_build(IN_USE, labels.read_record(IN_USE.labels), digest="sha256:d")
        assert found.packages == {("pypi", "a"): "2"}
        assert (found.key, found.alpine, found.digest, found.size) == (f"{2:064x}", "3.21.3", "sha256:d", 2)
        assert past_build(IN_USE, None) == PastBuild(id="sha256:2", size=2, built=found.built)

    @pytest.mark.parametrize("created", [-62_135_596_800, 0])
    def test_image_whose_builder_wrote_no_time(self, created: int) -> None:
        """As year 1 or the epoch; its line can be read again."""
        timeless = evolve(IN_USE, created=created)
        assert past_build(timeless, None).built == ""
        (found,) = with_images_in_use((), Observed(repository="isol8", images=(timeless,)), PLACE[0])
        assert read_history(history_line(found, None)) == ((found,), ())

    def test_image_in_use_and_the_one_before_it(self) -> None:
        """As after the file was lost."""
        observed = Observed(repository="isol8", images=(IN_USE, BEFORE))
        first, second = with_images_in_use((), observed, PLACE[0])
        assert (first.old, first.how, first.parent) == (None, "found", "python")
        assert second.old == first.new
        assert second.updates == (Update(ecosystem="pypi", name="a", old="1", new="2"),)
        assert (second.checkout, second.place) == ("c", (*PLACE, "web"))
        lone = Observed(repository="isol8", images=(IN_USE,))
        assert [each.new and each.new.id for each in with_images_in_use((), lone, PLACE[0])] == ["sha256:2"]

    def test_another_image_in_use_than_the_last_line_says(self) -> None:
        """It came later, whenever it was built."""
        observed = Observed(repository="isol8", images=(IN_USE, BEFORE))
        known = entry(None, build(7))
        _, found = with_images_in_use((known,), observed, PLACE[0])
        assert (found.at, found.old) == (NOON, known.new)
        same = entry(None, evolve(build(7), id="sha256:2"))
        assert with_images_in_use((same,), observed, PLACE[0]) == (same,)

    def test_image_without_its_tag_is_none_in_use(self) -> None:
        """It was removed, and its marker was not."""
        gone = evolve(IN_USE, tags=("isol8_build:web",))
        assert with_images_in_use((), Observed(repository="isol8", images=(gone,)), PLACE[0]) == ()

    def test_base_has_no_parent_of_ours(self) -> None:
        """Nor has an image that is based on another repository's."""
        base = evolve(IN_USE, labels={**IN_USE.labels, labels.BASE_NAME: "alpine:3.21"})
        assert not found_entry("web", base, None, None, PLACE).parent
        assert not found_entry("web", base, None, None, PLACE).checkout
