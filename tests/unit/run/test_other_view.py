"""What a run knows of images for another platform, by what the registry has and the engine's own has."""

from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import Update
from isol8_tasks.errors import ConfigError, EngineError
from isol8_tasks.freshness.model import Freshness
from isol8_tasks.images.observed import ObservedImage
from isol8_tasks.plan.reasons import OlderThanOwn
from isol8_tasks.run.other_view import OtherView
from isol8_tasks.run.session import open_session
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage

OWN, PLATFORM = "linux/amd64", "linux/arm64"
INVENTORY = "org.isol8.tasks.inventory"
DEPS = f'[build]\nplatforms = ["{PLATFORM}", "{OWN}"]\n[registry]\nrepository = "registry.example/isol8"\n'


def packages(**versions: str) -> str:
    return encode(
        "3.21", [Package(ecosystem="apk", name=name, version=each) for name, each in versions.items()]
    )


@pytest.fixture
def view(tmp_path: Path, fake_engine: FakeEngine) -> OtherView:
    """Give the view of arm64 beside an engine for amd64 that has bash; the registry has the same build for both."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "deps.toml").write_text(DEPS)
    found = packages(jq="1.7", musl="1", only_here="1")
    session = open_session(tmp_path, {}, engine=fake_engine, verify=lambda *_: found)
    session.make("bash")
    own = session.view
    other = OtherView(workspace=own.workspace, environ={}, own=own, platform=PLATFORM, engine=fake_engine)
    assert other.decisions["bash"].state == "not-built"
    image = own.observed.public("bash")
    assert image
    put(other, evolve(image, id="sha256:arm64", tags=()))
    return other


def put(view: OtherView, image: ObservedImage, hours: int = 0, **versions: str) -> None:
    """Let the registry have an image for arm64, built so many hours before the own one, with these versions."""
    minutes = f"2026-01-02T{12 - hours:02}:00:00+00:00" if hours else image.built.isoformat()
    written = {**image.labels, "org.opencontainers.image.created": minutes}
    if versions:
        written[INVENTORY] = packages(**versions)
    view.adopt("bash", evolve(image, labels=written))


def fresh(view: OtherView, *problems: str) -> Freshness:
    """Return how fresh bash for arm64 is where the own one is, but for these problems."""
    (found,) = view.freshness([Freshness(image="bash", problems=problems)])
    return found


def test_same_versions_are_as_fresh(view: OtherView) -> None:
    """What the sources have for the one, they have for the other; and what is not known is so for both."""
    assert fresh(view).state == "fresh"
    assert fresh(view, "no answer").state == "undetermined"
    put(view, view.in_use["bash"], jq="1.7", musl="1", only_there="2")
    assert fresh(view).state == "fresh"


def test_what_is_older_with_other_versions_is_behind(view: OtherView) -> None:
    """It is rebuilt at once; with the same versions only if it is older by half a day."""
    put(view, view.in_use["bash"], 1, jq="1.6", musl="1")
    found = fresh(view)
    assert (found.state, found.packages.updates) == (
        "behind",
        (Update(ecosystem="apk", name="jq", old="1.6", new="1.7"),),
    )
    view.follow_own(())
    assert view.behind == {"bash": (OlderThanOwn(platform=OWN),)}


def test_what_is_newer_with_other_versions_is_not_known(view: OtherView) -> None:
    """Its sources may not have had them, or not have them yet."""
    put(view, view.in_use["bash"], jq="1.6")
    found = fresh(view)
    assert found.state == "undetermined"
    assert found.problems == (
        f"other versions than for {OWN} (jq 1.6 → 1.7); only a refresh asks its sources",
    )
    view.follow_own(())
    assert view.behind == {}


def test_what_is_not_there_held_or_not_looked_into(view: OtherView) -> None:
    """Each is told as for the engine's own platform."""
    image = view.in_use["bash"]
    view.adopt("bash", evolve(image, labels={**image.labels, INVENTORY: ""}))
    assert fresh(view).problems == (f"no inventory to compare with that for {OWN}",)
    del view.in_use["bash"]
    assert fresh(view).state == "not-built"


def test_messages_have_public_names(view: OtherView) -> None:
    """Nobody looks for the tags that images have on the engine meanwhile."""
    assert view.shown_tag("bash") == f"isol8:bash {PLATFORM}"
    error = view.in_public(EngineError("isol8_linux-arm64:bash and isol8_linux-arm64_build:bash-candidate"))
    assert str(error) == "isol8:bash and isol8_build:bash-candidate"


def test_upstream_image_for_another_platform_does_not_count(view: OtherView, fake_engine: FakeEngine) -> None:
    """A run that was killed may have led the name to its own: nothing is stale for that, and a build pulls its own."""
    own = view.own
    fake_engine.put("alpine:3.21", FakeImage(id="sha256:arm64-alpine", platform=PLATFORM))
    own.look_again()
    assert own.decisions["bash"].state == "up-to-date"
    assert own.observed.tagged("alpine:3.21") is None


def test_each_platform_has_its_own_lock(view: OtherView) -> None:
    """A lock of one platform is not looked for."""
    (view.workspace.root / "deps.lock.toml").write_text("version = 2\n")
    assert view.own.lock_name == "deps.linux-amd64.lock.toml"
    assert view.own.read_lock() is None
    with pytest.raises(
        ConfigError, match=r"^deps\.linux-arm64\.lock\.toml: not found, but --locked needs it"
    ):
        view.hold_to_lock()
