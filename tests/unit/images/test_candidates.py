"""Tags of candidates: whose they are, and when nobody uses them any more."""

import datetime as dt
from collections.abc import Mapping

import pytest
from attrs import evolve

from isol8_tasks.images import labels
from isol8_tasks.images.candidates import LONGEST_TAKEN, abandoned, candidate_tag, offered
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


class TestOffered:
    """Which candidates may be promoted, as far as their labels say."""

    BUILD = "0123456789abcdef"

    def candidate(self, *, tag: str = "", age: dt.timedelta = HOUR, **more: object) -> ObservedImage:
        record = evolve(RECORD, build=self.BUILD, **more)  # type: ignore[arg-type]  # each test knows its field
        name = tag or candidate_tag("isol8", record.image, record.build, NOW - age)
        return ObservedImage(id=f"sha256:{name}", tags=(name,), labels=labels.write(record))

    def offered(self, *images: ObservedImage) -> dict[str, list[ObservedImage]]:
        return dict(offered(Observed(repository="isol8", images=images), NOW, LONGEST_TAKEN))

    def test_the_newest_comes_first(self) -> None:
        """Whatever the order in which an engine lists them."""
        old, new = self.candidate(age=2 * HOUR), self.candidate()
        other = self.candidate(image="bun-custom")
        assert self.offered(old, other, new) == {"bun": [new, old], "bun-custom": [other]}

    def test_two_tags_make_it_no_newer(self) -> None:
        """A run that began with it and was cut off leaves a second one."""
        old = candidate_tag("isol8", "bun", self.BUILD, NOW - LONGEST_TAKEN)
        image = self.candidate()
        assert self.offered(evolve(image, tags=(*image.tags, old))) == {}

    def test_a_tag_without_a_time_is_as_old_as_its_image(self) -> None:
        """Whoever builds one by other means need not know how our tags are made."""
        image = self.candidate(tag="isol8_build:bun-candidate")
        young = {**image.labels, "org.opencontainers.image.created": f"{NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}"}
        assert self.offered(image) == {}
        assert list(self.offered(evolve(image, labels=young))) == ["bun"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"age": LONGEST_TAKEN},
            {"age": -LONGEST_TAKEN},
            {"role": "current"},
            {"schema": 1},
            {"build": "b1"},
            {"tag": "isol8:bun-20261129T050000Z-0-candidate"},
            {"tag": "isol8_build:bash-20261129T050000Z-0-candidate"},
            {"tag": "isol8_build:bun-20261129T050000Z-0"},
        ],
        ids=str,
    )
    def test_what_is_no_candidate(self, changes: dict[str, object]) -> None:
        """Too old, of the future, in use, of another version, of no build, or under another name."""
        record: dict[str, object] = {
            name: changes.pop(name) for name in ("role", "schema", "build") if name in changes
        }
        image = self.candidate(**changes)  # type: ignore[arg-type]  # as above
        assert self.offered(evolve(image, labels={**image.labels, **self.written(record)})) == {}

    def written(self, record: Mapping[str, object]) -> dict[str, str]:
        return {labels.PREFIX + name: str(value) for name, value in record.items()}

    @pytest.mark.parametrize("name", ["bun", "bun-previous"])
    def test_the_build_of_another_image_in_use(self, name: str) -> None:
        """What is based on that would be up to date on this."""
        known = ObservedImage(
            id="1", tags=(f"isol8:{name}",), labels=labels.write(evolve(RECORD, build=self.BUILD))
        )
        assert self.offered(self.candidate(), known) == {}
        other = evolve(known, labels=labels.write(evolve(RECORD, build="f" * 16)))
        assert list(self.offered(self.candidate(), other)) == ["bun"]

    def test_one_that_clients_would_pick(self) -> None:
        """It has to hide what it inherits."""
        image = self.candidate()
        shown = evolve(image, labels={**image.labels, labels.RUNTIME: "bun"})
        assert self.offered(shown) == {}
        hidden = evolve(image, labels={**image.labels, labels.RUNTIME: f"bun{labels.NOT_IN_USE}"})
        assert list(self.offered(hidden)) == ["bun"]

    def test_one_that_was_promoted_is_abandoned(self) -> None:
        """A run that was cut off at its end leaves the tag alone."""
        image = self.candidate()
        promoted = ObservedImage(
            id="1",
            tags=("isol8:bun", "isol8_build:bun"),
            labels=labels.write(evolve(RECORD, role="current", build=self.BUILD)),
        )
        assert abandoned(Observed(repository="isol8", images=(image, promoted)), NOW) == image.tags
