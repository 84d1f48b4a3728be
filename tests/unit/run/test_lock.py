"""Locks: written of images as they are, and held to by a run that builds nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import Pin, Resolution, Update
from isol8_tasks.engine import BuildRequest
from isol8_tasks.errors import ConfigError, Isol8Error, VerifyFailedError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.reasons import NotAsLocked
from isol8_tasks.run.lock import lock_policy
from isol8_tasks.run.locking import update_lock, write_lock
from isol8_tasks.run.session import Session, open_session
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage

LOCK = "deps.lock.toml"
DIGEST = "sha256:" + "1" * 64
CHECKSUM = "Q1" + "a" * 27 + "="
OTHER = "Q1" + "b" * 27 + "="
MUSL = Package(ecosystem="apk", name="musl", version="1", checksum=CHECKSUM)


@pytest.fixture
def engine() -> FakeEngine:
    """Give an engine whose registry has both upstream images."""
    deno = FakeImage(id="sha256:deno1", digests=(f"denoland/deno@{DIGEST}",))
    alpine = FakeImage(id="sha256:alpine1", digests=(f"alpine@{DIGEST}",))
    return FakeEngine(registry={"alpine:3.21": alpine, "denoland/deno:alpine": deno})


@pytest.fixture
def jq() -> list[str]:
    """Give the version of jq that builds bring, and its checksum, to be changed."""
    return ["1.7", CHECKSUM]


@pytest.fixture
def begin(tmp_path: Path, engine: FakeEngine, jq: list[str]) -> Callable[[], Session]:
    """Give what begins a run of a checkout with packages for bash, all of it built."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "deps.toml").write_text('[dependencies]\nbash = ["jq"]\n')

    def check(spec: ImageSpec, _: str) -> str:
        found = [MUSL]
        if spec.name == "bash-custom":
            found.append(Package(ecosystem="apk", name="jq", version=jq[0], checksum=jq[1]))
        return encode("3.21", found)

    def make() -> Session:
        return open_session(tmp_path, {}, engine=engine, verify=check)

    session = make()
    build(session)
    session.close()
    return make


def build(session: Session) -> list[str]:
    """Build what is not current, and return the names."""
    names = [spec.name for spec in session.view.graph.images if not session.view.is_current(spec.name)]
    for name in names:
        session.make(name)
    session.close()
    return names


def locked(begin: Callable[[], Session]) -> Session:
    session = begin()
    session.follow(lock_policy(session.view))
    return session


class TestWrite:
    """Writing a lock."""

    def test_a_lock_of_everything(self, begin: Callable[[], Session], tmp_path: Path) -> None:
        """Each image with what is its own; the second time nothing changes."""
        names = ("python", "node", "bun", "deno", "bash", "bash-custom")
        assert write_lock(begin()) == {LOCK: names}
        text = (tmp_path / "deps.lock.toml").read_text()
        assert (
            '[images.bash-custom]\nparent = "bash"\nasked = [\n    "jq",\n]\npackages = [\n    "apk jq 1.7 Q1aaa'
            in text
        )
        assert f'[images.deno]\nupstream = {{ "deno:alpine" = "{DIGEST}" }}\n' in text
        assert write_lock(begin()) == {LOCK: ()}
        assert (tmp_path / "deps.lock.toml").read_text() == text

    def test_only_a_lock_that_is_there_is_updated(
        self, begin: Callable[[], Session], tmp_path: Path, jq: list[str]
    ) -> None:
        """Nothing is written that nobody asked for."""
        assert update_lock(begin()) == {}
        assert not (tmp_path / "deps.lock.toml").exists()
        write_lock(begin())
        jq[0] = "1.8"
        session = begin()
        session.force("bash-custom")
        assert build(session) == ["bash-custom"]
        assert update_lock(begin()) == {LOCK: ("bash-custom",)}
        assert '"apk jq 1.8 Q1' in (tmp_path / "deps.lock.toml").read_text()

    def test_stale_image_is_not_locked(self, begin: Callable[[], Session], tmp_path: Path) -> None:
        """It is not what will be there."""
        (tmp_path / "deps.toml").write_text('[dependencies]\nbash = ["jq", "unzip"]\n')
        with pytest.raises(Isol8Error) as caught:
            write_lock(begin())
        assert str(caught.value) == (
            "isol8:bash-custom: not up to date; a lock records images as they are built, so build them "
            "first: ./doitw setup"
        )

    def test_what_was_not_verified_is_not_locked(
        self, begin: Callable[[], Session], engine: FakeEngine, tmp_path: Path
    ) -> None:
        """An image with both tags and other layers than its labels record says nothing of what is in it."""
        forged = BuildRequest(tag="isol8:bash-custom", dockerfile="FROM isol8:bash-custom\nRUN echo more\n")
        engine.tag(engine.build(forged, lambda _event: None), "isol8_build:bash-custom")
        with pytest.raises(Isol8Error, match=r"^isol8:bash-custom: its layers are not those"):
            write_lock(begin())
        assert not (tmp_path / "deps.lock.toml").exists()

    def test_lock_that_is_refused_is_written_anew(self, begin: Callable[[], Session], tmp_path: Path) -> None:
        """As everybody is told to do about it; so is one of an earlier form."""
        write_lock(begin())
        file = tmp_path / "deps.lock.toml"
        text = file.read_text()
        file.write_text(text.replace("version = 2", "version = 1").replace(f" {CHECKSUM}", ""))
        assert "bash-custom" in write_lock(begin())[LOCK]
        assert file.read_text() == text

    @pytest.mark.parametrize(
        ("checksum", "problem"),
        [
            (
                "",
                (
                    "the images were built before checksums of their packages were recorded; rebuild them: "
                    "./doitw setup --force"
                ),
            ),
            # By image, as the file, which was never written, has no lines.
            ("Q1short", "bash-custom.packages[0]: apk jq: expected apk's Q1…, found Q1short"),
        ],
        ids=["of an earlier release", "other"],
    )
    def test_images_without_good_checksums_are_not_locked(
        self, begin: Callable[[], Session], jq: list[str], tmp_path: Path, checksum: str, problem: str
    ) -> None:
        """Nothing could be held against what is built of such a lock."""
        jq[1] = checksum
        session = begin()
        session.force("bash-custom")
        build(session)
        with pytest.raises(Isol8Error) as caught:
            write_lock(begin())
        assert str(caught.value) == f"{problem}\ndeps.lock.toml is unchanged"
        assert not (tmp_path / "deps.lock.toml").exists()

    def test_upstream_image_of_no_registry_is_not_locked(
        self, engine: FakeEngine, begin: Callable[[], Session]
    ) -> None:
        """Nobody could have it again."""
        engine.put("alpine:3.21", FakeImage(id="sha256:alpine2"))
        build(begin())
        with pytest.raises(Isol8Error, match=r"^isol8:python: alpine:3\.21 has no registry digest"):
            write_lock(begin())

    def test_upstream_images_by_digest(
        self, engine: FakeEngine, begin: Callable[[], Session], tmp_path: Path
    ) -> None:
        """What the Dockerfile names by its digest is locked by it, pulled again by it, and gets no tag."""
        names = (f"alpine:3.21@{DIGEST}", f"alpine@{DIGEST}")
        engine.registry |= dict.fromkeys(names, engine.registry["alpine:3.21"])
        dockerfile = DOCKERFILE.replace("FROM alpine:3.21", f"FROM {names[0]}")
        (tmp_path / "docker" / "Dockerfile").write_text(dockerfile)
        build(begin())
        # By its tag it is here already.
        assert f"pull {names[0]}" not in engine.asked
        write_lock(begin())
        assert f'upstream = {{ "{names[0]}" = "{DIGEST}" }}' in (tmp_path / "deps.lock.toml").read_text()
        assert build(locked(begin)) == []
        engine.untag("alpine:3.21")
        engine.asked.clear()
        session = locked(begin)
        session.force("bash")
        assert "bash" in build(session)
        assert f"pull {names[1]}" in engine.asked
        assert not any(each.startswith("tag alpine") for each in engine.asked)

    def test_two_of_one_name(self, engine: FakeEngine, begin: Callable[[], Session], tmp_path: Path) -> None:
        """Upstream images with the same last part of their names are told apart."""
        engine.registry["team/alpine:3.21"] = FakeImage(
            id="sha256:team", digests=(f"team/alpine@{DIGEST.replace('1', '2')}",)
        )
        text = DOCKERFILE + "COPY --from=team/alpine:3.21 /etc/os-release /etc/team\n"
        (tmp_path / "docker" / "Dockerfile").write_text(text)
        build(begin())
        write_lock(begin())
        assert (
            f'[images.bash]\nupstream = {{ "alpine:3.21" = "{DIGEST}", "team/alpine:3.21" = "sha256:222'
            in (tmp_path / "deps.lock.toml").read_text()
        )
        assert build(locked(begin)) == []


class TestHold:
    """Runs that hold to a lock."""

    def test_lock_of_another_platform_is_refused(self, begin: Callable[[], Session], tmp_path: Path) -> None:
        """Its versions may be those of this one, and its hashes are not."""
        write_lock(begin())
        lock = tmp_path / "deps.lock.toml"
        assert "platform" not in lock.read_text()
        lock.write_text(
            lock.read_text().replace("[images.bash]\n", '[images.bash]\nplatform = "linux/arm64"\n')
        )
        with pytest.raises(ConfigError) as caught:
            locked(begin)
        assert str(caught.value).splitlines() == [
            "deps.lock.toml:4: images.bash: locked with platform linux/arm64, but declared with platform nothing",
            "Rewrite the lock: ./doitw lock",
        ]

    def test_images_of_the_lock_are_current(self, begin: Callable[[], Session]) -> None:
        """Nothing is built."""
        write_lock(begin())
        assert build(locked(begin)) == []

    def test_another_version_is_behind(self, begin: Callable[[], Session], jq: list[str]) -> None:
        """It is rebuilt, until it is that of the lock."""
        write_lock(begin())
        jq[0] = "1.8"
        session = begin()
        session.force("bash-custom")
        build(session)
        session = locked(begin)
        (reason,) = session.view.decisions["bash-custom"].reasons
        update = Update(ecosystem="apk", name="jq", old="1.8", new="1.7")
        assert reason == NotAsLocked(updates=(update,))
        with pytest.raises(VerifyFailedError) as caught:
            build(session)
        assert str(caught.value).splitlines()[:2] == [
            "isol8:bash-custom does not match deps.lock.toml:10",
            "  apk jq 1.7 → 1.8",
        ]
        session.close()
        jq[0] = "1.7"
        assert build(locked(begin)) == ["bash-custom"]
        assert build(locked(begin)) == []

    def test_another_content_is_behind(self, begin: Callable[[], Session], jq: list[str]) -> None:
        """The same version with another checksum is no build of the lock, and takes no tag."""
        write_lock(begin())
        jq[1] = OTHER
        session = begin()
        session.force("bash-custom")
        build(session)
        session = locked(begin)
        (reason,) = session.view.decisions["bash-custom"].reasons
        assert reason == NotAsLocked(updates=(Update(ecosystem="apk", name="jq", old=OTHER, new=CHECKSUM),))
        with pytest.raises(VerifyFailedError) as caught:
            build(session)
        assert str(caught.value).splitlines()[1] == (
            f"  apk jq 1.7 has the checksum {OTHER}, but {CHECKSUM} is locked"
        )
        session.close()
        jq[1] = CHECKSUM
        assert build(locked(begin)) == ["bash-custom"]

    def test_changed_lock_builds_nothing(
        self, begin: Callable[[], Session], tmp_path: Path, engine: FakeEngine
    ) -> None:
        """It is read before the engine is asked for anything."""
        write_lock(begin())
        file = tmp_path / "deps.lock.toml"
        file.write_text(file.read_text().replace(f" {CHECKSUM}", ""))
        before = len(engine.requests)
        with pytest.raises(ConfigError, match="apk musl: expected apk's Q1…, found no hash"):
            locked(begin)
        assert len(engine.requests) == before

    def test_build_gets_what_is_in_the_lock(self, begin: Callable[[], Session]) -> None:
        """Its pins."""
        write_lock(begin())
        session = locked(begin)
        assert session.policy.pin is not None
        assert session.policy.pin(session.view.graph.image("bash-custom")) == Resolution(
            pins=(Pin(ecosystem="apk", name="jq", version="1.7", integrity=CHECKSUM),)
        )
        session.close()

    def test_upstream_image_is_pulled_by_its_digest(
        self, engine: FakeEngine, begin: Callable[[], Session]
    ) -> None:
        """And has its tag again, which had moved."""
        write_lock(begin())
        old = engine.registry["alpine:3.21"]
        engine.registry[f"alpine@{DIGEST}"] = old
        engine.put("alpine:3.21", FakeImage(id="sha256:alpine2", digests=(f"alpine@sha256:{'2' * 64}",)))
        build(begin())
        session = locked(begin)
        moved = [
            name
            for name, why in session.view.behind.items()
            if why == (NotAsLocked(upstream=("alpine:3.21",)),)
        ]
        assert moved == ["python", "node", "bun", "bash"]
        build(session)
        found = engine.inspect("alpine:3.21")
        assert found is not None
        assert found.id == old.id
        assert build(locked(begin)) == []

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (
                '"jq"',
                '"jq", "unzip"',
                "deps.lock.toml:10: images.bash-custom: locked with jq, but declared with jq unzip",
            ),
            (
                'bash = ["jq"]',
                'bash = ["jq"]\nnode = ["left"]',
                "deps.lock.toml: images.node-custom: not in the lock, but declared in deps.toml:3",
            ),
        ],
    )
    def test_other_images_than_asked_for(
        self, begin: Callable[[], Session], tmp_path: Path, old: str, new: str, words: str
    ) -> None:
        """A line each, and the way on."""
        write_lock(begin())
        deps = tmp_path / "deps.toml"
        deps.write_text(deps.read_text().replace(old, new))
        with pytest.raises(ConfigError) as caught:
            locked(begin)
        assert str(caught.value) == f"{words}\nRewrite the lock: ./doitw lock"

    def test_other_ground_than_asked_for(self, begin: Callable[[], Session], tmp_path: Path) -> None:
        """Another upstream image, or another parent."""
        write_lock(begin())
        file = tmp_path / "deps.lock.toml"
        text = file.read_text()
        file.write_text(text.replace('"alpine:3.21"', '"alpine:3.20"'))
        with pytest.raises(ConfigError) as caught:
            locked(begin)
        lines = str(caught.value).splitlines()
        assert (
            "deps.lock.toml:4: images.bash: its locked upstream image is alpine:3.20, the Dockerfile has alpine:3.21"
            in lines
        )
        text = text.replace('parent = "bash"', 'parent = "more"') + '\n[images.more]\nparent = "bash"\n'
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            locked(begin)
        assert "images.bash-custom: its locked parent is more, its declared parent bash" in str(caught.value)

    def test_no_lock(self, begin: Callable[[], Session]) -> None:
        """It says how to have one."""
        with pytest.raises(ConfigError) as caught:
            locked(begin)
        assert str(caught.value) == (
            "deps.lock.toml: not found, but --locked needs it; write it: ./doitw lock"
        )
