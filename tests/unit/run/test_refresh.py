"""A refresh notices what moved, has just that built, and leaves what it can't fetch."""

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.engine import OnBytes
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.images.labels import STANDIN
from isol8_tasks.lifecycle.rollback import roll_back
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.refresh import Account
from isol8_tasks.run.refresh import AskSources, Refresh, look
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage, accept

JQ = Update(ecosystem="apk", name="jq", old="1.7", new="1.8")


def upstream(number: int, *, digest: int | None = None, standin: bool = False) -> FakeImage:
    return FakeImage(
        id=f"sha256:alpine{number}",
        digests=(f"alpine@sha256:{digest or number}",),
        labels={STANDIN: "recipe"} if standin else {},
    )


@pytest.fixture
def engine() -> FakeEngine:
    """Give an engine whose registry has both upstream images."""
    deno = FakeImage(id="sha256:deno1", digests=("denoland/deno@sha256:d1",))
    return FakeEngine(registry={"alpine:3.21": upstream(1), "denoland/deno:alpine": deno})


@pytest.fixture
def begin(tmp_path: Path, engine: FakeEngine) -> Callable[[], Session]:
    """Give what begins a run of a checkout with packages for bash, all of it built."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "deps.toml").write_text('[dependencies]\nbash = ["jq"]\n[refresh]\nmax_age = "7d"\n')

    def make() -> Session:
        return open_session(tmp_path, {}, engine=engine, verify=accept)

    session = make()
    build(session)
    session.close()
    return make


def build(session: Session) -> None:
    for spec in session.view.graph.images:
        if not session.view.is_current(spec.name):
            session.make(spec.name)


def quiet(_view: View, _spec: ImageSpec) -> PackageNews:
    """Have no news of packages."""
    return PackageNews()


def news_of(name: str) -> AskSources:
    def ask(view: View, spec: ImageSpec) -> PackageNews:
        return PackageNews(updates=(JQ,)) if spec.name == name else quiet(view, spec)

    return ask


def refreshed(session: Session, ask: AskSources = quiet) -> tuple[Account, list[str]]:
    """Do all of a refresh, and return its account and the names of what was built."""
    refresh = Refresh(session, ask, ask_installed=lambda _view, _spec: None)
    refresh.prepare()
    refresh.build()
    account = refresh.account(())
    session.close()
    return account, [each.image for each in account.changed]


def states(session: Session, ask: AskSources = quiet) -> dict[str, str]:
    return {each.image: each.state for each in look(session.view, ask)}


def test_nothing_moved(begin: Callable[[], Session]) -> None:
    """All is fresh, and nothing is built."""
    assert set(states(begin()).values()) == {"fresh"}
    account, built = refreshed(begin())
    assert not account.has_news
    assert (account.fresh, built) == (6, [])


def test_a_moved_upstream_image(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """What is based on it is behind, and built without cache; deno, which is not, is left. The old one goes."""
    old = engine.inspect("alpine:3.21")
    assert old is not None
    engine.registry["alpine:3.21"] = upstream(2)
    before = engine.ids()
    assert states(begin()) == {
        **dict.fromkeys(("python", "node", "bun", "bash", "bash-custom"), "behind"),
        "deno": "fresh",
    }
    assert engine.ids() == before
    engine.requests.clear()
    account, built = refreshed(begin())
    assert built == ["python", "node", "bun", "bash", "bash-custom"]
    assert all(request.no_cache for request in engine.candidates())
    assert account.changed[0].why == ("upstream image alpine:3.21 moved",)
    assert engine.inspect(old.id) is None
    assert refreshed(begin())[1] == []


def test_moved_upstream_images_are_pulled_side_by_side(
    begin: Callable[[], Session], engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None waits for another."""
    engine.registry["alpine:3.21"] = upstream(2)
    engine.registry["denoland/deno:alpine"] = FakeImage(
        id="sha256:deno2", digests=("denoland/deno@sha256:d2",)
    )
    both, whole = threading.Barrier(2, timeout=10), FakeEngine.pull

    def pull(engine: FakeEngine, reference: str, on_bytes: OnBytes | None = None) -> None:
        both.wait()
        whole(engine, reference, on_bytes)

    monkeypatch.setattr(FakeEngine, "pull", pull)
    assert refreshed(begin())[1] == ["python", "node", "bun", "deno", "bash", "bash-custom"]


def test_a_new_digest_of_the_same_image(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """It is pulled once, and nothing is built of it, that night or the next."""
    engine.registry["alpine:3.21"] = upstream(1, digest=2)
    assert states(begin())["python"] == "behind"
    assert refreshed(begin())[1] == []
    engine.asked.clear()
    assert set(states(begin()).values()) == {"fresh"}
    assert refreshed(begin())[1] == []
    assert not [each for each in engine.asked if each.startswith("pull")]


def test_a_pull_that_was_not_followed_by_a_build(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """A run that was cut off after the pull is made good by the next one."""
    engine.registry["alpine:3.21"] = upstream(2)
    engine.pull("alpine:3.21")
    assert states(begin())["python"] == "behind"
    assert refreshed(begin())[1] == ["python", "node", "bun", "bash", "bash-custom"]


def test_newer_packages(begin: Callable[[], Session]) -> None:
    """They are a reason for their image alone."""
    account, built = refreshed(begin(), news_of("bash-custom"))
    assert built == ["bash-custom"]
    # Which packages changed is told by themselves.
    assert account.changed[0].why == ()


def test_what_stands_on_an_image_with_news(begin: Callable[[], Session]) -> None:
    """It is built as well, and the reason says so."""
    found = {each.image: each for each in look(begin().view, news_of("bash"))}
    assert found["bash-custom"].parent == "bash"
    account, built = refreshed(begin(), news_of("bash"))
    assert built == ["bash", "bash-custom"]
    assert account.changed[1].why == ("parent isol8:bash was rebuilt",)


def test_a_source_that_does_not_answer(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """What is not known is not fresh, and no reason to build."""
    del engine.registry["denoland/deno:alpine"]

    def ask(_view: View, spec: ImageSpec) -> PackageNews:
        if spec.name == "bash-custom":
            raise SourceUnavailableError("the index does not answer\nTry again.")
        return PackageNews()

    assert states(begin(), ask) == {
        **dict.fromkeys(("python", "node", "bun", "bash"), "fresh"),
        **dict.fromkeys(("deno", "bash-custom"), "undetermined"),
    }
    account, built = refreshed(begin(), ask)
    assert (built, account.fresh, account.has_news) == ([], 4, True)
    assert account.unknown[1].problems == ("the index does not answer",)


def test_a_pull_that_fails(
    begin: Callable[[], Session], engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images on it stay as they are, each is a failure, and the others are refreshed."""
    engine.registry["alpine:3.21"] = upstream(2)
    whole = FakeEngine.pull

    def pull(_engine: FakeEngine, reference: str, _on_bytes: OnBytes | None = None) -> None:
        raise SourceUnavailableError(f"{reference} could not be pulled: no route to host")

    monkeypatch.setattr(FakeEngine, "pull", pull)
    session = begin()
    before = {spec.name: session.view.observed.public(spec.name) for spec in session.view.graph.images}
    _, built = refreshed(session, news_of("deno"))
    assert built == ["deno"]
    assert [failure.subject for failure in session.failures] == [
        f"isol8:{name}" for name in ("python", "node", "bun", "bash")
    ]
    monkeypatch.setattr(FakeEngine, "pull", whole)
    later = begin()
    assert all(later.view.observed.public(name) == image for name, image in before.items() if name != "deno")


def test_nothing_new_on_a_stand_in(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """Where the real image can't be asked for, a stand-in is not built on, whatever the packages say."""
    engine.put("alpine:3.21", upstream(1, standin=True))
    del engine.registry["alpine:3.21"]
    session = begin()
    assert refreshed(session, news_of("bash"))[1] == []
    (failure,) = session.failures
    assert failure.subject == "isol8:bash"
    assert str(failure.error).startswith("alpine:3.21 is a stand-in here and its registry does not answer")


def test_a_held_image_is_left(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """Its news is told and waits; for it alone nothing is pulled."""
    session = begin()
    session.force("deno")
    session.make("deno")
    session.view.look_again()
    roll_back("deno", session.view.observed, engine, now=now())
    session.close()
    engine.registry["denoland/deno:alpine"] = FakeImage(
        id="sha256:deno2", digests=("denoland/deno@sha256:d2",)
    )
    engine.asked.clear()
    account, built = refreshed(begin())
    assert built == []
    assert [each.image for each in account.held] == ["deno"]
    assert account.held[0].moved[0].new == "sha256:d2"
    assert "pull denoland/deno:alpine" not in engine.asked


def test_age(begin: Callable[[], Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """An image older than deps.toml allows is rebuilt, news or not."""
    later = now() + dt.timedelta(days=8)
    monkeypatch.setattr("isol8_tasks.run.refresh.now", lambda: later)
    assert set(states(begin()).values()) == {"behind"}
    account, built = refreshed(begin())
    assert len(built) == 6
    assert account.changed[0].why == ("built 8 days ago, longer than [refresh] max_age = 7 days",)


def test_a_missing_image_is_built(begin: Callable[[], Session]) -> None:
    """A refresh leaves nothing undone that a plain run would do."""
    session = begin()
    session.remove("node")
    session.close()
    assert states(begin())["node"] == "not-built"
    account, built = refreshed(begin())
    assert built == ["node"]
    assert account.changed[0].built is None


def test_on_a_base_that_is_not_there_nothing_is_asked(begin: Callable[[], Session]) -> None:
    """It is built first, and what is based on it is resolved just before its own build."""
    session = begin()
    session.remove("bash")
    session.close()
    asked: list[str] = []

    def ask(_view: View, spec: ImageSpec) -> PackageNews:
        asked.append(spec.name)
        return PackageNews()

    found = {each.image: each for each in look(begin().view, ask)}
    assert "bash-custom" not in asked
    assert (found["bash"].state, found["bash-custom"].state, found["bash-custom"].problems) == (
        "not-built",
        "behind",
        (),
    )
    asked.clear()
    account, built = refreshed(begin(), ask)
    assert built == ["bash", "bash-custom"]
    assert asked.count("bash-custom") == 1
    assert not account.unknown


def test_on_a_base_that_fails_nothing_is_built(begin: Callable[[], Session], engine: FakeEngine) -> None:
    """The failure is that of the base alone; what is not based on it is built, and the manifest written."""
    engine.fail.add("isol8_build:bash-candidate")
    session = begin()
    account, built = refreshed(session, lambda *_: PackageNews(updates=(JQ,)))
    assert built == ["python", "node", "bun", "deno"]
    assert [failure.subject for failure in session.failures] == ["isol8:bash"]
    assert {"python", "deno"} <= set(session.publication.changed or ())
    assert account.fresh == 4


def test_bases_are_built_at_the_same_time(begin: Callable[[], Session], tmp_path: Path) -> None:
    """Each waits for its parent and for nobody else."""
    engine = begin().view.engine
    together = threading.Barrier(5, timeout=10)

    def check(spec: ImageSpec, _image_id: str) -> str:
        if spec.parent is None:
            together.wait()
        return accept(spec, _image_id)

    session = open_session(tmp_path, {}, engine=engine, verify=check)
    _, built = refreshed(session, lambda *_: PackageNews(updates=(JQ,)))
    assert built == ["python", "node", "bun", "deno", "bash", "bash-custom"]


def test_a_manifest_that_cannot_be_written(
    begin: Callable[[], Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a failure beside those of images."""

    def write(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Session, "resolve", write)
    session = begin()
    refreshed(session)
    assert [(each.subject, str(each.error)) for each in session.failures] == [("resolve", "no space left")]
