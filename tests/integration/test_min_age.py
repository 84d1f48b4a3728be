"""[refresh] min_age in ordinary builds: what was published recently is in no image, whoever asked for it."""

import datetime as dt
from collections.abc import Iterator

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.refreshing import DEPENDENCIES, first_releases, installed
from tests.integration.world import World

LIMIT = '[refresh]\nmin_age = "1d"'
OLD = {
    "python-custom": {"thing": "1.0", "other": "2.0"},
    "node-custom": {"left": "1.0.0", "below": "1.0.0"},
    "bun-custom": {"right": "1.0.0", "below": "1.0.0"},
    "deno-custom": {"down": "1.0.0"},
}


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout with nothing built, whose packages and what they need were published again two hours ago."""
    first_releases(world)
    lately = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    world.wheel("other", "2.1", uploaded=lately)
    world.wheel("leaf", "1.1", uploaded=lately)
    world.npm("below", "1.1.0", published=lately)
    world.npm("down", "1.1.0", published=lately)
    checkout = new_checkout(tmp_path_factory.mktemp("age") / "home")
    yield checkout
    remove_tags(docker_api, checkout.repository)


def settings(checkout: Checkout, world: World, limit: str = "") -> None:
    """Write deps.toml, which asks for a custom image of each runtime."""
    checkout.deps(DEPENDENCIES, f"{world.build}\n{limit}")


def versions(checkout: Checkout) -> dict[str, dict[str, str]]:
    """Return what the images have of the packages that are asked for, and of those that these need."""
    found = {name: installed(checkout, name) for name in OLD}
    return {name: {each: found[name][each] for each in wanted} for name, wanted in OLD.items()}


def test_new_image_gets_nothing_young(home: Checkout, world: World) -> None:
    """What a package needs is too new like itself; of apk's packages a line says that it can't be."""
    settings(home, world, LIMIT)
    done = home.doit("setup")
    assert done.code == 0, done.out + done.err
    assert versions(home) == OLD
    (line,) = (line for line in done.out.splitlines() if line.startswith("min_age can't be enforced"))
    assert f"{home.repository}:bash-custom" in line
    assert f"{home.repository}:python-custom" not in line


def test_it_is_up_to_date_from_then_on(home: Checkout, world: World) -> None:
    """Time goes by, and nothing is stale for it, nor for the limit itself."""
    assert home.doit("plan", "--check").code == 0
    settings(home, world)
    assert home.doit("plan", "--check").code == 0


@pytest.mark.thorough
def test_forced_build_gets_nothing_young(home: Checkout, world: World) -> None:
    """An image that is there is built of the same."""
    settings(home, world, LIMIT)
    assert {"python-custom", "bun-custom"} <= home.built("custom:python", "--force", "custom:bun", "--force")
    assert versions(home) == OLD


def test_another_package_is_added(home: Checkout, world: World) -> None:
    """What is asked for newly comes, in a version that is old enough."""
    settings(home, world, LIMIT)
    home.edit("deps.toml", 'python = ["thing"]', 'python = ["thing", "leaf"]')
    assert home.built() == {"python-custom"}
    found = installed(home, "python-custom")
    assert (found["leaf"], found["thing"], found["other"]) == ("1.0", "1.0", "2.0")


@pytest.mark.thorough
def test_without_the_key_installers_take_the_newest(home: Checkout, world: World) -> None:
    """And no package source is asked before."""
    settings(home, world)
    assert home.doit("custom:python", "--force").code == 0
    assert installed(home, "python-custom")["other"] == "2.1"


def test_what_can_only_be_had_young_is_not_built(home: Checkout, world: World) -> None:
    """It says so, and the image in use stays."""
    settings(home, world, LIMIT)
    world.wheel("fresh", "1.0", uploaded=dt.datetime.now(dt.UTC))
    home.edit("deps.toml", 'python = ["thing"]', 'python = ["fresh"]')
    done = home.doit("setup", "--only", "python")
    assert done.code == 4
    assert "fresh can only be resolved with versions younger than [refresh] min_age" in done.out
    assert installed(home, "python-custom")["thing"] == "1.0"
