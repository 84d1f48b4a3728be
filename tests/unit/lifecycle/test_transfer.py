"""Images go to a registry, and come from it, and every moment on the way leaves clients something whole."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from isol8_tasks.errors import RegistryError
from isol8_tasks.images.manifest import render_manifest
from isol8_tasks.images.pushed import Listed, Pushed, immutable_tags, read_manifest
from isol8_tasks.lifecycle.transfer import Push, forget_strays, pull_image, push_image
from tests.clients import CLIENTS
from tests.fake_engine import FakeEngine, FakeImage
from tests.unit.lifecycle.made import BrokenEngine, CutOffError, make, observe, spec

REPOSITORY = "registry.example/isol8"
NAMES = ("bash", "bash-custom")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing, and tell for how long it would have been."""
    waited: list[float] = []
    monkeypatch.setattr("isol8_tasks.lifecycle.transfer.time.sleep", waited.append)
    return waited


def send(engine: FakeEngine, name: str, known: Pushed | None = None) -> tuple[Pushed, bool]:
    return push_image(Push.of(name, observe(engine), REPOSITORY), engine, known)


def listed(engine: FakeEngine) -> tuple[Listed, ...]:
    """Push all, and return what the manifest lists then."""
    seen = observe(engine)
    pushed = {}
    for name in seen.promoted:
        public = seen.public(name)
        assert public is not None
        pushed[name] = (public.id, send(engine, name)[0])
    return read_manifest(render_manifest(observe(engine), {}, pushed), "f")


def tags(engine: FakeEngine) -> dict[str, str]:
    return {tag: image.id for image in engine.images() for tag in image.tags}


def chosen(engine: FakeEngine) -> dict[str, str | None]:
    """Tell which image each generation of clients gets for either set of packages."""
    return {
        f"{generation} {packages}": choose(engine.images(), "isol8", "bash", packages)
        for generation, choose in CLIENTS.items()
        for packages in (["curl"], ["jq"], [])
    }


@pytest.fixture
def builder(fake_engine: FakeEngine) -> BrokenEngine:
    """Give an engine with a base and a custom image."""
    engine = BrokenEngine(registry=fake_engine.registry)
    engine.pull("alpine:3.21")
    make(engine, spec("bash", "one"), spec("bash-custom", "curl"))
    return engine


@pytest.fixture
def other(builder: FakeEngine) -> Callable[[], BrokenEngine]:
    """Give what makes another engine with the same registry behind it."""
    return lambda: BrokenEngine(registry=builder.registry)


class TestPush:
    """From an engine to the registry."""

    def test_the_tag_that_stays_and_then_the_name(self, builder: FakeEngine) -> None:
        """Both have the same digest; nothing of it is left on the engine."""
        before = tags(builder)
        builder.asked.clear()
        where, new = send(builder, "bash")
        assert new
        assert where.tag.startswith("bash-20261122-")
        assert [each for each in builder.asked if each.startswith("push ")] == [
            f"push {REPOSITORY}:{where.tag}",
            f"push {REPOSITORY}:bash-{where.tag.rpartition('-')[2]}",
            f"push {REPOSITORY}:bash",
        ]
        assert builder.asked.count(f"remote_digest {REPOSITORY}:bash") == 1
        assert builder.remote_digest(f"{REPOSITORY}:bash") == where.digest
        assert builder.remote_digest(f"{REPOSITORY}:{where.tag}") == where.digest
        assert tags(builder) == before
        assert not any(image.digests for image in builder.images() if "isol8:bash" in image.tags)

    def test_what_is_there_costs_a_question(self, builder: FakeEngine) -> None:
        """Where it is known to be, and is, nothing is sent or tagged."""
        where, _ = send(builder, "bash")
        work = Push.of("bash", observe(builder), REPOSITORY)
        builder.asked.clear()
        assert push_image(work, builder, where) == (where, False)
        assert builder.asked == [f"remote_digest {REPOSITORY}:bash"]

    def test_a_name_that_moved_there(self, builder: FakeEngine) -> None:
        """Somebody else's push under the name is undone, and the tag that stays is left alone."""
        where, _ = send(builder, "bash")
        builder.registry[f"{REPOSITORY}:bash"] = builder.registry["alpine:3.21"]
        builder.asked.clear()
        assert send(builder, "bash", where) == (where, True)
        assert [each for each in builder.asked if each.startswith("push ")] == [f"push {REPOSITORY}:bash"]

    def test_without_a_manifest(self, builder: FakeEngine) -> None:
        """It is recognized there by its labels, and nothing is sent."""
        where, _ = send(builder, "bash")
        builder.asked.clear()
        assert send(builder, "bash") == (where, False)
        assert not [each for each in builder.asked if each.startswith("push ")]
        assert not any(image.digests for image in builder.images() if "isol8:bash" in image.tags)

    @pytest.mark.parametrize(
        ("changed", "days", "sent"),
        [
            ({}, None, 0),
            ({"schema": "1"}, None, 1),
            ({"flags": '{"jq": "2026-11-22"}'}, None, 1),
            ({"created": "2026-11-20T00:00:00Z"}, None, 0),
            ({"created": "2026-11-20T00:00:00Z"}, 1, 1),
            ({"created": "2026-11-20T00:00:00Z"}, 9, 0),
            ({}, 0, 0),
        ],
    )
    def test_without_a_manifest_and_with_other_labels(
        self, builder: FakeEngine, changed: dict[str, str], days: int | None, sent: int
    ) -> None:
        """Of the same build, what the name has stays; other labels go under the tag of the key, if they matter."""
        where, _ = send(builder, "bash")
        labels = {
            f"org.opencontainers.image.{name}" if name == "created" else f"org.isol8.tasks.{name}": value
            for name, value in changed.items()
        }
        for reference, image in tuple(builder.registry.items()):
            if reference.startswith(f"{REPOSITORY}:bash"):
                builder.registry[reference] = evolve(image, labels={**image.labels, **labels})
        seen = observe(builder)
        here = seen.public("bash")
        assert here is not None
        too_old = None if days is None else here.built - dt.timedelta(days=days)
        builder.asked.clear()
        push_image(Push.of("bash", seen, REPOSITORY, too_old=too_old), builder)
        pushes = [each for each in builder.asked if each.startswith("push ")]
        assert len(pushes) == sent
        if sent == 1:
            assert pushes == [f"push {REPOSITORY}:bash-{where.tag.rpartition('-')[2]}"]

    def test_a_tag_that_another_image_has(self, builder: FakeEngine) -> None:
        """What is to stay stays, and the image gets the next one."""
        where, _ = send(builder, "bash")
        builder.registry[f"{REPOSITORY}:{where.tag}"] = builder.registry[f"{REPOSITORY}@{where.digest}"]
        make(builder, evolve(spec("bash", "one"), dockerfile="FROM alpine:3.21\nRUN echo newer\n"))
        builder.asked.clear()
        again, _ = send(builder, "bash")
        assert again.tag == f"{where.tag}-2"
        # By its configuration alone: an engine that is new every night has none of its layers.
        assert not [each for each in builder.asked if each.startswith("fetch")]
        assert again.digest != where.digest
        assert builder.remote_digest(f"{REPOSITORY}:{where.tag}") == where.digest

    def test_the_store_whose_ids_are_digests(
        self, builder: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing has to be fetched there to know that it is another."""
        send(builder, "bash")
        make(builder, evolve(spec("bash", "one"), dockerfile="FROM alpine:3.21\nRUN echo newer\n"))
        info = evolve(builder.info(), store="containerd (overlayfs)")
        monkeypatch.setattr(builder, "info", lambda: info)
        builder.asked.clear()
        assert send(builder, "bash")[0].tag.endswith("-2")
        assert not [each for each in builder.asked if each.startswith("fetch")]

    @pytest.mark.parametrize(("year", "stays"), [(2026, True), (2099, False)])
    def test_newer_build_of_another_machine_stays(
        self, builder: FakeEngine, year: int, *, stays: bool
    ) -> None:
        """Its names are left alone, and the build gets the tag that never moves; a rollback moves them all the same.

        What a machine built whose clock was wrong is not newer.
        """
        send(builder, "bash")
        old = builder.registry[f"{REPOSITORY}:bash"]
        later = {**old.labels, "org.opencontainers.image.created": f"{year}-11-24T00:00:00Z"}
        newer = evolve(old, labels=later, digests=(f"{REPOSITORY}@sha256:{'9' * 64}",))
        builder.registry[f"{REPOSITORY}:bash"] = newer
        make(builder, evolve(spec("bash", "one"), dockerfile="FROM alpine:3.21\nRUN echo newer\n"))
        where, new = send(builder, "bash")
        assert new
        assert (builder.remote_digest(f"{REPOSITORY}:bash") == "sha256:" + "9" * 64) is stays
        assert builder.remote_digest(f"{REPOSITORY}:{where.tag}") == where.digest
        push_image(Push.of("bash", observe(builder), REPOSITORY, moves_back=True), builder)
        assert builder.remote_digest(f"{REPOSITORY}:bash") == where.digest

    def test_where_the_public_tag_is_the_registry_s(self, builder: FakeEngine) -> None:
        """An image keeps the tag that it is known by."""
        work = evolve(Push.of("bash", observe(builder), "isol8"), public="isol8:bash")
        assert push_image(work, builder)[1]
        assert "isol8:bash" in tags(builder)
        assert not [tag for tag in tags(builder) if tag.startswith("isol8:bash-2026")]

    def test_a_tag_of_the_user_s(self, builder: FakeEngine) -> None:
        """What somebody has under the name of the registry stays his."""
        builder.tag("alpine:3.21", f"{REPOSITORY}:bash")
        before = tags(builder)
        send(builder, "bash")
        assert tags(builder) == before

    def test_what_went_away(self, builder: FakeEngine) -> None:
        """An image that does not exist any more is told."""
        with pytest.raises(RegistryError) as caught:
            Push.of("gone", observe(builder), REPOSITORY)
        assert str(caught.value) == "isol8:gone was removed during the run; run again"

    def test_another_image_by_then(self, builder: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        """What another run gives the tag is not taken for what was to be pushed, and its digest is not written down."""
        whole = FakeEngine.push

        def overtaken(engine: FakeEngine, reference: str, *more: Any) -> str:  # noqa: ANN401 - as it is called
            engine.tag("alpine:3.21", reference)
            return whole(engine, reference, *more)

        monkeypatch.setattr(FakeEngine, "push", overtaken)
        with pytest.raises(RegistryError, match="was replaced by another run"):
            send(builder, "bash")
        assert f"{REPOSITORY}:bash" not in builder.registry

    def test_again_after_a_while(self, builder: FakeEngine, pauses: list[float]) -> None:
        """What may be better later is tried three times, and then told with what to do; all tags are taken away."""
        work = Push.of("bash", observe(builder), REPOSITORY)
        tag = next(immutable_tags(work.image, work.record))
        builder.registry_fails = "connection refused"
        before = tags(builder)
        with pytest.raises(RegistryError) as caught:
            send(builder, "bash")
        assert str(caught.value) == (
            f"isol8:bash could not be pushed: {REPOSITORY}:{tag} could not be looked up: connection refused\n"
            "It is still in use on this engine. Check that the registry answers, and run again: ./doitw push"
        )
        assert pauses == [1.0, 4.0]
        assert tags(builder) == before

    def test_what_is_refused_is_not_tried_again(self, builder: FakeEngine, pauses: list[float]) -> None:
        """Whoever may not push may not a second later either; that he may not ask is no reason not to try."""
        builder.registry_fails = "denied: not yours"
        before = tags(builder)
        with pytest.raises(RegistryError) as caught:
            send(builder, "bash")
        assert str(caught.value).endswith(
            "failed: denied: not yours\nIt is still in use on this engine. Check docker login, and run "
            "again: ./doitw push"
        )
        assert pauses == []
        assert tags(builder) == before

    def test_a_registry_that_comes_back(self, builder: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second try does what the first could not."""
        builder.registry_fails = "connection refused"
        monkeypatch.setattr(
            "isol8_tasks.lifecycle.transfer.time.sleep", lambda _: setattr(builder, "registry_fails", "")
        )
        assert send(builder, "bash")[1]

    def test_a_registry_that_changes_what_it_gets(
        self, builder: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two digests of one image are an error."""
        digests = iter(("sha256:1", "sha256:2") * 3)
        monkeypatch.setattr(builder, "push", lambda *_: next(digests))
        monkeypatch.setattr(builder, "remote_images", lambda *_: {})
        with pytest.raises(
            RegistryError, match=r"two digests: sha256:2 as .*:bash-[0-9a-f]{12}, sha256:1 as its tag"
        ):
            send(builder, "bash")


class TestPull:
    """From the registry to another engine."""

    def test_as_a_promotion_does(self, builder: BrokenEngine, other: Callable[[], BrokenEngine]) -> None:
        """Tags, labels and ids are those of the engine that built it, and no name of the registry is left."""
        images = listed(builder)
        engine = other()
        for each in images:
            assert pull_image(each, observe(engine), engine) is not None
        wanted = {tag: image for tag, image in tags(builder).items() if tag.startswith("isol8")}
        assert tags(engine) == wanted
        assert not any(image.digests for image in engine.images())
        assert observe(engine).record("bash-custom") == observe(builder).record("bash-custom")
        engine.asked.clear()
        assert [pull_image(each, observe(engine), engine) for each in images] == [None, None]
        assert set(engine.asked) == {"images"}

    def test_what_was_there_is_kept(self, builder: BrokenEngine, other: Callable[[], BrokenEngine]) -> None:
        """It becomes -previous, as if the image had been built here."""
        engine = other()
        for each in listed(builder):
            pull_image(each, observe(engine), engine)
        make(builder, spec("bash", "two"), spec("bash-custom", "jq"))
        for each in listed(builder):
            pull_image(each, observe(engine), engine)
        assert chosen(engine) == chosen(builder)
        for name in NAMES:
            kept, was = (
                observe(engine).public(f"{name}-previous"),
                observe(builder).public(f"{name}-previous"),
            )
            assert kept is not None
            assert was is not None
            assert dict(kept.labels) == dict(was.labels)
        assert len(engine.ids()) == len(engine.images())

    def test_what_something_else_made(self, builder: BrokenEngine, other: Callable[[], BrokenEngine]) -> None:
        """An image whose labels are those of another one is not taken into use."""
        (base, _) = listed(builder)
        assert base.pushed is not None
        by_digest = f"{REPOSITORY}@{base.pushed.digest}"
        forged = evolve(builder.registry[by_digest], layers=("sha256:more",))
        engine = other()
        engine.registry = {**builder.registry, by_digest: forged}
        with pytest.raises(RegistryError, match="its layers are not those that its labels record"):
            pull_image(base, observe(engine), engine)
        assert tags(engine) == tags(other())

    def test_cut_off_anywhere(self, builder: BrokenEngine, other: Callable[[], BrokenEngine]) -> None:
        """Wherever it ends clients get the one or the other, and the next pull brings it to the same end."""
        first = listed(builder)
        make(builder, spec("bash", "two"), spec("bash-custom", "jq"))
        second = listed(builder)
        cuts, done = 0, False
        while not done:
            engine = other()
            for each in first:
                pull_image(each, observe(engine), engine)
            before = chosen(engine)
            engine.left = cuts
            try:
                for each in second:
                    pull_image(each, observe(engine), engine)
                done = True
            except CutOffError:
                engine.left = -1
            allowed = {*before.values(), *chosen(builder).values()}
            assert set(chosen(engine).values()) <= allowed
            forget_strays({REPOSITORY}, observe(engine), engine)
            for each in second:
                pull_image(each, observe(engine), engine)
            assert chosen(engine) == chosen(builder)
            assert not any(image.digests for image in engine.images())
            cuts += 1
        assert cuts > 10

    def test_the_marker_alone_was_moved(
        self, builder: BrokenEngine, other: Callable[[], BrokenEngine]
    ) -> None:
        """What has the public tag already does not become its own -previous."""
        images = listed(builder)
        engine = other()
        pull_image(images[0], observe(engine), engine)
        engine.put("isol8_build:bash", FakeImage(id="sha256:" + "9" * 64))
        assert pull_image(images[0], observe(engine), engine) is not None
        assert observe(engine).record("bash") is not None
        assert observe(engine).public("bash-previous") is None

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"pushed": None},
                "isol8:bash has no registry digest in this manifest\nPush it on the machine ",
            ),
            (
                {"key": ""},
                "isol8:bash was not built by this project on the machine that wrote the manifest, so ",
            ),
            (
                {"standin": "5e"},
                "isol8:bash is based on a stand-in of the lab in this manifest, and on a real ",
            ),
        ],
        ids=["not pushed", "not ours", "a stand-in for a real one"],
    )
    def test_what_can_not_be_had(
        self, builder: BrokenEngine, change: dict[str, str | None], message: str
    ) -> None:
        """It is told, and nothing is fetched."""
        wanted = evolve(listed(builder)[0], id="sha256:" + "7" * 64, **change)  # type: ignore[arg-type]
        before = tags(builder)
        builder.asked.clear()
        with pytest.raises(RegistryError) as caught:
            pull_image(wanted, observe(builder), builder)
        assert str(caught.value).startswith(message)
        assert tags(builder) == before
        assert not [each for each in builder.asked if each.startswith("fetch")]

    def test_another_image_than_it_says(
        self, builder: BrokenEngine, other: Callable[[], BrokenEngine]
    ) -> None:
        """It takes no tag, and is gone again."""
        engine = other()
        wanted = evolve(listed(builder)[0], key="f" * 64)
        with pytest.raises(RegistryError, match=r"is not isol8:bash: its key is "):
            pull_image(wanted, observe(engine), engine)
        assert engine.ids() == set()

    def test_what_does_not_come(
        self, builder: BrokenEngine, other: Callable[[], BrokenEngine], pauses: list[float]
    ) -> None:
        """A registry that fails is tried again, and what is here stays."""
        wanted = listed(builder)[0]
        engine = other()
        engine.registry_fails = "unexpected EOF"
        with pytest.raises(RegistryError, match="unexpected EOF"):
            pull_image(wanted, observe(engine), engine)
        assert pauses == [1.0, 4.0]

    def test_names_that_a_cut_off_pull_left(self, builder: BrokenEngine) -> None:
        """Names by digest in the repository are taken from images of ours, and nothing else is."""
        by_digest = f"{REPOSITORY}@sha256:{'1' * 64}"
        builder.tag("isol8:bash", "mine:1")
        seen = observe(builder)
        images = tuple(evolve(each, tags=(*each.tags, by_digest)) for each in seen.images)
        others = tuple(evolve(each, digests=(by_digest,)) for each in seen.images)
        same = tuple(evolve(each, digests=(f"{REPOSITORY}@{each.id}",)) for each in seen.images)
        for each, count in ((images, 2), (others, 2), (same, 0)):
            builder.asked.clear()
            forget_strays({REPOSITORY}, evolve(seen, images=each), builder)
            assert builder.asked == [f"untag {by_digest}"] * count
        builder.asked.clear()
        forget_strays({"other.example/isol8"}, evolve(seen, images=images), builder)
        assert builder.asked == []
