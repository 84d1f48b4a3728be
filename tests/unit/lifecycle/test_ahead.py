"""The labels of a promotion that are built while the image is verified."""

import threading
import time

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.errors import ReplacedError, VerifyFailedError
from isol8_tasks.images import labels
from isol8_tasks.lifecycle.build import Outcome, build_image
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import FakeEngine, FakeImage
from tests.unit.lifecycle.made import observe
from tests.unit.lifecycle.test_build import BASE, PROVENANCE, custom

HELD = encode("3.21", (Package(ecosystem="apk", name="bash", version="5"),), ())
NEWS = encode("3.21", (Package(ecosystem="apk", name="bash", version="6"),), ())


@pytest.fixture
def engine() -> FakeEngine:
    """Give an engine with a base and a custom image in use."""
    engine = FakeEngine()
    engine.put("alpine:3.21", FakeImage(id="sha256:alpine", layers=("sha256:alpine",)))
    make(engine, BASE, finds(HELD))
    make(engine, custom("jq"), finds(HELD))
    engine.requests.clear()
    return engine


def finds(inventory: str) -> Verify:
    return lambda _spec, _image: inventory


def make(engine: FakeEngine, spec: ImageSpec, verify: Verify, *, saves: bool = False) -> Outcome:
    return build_image(
        spec,
        observe(engine),
        engine,
        provenance=PROVENANCE,
        context={},
        on_event=lambda _event: None,
        verify=verify,
        force=True,
        saves=saves,
    )


def label_builds(engine: FakeEngine) -> int:
    return sum(each.labels[f"{labels.PREFIX}role"] == "current" for each in engine.requests)


def tags(engine: FakeEngine) -> list[str]:
    return sorted(tag for image in engine.images() for tag in image.tags)


def test_what_is_found_as_before_is_promoted_with_the_labels_made_ahead(engine: FakeEngine) -> None:
    """The labels are those of any promotion, no image is built twice, and no private tag stays."""
    began: list[bool] = []

    def verify(_spec: ImageSpec, _image: str) -> str:
        end = time.monotonic() + 60
        while not label_builds(engine) and time.monotonic() < end:
            time.sleep(0.001)
        began.append(bool(label_builds(engine)))
        return HELD

    made = make(engine, BASE, verify)
    assert began == [True]
    assert label_builds(engine) == 1
    image = observe(engine).public("bash")
    assert image is not None
    assert (image.id, image.labels) == (
        made.image_id,
        {**made.labels, labels.LAYERS: image.labels[labels.LAYERS]},
    )
    record = observe(engine).record("bash")
    assert record is not None
    assert (record.inventory, record.role) == (HELD, "current")
    assert record.layers
    assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]


def test_what_is_found_anew_is_labelled_anew(engine: FakeEngine) -> None:
    """Nothing says of an image what was expected of it."""
    make(engine, BASE, finds(NEWS))
    record = observe(engine).record("bash")
    assert record is not None
    assert record.inventory == NEWS
    assert label_builds(engine) == 2
    assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]


def ahead(engine: FakeEngine) -> str:
    """Wait for the private tag of the labels that are made ahead, and return it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for image in engine.images():
            if image.labels.get(labels.ROLE_LABEL) == "current":
                for tag in image.tags:
                    if tag.endswith("-candidate"):
                        return tag
        time.sleep(0.001)
    raise AssertionError("no labels are made ahead")


def test_labels_that_another_run_removed_are_made_again(engine: FakeEngine) -> None:
    """A verification may take longer than a run without our lock lets such a tag be."""

    def verify(_spec: ImageSpec, _image: str) -> str:
        engine.untag(ahead(engine))
        return HELD

    made = make(engine, BASE, verify)
    image = observe(engine).public("bash")
    assert image is not None
    assert image.id == made.image_id
    assert label_builds(engine) == 2


def test_interrupt_leaves_the_candidate_alone(engine: FakeEngine) -> None:
    """What was made ahead is gone, and so is the thread that made it, before anybody hears of the interrupt."""
    before, threads = observe(engine).public("bash"), threading.active_count()

    def verify(_spec: ImageSpec, _image: str) -> str:
        ahead(engine)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(engine, BASE, verify)
    assert threading.active_count() == threads
    assert observe(engine).public("bash") == before
    (left,) = [image for image in engine.images() if image.tags[0].endswith("-candidate")]
    assert left.labels[labels.ROLE_LABEL] == "candidate"
    assert engine.ids() == {image.id for image in engine.images()}


def test_run_that_is_overtaken_leaves_nothing(engine: FakeEngine) -> None:
    """Neither its candidate nor what was made ahead; the other's image is in use."""

    def verify(_spec: ImageSpec, _image: str) -> str:
        ahead(engine)
        make(engine, BASE, finds(NEWS))
        return HELD

    with pytest.raises(ReplacedError):
        make(engine, BASE, verify)
    record = observe(engine).record("bash")
    assert record is not None
    assert record.inventory == NEWS
    assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]
    assert engine.ids() == {image.id for image in engine.images()}


def test_what_fails_is_not_promoted(engine: FakeEngine) -> None:
    """What was made ahead goes with its private tag."""
    before = observe(engine).public("bash")

    def verify(_spec: ImageSpec, _image: str) -> str:
        raise VerifyFailedError("no")

    with pytest.raises(VerifyFailedError):
        make(engine, BASE, verify)
    assert observe(engine).public("bash") == before
    assert not [tag for tag in tags(engine) if tag.endswith("-candidate")]
    rejected = observe(engine).tagged("isol8:bash-rejected")
    assert rejected is not None
    assert rejected.labels[f"{labels.PREFIX}role"] == "candidate"


def test_image_that_clients_would_pick_is_labelled_after_its_verification(engine: FakeEngine) -> None:
    """A custom image has the labels that clients look for only once it is verified."""

    def verify(_spec: ImageSpec, _image: str) -> str:
        assert not label_builds(engine)
        return HELD

    make(engine, custom("jq"), verify)
    assert label_builds(engine) == 1


def test_what_may_stay_is_labelled_once(engine: FakeEngine) -> None:
    """Where the image in use is the same, only that gets labels."""
    engine.reproducible = True
    assert make(engine, BASE, finds(HELD), saves=True).result == "same"
    assert label_builds(engine) == 1


def test_classic_builder_labels_once(engine: FakeEngine) -> None:
    """It makes a step of each label, which is too dear for what may not be needed."""
    engine.builder = "classic"
    make(engine, BASE, finds(NEWS))
    assert label_builds(engine) == 1
