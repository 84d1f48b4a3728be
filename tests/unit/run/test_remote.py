"""A registry that is asked before anything is built, by two engines in memory that share one."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.engine import OnBytes
from isol8_tasks.errors import VerifyFailedError
from isol8_tasks.images.pushed import key_tag, read_manifest
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.report.refresh import Account
from isol8_tasks.run.refresh import Refresh
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.run.view import View
from isol8_tasks.run.workspace import now
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import DOCKERFILE, FakeEngine, accept

REGISTRY = "registry.example/isol8"
DEPS = f'[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "{REGISTRY}"\n'
NUMPY = Update(ecosystem="pypi", name="numpy", old="1", new="2")
Open = Callable[..., Session]


@pytest.fixture
def make_session(tmp_path: Path) -> Open:
    """Give what makes a run in a checkout of its own, on an engine of its own."""

    def make(
        engine: FakeEngine, *, deps: str = DEPS, dockerfile: str = DOCKERFILE, verify: Verify = accept
    ) -> Session:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        (folder / "docker").mkdir(parents=True)
        (folder / "docker" / "Dockerfile").write_text(dockerfile)
        (folder / "deps.toml").write_text(deps)
        return open_session(folder, {}, engine=engine, verify=verify)

    return make


@pytest.fixture
def builder(fake_engine: FakeEngine, make_session: Open) -> FakeEngine:
    """Give an engine that built everything and pushed it."""
    run(make_session(fake_engine))
    return fake_engine


def run(session: Session) -> dict[str, str]:
    """Do what is to be done, and return what came of each image."""
    for spec in session.view.graph.images:
        session.make(spec.name)
    session.resolve()
    session.close()
    return {each.image: each.result for each in session.outcomes}


def states(session: Session) -> dict[str, str]:
    return {name: each.state for name, each in session.view.decisions.items()}


@pytest.fixture
def empty(builder: FakeEngine) -> FakeEngine:
    """Give an engine without images, behind which is the same registry."""
    return FakeEngine(registry=builder.registry)


def test_empty_engine_builds_nothing(builder: FakeEngine, empty: FakeEngine, make_session: Open) -> None:
    session = make_session(empty)
    assert set(states(session).values()) == {"in-registry"}
    assert set(run(session).values()) == {"pulled"}
    assert empty.builds() == []
    assert not [each for each in empty.asked if each.startswith(("pull ", "push "))]
    images = {tag: image.id for image in builder.images() for tag in image.tags if tag.startswith("isol8:")}
    assert images == {
        tag: image.id for image in empty.images() for tag in image.tags if tag.startswith("isol8:")
    }


def test_run_with_nothing_to_do_asks_no_registry(empty: FakeEngine, make_session: Open) -> None:
    session = make_session(empty)
    run(session)
    empty.asked.clear()
    later = open_session(session.view.workspace.root, {}, engine=empty, verify=accept)
    assert set(states(later).values()) == {"up-to-date"}
    later.resolve()
    assert empty.asked == ["images"]


def test_changed_package_builds_one_image_on_a_pulled_parent(empty: FakeEngine, make_session: Open) -> None:
    session = make_session(empty, deps=DEPS.replace("jq", "curl"))
    results = run(session)
    assert results.pop("bash-custom") == "built"
    assert set(results.values()) == {"pulled"}


def test_image_of_another_branch_is_found_by_its_key(
    builder: FakeEngine, empty: FakeEngine, make_session: Open
) -> None:
    """What others have in use since is newer, and not what this branch declares."""
    run(make_session(builder, deps=DEPS.replace("jq", "curl")))
    session = make_session(empty)
    assert states(session)["bash-custom"] == "in-registry"
    assert run(session)["bash-custom"] == "pulled"
    image = next(image for image in empty.images() if "isol8:bash-custom" in image.tags)
    assert (
        image.labels["org.isol8.deps.packages"] == "jq" if "org.isol8.deps.packages" in image.labels else True
    )


def test_changed_stage_is_not_taken_from_the_registry(empty: FakeEngine, make_session: Open) -> None:
    """Nor is what is based on it."""
    session = make_session(empty, dockerfile=DOCKERFILE + "RUN echo new\n")
    found = states(session)
    assert found.pop("bash") == found.pop("bash-custom") == "not-built"
    assert set(found.values()) == {"in-registry"}


def test_forced_image_is_built(empty: FakeEngine, make_session: Open) -> None:
    session = make_session(empty)
    session.view.force("python")
    assert states(session)["python"] == "not-built"


@pytest.mark.parametrize(
    ("deps", "verified"),
    [(DEPS, 0), (DEPS + "[verify]\nagain = true\n", 6)],
    ids=["trusted", "verified again"],
)
def test_what_was_verified_elsewhere(empty: FakeEngine, make_session: Open, deps: str, verified: int) -> None:
    """It is verified here only where deps.toml says so, and by its id."""
    seen: list[str] = []

    def verify(spec: ImageSpec, image_id: str) -> str:
        seen.append(image_id)
        return accept(spec, image_id)

    session = make_session(empty, deps=deps, verify=verify)
    assert set(run(session).values()) == {"pulled"}
    assert len(seen) == verified
    assert set(seen) <= {image.id for image in empty.images()}


def test_image_that_fails_verification_here_is_not_promoted(empty: FakeEngine, make_session: Open) -> None:
    def refuse(_spec: ImageSpec, _image_id: str) -> str:
        raise VerifyFailedError("it failed verification")

    session = make_session(empty, deps=DEPS + "[verify]\nagain = true\n", verify=refuse)
    with pytest.raises(VerifyFailedError):
        session.make("bash")
    session.close()
    assert empty.images() == ()


def test_labels_of_the_first_schema_are_replaced_once_they_are_here(
    builder: FakeEngine, empty: FakeEngine, make_session: Open
) -> None:
    """In the run that pulls the image, which then pushes it with its new labels."""
    for reference, image in builder.registry.items():
        if "org.isol8.tasks.schema" in image.labels:
            empty.registry[reference] = evolve(image, labels={**image.labels, "org.isol8.tasks.schema": "1"})
    session = make_session(empty)
    assert set(states(session).values()) == {"in-registry"}
    run(session)
    results = [each.result for each in session.outcomes if each.image == "bash"]
    assert results == ["pulled", "relabelled"]
    bash = session.view.observed.record("bash")
    assert bash is not None
    assert empty.registry[f"{REGISTRY}:{key_tag('bash', bash.key)}"].labels["org.isol8.tasks.schema"] == "2"
    assert empty.registry[f"{REGISTRY}:bash"].labels["org.isol8.tasks.schema"] == "1"


def test_registry_that_may_not_be_used_is_not_asked(empty: FakeEngine, make_session: Open) -> None:
    session = make_session(empty)
    session.view.use_registry = False
    assert set(states(session).values()) == {"not-built"}
    assert not [each for each in empty.asked if each.startswith("remote_")]


def test_registry_that_does_not_answer_is_told_once(empty: FakeEngine, make_session: Open) -> None:
    empty.registry_fails = "connection refused"
    session = make_session(empty)
    assert set(states(session).values()) == {"not-built"}
    assert session.view.registry_problems == (f"{REGISTRY}: connection refused", {})
    assert len([each for each in empty.asked if each.startswith("remote_")]) == 1


def test_image_that_can_not_be_pulled_is_built(
    empty: FakeEngine, make_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that a registry has lost layers of; what is based on it is built as well, and takes its names there."""
    monkeypatch.setattr("isol8_tasks.lifecycle.transfer.time.sleep", lambda _: None)
    session = make_session(empty)
    assert states(session)["bash"] == "in-registry"
    there = empty.registry.pop(f"{REGISTRY}:bash")
    lost = empty.registry.pop(there.digests[0])
    results = run(session)
    assert (results.pop("bash"), results.pop("bash-custom")) == ("built", "built")
    assert set(results.values()) == {"pulled"}
    assert session.failures == []
    assert set(session.publication.pushed) == {"bash", "bash-custom"}
    assert empty.registry[f"{REGISTRY}:bash"].id != lost.id
    problem, unreadable = session.view.registry_problems
    assert (problem, list(unreadable)) == ("", ["bash"])
    assert unreadable["bash"].endswith("failed: manifest unknown")


class TestTwoMachinesAtOnce:
    """Both decided to build before either pushed."""

    def late(
        self, fake_engine: FakeEngine, make_session: Open, deps: str = DEPS
    ) -> tuple[FakeEngine, Session]:
        """Return an engine on which all is built, after another machine built and pushed all in the meantime."""
        engine = FakeEngine(registry=fake_engine.registry)
        session = make_session(engine, deps=deps)
        for spec in session.view.graph.images:
            session.make(spec.name)
        run(make_session(fake_engine))
        fake_engine.asked.clear()
        return engine, session

    def test_the_later_takes_the_image_of_the_first(
        self, fake_engine: FakeEngine, make_session: Open
    ) -> None:
        """It removes its own, pushes nothing, and both have the same then."""
        engine, session = self.late(fake_engine, make_session)
        before = dict(engine.registry)
        session.resolve()
        session.close()
        assert {each.result for each in session.outcomes} == {"pulled"}
        assert engine.registry == before
        ours = {tag: image.id for image in engine.images() for tag in image.tags if "isol8:" in tag}
        theirs = {tag: image.id for image in fake_engine.images() for tag in image.tags if "isol8:" in tag}
        assert ours == theirs
        assert engine.ids() == {image.id for image in engine.images()}
        later = open_session(session.view.workspace.root, {}, engine=engine, verify=accept)
        assert set(states(later).values()) == {"up-to-date"}
        assert later.publication.waiting == ()

    def test_what_was_in_use_before_stays_as_previous(
        self, fake_engine: FakeEngine, make_session: Open
    ) -> None:
        """Not the build that was discarded."""
        engine, changed = FakeEngine(registry=fake_engine.registry), DOCKERFILE + "RUN echo new\n"
        first = make_session(engine)
        first.view.use_registry = False
        for spec in first.view.graph.images:
            first.make(spec.name)
        first.close()
        session = make_session(engine, dockerfile=changed)
        session.make("bash")
        own, kept = (session.view.look().public(name) for name in ("bash", "bash-previous"))
        assert own is not None
        assert kept is not None
        run(make_session(fake_engine, dockerfile=changed))
        session.resolve()
        session.close()
        found = {tag: image.id for image in engine.images() for tag in image.tags}
        assert found["isol8:bash-previous"] == kept.id
        assert found["isol8:bash"] != own.id
        assert own.id not in engine.ids()

    def test_overtaken_while_layers_were_sent(
        self, fake_engine: FakeEngine, make_session: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its tag that never moves is there by then, and no other tag moves to it."""
        engine = FakeEngine(registry=fake_engine.registry)
        session = make_session(engine)
        for spec in session.view.graph.images:
            session.make(spec.name)
        whole, others = FakeEngine.push, [fake_engine]

        def overtaken(self: FakeEngine, reference: str, on_bytes: OnBytes | None = None) -> str:
            digest = whole(self, reference, on_bytes)
            if self is engine and others:
                run(make_session(others.pop()))
            return digest

        monkeypatch.setattr(FakeEngine, "push", overtaken)
        session.resolve()
        session.close()
        assert {each.result for each in session.outcomes} == {"pulled"}
        ours = {image.id for image in engine.images() for tag in image.tags if tag.startswith("isol8:")}
        theirs = {
            image.id for image in fake_engine.images() for tag in image.tags if tag.startswith("isol8:")
        }
        assert ours == theirs
        assert engine.registry[f"{REGISTRY}:bash"].id in theirs

    def test_what_is_based_on_a_discarded_image_waits(
        self, fake_engine: FakeEngine, make_session: Open
    ) -> None:
        """It is not pushed, and the next run builds it on the other's parent."""
        engine, session = self.late(fake_engine, make_session, DEPS.replace("jq", "curl"))
        session.resolve()
        session.close()
        assert "bash-custom" not in session.publication.pushed
        later = open_session(session.view.workspace.root, {}, engine=engine, verify=accept)
        assert run(later) == {"bash-custom": "built"}
        assert set(later.publication.pushed) == {"bash-custom"}

    def test_forced_build_does_not_give_way(self, fake_engine: FakeEngine, make_session: Open) -> None:
        """It is the same on purpose."""
        run(make_session(fake_engine))
        session = make_session(fake_engine)
        session.force("python")
        fake_engine.asked.clear()
        assert run(session) == {"python": "built"}
        pushed = [each for each in fake_engine.asked if each.startswith("push ")]
        assert len(pushed) == 3
        assert all(f"{REGISTRY}:python" in each for each in pushed)


def test_who_may_not_push_only_reads(
    empty: FakeEngine, make_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is built stays here, and is no failure; of a nightly job it is one, and so is a registry that fails."""
    denied = "denied: requested access to the resource is denied"
    deps = DEPS.replace("jq", "curl")

    def finish(why: str, *, has_to_push: bool = False) -> Session:
        session = make_session(empty, deps=deps)
        session.has_to_push = has_to_push
        for spec in session.view.graph.images:
            session.make(spec.name)
        empty.registry_fails = why
        session.end()
        session.close()
        empty.registry_fails = ""
        return session

    session = finish(denied)
    assert session.failures == []
    assert session.publication.unpushed == ("bash-custom",)
    assert [each.subject for each in finish(denied, has_to_push=True).failures] == ["resolve"]
    monkeypatch.setattr("isol8_tasks.lifecycle.transfer.time.sleep", lambda _: None)
    assert [each.subject for each in finish("connection refused").failures] == ["resolve"]


class TestEmptyEngineAtNight:
    """A refresh on an engine without any image, with a registry that has them all."""

    DEPS = DEPS.replace("[dependencies]", '[dependencies]\npython = ["numpy"]') + (
        '[images.deep]\nextends = "wide"\nsetup = "true"\n[images.wide]\nruntime = "python"\npackages = ["attrs"]\n'
    )
    TWICE = DOCKERFILE.replace("AS deno\n", "AS deno\nCOPY --from=base /etc/passwd /etc/\n")
    """Deno's image is built on two upstream images, of which labels record the second by its digits alone."""
    ASKED = frozenset({"python", "node", "bun", "deno", "bash", "bash-custom"})
    """The bases, and what has packages of Alpine's: there their sources are asked."""

    @pytest.fixture
    def night(self, fake_engine: FakeEngine, make_session: Open) -> Callable[..., tuple[Account, Session]]:
        """Give what refreshes on an empty engine after all was built and pushed elsewhere."""
        for reference, image in fake_engine.registry.items():
            digest = f"{reference.partition(':')[0]}@{image.id}"
            fake_engine.registry[reference] = evolve(image, digests=(digest,))
        fake_engine.by_layers = True
        run(make_session(fake_engine, deps=self.DEPS, dockerfile=self.TWICE))

        def refresh(*behind: str, deps: str = self.DEPS, same: bool = False) -> tuple[Account, Session]:
            def ask(_view: View, spec: ImageSpec) -> PackageNews:
                return PackageNews(updates=(NUMPY,)) if spec.name in behind else PackageNews()

            engine = FakeEngine(registry=fake_engine.registry, reproducible=same, by_layers=True)
            session = make_session(engine, deps=deps, dockerfile=self.TWICE)
            found = Refresh(session, ask, ask_installed=lambda _view, _spec: None)
            found.prepare()
            found.build()
            assert session.failures == []
            session.close()
            return found.account(()), session

        return refresh

    def test_quiet_night(self, night: Callable[..., tuple[Account, Session]]) -> None:
        """Only the images are pulled in which sources are asked; all are fresh, and in the manifest."""
        account, session = night()
        assert (account.fresh, account.changed) == (9, ())
        assert {each.image for each in session.outcomes} == self.ASKED
        assert session.publication.pushed == {}
        # The labels tell that none moved.
        assert all(
            session.view.observed.tagged(each) is None for each in ("alpine:3.21", "denoland/deno:alpine")
        )
        listed = read_manifest(session.view.workspace.read_manifest() or "", "")
        assert {each.name for each in listed if each.pushed} == {*self.ASKED, "python-custom", "wide", "deep"}

    def test_news_of_an_image_that_is_not_here(self, night: Callable[..., tuple[Account, Session]]) -> None:
        """It is built on its parent and compared with what it had in the registry."""
        account, session = night("python-custom")
        (change,) = account.changed
        assert change.image == "python-custom"
        assert change.built is not None
        assert set(session.publication.pushed) == {"python-custom"}
        assert {each.image for each in session.outcomes if each.result == "pulled"} == self.ASKED

    def test_news_of_a_base(self, night: Callable[..., tuple[Account, Session]]) -> None:
        """What is based on it is built as well, whether it is here or not."""
        account, _ = night("python")
        assert [each.image for each in account.changed] == ["python", "python-custom", "wide", "deep"]

    def test_parent_of_what_is_built_is_pulled(self, night: Callable[..., tuple[Account, Session]]) -> None:
        """Though nothing had to be asked in it."""
        account, session = night(deps=self.DEPS.replace('setup = "true"', 'setup = "false"'))
        assert [each.image for each in account.changed] == ["deep"]
        assert account.changed[0].why == ("the setup script changed",)
        pulled = {each.image for each in session.outcomes if each.result == "pulled"}
        assert pulled == {*self.ASKED, "wide"}

    def test_what_is_rebuilt_for_its_age_is_compared(
        self, night: Callable[..., tuple[Account, Session]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All of it is pulled, as nothing can be compared with an image that is not here."""
        later = now() + dt.timedelta(days=8)
        monkeypatch.setattr("isol8_tasks.run.refresh.now", lambda: later)
        account, session = night(deps=f'{self.DEPS}[refresh]\nmax_age = "7d"\n')
        assert len(account.changed) == 9
        pulled = {each.image for each in session.outcomes if each.result == "pulled"}
        assert pulled == {each.image for each in account.changed}

    def test_same_result_of_age_is_found_by_the_next_empty_engine(
        self,
        night: Callable[..., tuple[Account, Session]],
        fake_engine: FakeEngine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Labels with the new time are under the tag of the key; names, and what the manifest lists, stay."""
        aged = f'{self.DEPS}[refresh]\nmax_age = "7d"\n'
        before = names_of(fake_engine)
        for days, rebuilt in ((0, 0), (8, 9), (9, 0), (14, 0), (16, 9), (17, 0)):
            at = now() + dt.timedelta(days=days)
            for module in ("refresh", "updating", "publication", "view"):
                monkeypatch.setattr(f"isol8_tasks.run.{module}.now", lambda at=at: at)
            fake_engine.asked.clear()
            tags = set(fake_engine.registry)
            account, session = night(deps=aged, same=True)
            assert (len(account.changed), account.fresh) == (rebuilt, 9), days
            assert all(each.same for each in account.changed), account.changed
            assert session.publication.pushed == {}
            assert names_of(fake_engine) == before
            assert {each for each in set(fake_engine.registry) - tags if "@" not in each} == set()
            listed = read_manifest(session.view.workspace.read_manifest() or "", "")
            assert {each.name: each.pushed.digest for each in listed if each.pushed} == before

    def test_same_result_on_a_new_upstream_image_is_found_by_the_next_empty_engine(
        self, night: Callable[..., tuple[Account, Session]], fake_engine: FakeEngine
    ) -> None:
        """Without that image: what its tag has in its registry is enough to find the labels of the new key."""
        before = names_of(fake_engine)
        moved = evolve(fake_engine.registry["alpine:3.21"], id="sha256:" + "4" * 64)
        fake_engine.registry["alpine:3.21"] = evolve(moved, digests=(f"alpine@{moved.id}",))
        account, _ = night(same=True)
        # The others were built on the image itself, but of the same files.
        assert {each.image for each in account.changed} == {"python", "node", "bun", "deno", "bash"}
        assert all(each.same for each in account.changed), account.changed
        account, session = night(same=True)
        assert (account.fresh, account.changed) == (9, ())
        assert session.view.observed.tagged("alpine:3.21") is None
        assert names_of(fake_engine) == before
        listed = {each.name: each for each in read_manifest(session.view.workspace.read_manifest() or "", "")}
        assert {name: each.pushed.digest for name, each in listed.items() if each.pushed} == before
        deno = listed["deno"]
        assert deno.pushed is not None
        assert deno.key != deno.pushed.key
        assert fake_engine.registry[f"{REGISTRY}:deno"].labels["org.isol8.tasks.key"] == deno.pushed.key


def names_of(engine: FakeEngine) -> dict[str, str]:
    """Return the digest of each name in the registry."""
    return {
        name: image.digests[0].partition("@")[2]
        for reference, image in engine.registry.items()
        if reference.startswith(f"{REGISTRY}:")
        and (name := reference.rpartition(":")[2]) == image.labels.get("org.isol8.tasks.image")
    }
