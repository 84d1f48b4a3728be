"""The manifest: which image each runtime runs."""

import json

import jsonschema
import pytest

from isol8_tasks import manifest
from isol8_tasks.plan import labels
from isol8_tasks.plan.labels import Record
from isol8_tasks.plan.observed import Observed, ObservedImage


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


class TestResolve:
    """isol8's resolveImage()."""

    def test_custom_is_preferred_where_it_exists(self) -> None:
        """A custom image wins over the base."""
        assert manifest.resolve(BOTH, "python") == "isol8:python-custom"

    def test_base_without_custom(self) -> None:
        """Without a custom image it is the base."""
        assert manifest.resolve(
            Observed(repository="x", images=(ObservedImage(id="1", tags=("x:bun",)),)), "bun"
        ) == ("x:bun")

    def test_nothing_is_no_image(self) -> None:
        """A runtime with no image resolves to none."""
        assert manifest.resolve(BOTH, "deno") is None


class TestRender:
    """The file's text."""

    def test_golden(self) -> None:
        """A runtime's entry says all that is known of its image, in this form."""
        assert json.loads(manifest.render(BOTH))["runtimes"] == {
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
            }
        }

    def test_the_same_images_give_the_same_bytes(self) -> None:
        """The order in which the engine lists images changes nothing."""
        turned = Observed(repository="isol8", images=tuple(reversed(BOTH.images)))
        assert manifest.render(turned) == manifest.render(BOTH)

    def test_a_foreign_image_has_no_key(self) -> None:
        """An image that we did not make is resolved as clients do, and nothing is claimed of it."""
        foreign = Observed(repository="isol8", images=(ObservedImage(id="sha256:9", tags=("isol8:bun",)),))
        entry = json.loads(manifest.render(foreign))["runtimes"]["bun"]
        assert (entry["key"], entry["upstream"], entry["packages"], entry["base"]) == (None, None, [], None)

    @pytest.mark.parametrize("held", [BOTH, Observed(repository="isol8")], ids=["two images", "none"])
    def test_it_holds_to_its_schema(self, held: Observed, manifest_schema: dict[str, object]) -> None:
        """Every manifest is valid by docs/manifest.schema.json."""
        jsonschema.validate(json.loads(manifest.render(held)), manifest_schema)

    def test_the_schema_refuses_something_else(self, manifest_schema: dict[str, object]) -> None:
        """The schema can fail."""
        broken = json.loads(manifest.render(BOTH))
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
            pytest.param(manifest.render(BOTH), (), id="the same"),
            pytest.param(
                manifest.render(Observed(repository="isol8", images=(*BOTH.images, image("bun", 7)))),
                ("bun",),
                id="one went away",
            ),
            pytest.param(
                manifest.render(Observed(repository="isol8", images=BOTH.images[:1])),
                ("python-custom",),
                id="one came",
            ),
        ],
    )
    def test_names_what_differs(self, old: str | None, expected: tuple[str, ...]) -> None:
        """Each image that came, went or changed is named."""
        assert manifest.changes(old, manifest.render(BOTH)) == expected
