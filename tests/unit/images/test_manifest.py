"""The manifest: which image each runtime runs."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from attrs import evolve

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.images import labels, manifest
from isol8_tasks.images.holds import Hold
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage


def image(name: str, number: int, **more: object) -> ObservedImage:
    record = Record(
        image=name,
        role="current",
        key=f"{number:064x}",
        inputs="",
        build=f"{number:016x}",
        checkout="c",
        upstream="alpine:3.21",
        upstream_digest="sha256:" + "a" * 64,
        **more,  # type: ignore[arg-type]
    )
    return ObservedImage(
        id=f"sha256:{number:064x}",
        tags=(f"isol8:{name}", f"isol8_build:{name}"),
        labels=labels.write(record),
        created=1_700_000_000 + number,
        size=1000 + number,
    )


BOTH = Observed(
    repository="isol8",
    images=(image("python", 1, standin="5" * 12), image("python-custom", 2, packages=("numpy",))),
)


NAMED = Observed(
    repository="isol8",
    images=tuple(
        evolve(each, labels={**each.labels, "org.isol8.runtime": "bun", labels.BASE_NAME: "isol8:bun"})
        for each in (image("bun", 1), image("tools", 2))
    ),
)


class TestRender:
    """The file's text."""

    def test_golden(self) -> None:
        """A runtime's entry says all that is known of its image, in this form."""
        assert json.loads(manifest.render_manifest(BOTH, {}))["runtimes"] == {
            "python": {
                "reference": "isol8:python-custom",
                "id": f"sha256:{2:064x}",
                "kind": "custom",
                "runtime": "python",
                "packages": ["numpy"],
                "key": f"{2:064x}",
                "base": "isol8:python",
                "size": 1002,
                "created": "2023-11-14T22:13:22Z",
                "upstream": {"name": "alpine:3.21", "digest": "sha256:" + "a" * 64, "standin": None},
                "held": None,
                "inventory": None,
                "notes": [],
            }
        }

    def test_a_named_image(self) -> None:
        """An image with a name of its own is listed with its parent, and no runtime resolves to it."""
        more = image("more", 3, packages=("numpy", "pandas"))
        clients = {"org.isol8.runtime": "python", labels.BASE_NAME: "isol8:ml"}
        more = evolve(more, labels={**more.labels, **clients})
        foreign = ObservedImage(id="sha256:9", tags=("isol8:other",), labels=more.labels)
        found = json.loads(
            manifest.render_manifest(Observed(repository="isol8", images=(*BOTH.images, more, foreign)), {})
        )
        assert list(found["images"]) == ["isol8:more", "isol8:python", "isol8:python-custom"]
        assert found["runtimes"] == json.loads(manifest.render_manifest(BOTH, {}))["runtimes"]
        taken = ObservedImage(id="sha256:8", tags=("isol8:more",), labels=more.labels)
        ours = evolve(more, tags=("isol8_build:more",))
        held = Observed(repository="isol8", images=(*BOTH.images, ours, taken))
        assert "isol8:more" not in json.loads(manifest.render_manifest(held, {}))["images"]
        entry = found["images"]["isol8:more"]
        assert {name: entry[name] for name in ("kind", "runtime", "packages", "base")} == {
            "kind": "named",
            "runtime": "python",
            "packages": ["numpy", "pandas"],
            "base": "isol8:ml",
        }

    def test_the_same_images_give_the_same_bytes(self) -> None:
        """The order in which the engine lists images changes nothing."""
        turned = Observed(repository="isol8", images=tuple(reversed(BOTH.images)))
        assert manifest.render_manifest(turned, {}) == manifest.render_manifest(BOTH, {})

    def test_a_foreign_image_has_no_key(self) -> None:
        """An image that we did not make is resolved as clients do, and nothing is claimed of it."""
        foreign = Observed(repository="isol8", images=(ObservedImage(id="sha256:9", tags=("isol8:bun",)),))
        entry = json.loads(manifest.render_manifest(foreign, {}))["runtimes"]["bun"]
        assert (entry["key"], entry["upstream"], entry["packages"], entry["base"]) == (None, None, [], None)

    @pytest.mark.parametrize(
        "held", [BOTH, NAMED, Observed(repository="isol8")], ids=["two", "named", "none"]
    )
    def test_it_holds_to_its_schema(self, held: Observed, manifest_schema: dict[str, object]) -> None:
        """Every manifest is valid by docs/schemas/manifest.schema.json."""
        jsonschema.validate(json.loads(manifest.render_manifest(held, {})), manifest_schema)

    def test_the_schema_refuses_something_else(self, manifest_schema: dict[str, object]) -> None:
        """The schema can fail."""
        broken = json.loads(manifest.render_manifest(BOTH, {}))
        del broken["runtimes"]["python"]["id"]
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, manifest_schema)


class TestChanges:
    """What is different between two manifests."""

    @pytest.mark.parametrize(
        ("old", "expected"),
        [
            pytest.param(None, ("python", "python-custom"), id="no file"),
            pytest.param("{", ("python", "python-custom"), id="not JSON"),
            pytest.param('{"images": 3}', ("python", "python-custom"), id="another form"),
            pytest.param(manifest.render_manifest(BOTH, {}), (), id="the same"),
            pytest.param(
                manifest.render_manifest(
                    Observed(repository="isol8", images=(*BOTH.images, image("bun", 7))), {}
                ),
                ("bun",),
                id="one went away",
            ),
            pytest.param(
                manifest.render_manifest(Observed(repository="isol8", images=BOTH.images[:1]), {}),
                ("python-custom",),
                id="one came",
            ),
        ],
    )
    def test_names_what_differs(self, old: str | None, expected: tuple[str, ...]) -> None:
        """Each image that came, went or changed is named."""
        assert manifest.changed_images(old, manifest.render_manifest(BOTH, {})) == expected


class TestKept:
    """What is told of an image besides what it was built of."""

    PACKAGES = (
        Package(ecosystem="apk", name="musl", version="1.2.5-r9"),
        Package(ecosystem="npm", name="semver", version="6.3.1"),
        Package(ecosystem="npm", name="semver", version="7.6.0"),
    )

    def test_platform(self, manifest_schema: Mapping[str, Any]) -> None:
        """It is told of an image that is for one by name."""
        found = Observed(repository="isol8", images=(image("python", 1, platform="linux/arm64"),))
        made = json.loads(manifest.render_manifest(found, {}))
        jsonschema.validate(made, manifest_schema)
        assert made["images"]["isol8:python"]["platform"] == "linux/arm64"

    def test_notes(self, manifest_schema: Mapping[str, Any]) -> None:
        """What users should know of packages that passed is told in the image's entry."""
        found = image("bun", 1, inventory=encode("3.21.4", self.PACKAGES, ["zod needs more"]))
        made = json.loads(manifest.render_manifest(Observed(repository="isol8", images=(found,)), {}))
        assert made["images"]["isol8:bun"]["notes"] == ["zod needs more"]
        jsonschema.validate(made, manifest_schema)

    def test_inventory(self, manifest_schema: Mapping[str, Any]) -> None:
        """What a check found is there by ecosystem and name, every version of it."""
        found = image("bun", 1, inventory=encode("3.21.4", self.PACKAGES))
        entry = self.entry(Observed(repository="isol8", images=(found,)), {}, manifest_schema)
        assert entry["inventory"] == {
            "alpine": "3.21.4",
            "packages": {"apk": {"musl": "1.2.5-r9"}, "npm": {"semver": "6.3.1, 7.6.0"}},
        }

    def test_held(self, manifest_schema: Mapping[str, Any]) -> None:
        """A held image says since when."""
        observed = Observed(repository="isol8", images=(image("bun", 1),))
        since = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)
        hold = Hold(tag="isol8:bun-held-20261122T100000Z", since=since, image=observed.images[0])
        assert self.entry(observed, {"bun": hold}, manifest_schema)["held"] == "2026-11-22T10:00:00Z"

    @staticmethod
    def entry(
        observed: Observed, held: Mapping[str, Hold], manifest_schema: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        whole: Mapping[str, Any] = json.loads(manifest.render_manifest(observed, held))
        jsonschema.validate(whole, manifest_schema)
        found: Mapping[str, Any] = whole["images"]["isol8:bun"]
        return found


class TestState:
    """What is asked before the manifest is made at all."""

    def test_it_differs_with_the_manifest(self) -> None:
        """Another image, another tag or another hold is another state; the same is the same."""
        one, two = image("bun", 1), image("bun", 2)
        hold = Hold(tag="isol8:bun-held-20261122T100000Z", since=dt.datetime.now(tz=dt.UTC), image=one)
        states = [
            manifest.state(Observed(repository=repository, images=images), held)
            for repository, images, held in (
                ("isol8", (one,), {}),
                ("isol8", (two,), {}),
                ("isol8", (evolve(one, tags=("isol8:bun",)),), {}),
                ("isol8", (one,), {"bun": hold}),
                ("other", (one,), {}),
            )
        ]
        assert len(set(states)) == len(states)
        assert manifest.state(Observed(repository="isol8", images=(image("bun", 1),)), {}) == states[0]

    def test_images_without_labels_are_no_matter(self) -> None:
        """They can't be of anything that the manifest lists."""
        other = ObservedImage(id="sha256:other", tags=("alpine:3.21",))
        assert manifest.state(evolve(BOTH, images=(*BOTH.images, other)), {}) == manifest.state(BOTH, {})


def test_what_an_image_says_of_itself() -> None:
    """Its packages, and the day on which it was built."""
    ours = image("python-custom", 2, packages=("numpy",))
    assert manifest.packages_of(ours) == ("numpy",)
    assert manifest.built_on(ours) == "2023-11-14"
    assert manifest.packages_of(ObservedImage(id="a")) == ()
