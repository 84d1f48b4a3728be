"""Observed: whose image stands under a tag."""

import datetime as dt

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage, private_repository

RECORD = Record(image="bun", role="current", key="k", inputs="", build="b1", checkout="c")
OURS = ObservedImage(id="sha256:1", tags=("isol8:bun", "isol8_build:bun"), labels=labels.write(RECORD))


def held(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


class TestRecord:
    """The record of the image under a public tag."""

    def test_a_promoted_image_has_its_record(self) -> None:
        """The image that carries both the public tag and the marker is ours."""
        assert held(OURS).record("bun") == RECORD

    def test_a_commit_inherits_labels_and_is_not_ours(self) -> None:
        """A public tag on another image than the marker's has no record, whatever its labels say."""
        commit = ObservedImage(id="sha256:2", tags=("isol8:bun",), labels=OURS.labels)
        ours = ObservedImage(id="sha256:1", tags=("isol8_build:bun",), labels=OURS.labels)
        assert held(commit, ours).record("bun") is None

    def test_without_a_marker_nothing_is_ours(self) -> None:
        """Labels alone prove nothing."""
        assert (
            held(ObservedImage(id="sha256:2", tags=("isol8:bun",), labels=OURS.labels)).record("bun") is None
        )

    @pytest.mark.parametrize("other", [evolve(RECORD, role="candidate"), evolve(RECORD, image="deno")])
    def test_tagged_by_somebody(self, other: Record) -> None:
        """Both tags on what was never promoted, or was for another name, make it none of ours."""
        assert held(evolve(OURS, labels=labels.write(other))).record("bun") is None

    def test_an_image_that_is_not_there_has_no_record(self) -> None:
        """A marker alone is no image of the public."""
        ours = ObservedImage(id="sha256:1", tags=("isol8_build:bun",), labels=OURS.labels)
        assert held(ours).record("bun") is None

    def test_what_was_found_in_an_image(self) -> None:
        """It is told of an image that is ours and was looked into."""
        packages = (Package(ecosystem="apk", name="bash", version="5.2"),)
        looked = evolve(OURS, labels=labels.write(evolve(RECORD, inventory=encode("3.21.5", packages))))
        assert held(looked).inventory("bun") == ("3.21.5", packages)
        assert held(OURS).inventory("bun") is None
        assert held().inventory("bun") is None


class TestPromoted:
    """Names of the images that were promoted."""

    def test_names_by_their_markers(self) -> None:
        """Images are known by their markers, and copies under other private tags are none."""
        candidate = ObservedImage(
            id="sha256:2", tags=("isol8_build:bun-candidate",), labels=labels.write(RECORD)
        )
        foreign = ObservedImage(id="sha256:3", tags=("isol8_build:x", "isol8:y"))
        assert held(candidate, foreign, OURS).promoted == ("bun",)


class TestTagged:
    """References as people write them."""

    def test_a_reference_is_found_in_each_spelling(self) -> None:
        """Docker Hub's long names and a missing tag name the same image."""
        alpine = ObservedImage(id="sha256:a", tags=("alpine:3.21", "alpine:latest"))
        deno = ObservedImage(id="sha256:d", tags=("denoland/deno:alpine",))
        found = held(alpine, deno)
        assert found.tagged("alpine:3.21") is alpine
        assert found.tagged("alpine") is alpine
        assert found.tagged("docker.io/library/alpine:3.21") is alpine
        assert found.tagged("docker.io/denoland/deno:alpine") is deno
        assert found.tagged("registry.example:5000/alpine") is None
        assert found.tagged("no reference:") is None

    def test_a_port_is_no_tag(self) -> None:
        """A registry with a port and no tag names the latest there."""
        image = ObservedImage(
            id="a", tags=("localhost:5000/alpine:latest",), digests=("localhost:5000/alpine@sha256:1",)
        )
        assert held(image).tagged("localhost:5000/alpine") is image
        assert image.digest("localhost:5000/alpine") == "sha256:1"

    def test_by_digest(self) -> None:
        """A digest decides, whatever tag is written before it, and whether the image has one or not."""
        digest = "sha256:" + "ab" * 32
        image = ObservedImage(id="a", digests=(f"alpine@{digest}",))
        assert held(image).tagged(f"alpine:3.21@{digest}") is image
        assert held(image).tagged(f"docker.io/library/alpine@{digest}") is image
        assert held(image).tagged(f"team/alpine@{digest}") is None
        assert held(image).tagged("alpine:3.21") is None
        assert image.digest(f"alpine:3.21@{digest}") == digest

    def test_the_private_repository_sorts_behind(self) -> None:
        """Clients take an image's first tag, which has to be the public one."""
        assert min(f"{private_repository('isol8')}:bun", "isol8:bun-custom") == "isol8:bun-custom"


class TestMoved:
    """What is held after tags were moved."""

    def test_tags_leave_the_image_that_had_them(self) -> None:
        """A new image takes its tags from the old one, which is gone when it has none left."""
        new = held(OURS).moved("sha256:2", {"a": "b"}, "isol8:bun", "isol8_build:bun")
        assert new.images == (
            ObservedImage(id="sha256:2", tags=("isol8:bun", "isol8_build:bun"), labels={"a": "b"}),
        )

    def test_an_image_keeps_its_other_tags(self) -> None:
        """Only the tags that are named move."""
        new = held(OURS).moved("sha256:2", {}, "isol8:bun")
        assert new.public("bun") == ObservedImage(id="sha256:2", tags=("isol8:bun",))
        assert new.marker("bun") is not None
        assert new.record("bun") is None

    def test_an_image_that_is_held_gains_tags(self) -> None:
        """Tagging what is there adds to its tags."""
        new = held(OURS).moved("sha256:1", OURS.labels, "isol8:other")
        assert new.images[0].tags == ("isol8:bun", "isol8:other", "isol8_build:bun")

    def test_an_image_more_is_held_as_if_it_had_been_listed(self) -> None:
        """Whatever was asked before; what was read is known."""
        old = held(OURS)
        assert old.record("bun") is not None
        assert old.promoted == ("bun",)
        node = {**OURS.labels, "org.isol8.tasks.image": "node"}
        new = old.moved("sha256:2", node, "isol8_build:node", "isol8:node")
        assert new == held(
            OURS, ObservedImage(id="sha256:2", tags=("isol8:node", "isol8_build:node"), labels=node)
        )
        assert new.record("bun") is old.record("bun")
        assert new.promoted == ("bun", "node")
        assert new.public("node") == new.marker("node") == new.images[1]
        assert old.public("node") is None
        assert new.moved("sha256:2", {}, "isol8:other").id_of("isol8:other") == "sha256:2"


@pytest.mark.parametrize(
    ("written", "built"),
    [
        ({"org.opencontainers.image.created": "2026-11-20T03:00:00Z"}, "2026-11-20T03:00:00+00:00"),
        ({"org.opencontainers.image.created": "lately"}, "1970-01-01T00:00:05+00:00"),
        ({}, "1970-01-01T00:00:05+00:00"),
    ],
)
def test_when_it_was_built(written: dict[str, str], built: str) -> None:
    """What we wrote counts before the time of its configuration, which a cached layer keeps."""
    image = ObservedImage(id="a", labels=written, created=5)
    assert image.built == dt.datetime.fromisoformat(built)


def test_its_digest_in_the_repository_that_is_meant() -> None:
    """One image may have come from several repositories."""
    image = ObservedImage(id="a", digests=("alpine@sha256:1", "mirror.example:5000/alpine@sha256:2"))
    assert image.digest("mirror.example:5000/alpine:3.21") == "sha256:2"
    assert image.digest("alpine:3.21") == image.digest("docker.io/library/alpine:3.21") == "sha256:1"
    assert image.digest("alpine") == "sha256:1"
    assert (
        ObservedImage(id="a", digests=("denoland/deno@sha256:3",)).digest("denoland/deno:alpine")
        == "sha256:3"
    )
    assert ObservedImage(id="a", digests=("other@sha256:1",)).digest("alpine:3.21") == ""
