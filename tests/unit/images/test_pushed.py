"""What a manifest says of images in a registry, and what follows from it."""

import itertools
import json
from typing import Any

import jsonschema
import pytest
from attrs import evolve

from isol8_tasks.errors import ConfigError
from isol8_tasks.images import labels, manifest
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage
from isol8_tasks.images.pushed import (
    Listed,
    Pushed,
    as_one_manifest,
    immutable_tags,
    in_use,
    is_same_build,
    key_tag,
    mismatches,
    place_of,
    read_manifest,
    recorded_pushes,
    strays,
    waiting,
)

NO_MANIFEST = "not a manifest that ./doitw resolve wrote"
REPOSITORY = "registry.example/isol8"
DIGEST = "sha256:" + "d" * 64
WHERE = Pushed(repository=REPOSITORY, tag="bun-20261122-000000000001", digest=DIGEST)


def record(name: str, **more: str) -> Record:
    return evolve(
        Record(
            image=name,
            role="current",
            key=f"{1:064x}",
            inputs="",
            build="1",
            checkout="c",
            upstream="alpine:3.21",
        ),
        **more,  # type: ignore[arg-type]
    )


def image(name: str, number: int = 1, *tags: str, **more: str) -> ObservedImage:
    return ObservedImage(
        id=f"sha256:{number:064x}",
        tags=tuple(sorted((f"isol8:{name}", f"isol8_build:{name}", *tags))),
        labels={
            **labels.write(record(name, **more)),
            "org.opencontainers.image.created": "2026-11-22T23:59:59Z",
        },
    )


def observed(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


class TestManifest:
    """The file, there and back."""

    def test_there_and_back(self, manifest_schema: dict[str, Any]) -> None:
        """Where an image is in a registry is written beside it, fits the schema, and is read again."""
        found = observed(image("bun"), image("node", 2, standin="5e"), image("bun-custom", 3))
        text = manifest.render_manifest(
            found, {}, {"bun": (f"sha256:{1:064x}", WHERE), "node": ("sha256:other", WHERE)}
        )
        jsonschema.validate(json.loads(text), manifest_schema)
        assert json.loads(text)["images"]["isol8:bun"]["pushed"] == {
            "repository": REPOSITORY,
            "tag": "bun-20261122-000000000001",
            "digest": DIGEST,
        }
        assert read_manifest(text, "f") == (
            Listed(name="bun", id=f"sha256:{1:064x}", kind="base", key=f"{1:064x}", standin="", pushed=WHERE),
            Listed(
                name="node", id=f"sha256:{2:064x}", kind="base", key=f"{1:064x}", standin="5e", pushed=None
            ),
            Listed(
                name="bun-custom",
                id=f"sha256:{3:064x}",
                kind="custom",
                key=f"{1:064x}",
                standin="",
                pushed=None,
            ),
        )
        assert recorded_pushes(text) == {"bun": (f"sha256:{1:064x}", WHERE)}

    def test_an_older_key(self, manifest_schema: dict[str, Any]) -> None:
        """Of an image that is the same there, but for its key, the key there is written, and read again."""
        where = evolve(WHERE, key="e" * 64)
        text = manifest.render_manifest(observed(image("bun")), {}, {"bun": (f"sha256:{1:064x}", where)})
        jsonschema.validate(json.loads(text), manifest_schema)
        assert json.loads(text)["images"]["isol8:bun"]["pushed"]["key"] == "e" * 64
        assert recorded_pushes(text) == {"bun": (f"sha256:{1:064x}", where)}

    def test_other_platforms(self, manifest_schema: dict[str, Any]) -> None:
        """What an index has beside the image in use is written and read again, and pulled where it is at home."""
        where = evolve(WHERE, others=(("linux/arm64", "sha256:" + "a" * 64, "b" * 64),))
        text = manifest.render_manifest(observed(image("bun")), {}, {"bun": (f"sha256:{1:064x}", where)})
        jsonschema.validate(json.loads(text), manifest_schema)
        (listed,) = read_manifest(text, "f")
        assert listed.pushed == where
        assert listed.for_platform("linux/amd64") is listed
        there = listed.for_platform("linux/arm64")
        assert (there.id, there.key) == ("", "b" * 64)
        assert there.pushed == evolve(WHERE, digest="sha256:" + "a" * 64)
        assert evolve(listed, pushed=None).for_platform("linux/arm64").pushed is None

    def test_without_a_registry_nothing_is_added(self) -> None:
        """Who pushes nothing has the manifest that he had."""
        found = observed(image("bun"))
        assert "pushed" not in manifest.render_manifest(found, {})
        assert manifest.render_manifest(
            found, {}, {"bun": ("sha256:other", WHERE)}
        ) == manifest.render_manifest(found, {})

    def test_another_s_repository(self) -> None:
        """A name is what stands behind the last colon, whatever the repository."""
        found = evolve(
            observed(image("bun", 1, "host:5000/a/isol8:bun", "host:5000/a/isol8_build:bun")),
            repository="host:5000/a/isol8",
        )
        assert [each.name for each in read_manifest(manifest.render_manifest(found, {}), "f")] == ["bun"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", f"f: {NO_MANIFEST} (Expecting value: line 1 column 1 (char 0)); copy "),
            ("[]", f"f: {NO_MANIFEST}; copy "),
            ('{"schema": 7}', "f: expected a manifest of schema 1, found 7: another version wrote it"),
            ('{"schema": 1}', f"f: {NO_MANIFEST} (no 'images'); copy "),
            ('{"schema": 1, "images": {"a": []}}', f"f: {NO_MANIFEST}; copy "),
            ('{"schema": 1, "images": {"a": {}}}', f"f: {NO_MANIFEST} (no "),
        ],
    )
    def test_no_manifest(self, text: str, message: str) -> None:
        """What can't be understood is an error for who asks, and knows nothing of any image for who does not."""
        with pytest.raises(ConfigError) as caught:
            read_manifest(text, "f")
        assert str(caught.value).startswith(message)
        assert recorded_pushes(text) == {}

    @pytest.mark.parametrize(
        "pushed",
        [
            {"repository": "isol8", "tag": "a", "digest": DIGEST},
            {"repository": "-x/y", "tag": "a", "digest": DIGEST},
            {"repository": REPOSITORY, "tag": "a b", "digest": DIGEST},
            {"repository": REPOSITORY, "tag": "a", "digest": "sha256:1"},
            {"repository": REPOSITORY, "tag": "a", "digest": None},
        ],
    )
    def test_where_no_image_can_be(self, pushed: dict[str, object]) -> None:
        """Nothing goes to an engine that is not a repository and a digest."""
        document = json.loads(manifest.render_manifest(observed(image("bun")), {}))
        document["images"]["isol8:bun"]["pushed"] = pushed
        with pytest.raises(ConfigError, match="is not valid there"):
            read_manifest(json.dumps(document), "f")

    def test_none_yet(self) -> None:
        """A manifest that does not exist knows nothing."""
        assert recorded_pushes(None) == {}


class TestMerged:
    """Several manifests as one."""

    @staticmethod
    def listed(name: str, kind: str, digit: str = "d") -> Listed:
        """Return an image that is in a registry, or in none where the digit is empty."""
        pushed = evolve(WHERE, tag=name, digest=f"sha256:{digit * 64}") if digit else None
        return Listed(name=name, id=DIGEST, kind=kind, key="", standin="", pushed=pushed)

    def test_each_image_once_and_parents_first(self) -> None:
        """Whatever order the files have."""
        ml, python, node = (
            self.listed("ml", "named"),
            self.listed("python", "base"),
            self.listed("node", "base"),
        )
        assert as_one_manifest({"a": (python, ml), "b": (node, python)}) == (python, node, ml)
        assert as_one_manifest({}) == ()

    @pytest.mark.parametrize("first", ["a", "b"])
    def test_that_of_a_registry_goes_before_that_of_none(self, first: str) -> None:
        """Only one of them can be pulled."""
        files = {"a": (self.listed("bun", "base"),), "b": (self.listed("bun", "base", ""),)}
        assert (
            as_one_manifest({name: files[name] for name in sorted(files, reverse=first == "b")}) == files["a"]
        )

    def test_two_builds_of_an_image_are_refused(self) -> None:
        """The order of the files must not decide, unseen; the line says how to have the one or the other."""
        with pytest.raises(ConfigError) as caught:
            as_one_manifest(
                {"a.json": (self.listed("bun", "base", "1"),), "b.json": (self.listed("bun", "base", "2"),)}
            )
        assert str(caught.value) == (
            "b.json: expected the image bun of a.json (sha256:111111111111…), found another build of it "
            "(sha256:222222222222…); for that of b.json pull one after the other: ./doitw pull a.json && ./doitw pull "
            "b.json"
        )


class TestWaiting:
    """What has to go to the registry."""

    @pytest.mark.parametrize(
        ("known", "found"),
        [
            ({}, ("bun",)),
            ({"bun": (f"sha256:{1:064x}", WHERE)}, ()),
            ({"bun": ("sha256:other", WHERE)}, ("bun",)),
            ({"bun": (f"sha256:{1:064x}", evolve(WHERE, repository="other.example/isol8"))}, ("bun",)),
        ],
        ids=["unknown", "known", "another image", "another repository"],
    )
    def test_by_what_is_known(self, known: dict[str, tuple[str, Pushed]], found: tuple[str, ...]) -> None:
        """An image that is known to be there, the very one, does not wait."""
        assert waiting(observed(image("bun")), known, REPOSITORY, standins=False) == found

    def test_only_ours(self) -> None:
        """What something else tagged is not pushed, and what is based on a stand-in only when that is asked for."""
        foreign = evolve(image("node", 2), tags=("isol8:node",))
        marker = evolve(image("node", 3), tags=("isol8_build:node",))
        standin = image("deno", 4, standin="5e")
        found = observed(foreign, marker, standin, image("bun"))
        assert in_use(found, standins=False) == ("bun",)
        assert in_use(found, standins=True) == ("bun", "deno")


class TestTags:
    """The tags of the registry."""

    def test_name_day_and_key(self) -> None:
        """A tag says what it is, of which day and of which inputs; where that is taken, a number is added."""
        tags = immutable_tags(image("bun-custom"), record("bun-custom", key="0123456789abcdef" * 4))
        assert list(itertools.islice(tags, 3)) == [
            "bun-custom-20261122-0123456789ab",
            "bun-custom-20261122-0123456789ab-2",
            "bun-custom-20261122-0123456789ab-3",
        ]

    def test_the_longest_name(self) -> None:
        """A tag of Docker's has 128 characters at most, and a name may have 118 of them."""
        tags = list(itertools.islice(immutable_tags(image("n" * 118), record("n" * 118)), 999))
        assert max(map(len, tags)) <= 128
        assert len(set(tags)) == 999


class TestStrays:
    """What a push that was cut off leaves."""

    def test_those_of_the_image_that_was_pushed(self) -> None:
        """Its tags of the registry go, the mark last; the public tag stays, and so does everything of other images."""
        tag = f"{REPOSITORY}:bun-20261122-000000000000"
        pushing = image("bun", 1, "isol8_build:bun-pushing", f"{REPOSITORY}:bun", tag, f"{tag}-2", "mine:1")
        quiet = image("node", 2, f"{REPOSITORY}:node")
        assert strays(observed(pushing, quiet), REPOSITORY) == (
            f"{REPOSITORY}:bun",
            tag,
            f"{tag}-2",
            "isol8_build:bun-pushing",
        )

    def test_where_the_registry_s_name_is_our_own(self) -> None:
        """An image in use keeps its public tag, wherever that could be pushed to."""
        pushing = ObservedImage(
            id="sha256:1",
            tags=(f"{REPOSITORY}:bun", f"{REPOSITORY}_build:bun", f"{REPOSITORY}_build:bun-pushing"),
            labels=labels.write(record("bun")),
        )
        assert strays(Observed(repository=REPOSITORY, images=(pushing,)), REPOSITORY) == (
            f"{REPOSITORY}_build:bun-pushing",
        )

    def test_a_mark_that_is_not_ours(self) -> None:
        """A tag that only ends like it tells nothing."""
        assert strays(observed(image("bun", 1, "mine:bun-pushing")), REPOSITORY) == ()
        assert strays(observed(ObservedImage(id="1", tags=("isol8_build:x-pushing",))), REPOSITORY) == ()


class TestMismatches:
    """Whether what came is what was asked for."""

    LISTED = Listed(name="bun", id="", kind="base", key=f"{1:064x}", standin="", pushed=WHERE)

    def test_the_very_image(self) -> None:
        """By digest, labels, name and key, on either kind of store."""
        there = evolve(image("bun"), digests=(f"{REPOSITORY}@{DIGEST}",))
        assert mismatches(self.LISTED, there) == ()
        assert mismatches(self.LISTED, evolve(there, digests=(), id=DIGEST)) == ()

    def test_an_older_key(self) -> None:
        """The image there has the key that the manifest says of it there."""
        listed = evolve(self.LISTED, pushed=evolve(WHERE, key="e" * 64))
        there = evolve(image("bun", key="e" * 64), digests=(f"{REPOSITORY}@{DIGEST}",))
        assert mismatches(listed, there) == ()
        assert mismatches(listed, evolve(image("bun"), digests=there.digests)) == (
            f"its key is {1:064x}, where the manifest says {'e' * 64}",
        )

    def test_another(self) -> None:
        """Everything that differs is told."""
        there = image("node", key="f" * 64, standin="5e", role="candidate")
        assert mismatches(self.LISTED, there) == (
            f"its digest is not {DIGEST}",
            "it is a candidate image, and was never in use",
            "its image is node, where the manifest says bun",
            f"its key is {'f' * 64}, where the manifest says {1:064x}",
            "its stand-in is 5e, where the manifest says none",
        )
        assert mismatches(self.LISTED, ObservedImage(id=DIGEST)) == ("it has no labels of this project",)


def test_tag_of_a_key_leaves_room_for_its_digits() -> None:
    assert key_tag("bash", "0123456789abcdef") == "bash-0123456789ab"
    assert len(key_tag("n" * 118, "0" * 64)) <= 128


def test_images_of_one_build() -> None:
    """What clients find an image by is a part of it; the key and the time are not."""
    one = dict(image("bun").labels)
    assert is_same_build(one, {**one, "org.isol8.tasks.key": "2", "org.opencontainers.image.created": ""})
    for other in ({labels.BUILD: "2"}, {labels.RUNTIME: "bun"}, {labels.SETUP: "true"}):
        assert not is_same_build(one, {**one, **other})
    assert not is_same_build({}, {})


@pytest.mark.parametrize(
    ("there", "number"),
    [
        ([DIGEST], 0),
        (["sha256:other", DIGEST], 1),
        (["sha256:other"], None),
        ([], None),
    ],
)
def test_place_of_an_image_in_a_registry(there: list[str], number: int | None) -> None:
    """It is the tag that never moves, if it has one; and of which key it is, if that is not the one here."""
    found, here = evolve(WHERE, tag="bun"), image("bun")
    tags = list(itertools.islice(immutable_tags(here, record("bun")), 3))
    known = dict(zip(tags, there, strict=False))
    wanted = evolve(found, tag="bun" if number is None else tags[number])
    assert place_of(here, found, f"{1:064x}", lambda tag: known.get(tag, "")) == wanted
    assert place_of(here, found, f"{2:064x}", lambda tag: known.get(tag, "")) == evolve(
        wanted, key=f"{1:064x}"
    )


def test_place_of_an_image_without_our_labels() -> None:
    """It is the tag by which it was found."""
    found = evolve(WHERE, tag="bun")
    assert place_of(ObservedImage(id=DIGEST), found, "", lambda _: DIGEST) == found
