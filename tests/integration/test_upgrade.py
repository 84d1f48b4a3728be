"""Exact versions in deps.toml, raised to what real tools resolve in the images, on an index of the tests' own."""

import datetime as dt
import json
from collections.abc import Iterator

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.refreshing import first_releases, installed
from tests.integration.world import World

DEPENDENCIES = """
python = ["thing==1.0", "other"]   # thing needs other
node = ["left@1.0.0"]              # the web
bun = ["right@1.0.0"]
deno = ["npm:down@1.0.0"]
bash = ["tool=1.0-r0"]
"""


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout whose base images are built, and whose sources have newer versions of all."""
    first_releases(world)
    lately = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    world.wheel("thing", "1.1", requires=["other>=2"])
    world.wheel("thing", "1.2", requires=["other>=2"], uploaded=lately)
    world.wheel("thing", "2.0", requires=["other>=2"])
    for name in ("left", "right", "down"):
        world.npm(name, "1.1.0")
        world.npm(name, "2.0.0")
    world.apk("tool", "1.1-r0", depends=["part"])
    checkout = new_checkout(tmp_path_factory.mktemp("upgrade") / "home")
    checkout.deps(
        DEPENDENCIES, f'{world.build}\n[refresh]\nmin_age = "1d"\n[verify]\noldest_client = "0.7.0"\n'
    )
    done = checkout.doit("base")
    assert done.code == 0, done.out + done.err
    yield checkout
    remove_tags(docker_api, checkout.repository)


def test_within_the_major_version(home: Checkout) -> None:
    """What is too new is only named; comments stay."""
    before = (home.folder / "deps.toml").read_text()
    done = home.doit("upgrade", "--progress=json")
    assert done.code == 0, done.out + done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    rows = {each["package"]: each for each in events if each["event"] == "upgrade"}
    new = {package: (each["new"], each["major"], each["too_new"]) for package, each in rows.items()}
    assert new == {
        "thing==1.0": ("1.1", "2.0", "1.2"),
        "other": ("", "", ""),
        "left@1.0.0": ("1.1.0", "2.0.0", ""),
        "right@1.0.0": ("1.1.0", "2.0.0", ""),
        "npm:down@1.0.0": ("1.1.0", "2.0.0", ""),
        "tool=1.0-r0": ("1.1-r0", "", ""),
    }
    after = before.replace("@1.0.0", "@1.1.0").replace("thing==1.0", "thing==1.1").replace("1.0-r0", "1.1-r0")
    assert (home.folder / "deps.toml").read_text() == after
    again = home.doit("upgrade", "node")
    assert again.out.endswith("deps.toml: nothing newer; nothing to write\n")


def test_other_major_versions_are_built_and_locked(home: Checkout) -> None:
    """What is declared then is what is installed."""
    (home.folder / "deps.lock.toml").unlink(missing_ok=True)
    assert home.built("custom:bash", "custom:node") == {"bash-custom", "node-custom"}
    done = home.doit("upgrade", "--major", "node", "left", "--build")
    assert done.code == 0, done.out + done.err
    assert installed(home, "node-custom")["left"] == "2.0.0"
    assert (installed(home, "bash-custom")["tool"], home.doit("plan", "--check").code) == ("1.1-r0", 0)
