"""What changed in an image from one build to the next."""

import datetime as dt

from attrs import evolve

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.freshness.changes import Built, changes
from isol8_tasks.images import labels
from isol8_tasks.images.labels import Record
from isol8_tasks.images.observed import Observed, ObservedImage

RECORD = Record(image="python", role="current", key="k", inputs="{}", build="b", checkout="here")
CURL = Package(ecosystem="apk", name="curl", version="8.1-r0")
NUMPY = Package(ecosystem="pypi", name="numpy", version="2.3.1")


def image(name: str, *packages: Package, release: str = "3.21.4", size: int = 1000) -> ObservedImage:
    record = evolve(RECORD, image=name, inventory=encode(release, packages))
    written = {**labels.write(record), "org.opencontainers.image.created": "2026-11-20T03:00:00Z"}
    return ObservedImage(
        id=f"sha256:{name}", tags=(f"isol8:{name}", f"isol8_build:{name}"), labels=written, size=size
    )


def held(*images: ObservedImage) -> Observed:
    return Observed(repository="isol8", images=images)


def built(image: str, parent: str | None = None) -> Built:
    return Built(image=image, parent=parent, why=("alpine:3.21 moved",), seconds=2.5)


def test_versions_added_and_removed() -> None:
    """Each package is told once, with what it was and what it is; Alpine's release and the size as well."""
    six, pytz = (
        Package(ecosystem="pypi", name="six", version="1.17"),
        Package(ecosystem="pypi", name="pytz", version="2026.1"),
    )
    before = held(image("python", CURL, NUMPY, pytz))
    after = held(image("python", evolve(CURL, version="8.1-r1"), NUMPY, six, release="3.21.5", size=1200))
    (change,) = changes(before, after, (built("python"),))
    assert change.packages == (
        Update(ecosystem="apk", name="curl", old="8.1-r0", new="8.1-r1"),
        Update(ecosystem="pypi", name="pytz", old="2026.1", new=""),
        Update(ecosystem="pypi", name="six", old="", new="1.17"),
    )
    assert change.release == ("3.21.4", "3.21.5")
    assert change.size == (1000, 1200)
    assert change.built == dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
    assert (change.why, change.seconds) == (("alpine:3.21 moved",), 2.5)


def test_a_package_in_several_versions_is_one_line() -> None:
    """A package may be in several folders; what was and what is are told together."""
    one, two = (Package(ecosystem="npm", name="ms", version=version) for version in ("2.0", "2.1"))
    (change,) = changes(held(image("node", one)), held(image("node", one, two)), (built("node"),))
    assert change.packages == (Update(ecosystem="npm", name="ms", old="2.0", new="2.0, 2.1"),)


def test_a_child_tells_of_its_own_packages_only() -> None:
    """What the image below got as well is not told again."""
    newer = evolve(CURL, version="8.1-r1")
    before = held(image("python", CURL), image("python-custom", CURL, NUMPY))
    custom = image("python-custom", newer, evolve(NUMPY, version="2.3.2"), release="3.21.5")
    after = held(image("python", newer, release="3.21.5"), custom)
    base, child = changes(before, after, (built("python"), built("python-custom", "python")))
    assert [each.name for each in base.packages] == ["curl"]
    assert [each.name for each in child.packages] == ["numpy"]
    assert (base.release, child.release) == (("3.21.4", "3.21.5"), None)
    assert not child.like_parent
    same = held(image("python", newer), image("python-custom", newer, NUMPY))
    _, child = changes(before, same, (built("python"), built("python-custom", "python")))
    assert child.like_parent
    assert child.packages == ()


def test_an_image_that_was_not_there() -> None:
    """Of a new image not every package is news."""
    (change,) = changes(held(), held(image("python", CURL)), (built("python"),))
    assert change.packages == ()
    assert change.built is None
    assert change.size == (0, 1000)


def test_rebuild_with_the_same_result() -> None:
    """Nothing was replaced, whatever it was built for."""
    (change,) = changes(
        held(image("python", CURL)), held(image("python", CURL)), (evolve(built("python"), same=True),)
    )
    assert (change.same, change.packages, change.compared) == (True, (), True)
