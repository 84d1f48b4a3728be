"""Locks on real engines: what is written down is built again, here and on another engine, or refused in clear words."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from isol8_tasks.ecosystems.inventory import decode
from isol8_tasks.images.labels import PREFIX
from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.refreshing import EVERY, first_releases, settings
from tests.integration.world import World, seen_from

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a second engine needs root on Linux"
)


def inventories(api: docker.APIClient, checkout: Checkout) -> dict[str, object]:
    """Return what is in each image of a checkout, by its label."""
    return {
        name: decode(
            api.inspect_image(f"{checkout.repository}:{name}")["Config"]["Labels"][f"{PREFIX}inventory"]
        )
        for name in sorted(EVERY)
    }


def news(world: World) -> None:
    """Publish a newer version of everything whose source keeps the older ones too."""
    world.wheel("thing", "1.1", requires=["other>=2"])
    world.wheel("other", "2.1")
    world.wheel("leaf", "1.1")
    for name in ("left", "right"):
        world.npm(name, "1.1.0", dependencies={"below": "^1"})
    world.npm("below", "1.1.0")
    world.npm("down", "1.1.0")


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout with an image of every kind, and a lock of them; the sources have moved on since."""
    first_releases(world)
    checkout = new_checkout(tmp_path_factory.mktemp("lock") / "home")
    settings(checkout, world)
    assert checkout.built() == EVERY
    done = checkout.doit("lock")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("deps.lock.toml: ")
    news(world)
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def another(docker_api: docker.APIClient, home: Checkout, world: World, tmp_path: Path) -> Iterator[Checkout]:
    """Give another checkout with the same lock, which has nothing yet."""
    checkout = new_checkout(tmp_path / "another")
    settings(checkout, world)
    lock(checkout).write_text(lock(home).read_text())
    yield checkout
    remove_tags(docker_api, checkout.repository)


def lock(checkout: Checkout) -> Path:
    return checkout.folder / "deps.lock.toml"


class TestLock:
    """The file."""

    @pytest.mark.thorough
    def test_same_images_give_the_same_bytes(self, home: Checkout) -> None:
        """Written again, with nobody asked, it is what it was."""
        before = lock(home).read_bytes()
        done = home.doit("lock")
        assert (done.code, done.out) == (0, "deps.lock.toml unchanged\n")
        lock(home).unlink()
        assert home.doit("lock").code == 0
        assert lock(home).read_bytes() == before

    def test_stale_image_is_not_locked(self, home: Checkout, world: World) -> None:
        """What is to be built is no image to write down."""
        before = lock(home).read_bytes()
        settings(home, world)
        home.edit("deps.toml", 'bash = ["tool"]', 'bash = ["part"]')
        done = home.doit("lock")
        settings(home, world)
        assert done.code == 1
        assert f"{home.repository}:bash-custom: not up to date" in done.err
        assert lock(home).read_bytes() == before


class TestLocked:
    """setup --locked, after newer versions of everything were published."""

    def test_images_of_the_lock_are_current(self, home: Checkout) -> None:
        """Nothing is to be done for the images that it was written of."""
        assert home.doit("plan", "--locked", "--check").code == 0
        assert home.doit("setup", "--locked").code == 0

    @pytest.mark.thorough
    def test_other_checkout_gets_the_same(
        self, docker_api: docker.APIClient, home: Checkout, another: Checkout
    ) -> None:
        """It has the older versions, and a plain run takes it for up to date."""
        done = another.doit("setup", "--locked")
        assert done.code == 0, done.out + done.err
        assert inventories(docker_api, another) == inventories(docker_api, home)
        assert another.doit("plan", "--check").code == 0
        assert another.doit("plan", "--check", "--locked").code == 0

    def test_second_engine_gets_the_same(
        self, docker_api: docker.APIClient, home: Checkout, world: World, second: str, tmp_path: Path
    ) -> None:
        """Built from one lock on two engines, the inventories are equal, and so is the lock of either."""
        client = docker.APIClient(base_url=second)
        checkout = new_checkout(tmp_path / "other")
        try:
            with seen_from(world, client) as beside:
                settings(checkout, beside)
                lock(checkout).write_text(lock(home).read_text())
                done = checkout.doit("setup", "--locked", DOCKER_HOST=second)
                assert done.code == 0, done.out + done.err
                assert inventories(client, checkout) == inventories(docker_api, home)
                lock(checkout).unlink()
                assert checkout.doit("lock", DOCKER_HOST=second).code == 0
                assert lock(checkout).read_bytes() == lock(home).read_bytes()
        finally:
            remove_tags(client, checkout.repository)
            client.close()

    @pytest.mark.thorough
    def test_image_that_went_another_way_comes_back(
        self, docker_api: docker.APIClient, home: Checkout, another: Checkout
    ) -> None:
        """What was built of the newest goes back to what the lock has."""
        # The build cache still has what was fetched for the images of the lock.
        assert another.built("setup", "--force") == EVERY
        assert inventories(docker_api, another) != inventories(docker_api, home)
        plan = another.doit("plan", "--locked", "--check")
        assert plan.code == 2
        assert "to match the lock: " in plan.out
        assert another.doit("setup", "--locked").code == 0
        assert inventories(docker_api, another) == inventories(docker_api, home)

    def test_upstream_image_is_taken_by_its_digest(
        self, docker_api: docker.APIClient, home: Checkout, another: Checkout, world: World
    ) -> None:
        """A tag that moved since makes no difference."""
        world.move("deno")
        docker_api.pull(world.reference("deno"))
        done = another.doit("setup", "--locked", "--only", "deno")
        assert done.code == 0, done.out + done.err
        name = f"{another.repository}:deno"
        one, other = (
            docker_api.inspect_image(each)["Config"]["Labels"][f"{PREFIX}upstream-digest"]
            for each in (name, f"{home.repository}:deno")
        )
        assert one == other

    def test_package_of_apk_with_another_content_is_said(
        self, docker_api: docker.APIClient, another: Checkout, world: World
    ) -> None:
        """The same version, built again: it is not what was locked, and takes no tag."""
        world.apk("part", "1.0-r0", depends=["tool=1.0-r0"])
        try:
            done = another.doit("setup", "--locked", "--only", "bash")
        finally:
            world.apk("part", "1.0-r0")
        assert done.code == 1
        assert "apk part 1.0-r0 has the checksum Q1" in done.out
        tags = {tag for image in docker_api.images() for tag in image["RepoTags"] or ()}
        assert f"{another.repository}:bash-custom" not in tags

    def test_package_that_is_not_to_be_had_any_more_is_said(
        self, docker_api: docker.APIClient, another: Checkout, world: World
    ) -> None:
        """A repository of Alpine's has the newest alone: the image fails in clear words, the others are made."""
        world.apk("tool", "2.0-r0", depends=["part"])
        try:
            done = another.doit("setup", "--locked", "--only", "bash,deno")
        finally:
            world.apk("tool", "1.0-r0", depends=["part"])
        assert done.code == 1
        assert "does not match deps.lock.toml:" in done.out
        assert "apk tool 1.0-r0 → 2.0-r0" in done.out
        assert "APK_REPOSITORY" in done.out
        tags = {tag for image in docker_api.images() for tag in image["RepoTags"] or ()}
        assert f"{another.repository}:bash-custom" not in tags
        assert {f"{another.repository}:{each}" for each in ("bash", "deno", "deno-custom")} <= tags


WRONG: list[object] = [
    pytest.param(
        lambda text: text.replace('    "thing",\n', '    "thing>=1",\n'),
        "images.python-custom: locked with thing>=1, but declared with thing\nRewrite the lock: ./doitw lock",
        id="other packages",
    ),
    pytest.param(
        lambda text: text.replace("[images.web-tests]", "[images.web-more]"),
        "deps.lock.toml: images.web-tests: not in the lock, but declared in deps.toml:",
        id="an image that is not in it",
    ),
    pytest.param(lambda text: text + "more = 1\n", ".more: not a key of an image", id="unknown key"),
    pytest.param(
        lambda text: text.replace('"pypi thing 1.0 ', '"pipy thing 1.0 '),
        "'pipy' is not an ecosystem (allowed: apk, deno, generic, npm, pypi)",
        id="no ecosystem",
    ),
    pytest.param(
        lambda text: text.replace("version = 2", "version = 7"), "version: expected 2, found 7", id="version"
    ),
    pytest.param(
        lambda text: text.replace("other==2.0", "--find-links https://evil.example\nother==2.0"),
        "'--find-links https://evil.example' is not a package with its hash",
        id="an option of pip's",
    ),
    pytest.param(
        lambda text: re.sub(r" --hash=\S+", "", text), "is not a package with its hash", id="no hashes"
    ),
    pytest.param(
        lambda text: re.sub(
            r"(\[images\.python-custom\].*?)lock = '''.*?'''\n", r"\1", text, flags=re.DOTALL
        ),
        "images.python-custom: lock is missing",
        id="no lock of pip's",
    ),
    pytest.param(
        lambda text: re.sub(r'\n *"integrity": "[^"]*",?', "", text),
        "integrity is missing",
        id="no integrity",
    ),
    pytest.param(
        lambda text: re.sub(r"(apk tool \S+) Q1\S{28}", r"\1", text),
        "apk tool: expected apk's Q1…, found no hash",
        id="no checksum of apk's",
    ),
    pytest.param(lambda text: text[:-40], "not TOML", id="half of it"),
    pytest.param(lambda _: None, "deps.lock.toml: not found, but --locked", id="no lock"),
]


class TestRefused:
    """Locks that are not what they should be."""

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize(("change", "words"), WRONG)
    def test_wrong_lock_builds_nothing(
        self,
        docker_api: docker.APIClient,
        another: Checkout,
        change: Callable[[str], str | None],
        words: str,
    ) -> None:
        """One line says where and what, before anything is done."""
        text = change(lock(another).read_text())
        if text is None:
            lock(another).unlink()
        else:
            lock(another).write_text(text)
        before = {image["Id"] for image in docker_api.images(all=True)}
        for command in (("setup", "--locked"), ("plan", "--locked")):
            done = another.doit(*command)
            assert done.code == 3
            assert words in done.out + done.err
            assert "Traceback" not in done.out + done.err
        assert {image["Id"] for image in docker_api.images(all=True)} <= before
