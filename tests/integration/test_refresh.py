"""The nightly refresh on a real engine, with sources that move: what it notices, rebuilds, leaves, and says."""

import datetime as dt
import os
import re
import signal
from collections.abc import Callable, Iterator

import docker
import pytest
from attrs import define

from tests.integration.checkouts import Checkout, new_checkout, remove_tags, share_images, tags_of
from tests.integration.refreshing import (
    EVERY,
    Night,
    first_releases,
    installed,
    public_ids,
    refresh,
    settings,
    timed_refresh,
)
from tests.integration.world import World

DAY = dt.timedelta(days=1)
CUT_EVERY = int(os.environ.get("ISOL8_CUT_EVERY", "11"))
"""A refresh is cut off before a change, and again so many later; 1 is before each, which takes long."""


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout with an image of every kind, all built of the world."""
    first_releases(world)
    checkout = new_checkout(tmp_path_factory.mktemp("refresh") / "home")
    settings(checkout, world)
    assert checkout.built() == EVERY
    yield checkout
    remove_tags(docker_api, checkout.repository)


@define
class Settled:
    """Whether the last refresh left nothing behind, so that a test can begin without one."""

    so: bool


@pytest.fixture(scope="module")
def settled(home: Checkout) -> Settled:
    """Tell it for the images of this module, which are built of the newest."""
    return Settled(so=home is not None)


@pytest.fixture
def night(
    docker_api: docker.APIClient, home: Checkout, world: World, settled: Settled
) -> Callable[..., Night]:
    """Give what runs a refresh; all is as new as its sources at first."""

    def run(*words: str) -> Night:
        settled.so = False
        done = refresh(docker_api, home, *words)
        settled.so = done.code == 0 and not words
        return done

    settings(home, world)
    if not settled.so:
        assert run().code == 0
    return run


NEWS = [
    pytest.param(lambda w: w.move("deno"), {"deno", "deno-custom"}, id="an upstream image"),
    pytest.param(
        # deno's image has only the filter of it, which comes to the same, and stays under a new key.
        lambda w: w.move("alpine", release="3.23.9"),
        EVERY - {"deno-custom"},
        id="the other, which the filter is compiled on",
    ),
    pytest.param(
        lambda w: w.apk("unzip", "6.9-r0", files={"usr/bin/unzip": b"#!/bin/sh\n"}),
        {"bun", "bun-custom"},
        id="apk of a base",
    ),
    pytest.param(lambda w: w.apk("tool", "1.1-r0", depends=["part"]), {"bash-custom"}, id="apk"),
    pytest.param(lambda w: w.apk("part", "1.1-r0"), {"bash-custom"}, id="apk that another needs"),
    pytest.param(lambda w: w.wheel("thing", "1.1", requires=["other>=2"]), {"python-custom"}, id="wheel"),
    pytest.param(lambda w: w.wheel("leaf", "1.1"), {"web-tests"}, id="wheel of an image on another"),
    pytest.param(
        lambda w: w.wheel("other", "2.1"),
        {"python-custom", "web", "web-tests"},
        id="wheel that another needs",
    ),
    pytest.param(lambda w: w.npm("left", "1.1.0", dependencies={"below": "^1"}), {"node-custom"}, id="node"),
    pytest.param(lambda w: w.npm("right", "1.1.0", dependencies={"below": "^1"}), {"bun-custom"}, id="bun"),
    pytest.param(lambda w: w.npm("down", "1.1.0"), {"deno-custom"}, id="deno"),
    pytest.param(lambda w: w.npm("below", "1.1.0"), {"node-custom", "bun-custom"}, id="npm that others need"),
]


class TestNews:
    """What moves is noticed, and nothing else is touched."""

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(("moves", "images"), NEWS)
    def test_each_alone_rebuilds_exactly_its_images(
        self, night: Callable[..., Night], world: World, moves: Callable[[World], None], images: set[str]
    ) -> None:
        """What it concerns is rebuilt, and what is based on that; the report says the same as the engine."""
        moves(world)
        done = night()
        assert (done.code, done.rebuilt, done.changed) == (0, images, images)

    def test_what_is_new_is_in_the_image_and_in_the_report(
        self, night: Callable[..., Night], home: Checkout, world: World
    ) -> None:
        """From freshness, which says it before, to the report, which says it after."""
        world.wheel("thing", "1.2", requires=["other>=2", "added"])
        world.wheel("added", "1.0")
        assert home.doit("freshness").code == 2
        done = night()
        (change,) = done.report["changed"]
        said = {(each["name"], each["old"], each["new"]) for each in change["packages"]}
        assert ("added", None, "1.0") in said
        assert {(name, new) for name, _, new in said} == {("added", "1.0"), ("thing", "1.2")}
        assert installed(home, "python-custom")["thing"] == "1.2"
        looked = home.doit("freshness")
        assert looked.code == 0, looked.out

    def test_none_rebuilds_nothing(
        self, night: Callable[..., Night], home: Checkout, world: World, docker_api: docker.APIClient
    ) -> None:
        """Nothing is built or fetched but what the tools look into, in 3 s beside their own."""
        assert night().rebuilt == set()
        tags = tags_of(docker_api, home.repository)
        world.forget()
        assert any(timed_refresh(home)[0] <= 3 for _ in range(3))
        assert set(tags_of(docker_api, home.repository)) == set(tags)
        assert not [path for source in world.traffic.values() for path in source.paths if _is_package(path)]
        assert home.doit("refresh", "--quiet").out == ""

    def test_a_lock_is_brought_up_to_date(
        self, night: Callable[..., Night], home: Checkout, world: World
    ) -> None:
        """What was refreshed is in an existing lock; after a failure, and with a part of the images, it stays."""
        lock = home.folder / "deps.lock.toml"
        assert night().rebuilt == set()
        assert not lock.exists()
        assert home.doit("lock").code == 0
        first = lock.read_text()
        world.wheel("leaf", "1.5")
        assert night("--only=bash").rebuilt == set()
        assert lock.read_text() == first
        assert night().rebuilt == {"web-tests"}
        assert "pypi leaf 1.5 " in lock.read_text()
        second = lock.read_text()
        world.wheel("leaf", "1.6", fault="import")
        done = night()
        assert (done.code, done.failed) == (1, {"web-tests", "deps.lock.toml"})
        assert lock.read_text() == second
        lock.unlink()
        world.wheel("leaf", "1.7")
        assert night().code == 0

    @pytest.mark.thorough
    def test_too_young_an_update_waits(
        self, night: Callable[..., Night], home: Checkout, world: World
    ) -> None:
        """It is told of, and accepted once it has been out for [refresh] min_age; what is older comes meanwhile."""
        now = dt.datetime.now(dt.UTC)
        world.wheel("leaf", "2.0", uploaded=now - 2 * DAY)
        world.wheel("leaf", "3.0", uploaded=now - dt.timedelta(hours=2))
        world.npm("down", "2.0.0", published=now - dt.timedelta(hours=2))
        first = night()
        assert (first.code, first.rebuilt) == (0, {"web-tests"})
        assert installed(home, "web-tests")["leaf"] == "2.0"
        second = night()
        assert second.rebuilt == set()
        assert second.young("web-tests") == {"leaf 3.0"}
        assert second.young("deno-custom") == {"down 2.0.0"}
        # A day goes by.
        world.wheel("leaf", "3.0", uploaded=now - 2 * DAY)
        world.npm("down", "2.0.0", published=now - 2 * DAY)
        third = night()
        assert (third.code, third.rebuilt) == (0, {"web-tests", "deno-custom"})
        assert installed(home, "web-tests")["leaf"] == "3.0"

    def test_a_base_that_moves_lets_nothing_young_in(
        self, night: Callable[..., Night], home: Checkout, world: World
    ) -> None:
        """What is rebuilt for another reason keeps the versions that it had."""
        before = installed(home, "deno-custom")["down"]
        world.npm("down", "2.5.0", published=dt.datetime.now(dt.UTC))
        world.move("deno")
        done = night()
        assert (done.code, done.rebuilt) == (0, {"deno", "deno-custom"})
        assert installed(home, "deno-custom")["down"] == before
        world.npm("down", "2.5.0")
        assert night().rebuilt == {"deno-custom"}

    @pytest.mark.thorough
    def test_a_package_may_have_an_age_of_its_own(
        self, night: Callable[..., Night], home: Checkout, world: World
    ) -> None:
        """[refresh] min_ages lets one in at once, and the others wait."""
        now = dt.datetime.now(dt.UTC)
        assert night().code == 0
        world.wheel("leaf", "4.0", uploaded=now)
        world.wheel("thing", "4.0", requires=["other>=2"], uploaded=now)
        settings(home, world, '[refresh]\nmin_ages = { leaf = "0s" }')
        done = night()
        assert (done.code, done.rebuilt) == (0, {"web-tests"})
        assert done.young("python-custom") == {"thing 4.0"}

    @pytest.mark.thorough
    def test_a_young_apk_waits(self, night: Callable[..., Night], home: Checkout, world: World) -> None:
        """Its index says when it was built; alone it is no reason to build."""
        world.apk("tool", "1.9-r0", depends=["part"], built=dt.datetime.now(dt.UTC))
        done = night()
        assert (done.code, done.rebuilt) == (0, set())
        assert done.young("bash-custom") == {"tool 1.9-r0"}
        world.apk("tool", "1.9-r0", depends=["part"])
        assert night().rebuilt == {"bash-custom"}
        assert installed(home, "bash-custom")["tool"] == "1.9-r0"


def _is_package(path: str) -> bool:
    return path.endswith((".apk", ".whl", ".tgz")) or "/blobs/" in path


class TestTrouble:
    """What goes wrong costs the images that it concerns nothing, and the others nothing either."""

    @pytest.mark.thorough
    def test_three_broken_updates(
        self, night: Callable[..., Night], home: Checkout, world: World, docker_api: docker.APIClient
    ) -> None:
        """One fails to build, one to import, one hangs: three old images work, the others are refreshed."""
        before = public_ids(docker_api, home)
        settings(home, world, verify='load_timeout = "2s"')
        world.npm("left", "5.0.0", fault="build")
        world.wheel("thing", "5.0", requires=["other>=2"], fault="import")
        world.npm("right", "5.0.0", fault="hang")
        world.wheel("leaf", "5.0")
        world.apk("tool", "5.0-r0", depends=["part"])
        world.npm("down", "5.0.0")
        broken = {"node-custom", "python-custom", "bun-custom"}
        done = night()
        assert (done.code, done.failed) == (1, broken)
        assert done.rebuilt == {"web-tests", "bash-custom", "deno-custom"}
        after = public_ids(docker_api, home)
        assert {name: after[name] for name in broken} == {name: before[name] for name in broken}
        looked = home.doit("verify")
        assert looked.code == 0, looked.out
        world.npm("left", "5.0.1")
        world.wheel("thing", "5.0.1", requires=["other>=2"])
        world.npm("right", "5.0.1")
        mended = night()
        assert (mended.code, mended.rebuilt) == (0, broken)

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize(
        ("source", "only", "images"),
        [
            ("registry", "", {"python", "node", "bun", "bash", "deno"}),
            ("apk", "bash", {"bash-custom"}),
            ("wheels", "python", {"python-custom", "web", "web-tests"}),
            ("npm", "node,bun,deno", {"node-custom", "bun-custom", "deno-custom"}),
        ],
    )
    def test_an_outage_is_not_freshness(  # noqa: PLR0913, PLR0917 - the fixtures it needs and what it is run with
        self,
        night: Callable[..., Night],
        home: Checkout,
        world: World,
        source: str,
        only: str,
        images: set[str],
    ) -> None:
        """What a source that is out would have been asked of is not known, by either command, and nothing is lost."""
        words = [f"--only={only}"] if only else []
        with world.traffic[source].outage():
            looked = home.doit("freshness", *words)
            done = night(*words)
        assert (looked.code, done.code) == (4, 4), looked.out
        assert {name: done.state(name) for name in images} == dict.fromkeys(images, "undetermined")
        assert all(done.problems(name) for name in images)
        assert done.rebuilt == set()
        assert night(*words).code == 0

    @pytest.mark.thorough
    def test_news_of_one_source_is_not_held_up_by_another(
        self, night: Callable[..., Night], world: World
    ) -> None:
        """What is known to be behind is refreshed; that something is not known decides the exit code."""
        world.npm("down", "6.0.0")
        with world.traffic["wheels"].outage():
            done = night()
        assert (done.code, done.rebuilt) == (4, {"deno-custom"})

    def test_held_images_are_left_and_told_of_first(
        self, night: Callable[..., Night], home: Checkout, world: World, docker_api: docker.APIClient
    ) -> None:
        """Their news waits, and the report begins with them; it comes with the first refresh after the release."""
        assert home.doit("rollback", "web-tests").code == 0
        held = public_ids(docker_api, home)["web-tests"]
        world.wheel("leaf", "7.0")
        world.npm("down", "7.0.0")
        done = home.doit("refresh")
        assert done.code == 0, done.out
        assert public_ids(docker_api, home)["web-tests"] == held
        assert done.out.index(f"{home.repository}:web-tests") < done.out.index(
            f"{home.repository}:deno-custom"
        )
        assert "rolled back" in done.out
        assert home.doit("release", "web-tests").code == 0
        assert night().rebuilt == {"web-tests"}
        assert installed(home, "web-tests")["leaf"] == "7.0"


class TestCutOff:
    """A refresh that ends like in a power cut."""

    @pytest.fixture
    def copy(
        self,
        home: Checkout,
        world: World,
        docker_api: docker.APIClient,
        make_checkout: Callable[..., Checkout],
    ) -> Callable[[str], Checkout]:
        """Give what makes a checkout with the images of `home`, under tags of its own."""

        def make(name: str) -> Checkout:
            checkout = make_checkout(name)
            settings(checkout, world)
            share_images(docker_api, home, checkout)
            return checkout

        return make

    @pytest.mark.thorough(every=2)
    @pytest.mark.parametrize(
        ("moves", "only", "images"),
        [
            pytest.param(
                lambda w: w.wheel("other", "8.0"), "python", {"python-custom", "web", "web-tests"}, id="wheel"
            ),
            pytest.param(lambda w: w.move("deno"), "deno", {"deno", "deno-custom"}, id="upstream image"),
        ],
    )
    @pytest.mark.usefixtures("night")
    def test_the_next_one_ends_the_same(  # noqa: PLR0913, PLR0917 - the fixtures it needs and what it is run with
        self,
        copy: Callable[[str], Checkout],
        world: World,
        docker_api: docker.APIClient,
        moves: Callable[[World], None],
        only: str,
        images: set[str],
    ) -> None:
        """Wherever it is killed, the images are in the end those of a refresh that was not, and so are their tags.

        A candidate of the one that was killed may stay for a day, under its private tag: it could be a live run's.
        """
        whole = copy("whole")
        checkouts = {step: copy(f"cut{step}") for step in range(CUT_EVERY - 1, 60, CUT_EVERY)}
        moves(world)
        words = (f"--only={only}",)
        assert refresh(docker_api, whole, *words).rebuilt == images
        wanted = {name: installed(whole, name) for name in images}
        tags = _names(tags_of(docker_api, whole.repository))
        for step, checkout in checkouts.items():
            code = checkout.cut_off(step, "refresh", *words)
            assert code in {0, -signal.SIGKILL}, step
            done = refresh(docker_api, checkout, *words)
            assert done.code == 0, (step, done.report)
            assert {name: installed(checkout, name) for name in images} == wanted, step
            left = _names(tags_of(docker_api, checkout.repository)) - tags
            assert _names(tags_of(docker_api, checkout.repository)) >= tags, step
            assert all(re.fullmatch(r".+-\d{8}T\d{6}Z-[0-9a-f]+-candidate_build", each) for each in left), (
                step,
                left,
            )
            if code == 0:
                break
        assert code == 0
        assert step >= 6


def _names(tags: tuple[str, ...]) -> set[str]:
    return {tag.rpartition(":")[2] + ("_build" if "_build:" in tag else "") for tag in tags}
