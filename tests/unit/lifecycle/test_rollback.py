"""The way back: what it swaps, what it leaves, and that no moment of it shows clients anything else."""

import datetime as dt
from collections.abc import Callable

import pytest

from isol8_tasks.engine import BuildRequest
from isol8_tasks.errors import ConfigError, ReplacedError
from isol8_tasks.images.holds import hold_tags, holds
from isol8_tasks.images.labels import PREFIX
from isol8_tasks.lifecycle.rollback import finish_rollbacks, release_hold, roll_back
from tests.clients import CLIENTS
from tests.fake_engine import FakeEngine
from tests.unit.lifecycle.made import BrokenEngine, CutOffError, make, observe, spec

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)


def chosen(engine: FakeEngine) -> dict[str, str | None]:
    """Tell which build each generation of clients gets for either set of packages."""
    images = engine.images()
    builds = {image.id: image.labels.get("org.isol8.tasks.build", "") for image in images}
    found: dict[str, str | None] = {}
    for generation, choose in CLIENTS.items():
        for packages in (["curl"], ["jq"], []):
            image = choose(images, "isol8", "bash", packages)
            found[f"{generation} {packages}"] = builds.get(image or "", "gone")
    return found


def build_of(engine: FakeEngine, name: str) -> str:
    record = observe(engine).record(name)
    assert record is not None
    return record.build


@pytest.fixture
def prepared(fake_engine: FakeEngine) -> Callable[[], BrokenEngine]:
    """Return what makes an engine with a second build of a base and of a custom image on it."""

    def prepare() -> BrokenEngine:
        engine = BrokenEngine(registry=fake_engine.registry)
        engine.pull("alpine:3.21")
        make(engine, spec("bash"))
        make(engine, spec("bash-custom", "curl", setup="echo ready"))
        make(engine, spec("bash", "second"))
        make(engine, spec("bash-custom", "jq", setup="echo ready"))
        return engine

    return prepare


@pytest.mark.parametrize("name", ["bash", "bash-custom"])
class TestRollback:
    """Swapping an image with the one before it."""

    def test_it_swaps(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """The image before has the public tag again, with all that clients look for, and the other waits."""
        engine = prepared()
        observed = observe(engine)
        old, new = observed.public(f"{name}-previous"), observed.public(name)
        assert old is not None
        assert new is not None
        tag = roll_back(name, observed, engine, now=NOW)
        after = observe(engine)
        public, previous = after.public(name), after.public(f"{name}-previous")
        assert public is not None
        assert previous is not None
        assert tag == f"isol8:{name}-held-20261122T100000Z"
        assert tag in public.tags
        assert public.labels["org.isol8.tasks.build"] == old.labels["org.isol8.tasks.build"]
        assert previous.labels["org.isol8.tasks.build"] == new.labels["org.isol8.tasks.build"]
        assert after.record(name) is not None
        if name == "bash-custom":
            assert public.labels["org.isol8.dependencies"] == "curl"
            assert public.labels["org.isol8.setup"] == "echo ready"
            assert previous.labels["org.isol8.runtime"] == "bash (not in use)"

    def test_what_something_else_made(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """An image that carries our labels with other layers never gets the public tag."""
        engine = prepared()
        forged = BuildRequest(
            tag=f"isol8:{name}-previous", dockerfile=f"FROM isol8:{name}-previous\nRUN echo more\n"
        )
        engine.build(forged, lambda _event: None)
        before = engine.images()
        with pytest.raises(ConfigError, match="-previous: its layers are not those that its labels record"):
            roll_back(name, observe(engine), engine, now=NOW)
        assert engine.images() == before

    @pytest.mark.parametrize("role", ["another image", "candidate"])
    def test_what_somebody_tagged(self, prepared: Callable[[], BrokenEngine], name: str, role: str) -> None:
        """An image of another name, or one that was never promoted, is no earlier build."""
        engine = prepared()
        if role == "candidate":
            forged = BuildRequest(
                tag=f"isol8:{name}-previous",
                dockerfile=f"FROM isol8:{name}\n",
                labels={PREFIX + "role": "candidate"},
            )
            engine.build(forged, lambda _event: None)
        else:
            make(engine, spec("deno"))
            engine.tag("isol8:deno", f"isol8:{name}-previous")
        before = engine.images()
        with pytest.raises(
            ConfigError, match=r"-previous: its labels record a build (of deno|that was never promoted), "
        ):
            roll_back(name, observe(engine), engine, now=NOW)
        assert engine.images() == before

    def test_another_run_was_faster(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """What was promoted in the meantime is not rolled back."""
        engine = prepared()
        seen = observe(engine)
        make(engine, spec(name, "third", setup="echo ready" * name.endswith("-custom")))
        before = engine.images()
        with pytest.raises(ReplacedError, match=f"^isol8:{name} was replaced by another run"):
            roll_back(name, seen, engine, now=NOW)
        assert engine.images() == before

    def test_twice_is_the_newer_one_again(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """A second rollback swaps back, and one hold is left."""
        engine = prepared()
        before = chosen(engine)
        labels = observe(engine).public(name)
        roll_back(name, observe(engine), engine, now=NOW)
        roll_back(name, observe(engine), engine, now=NOW + dt.timedelta(seconds=5))
        assert chosen(engine) == before
        again = observe(engine).public(name)
        assert labels is not None
        assert again is not None
        assert dict(again.labels) == dict(labels.labels)
        assert [len(found) for found in hold_tags(observe(engine)).values()] == [1]

    def test_cut_off_anywhere(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """Wherever it is cut off clients get the one or the other, and the next run finishes or undoes it."""
        cuts = 0
        while True:
            engine = prepared()
            allowed = {image.labels.get("org.isol8.tasks.build", "") for image in engine.images()}
            first = observe(engine).public(f"{name}-previous")
            assert first is not None
            engine.left = cuts
            try:
                roll_back(name, observe(engine), engine, now=NOW)
            except CutOffError:
                engine.left = -1
            else:
                break
            assert set(chosen(engine).values()) <= allowed
            finish_rollbacks(observe(engine), engine, now=NOW, longest=WEEK)
            observed = observe(engine)
            public, previous = observed.public(name), observed.public(f"{name}-previous")
            assert public is not None
            assert previous is not None
            back = public.labels["org.isol8.tasks.key"] == first.labels["org.isol8.tasks.key"]
            assert back == (name in holds(observed, NOW, WEEK))
            assert set(chosen(engine).values()) <= allowed
            assert public.labels["org.isol8.tasks.build"] != previous.labels["org.isol8.tasks.build"]
            assert not finish_rollbacks(observe(engine), engine, now=NOW, longest=WEEK)
            cuts += 1
        assert cuts >= 4

    def test_without_an_image_before(self, prepared: Callable[[], BrokenEngine], name: str) -> None:
        """There has to be something to go back to, and nothing is touched."""
        engine = prepared()
        engine.untag(f"isol8:{name}-previous")
        before = engine.images()
        with pytest.raises(ConfigError) as error:
            roll_back(name, observe(engine), engine, now=NOW)
        assert str(error.value) == (
            f"isol8:{name}: there is no isol8:{name}-previous to roll back to; "
            "an image has one from its second build on"
        )
        assert engine.images() == before


def test_an_image_of_somebody_else(prepared: Callable[[], BrokenEngine]) -> None:
    """What is not ours is not rolled back."""
    engine = prepared()
    engine.tag("alpine:3.21", "isol8:bash")
    with pytest.raises(ConfigError) as error:
        roll_back("bash", observe(engine), engine, now=NOW)
    assert str(error.value) == (
        "isol8:bash: was tagged by another program, so no build of it is in use; ./doitw base:bash builds it again"
    )


class TestLettingGo:
    """The end of a hold."""

    def test_release(self, prepared: Callable[[], BrokenEngine]) -> None:
        """A released image stays where it is, and its hold is gone."""
        engine = prepared()
        roll_back("bash-custom", observe(engine), engine, now=NOW)
        before = chosen(engine)
        assert release_hold("bash-custom", observe(engine), engine)
        assert hold_tags(observe(engine)) == {}
        assert chosen(engine) == before
        assert not release_hold("bash-custom", observe(engine), engine)

    def test_by_itself(self, prepared: Callable[[], BrokenEngine]) -> None:
        """A hold is over after its time, and its tag goes."""
        engine = prepared()
        roll_back("bash", observe(engine), engine, now=NOW)
        assert set(holds(observe(engine), NOW + WEEK - dt.timedelta(seconds=1), WEEK)) == {"bash"}
        assert not finish_rollbacks(observe(engine), engine, now=NOW, longest=WEEK)
        assert holds(observe(engine), NOW + WEEK, WEEK) == {}
        assert finish_rollbacks(observe(engine), engine, now=NOW + WEEK, longest=WEEK)
        assert hold_tags(observe(engine)) == {}

    def test_a_build_ends_it(self, prepared: Callable[[], BrokenEngine]) -> None:
        """An image that gets the tag of a held one has the hold's tag removed, by which clients would find it."""
        engine = prepared()
        roll_back("bash-custom", observe(engine), engine, now=NOW)
        make(engine, spec("bash-custom", "htop", setup="echo ready"))
        assert hold_tags(observe(engine)) == {}
        assert chosen(engine)["v0.18 ['curl']"] == build_of(engine, "bash")

    @pytest.mark.parametrize(
        "tag",
        [
            "isol8:bash-held-yesterday",
            "isol8:bash-held-",
            "isol8:bash-held",
            "other:bash-held-20261122T100000Z",
        ],
    )
    def test_tags_of_others(self, prepared: Callable[[], BrokenEngine], tag: str) -> None:
        """A tag that only looks like one of ours holds nothing, and stays."""
        engine = prepared()
        engine.tag("isol8:bash", tag)
        assert hold_tags(observe(engine)) == {}
        assert not finish_rollbacks(observe(engine), engine, now=NOW, longest=WEEK)
        assert observe(engine).tagged(tag) is not None
