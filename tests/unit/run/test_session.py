"""A session: one look at the engine, decisions that keep in step, failures that say what to do."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine import BuildRequest, OnBytes, OnEvent
from isol8_tasks.errors import (
    BuildFailedError,
    ConfigError,
    EngineUnreachableError,
    LeaseLostError,
    LockedError,
    RegistryError,
    ReplacedError,
    UndecidedError,
    UpstreamUnavailableError,
)
from isol8_tasks.images.labels import STANDIN
from isol8_tasks.lifecycle.build import Outcome
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.plan.reasons import FileChanged, PlatformChanged, UpstreamMoved
from isol8_tasks.run.engine_lock import engine_lock
from isol8_tasks.run.events import remembered_flags
from isol8_tasks.run.policy import Policy
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.run.updating import saves
from isol8_tasks.run.workspace import now
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage, accept, plain

REGISTRY = "registry.example/isol8"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a folder with a Dockerfile, and packages for bash."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "deps.toml").write_text('[dependencies]\nbash = ["jq"]\n')
    return tmp_path


@pytest.fixture
def session(checkout: Path, fake_engine: FakeEngine) -> Session:
    """Give a session on the engine in memory."""
    return open_session(checkout, {}, engine=fake_engine, verify=accept)


def again(session: Session) -> Session:
    """Return the session of a later run on the same engine."""
    session.close()
    return open_session(session.view.workspace.root, {}, engine=session.view.engine, verify=accept)


def names(session: Session) -> tuple[str, ...]:
    return tuple(spec.name for spec in session.view.graph.images)


class TestSameResult:
    """A rebuild whose files may be those of the image in use."""

    def test_files_are_read_where_that_saves_something(self, checkout: Path, session: Session) -> None:
        """The build of what is based on it, or a push."""
        view = session.view
        assert {name: saves(view.graph.image(name), view) for name in ("bash", "bash-custom", "node")} == {
            "bash": True,
            "bash-custom": False,
            "node": False,
        }
        (checkout / "deps.toml").write_text('[registry]\nrepository = "r.example/x"\n')
        view = again(session).view
        assert saves(view.graph.image("node"), view)


class TestObserving:
    """One look at the engine."""

    def test_the_platform_is_asked_for_where_the_dockerfile_names_it(
        self, checkout: Path, session: Session, fake_engine: FakeEngine
    ) -> None:
        """What the engine says of it decides which stage an image is built from; else nobody asks."""
        assert session.view.graph.image("bash").inputs.stages[-1].name == "bash"
        assert "platform" not in fake_engine.asked
        text = "FROM alpine:3.21 AS on-amd64\nRUN true\n" + DOCKERFILE.replace(
            "FROM base AS bash", "FROM on-$TARGETARCH AS bash"
        )
        (checkout / "docker" / "Dockerfile").write_text(text)
        later = again(session)
        stages = later.view.graph.image("bash").inputs.stages
        assert [stage.name for stage in stages] == ["on-amd64", "bash"]
        assert fake_engine.asked.count("platform") == 1

    def test_without_an_engine_the_platform_is_the_usual_one(
        self, checkout: Path, session: Session, fake_engine: FakeEngine
    ) -> None:
        """The images are named all the same."""
        fake_engine.reachable = False
        path = checkout / "docker" / "Dockerfile"
        path.write_text(path.read_text().replace("FROM base AS bash", "FROM $TARGETOS-$TARGETARCH AS bash"))
        assert session.view.graph.image("bash").inputs.upstream == (("linux-amd64", None),)

    def test_a_run_with_nothing_to_do_asks_once(self, session: Session, fake_engine: FakeEngine) -> None:
        """When all is up to date, one question is asked of the engine, and none for each image."""
        for name in names(session):
            session.make(name)
        later = again(session)
        fake_engine.asked.clear()
        later.view.ping()
        assert all(later.view.is_current(name) for name in names(later))
        later.resolve()
        assert fake_engine.asked == ["images"]

    def test_without_an_engine_the_graph_is_that_of_the_file(
        self, session: Session, fake_engine: FakeEngine
    ) -> None:
        """What should exist is known without an engine, and what is, is not; the engine is tried once."""
        fake_engine.reachable = False
        assert names(session) == ("python", "node", "bun", "deno", "bash", "bash-custom")
        assert not session.view.is_current("bash")
        with pytest.raises(EngineUnreachableError):
            session.view.ping()
        assert fake_engine.asked.count("images") == 1

    @pytest.mark.parametrize("file", ["deps.toml", "docker/Dockerfile"])
    def test_wrong_files_are_told_before_the_engine_is_asked(
        self, session: Session, fake_engine: FakeEngine, checkout: Path, file: str
    ) -> None:
        """It may take its time to answer, or not to."""
        (checkout / file).write_text("bogus")
        with pytest.raises(ConfigError):
            _ = session.view.graph
        assert fake_engine.asked == []


class TestMaking:
    """Bringing an image up to date."""

    def test_decisions_keep_in_step(self, session: Session) -> None:
        """Once its base is built, a custom image is no longer stale for it, and once built it is current."""
        session.make("bash")
        assert session.view.is_current("bash")
        session.make("bash-custom")
        assert session.view.is_current("bash-custom")
        assert [outcome.image for outcome in session.outcomes] == ["bash", "bash-custom"]

    def test_force_rebuilds_once(self, session: Session, fake_engine: FakeEngine) -> None:
        """An image that is asked for by force is built without cache, and then it is current."""
        session.make("bash")
        later = again(session)
        later.force("bash")
        assert not later.view.is_current("bash")
        later.make("bash")
        assert later.view.is_current("bash")
        later.force("bash")
        assert later.view.is_current("bash")
        assert [each.no_cache for each in fake_engine.candidates()] == [False, True]

    def test_look_while_an_image_is_withdrawn(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another image's pull may look at the engine again when the label has changed: nothing declares it then."""
        session.view.request = FlagRequest(packages=(("node", ("zod",)),))
        session.make("node")
        session.make("node-custom")
        later = again(session)
        later.view.request = FlagRequest(only_file=True)
        tag = FakeEngine.tag

        def looked(engine: FakeEngine, source: str, target: str) -> None:
            tag(engine, source, target)
            if target == "isol8:node-custom":
                later.view.look_again()
                assert later.view.decisions["node-custom"].state == "undeclared"

        monkeypatch.setattr(FakeEngine, "tag", looked)
        later.make("node-custom")
        assert [each.result for each in later.outcomes] == ["relabelled"]
        assert later.view.decisions["node-custom"].state == "undeclared"

    @pytest.mark.parametrize("wanted", [True, False], ids=["the same", "another"])
    def test_what_another_run_builds_at_the_same_time(
        self, session: Session, checkout: Path, monkeypatch: pytest.MonkeyPatch, *, wanted: bool
    ) -> None:
        """Without a lock that both see: what is just as wanted counts as done, and anything else as a failure."""
        monkeypatch.setattr(
            "isol8_tasks.run.session.engine_lock", lambda *_arguments, **_options: contextlib.nullcontext()
        )
        other = open_session(checkout, {}, engine=session.view.engine, verify=accept)

        def overtaken(spec: ImageSpec, _image_id: str) -> str:
            if spec.name == "bash-custom" and not other.outcomes:
                other.make("bash-custom")
            return ""

        session.make("bash")
        if not wanted:
            deps = (checkout / "deps.toml").read_text()
            (checkout / "deps.toml").write_text(deps.replace('"jq"', '"jq", "unzip"'))
            assert other.view.config.dependencies["bash"] == ("jq", "unzip")
            (checkout / "deps.toml").write_text(deps)
        slow = open_session(checkout, {}, engine=session.view.engine, verify=overtaken)
        if wanted:
            slow.make("bash-custom")
            assert not slow.failures
            assert not slow.outcomes
            assert slow.view.is_current("bash-custom")
        else:
            with pytest.raises(ReplacedError):
                slow.make("bash-custom")
            (failure,) = slow.failures
            assert failure.subject == "isol8:bash-custom"
            assert failure.kept.endswith("(jq unzip)")

    def test_what_another_run_has_built_is_not_built_again(self, session: Session) -> None:
        """After the lock is taken the engine is asked again, and what is current by then is left alone."""
        slow = open_session(session.view.workspace.root, {}, engine=session.view.engine, verify=accept)
        assert not slow.view.is_current("bash")
        session.make("bash")
        session.close()
        slow.make("bash")
        assert slow.outcomes == []

    def test_a_failure_says_what_stays_and_where_to_look(
        self, session: Session, fake_engine: FakeEngine, checkout: Path
    ) -> None:
        """A build that fails names the image in use, the line of the package, and the log."""
        session.make("bash")
        session.make("bash-custom")
        later = again(session)
        (checkout / "deps.toml").write_text('[dependencies]\nbash = ["jq", "nojq"]\n')
        fake_engine.fail.add("isol8_build:bash-custom-candidate")
        with pytest.raises(BuildFailedError):
            later.make("bash-custom")
        (failure,) = later.failures
        assert failure.subject == "isol8:bash-custom"
        assert failure.kept.endswith("(jq)")
        assert failure.hint == "Check [dependencies] bash in deps.toml:2."

    def test_a_failure_by_a_flag_names_the_flag(self, session: Session, fake_engine: FakeEngine) -> None:
        """When a flag asked for packages, it is named beside the file."""
        session.view.request = FlagRequest(packages=(("node", ("nolodash",)),))
        session.make("node")
        fake_engine.fail.add("isol8_build:node-custom-candidate")
        with pytest.raises(BuildFailedError):
            session.make("node-custom")
        assert session.failures[0].hint == "Check the flag --node (nolodash; --only-file drops it)."

    def test_a_failure_of_a_named_image_names_its_table(
        self, session: Session, fake_engine: FakeEngine, checkout: Path
    ) -> None:
        """Where the build of a named image fails, its table is what to look at."""
        (checkout / "deps.toml").write_text('\n[images.tools]\nruntime = "bash"\npackages = ["jq"]\n')
        fake_engine.fail.add("isol8_build:tools-candidate")
        session.make("bash")
        with pytest.raises(BuildFailedError):
            session.make("tools")
        assert session.failures[0].hint == "Check [images.tools] in deps.toml:2."

    def test_decisions_go_down_a_chain(self, session: Session, checkout: Path) -> None:
        """Once an image is built, those on it are decided again, and each is built once."""
        (checkout / "deps.toml").write_text(
            '[images.more]\nextends = "tools"\n[images.tools]\nruntime = "bash"\npackages = ["jq"]\n'
        )
        for name in ("bash", "tools", "more"):
            assert not session.view.is_current("more")
            session.make(name)
            assert session.view.is_current(name)
        later = again(session)
        assert later.view.is_current("more")
        later.force("tools")
        assert not later.view.is_current("more")
        later.make("tools")
        later.make("more")
        assert later.view.is_current("more")

    def test_an_upstream_image_that_cannot_be_pulled_fails_that_image(
        self, session: Session, fake_engine: FakeEngine
    ) -> None:
        """A pull that fails is a failure of the images on it, and of no other."""
        del fake_engine.registry["denoland/deno:alpine"]
        with pytest.raises(UpstreamUnavailableError):
            session.make("deno")
        session.make("bash")
        assert [failure.subject for failure in session.failures] == ["isol8:deno"]

    def test_another_run_on_the_engine_is_one_failure(
        self, session: Session, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The lock is tried once in a run, and what came of it is no image's."""
        tries: list[float] = []

        def counted(engine_id: str, *, wait: float, **more: Any) -> contextlib.AbstractContextManager[None]:  # noqa: ANN401 - the rest
            tries.append(wait)
            return engine_lock(engine_id, wait=wait, **more)

        monkeypatch.setattr("isol8_tasks.run.session.engine_lock", counted)
        session.wait = 0
        with engine_lock(fake_engine.info().id, holder="another", since="now", wait=0):
            for name in ("bash", "bun", "deno"):
                with pytest.raises(LockedError, match="another run is using this engine: "):
                    session.make(name)
            session.end()
        assert tries == [0]
        assert [(failure.subject, failure.image) for failure in session.failures] == [("engine", "")]
        assert fake_engine.requests == []

    def test_a_run_that_lost_the_engine_promotes_nothing(
        self, session: Session, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it builds at that moment stays as a candidate, nothing else is begun, and it is told once."""
        build = FakeEngine.build

        def lost(engine: FakeEngine, request: BuildRequest, on_event: OnEvent) -> str:
            found = build(engine, request, on_event)
            fake_engine.leased.lost = LeaseLostError("another run took over")
            return found

        monkeypatch.setattr(FakeEngine, "build", lost)
        for name in ("bash", "bun"):
            with pytest.raises(LeaseLostError):
                session.make(name)
        session.end()
        assert [(each.subject, str(each.error)) for each in session.failures] == [
            ("engine", "another run took over")
        ]
        assert {plain(tag) for image in fake_engine.images() for tag in image.tags if "isol8" in tag} == {
            "isol8_build:bash-candidate"
        }

    def test_a_file_that_cannot_be_read_fails_the_images_that_copy_it(
        self, session: Session, fake_engine: FakeEngine, checkout: Path
    ) -> None:
        """They could not be decided; the others are built, of what could be read."""
        (checkout / "docker" / "Dockerfile").write_text(
            DOCKERFILE.replace("FROM base AS bash\n", "FROM base AS bash\nCOPY tool /\n")
        )
        (checkout / "docker" / "tool").symlink_to("gone")
        problem = "docker/tool: a link that leads nowhere (No such file or directory); fix it or remove it"
        with pytest.raises(UndecidedError) as caught:
            session.make("bash")
        assert str(caught.value) == problem
        session.make("bun")
        assert [failure.subject for failure in session.failures] == ["isol8:bash"]
        assert {name: each.problem for name, each in session.view.decisions.items() if each.problem} == {
            "bash": problem,
            "bash-custom": "parent isol8:bash is undetermined",
        }
        assert [request.tag for request in fake_engine.candidates()] == ["isol8_build:bun-candidate"]

    def test_what_a_pulled_standin_asks_for_is_passed_on(
        self, session: Session, fake_engine: FakeEngine, checkout: Path
    ) -> None:
        """Build arguments on the labels of an image that this run pulled reach this run's build."""
        (checkout / "docker" / "Dockerfile").write_text(
            DOCKERFILE.replace(
                "FROM base AS bun\n", "FROM base AS bun\nARG BUN_VERSION\nRUN echo $BUN_VERSION\n"
            )
        )
        fake_engine.registry["alpine:3.21"] = evolve(
            fake_engine.registry["alpine:3.21"], labels={"org.isol8.lab.arg.BUN_VERSION": "1.4.5"}
        )
        session.make("bun")
        (request,) = fake_engine.candidates()
        assert request.args == {"BUN_VERSION": "1.4.5"}
        assert again(session).view.is_current("bun")


class TestCandidates:
    """What a run built that was cut off before its promotion."""

    @pytest.fixture
    def left(self, session: Session, checkout: Path, fake_engine: FakeEngine) -> Session:
        """Give the session of a run after one that was cut off in the verification of bash."""

        def cut_off(*_: object) -> str:
            raise KeyboardInterrupt

        cut = open_session(checkout, {}, engine=fake_engine, verify=cut_off)
        with pytest.raises(KeyboardInterrupt):
            cut.make("bash")
        cut.close()
        return session

    def test_the_next_run_promotes_it(self, left: Session, fake_engine: FakeEngine) -> None:
        """Nothing is built for it, and what is based on it is built on it."""
        assert left.view.decisions["bash"].candidates
        for name in ("bash", "bash-custom"):
            left.make(name)
        assert [outcome.result for outcome in left.outcomes] == ["promoted", "built"]
        assert [each.tag for each in fake_engine.candidates()] == [
            "isol8_build:bash-candidate",
            "isol8_build:bash-custom-candidate",
        ]
        assert not [tag for image in fake_engine.images() for tag in image.tags if "candidate" in tag]
        assert again(left).view.is_current("bash-custom")

    def test_one_that_can_not_be_promoted_is_built(self, left: Session, fake_engine: FakeEngine) -> None:
        """A note says why."""
        (image,) = left.view.decisions["bash"].candidates
        fake_engine.put(image.tags[0], FakeImage(id="sha256:o", labels=image.labels, platform="linux/arm64"))
        left.make("bash")
        (outcome,) = left.outcomes
        assert outcome.result == "built"
        assert outcome.notes == (
            "a candidate was not promoted: it is for linux/arm64, and this engine for linux/amd64",
        )

    @pytest.mark.parametrize("policy", [Policy(no_cache=True), Policy(pin=lambda _spec: None)])
    def test_policy_that_demands_more(self, left: Session, policy: Policy) -> None:
        """Nobody knows of a candidate what versions it has."""
        left.follow(policy)
        assert left.view.decisions["bash"].candidates == ()
        left.make("bash")
        assert [outcome.result for outcome in left.outcomes] == ["built"]

    @pytest.mark.parametrize(
        ("text", "taken"),
        [("max_age = '3h'", True), ("max_age = '1h'", False), ("min_age = '2d'", False)],
    )
    def test_ages_of_deps(
        self, left: Session, checkout: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, taken: bool
    ) -> None:
        """One older than max_age is not promoted, and none where each build has a limit."""
        (checkout / "deps.toml").write_text(f"[refresh]\n{text}\n")
        moment = now() + dt.timedelta(hours=2)
        monkeypatch.setattr("isol8_tasks.run.view.now", lambda: moment)
        left.view.__dict__.pop("config", None)
        assert bool(left.view.decisions["bash"].candidates) == taken

    def test_it_outlives_what_nobody_promotes(self, left: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a day candidates go, but for one whose inputs are current; that goes after a week."""
        (image,) = left.view.decisions["bash"].candidates
        left.make("bun")

        def left_after(days: int, *only: str) -> bool:
            later = again(left)
            later.view.request = FlagRequest(only=only)
            moment = now() + dt.timedelta(days=days)
            monkeypatch.setattr("isol8_tasks.run.leftovers.now", lambda: moment)
            monkeypatch.setattr("isol8_tasks.run.view.now", lambda: moment)
            later.resolve()
            later.close()
            return any(image.id == each.id for each in later.view.engine.images())

        assert left_after(2)
        assert left_after(2, "bun")
        assert not left_after(8, "bun")


class Registry(FakeEngine):
    """An engine whose pulls take until they may go on."""

    wait: Callable[[], object]

    def pull(self, reference: str, on_bytes: OnBytes | None = None) -> None:
        """Wait, and pull."""
        self.wait()
        super().pull(reference, on_bytes)


class TestPulling:
    """Upstream images that are not here."""

    @pytest.fixture
    def slow(self, fake_engine: FakeEngine) -> Registry:
        """Give an engine that pulls only while two pulls are under way."""
        engine = Registry(registry=fake_engine.registry)
        engine.wait = threading.Barrier(2, timeout=10).wait
        return engine

    def test_different_ones_side_by_side_and_each_once(self, checkout: Path, slow: Registry) -> None:
        """None waits for another, and images on the same one wait for the same pull."""
        session = open_session(checkout, {}, engine=slow, verify=accept)
        session.lock()
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(session.make, RUNTIMES))
        pulled = [each for each in slow.asked if each.startswith("pull ")]
        assert sorted(pulled) == ["pull alpine:3.21", "pull denoland/deno:alpine"]
        assert {outcome.image for outcome in session.outcomes} == {*RUNTIMES}

    def test_both_of_one_image_side_by_side(self, checkout: Path, slow: Registry) -> None:
        """One may be what it is based on, and another what it copies from."""
        copying = "FROM base AS bash\nCOPY --from=denoland/deno:alpine . /\n"
        (checkout / "docker" / "Dockerfile").write_text(DOCKERFILE.replace("FROM base AS bash\n", copying))
        session = open_session(checkout, {}, engine=slow, verify=accept)
        session.make("bash")
        assert [outcome.image for outcome in session.outcomes] == ["bash"]

    def test_one_for_another_platform(
        self, checkout: Path, session: Session, fake_engine: FakeEngine
    ) -> None:
        """It is pulled for the platform that images are built for, since under one name an engine may have one."""
        fake_engine.put("alpine:3.21", FakeImage(id="sha256:alpine-arm", platform="linux/arm64"))
        session.make("bash")
        assert fake_engine.asked.count("pull alpine:3.21") == 1
        (checkout / "deps.toml").write_text('[build]\nplatforms = ["linux/arm64"]\n')
        fake_engine.wanted = "linux/arm64"
        arm = FakeImage(id="sha256:alpine-arm", platform="linux/arm64")
        fake_engine.registry["alpine:3.21"] = arm
        later = again(session)
        (reason,) = later.view.decisions["bash"].reasons
        assert reason == PlatformChanged(old="", new="linux/arm64")
        later.make("bash")
        assert fake_engine.asked.count("pull alpine:3.21") == 2
        assert later.view.is_current("bash")

    def test_one_that_is_nowhere_for_the_platform(
        self, checkout: Path, session: Session, fake_engine: FakeEngine
    ) -> None:
        """A registry that has it for one platform gives that, whichever is asked for: nothing is built on it."""
        (checkout / "deps.toml").write_text('[build]\nplatforms = ["linux/arm64"]\n')
        fake_engine.wanted = "linux/arm64"
        amd = FakeImage(id="sha256:alpine-amd", platform="linux/amd64")
        fake_engine.registry["alpine:3.21"] = amd
        with pytest.raises(
            UpstreamUnavailableError, match=r"^alpine:3\.21 is for linux/amd64 here and where it is"
        ):
            again(session).make("bash")
        assert fake_engine.builds() == []

    def test_one_that_the_dockerfile_wants_for_another_platform(
        self, checkout: Path, session: Session, fake_engine: FakeEngine
    ) -> None:
        """It is not pulled again and again for that of the images."""
        text = DOCKERFILE.replace("FROM alpine:3.21", "FROM --platform=linux/arm64 alpine:3.21")
        (checkout / "docker" / "Dockerfile").write_text(text)
        fake_engine.put("alpine:3.21", FakeImage(id="sha256:alpine-arm", platform="linux/arm64"))
        session.make("bash")
        assert "pull alpine:3.21" not in fake_engine.asked

    def test_one_that_fails_is_asked_for_once(self, session: Session, fake_engine: FakeEngine) -> None:
        """A registry that lets a pull wait costs a run that time once."""
        del fake_engine.registry["alpine:3.21"]
        for name in ("bash", "bun"):
            with pytest.raises(UpstreamUnavailableError):
                session.make(name)
        assert fake_engine.asked.count("pull alpine:3.21") == 1
        assert [failure.subject for failure in session.failures] == ["isol8:bash", "isol8:bun"]

    def test_nothing_else_waits_for_a_pull(self, checkout: Path, slow: Registry) -> None:
        """What is known and decided can be asked for meanwhile."""
        asked, answered = threading.Event(), threading.Event()

        def wait() -> None:
            asked.set()
            assert answered.wait(10)

        slow.wait = wait
        session = open_session(checkout, {}, engine=slow, verify=accept)
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(session.make, "bash")
            assert asked.wait(10)
            assert not session.view.is_current("bash")
            answered.set()
            made.result()
        assert session.view.is_current("bash")


class TestUpstreamTriggers:
    """The ONBUILD triggers of an upstream image."""

    @pytest.fixture(autouse=True)
    def _holds_back(self, fake_engine: FakeEngine, checkout: Path) -> None:
        deno = fake_engine.registry["denoland/deno:alpine"]
        fake_engine.registry["denoland/deno:alpine"] = evolve(deno, onbuild=("COPY tool /tool",))
        (checkout / "docker" / "tool").write_text("1")

    def test_what_it_copies_counts_from_the_first_build_on(self, session: Session, checkout: Path) -> None:
        """A later run knows it from the label, says what changed, and asks the engine no more than before."""
        session.make("deno")
        later = again(session)
        assert later.view.is_current("deno")
        (checkout / "docker" / "tool").write_text("2")
        changed = again(later)
        assert changed.view.decisions["deno"].reasons == (FileChanged(path="tool"),)
        changed.make("deno")
        assert again(changed).view.is_current("deno")

    def test_a_run_with_nothing_to_do_asks_once(self, session: Session, fake_engine: FakeEngine) -> None:
        """The image is not looked at for it."""
        for name in names(session):
            session.make(name)
        later = again(session)
        fake_engine.asked.clear()
        assert all(later.view.is_current(name) for name in names(later))
        later.resolve()
        assert fake_engine.asked == ["images"]

    def test_an_image_of_an_older_version_is_current(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is remembered on it, and that alone is no reason to rebuild it; the next build remembers."""
        with monkeypatch.context() as patch:
            patch.setattr("isol8_tasks.lifecycle.build.upstream_triggers", lambda *_: ())
            session.make("deno")
        later = again(session)
        assert later.view.is_current("deno")
        later.force("deno")
        later.make("deno")
        record = later.view.observed.record("deno")
        assert record is not None
        assert "COPY tool /tool" in record.triggers
        assert again(later).view.is_current("deno")

    def test_a_moved_image_is_the_only_reason(self, session: Session, fake_engine: FakeEngine) -> None:
        """Its triggers are not known yet, and those of before are not told as gone; the build learns them."""
        session.make("deno")
        fake_engine.put("denoland/deno:alpine", FakeImage(id="sha256:" + "e" * 64))
        later = again(session)
        assert later.view.decisions["deno"].reasons == (UpstreamMoved(reference="denoland/deno:alpine"),)
        later.make("deno")
        assert again(later).view.is_current("deno")
        assert "tool" not in dict(again(later).view.graph.image("deno").inputs.files)

    def test_what_it_takes_from_is_pulled(self, session: Session, fake_engine: FakeEngine) -> None:
        """An image that only a trigger asks for is fetched before the build, as the others are."""
        deno = fake_engine.registry["denoland/deno:alpine"]
        fake_engine.registry["denoland/deno:alpine"] = evolve(deno, onbuild=("COPY --from=extra:1 / /",))
        fake_engine.registry["extra:1"] = FakeImage(id="sha256:" + "d" * 64)
        session.make("deno")
        assert "pull extra:1" in fake_engine.asked
        assert again(session).view.is_current("deno")

    def test_a_file_that_cannot_be_read_fails_the_image(self, session: Session, checkout: Path) -> None:
        """A trigger that copies it is learned of at the build, which then is not begun."""
        (checkout / "docker" / "tool").unlink()
        (checkout / "docker" / "tool").symlink_to("gone")
        with pytest.raises(UndecidedError, match="docker/tool: a link that leads nowhere"):
            session.make("deno")
        assert [failure.subject for failure in session.failures] == ["isol8:deno"]
        session.make("bash")


class TestRemoving:
    """Taking an image away."""

    def test_all_tags_of_the_image_go(self, session: Session, fake_engine: FakeEngine) -> None:
        """Public tag, marker, hash tag and previous image go; its base stays."""
        for name in ("bash", "bash-custom"):
            session.make(name)
        assert session.remove("bash-custom")
        assert sorted(t for i in fake_engine.images() for t in i.tags if "bash" in t) == [
            "isol8:bash",
            "isol8_build:bash",
        ]
        assert not again(session).remove("bash-custom")


class TestConfiguration:
    """What is read."""

    def test_an_undeclared_argument_is_refused(self, session: Session, checkout: Path) -> None:
        """A build argument that the Dockerfile does not know is an error before anything is built."""
        (checkout / "deps.toml").write_text('[build.args]\nNOPE = "1"\n')
        with pytest.raises(ConfigError, match="NOPE"):
            _ = session.view.graph

    def test_an_ignore_file_keeps_files_out_of_the_inputs(self, session: Session, checkout: Path) -> None:
        """What the builder does not see does not count."""
        (checkout / "docker" / "Dockerfile").write_text(
            DOCKERFILE.replace("FROM base AS bash", "FROM base AS bash\nCOPY . /x")
        )
        (checkout / "docker" / "a").write_text("a")
        (checkout / "docker" / ".dockerignore").write_text("a\n")
        assert "a" not in dict(session.view.graph.image("bash").inputs.files)

    def test_remembered_flags_are_told(self, session: Session) -> None:
        """A package that only a flag asked for is named with its date, once its image is built."""
        session.view.request = FlagRequest(packages=(("bash", ("curl", "jq")),))
        assert remembered_flags(session.view.graph, session.view.observed, session.view.config) == ()
        session.make("bash")
        session.make("bash-custom")
        (line,) = remembered_flags(session.view.graph, session.view.observed, session.view.config)
        assert line.startswith("curl: from --bash on 2")
        assert line.endswith(", not in deps.toml")

    def test_logs_and_labels_are_without_credentials(
        self, session: Session, fake_engine: FakeEngine, checkout: Path
    ) -> None:
        """The values of the build arguments are hidden in what is kept, a token in a path as well."""
        token = "Ab3dEf6hIj9kLm2nOp"
        (checkout / "docker" / "Dockerfile").write_text(
            DOCKERFILE.replace("FROM base AS bash", f"FROM base AS bash\nARG MIRROR\nRUN echo {token}")
        )
        (checkout / "deps.toml").write_text(f'[build.args]\nMIRROR = "https://dl.example/{token}/main"\n')
        session.make("bash")
        image = session.view.observed.public("bash")
        assert image is not None
        assert "https://dl.example/***/main" in image.labels["org.isol8.tasks.inputs"]
        assert token not in "".join(image.labels.values())
        fake_engine.fail.add("isol8_build:bash-candidate")
        later = again(session)
        later.force("bash")
        with pytest.raises(BuildFailedError):
            later.make("bash")
        log = (checkout / later.failures[0].log).read_text()
        assert "RUN echo ***" in log
        assert token not in log

    def test_jobs_are_those_of_the_file(self, session: Session, checkout: Path) -> None:
        """The file's number wins over the number of processors."""
        (checkout / "deps.toml").write_text("[build]\njobs = 7\n")
        assert session.slots.jobs == 7
        assert open_session(checkout / "docker", {}).slots.jobs >= 1


class TestPushing:
    """What a run does for a registry, in its end."""

    @pytest.fixture
    def pushing(self, session: Session) -> Session:
        """Give a session that is to push, and has built a base and a custom image."""
        deps = session.view.workspace.deps
        deps.write_text(deps.read_text() + f'[registry]\nrepository = "{REGISTRY}"\n')
        for name in ("bash", "bash-custom"):
            session.make(name)
        return session

    def test_what_was_promoted(self, pushing: Session, fake_engine: FakeEngine) -> None:
        """It is pushed, the manifest says where, and the next run asks nobody about it."""
        pushing.resolve()
        assert set(pushing.publication.pushed) == {"bash", "bash-custom"}
        found = pushing.view.workspace.read_manifest()
        assert found is not None
        assert found.count(REGISTRY) == 3
        assert pushing.publication.changed == ("bash", "bash-custom")
        later = again(pushing)
        fake_engine.asked.clear()
        later.view.ping()
        later.resolve()
        assert fake_engine.asked == ["images"]
        assert later.publication.changed == ()
        assert later.view.workspace.read_manifest() == found

    def test_a_rebuild_with_the_same_result(self, pushing: Session, fake_engine: FakeEngine) -> None:
        """Its new key is pushed, nothing is built on it, and the manifest says under which key it is there."""
        pushing.resolve()
        old = pushing.view.observed.record("bash")
        there = dict(pushing.publication.pushed)
        fake_engine.reproducible = True
        for step in ("bash", "-c"):
            dockerfile = pushing.view.workspace.root / "docker/Dockerfile"
            dockerfile.write_text(f"{dockerfile.read_text()}CMD {step}\n")
            later = again(pushing)
            assert later.view.decisions["bash"].pending
            fake_engine.asked.clear()
            later.make("bash")
            later.make("bash-custom")
            later.resolve()
            assert [(each.image, each.result) for each in later.outcomes] == [("bash", "same")]
            assert not later.publication.pushed
            new = later.view.observed.record("bash")
            assert old is not None
            assert new is not None
            pushes = [each for each in fake_engine.asked if each.startswith("push ")]
            assert pushes == [f"push {there['bash'][1].repository}:bash-{new.key[:12]}"]
            assert (new.build, new.key != old.key) == (old.build, True)
            found = later.publication.in_registry["bash"]
            assert found == (later.outcomes[0].image_id, evolve(there["bash"][1], key=old.key))
        last = again(later)
        last.resolve()
        assert not last.publication.pushed

    def test_other_labels_for_clients_are_pushed(self, pushing: Session, fake_engine: FakeEngine) -> None:
        """What clients find an image by has to be in the registry as well, even if its files are the same."""
        pushing.resolve()
        fake_engine.reproducible = True
        before = pushing.view.observed
        image = before.public("bash-custom")
        assert image is not None
        made = Outcome(
            image="bash-custom",
            result="same",
            image_id="sha256:new",
            labels={**image.labels, "org.isol8.dependencies": "jq,unzip"},
            tags=(),
        )
        pushing.publication.keep(made, before)
        assert not pushing.publication.kept
        pushing.publication.keep(evolve(made, labels=image.labels), before)
        assert pushing.publication.kept["bash-custom"][0] == "sha256:new"
        pushing.publication.kept.clear()
        pushing.publication.keep(evolve(made, image="node"), before)
        assert not pushing.publication.kept

    def test_a_registry_that_is_not_there(
        self, pushing: Session, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is an error, the manifest is that of what is in use, and a later run does what is left."""
        monkeypatch.setattr("isol8_tasks.lifecycle.transfer.time.sleep", lambda _: None)
        fake_engine.registry_fails = "connection refused"
        with pytest.raises(RegistryError, match=r"^isol8:bash could not be pushed: "):
            pushing.resolve()
        found = pushing.view.workspace.read_manifest()
        assert found is not None
        assert '"isol8:bash-custom"' in found
        assert REGISTRY not in found
        fake_engine.registry_fails = ""
        later = again(pushing)
        later.resolve()
        assert set(later.publication.pushed) == {"bash", "bash-custom"}

    def test_what_a_run_that_was_cut_off_left(self, pushing: Session, fake_engine: FakeEngine) -> None:
        """Its tags are gone before anything can take the place of the image, and at the latest in the end."""
        pushing.resolve()
        for build in (True, False):
            fake_engine.tag("isol8:bash", "isol8_build:bash-pushing")
            fake_engine.tag("isol8:bash", f"{REGISTRY}:bash")
            later = again(pushing)
            if build:
                fake_engine.asked.clear()
                later.make("python")
                asked = fake_engine.asked
                assert asked.index(f"untag {REGISTRY}:bash") < asked.index(
                    "build isol8_build:python-candidate"
                )
            later.resolve()
            tags = {tag for image in fake_engine.images() for tag in image.tags}
            assert not tags & {"isol8_build:bash-pushing", f"{REGISTRY}:bash"}

    def test_a_credential_stays_here(self, pushing: Session, fake_engine: FakeEngine, checkout: Path) -> None:
        """An image in which whoever pulls it could read one is not pushed, unless deps.toml says so."""
        deps = (checkout / "deps.toml").read_text()
        step = "ONBUILD ARG INDEX=https://me:s3cret-word@index.example/"
        (checkout / "docker" / "Dockerfile").write_text(f"{DOCKERFILE}{step}\n")
        later = again(pushing)
        later.make("bash")
        with pytest.raises(RegistryError, match=r"^isol8:bash is not pushed: whoever pulls it") as caught:
            later.resolve()
        assert "s3cret-word" not in str(caught.value)
        assert not any(each.startswith("push ") for each in fake_engine.asked)
        (checkout / "deps.toml").write_text(f"{deps}credentials = true\n")
        last = again(later)
        last.resolve()
        assert "bash" in last.publication.pushed

    def test_what_was_not_verified_stays_here(self, pushing: Session, fake_engine: FakeEngine) -> None:
        """An image with both tags and other layers than its labels record is not pushed."""
        pushing.make("bash")
        forged = BuildRequest(tag="isol8:bash", dockerfile="FROM isol8:bash\nRUN echo more\n")
        fake_engine.tag(fake_engine.build(forged, lambda _event: None), "isol8_build:bash")
        later = again(pushing)
        with pytest.raises(RegistryError, match=r"^isol8:bash is not pushed: its layers are not those"):
            later.resolve()
        assert not any(each.startswith("push ") for each in fake_engine.asked)

    def test_a_stand_in_stays_here(self, session: Session, fake_engine: FakeEngine, checkout: Path) -> None:
        """What was built on one is pushed only where deps.toml says so."""
        real = fake_engine.registry["alpine:3.21"]
        fake_engine.registry["alpine:3.21"] = evolve(real, labels={STANDIN: "5e"})
        (checkout / "deps.toml").write_text(f'[registry]\nrepository = "{REGISTRY}"\n')
        session.make("bash")
        session.resolve()
        assert not session.publication.pushed
        assert session.publication.left_out == ("bash",)
        (checkout / "deps.toml").write_text(f'[registry]\nrepository = "{REGISTRY}"\nstandins = true\n')
        later = again(session)
        later.resolve()
        assert set(later.publication.pushed) == {"bash"}
