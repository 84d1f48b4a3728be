"""Tidying up: what may go, what never does, and what is said to have been used."""

import datetime as dt
from collections.abc import Callable

import pytest
from attrs import evolve

from isol8_tasks.engine import BuildRequest
from isol8_tasks.images.observed import Observed
from isol8_tasks.lifecycle.prune import Removal, made_here, ours_without_a_name, removals, remove
from isol8_tasks.plan.model import ImageSpec, Inputs
from tests.fake_engine import FakeEngine, FakeImage
from tests.unit.lifecycle.made import make, observe

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)
BASE = ImageSpec(
    name="bash",
    task="base:bash",
    kind="base",
    runtime="bash",
    parent=None,
    inputs=Inputs(recipe=1, runtime="bash"),
    dockerfile="FROM alpine:3.21\nRUN echo base\n",
    target=None,
)
CUSTOM = ImageSpec(
    name="bash-custom",
    task="custom:bash",
    kind="custom",
    runtime="bash",
    parent="bash",
    inputs=Inputs(recipe=1, runtime="bash", packages=("jq",)),
    dockerfile="FROM isol8:bash\nRUN echo jq\n",
    target=None,
)


@pytest.fixture
def engine(fake_engine: FakeEngine) -> FakeEngine:
    """Give an engine with a base and a custom image on it."""
    fake_engine.pull("alpine:3.21")
    make(fake_engine, BASE, force=True)
    make(fake_engine, CUSTOM, force=True)
    return fake_engine


@pytest.fixture
def found(engine: FakeEngine) -> Callable[..., dict[str, list[str]]]:
    """Return what tells the removals by their reason, each as `name tag …`."""

    def find(
        undeclared: tuple[str, ...] = (), held: tuple[str, ...] = (), now: dt.datetime = NOW
    ) -> dict[str, list[str]]:
        told: dict[str, list[str]] = {}
        for each in _removals(engine, undeclared, held, now):
            text = " ".join((each.name, *each.tags, *(["in use"] if each.in_use else [])))
            told.setdefault(each.why, []).append(text)
        return told

    return find


def _removals(
    engine: FakeEngine, undeclared: tuple[str, ...] = (), held: tuple[str, ...] = (), now: dt.datetime = NOW
) -> tuple[Removal, ...]:
    return removals(
        observe(engine),
        ours_without_a_name(engine),
        used=engine.used(),
        undeclared=undeclared,
        held=held,
        now=now,
        previous_age=WEEK,
    )


def _undeclared(observed: Observed, names: tuple[str, ...]) -> tuple[Removal, ...]:
    return removals(observed, (), used=(), undeclared=names, held=(), now=NOW, previous_age=WEEK)


Found = Callable[..., dict[str, list[str]]]


def test_what_is_in_order_stays(found: Found) -> None:
    """Images under their tags are not touched."""
    assert found() == {}


@pytest.mark.parametrize(
    ("layers", "steps"),
    [
        (("sha256:more",), ()),
        ((), ("true",)),
    ],
    ids=["a commit of changed files", "a commit of nothing, or a child with another ENV"],
)
def test_what_others_made_of_ours(
    engine: FakeEngine, layers: tuple[str, ...], steps: tuple[str, ...]
) -> None:
    """An image that has our labels is ours only if it has our layers and our steps."""
    custom = observe(engine).public("bash-custom")
    assert custom is not None
    assert made_here(engine, custom)
    detail = engine.inspect(custom.id)
    assert detail is not None
    theirs = FakeImage(
        id="sha256:theirs",
        labels=custom.labels,
        layers=detail.layers + layers,
        steps=engine.steps(custom.id) + steps,
    )
    engine.put("isol8:bash-custom", theirs)
    found = observe(engine).public("bash-custom")
    assert found is not None
    assert not made_here(engine, found)


class TestWhatMayGo:
    """The four reasons."""

    def test_what_lost_its_name(self, engine: FakeEngine, found: Found) -> None:
        """A build of ours that no tag names any more may go."""
        engine.tag("isol8:bash", "isol8:bash-custom")
        engine.tag("isol8:bash", "isol8_build:bash-custom")
        for tag in [tag for image in engine.images() for tag in image.tags if "-custom-" in tag]:
            engine.tag("isol8:bash", tag)
        assert found() == {"superseded": ["bash-custom"]}

    def test_a_candidate_that_lost_its_name(self, engine: FakeEngine, found: Found) -> None:
        """So may what a killed run left."""
        current = observe(engine).public("bash")
        assert current is not None
        left = BuildRequest(
            tag="isol8_build:bash-candidate",
            dockerfile="FROM alpine:3.21\n",
            labels={**current.labels, "org.isol8.tasks.role": "candidate"},
        )
        engine.build(left, lambda _event: None)
        engine.tag("isol8:bash", "isol8_build:bash-candidate")
        assert found() == {"superseded": ["bash"]}

    def test_rejected(self, engine: FakeEngine, found: Found) -> None:
        """What a check refused may go once somebody had a look."""
        engine.build(
            BuildRequest(
                tag="isol8:bash-rejected",
                dockerfile="FROM isol8:bash\nRUN echo bad\n",
                labels={"org.isol8.tasks.role": "candidate"},
            ),
            lambda _event: None,
        )
        assert found() == {"rejected": ["bash isol8:bash-rejected"]}

    def test_undeclared(self, engine: FakeEngine, found: Found) -> None:
        """An undeclared image goes with all of its tags, its marker last; a tag of the user's stays."""
        engine.tag("isol8:bash-custom", "isol8:bash-custom-mine")
        told = found(("bash-custom",))
        assert list(told) == ["undeclared"]
        first, *aliases = told["undeclared"][0].split()[1:]
        assert first == "isol8:bash-custom"
        assert aliases[-1] == "isol8_build:bash-custom"
        assert "isol8:bash-custom-mine" not in aliases
        assert len(aliases) == 2

    def test_the_order_is_that_of_the_tags(self, engine: FakeEngine) -> None:
        """The image in use is told before the one of before it, in whatever order the engine lists them."""
        make(engine, CUSTOM, force=True)
        held = observe(engine)
        told = [
            [each.tags[0] for each in _undeclared(evolve(held, images=images), ("bash-custom",))]
            for images in (held.images, held.images[::-1])
        ]
        assert told == [["isol8:bash-custom", "isol8:bash-custom-previous"]] * 2

    def test_an_old_previous(self, engine: FakeEngine, found: Found) -> None:
        """What was replaced long enough ago may go, and not before."""
        make(engine, BASE, created="2026-11-22T10:00:00Z", force=True)
        assert found(now=NOW + WEEK - dt.timedelta(seconds=1)) == {}
        assert found(now=NOW + WEEK) == {"previous": ["bash isol8:bash-previous"]}


class TestWhatStays:
    """Nobody loses anything."""

    def test_held(self, engine: FakeEngine, found: Found) -> None:
        """A held image stays, with the one that waits to take its place."""
        make(engine, BASE, force=True)
        assert found(held=("bash",), now=NOW + 2 * WEEK) == {}
        assert found(("bash-custom",), held=("bash-custom",)) == {}

    def test_in_use(self, engine: FakeEngine, found: Found) -> None:
        """An image that a container was made of is said to be in use."""
        image = observe(engine).public("bash-custom")
        assert image is not None
        engine.containers.add(image.id)
        assert found(("bash-custom",))["undeclared"][0].endswith(" in use")

    def test_what_others_made_of_ours(self, engine: FakeEngine, found: Found) -> None:
        """A nameless image that somebody built on ours carries our labels, and is theirs."""
        theirs = BuildRequest(tag="theirs:1", dockerfile="FROM isol8:bash\nRUN echo theirs\n")
        engine.build(theirs, lambda _event: None)
        engine.tag("alpine:3.21", "theirs:1")
        assert len(engine.nameless()) == 1
        assert found() == {}

    def test_labels_that_cannot_be_read(self, engine: FakeEngine, found: Found) -> None:
        """What only looks like ours is left alone."""
        strange = BuildRequest(
            tag="x:1", dockerfile="FROM alpine:3.21\nRUN echo x\n", labels={"org.isol8.tasks.schema": "?"}
        )
        engine.build(strange, lambda _event: None)
        engine.tag("alpine:3.21", "x:1")
        assert len(engine.nameless()) == 1
        assert found() == {}


def test_removing(engine: FakeEngine) -> None:
    """All tags of a removal go, and the image with the last; one that is used by now stays, and so do moved tags."""
    removal = _removals(engine, ("bash-custom",))[0]
    assert remove(engine, removal) == ""
    assert observe(engine).public("bash-custom") is None
    assert engine.inspect(removal.image.id) is None
    make(engine, CUSTOM, force=True)
    moved = _removals(engine, ("bash-custom",))[0]
    make(engine, CUSTOM, force=True)
    current = observe(engine).public("bash-custom")
    assert remove(engine, moved) == ""
    assert observe(engine).public("bash-custom") == current
    again = _removals(engine, ("bash-custom",))[0]
    engine.containers.add(again.image.id)
    assert "several tags point to it" in remove(engine, evolve(again, tags=()))
    assert engine.inspect(again.image.id) is not None
