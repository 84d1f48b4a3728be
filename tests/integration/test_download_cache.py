"""[build] download_cache on real engines: what was downloaded once is not again, and no image has anything of it."""

import io
import os
import re
import tarfile
from collections.abc import Iterator

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.refreshing import first_releases, installed
from tests.integration.world import World

CUSTOM = ("python-custom", "node-custom", "bun-custom", "bash-custom")
FILES = r"GET (/files/.*\.whl|/.*\.tgz|/.*\.apk)$"
SIZE = 300_000


@pytest.fixture(scope="module", autouse=True)
def _keeps_mounts(docker_api: docker.APIClient) -> None:
    if os.environ.get("ISOL8_TEST_BUILDER") == "classic":
        pytest.skip("the classic builder has no caches")
    docker_api.prune_builds()


def declare(checkout: Checkout, world: World, *more: str, cache: bool = True) -> None:
    """Ask for one package of each installer, or for two."""
    lists = {"python": ["thing"], "node": ["left"], "bun": ["right"], "bash": ["tool"]}
    if more:
        lists = {name: [*found, f"more-{name}"] for name, found in lists.items()}
    lines = "\n".join(f"{name} = {found!r}" for name, found in lists.items())
    checkout.deps(lines, f"{world.build}\ndownload_cache = {str(cache).lower()}\n")


def downloads(world: World) -> list[str]:
    """Return the names of the packages' files that were fetched since the last look."""
    found = [
        match[1].rpartition("/")[2]
        for traffic in world.traffic.values()
        for path in traffic.paths
        if (match := re.match(FILES, path))
    ]
    world.forget()
    return sorted(found)


@pytest.fixture(scope="module")
def home(
    docker_api: docker.APIClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout whose images were built once with the cache."""
    first_releases(world)
    world.wheel("thing", "1.0", requires=["other>=2"], size=SIZE)
    world.wheel("more-python", "1.0")
    world.npm("left", "1.0.0", dependencies={"below": "^1"}, size=SIZE)
    world.npm("right", "1.0.0", dependencies={"below": "^1"}, size=SIZE)
    world.npm("more-node", "1.0.0")
    world.npm("more-bun", "1.0.0")
    world.apk("part", "1.0-r0", size=SIZE)
    world.apk("more-bash", "1.0-r0")
    checkout = new_checkout(tmp_path_factory.mktemp("cache") / "home")
    declare(checkout, world)
    done = checkout.doit("setup")
    assert done.code == 0, done.out + done.err
    assert "thing-1.0-py3-none-any.whl" in downloads(world)
    yield checkout
    remove_tags(docker_api, checkout.repository)


def test_one_more_package_is_all_that_is_downloaded(home: Checkout, world: World) -> None:
    """Of every installer; and the images have all of them."""
    declare(home, world, "more")
    done = home.doit("setup")
    assert done.code == 0, done.out + done.err
    assert downloads(world) == [
        "more-bash-1.0-r0.apk",
        "more-bun-1.0.0.tgz",
        "more-node-1.0.0.tgz",
        "more_python-1.0-py3-none-any.whl",
    ]
    for name, packages in zip(
        CUSTOM, (("thing", "other"), ("left", "below"), ("right", "below"), ("tool", "part")), strict=True
    ):
        there = installed(home, name)
        assert {*packages, f"more-{name.partition('-')[0]}"} <= {*there}


def test_it_makes_no_image_stale(home: Checkout, world: World) -> None:
    """What is in an image does not depend on it."""
    declare(home, world, "more", cache=False)
    assert home.doit("plan", "--check").code == 0
    declare(home, world, "more")


@pytest.mark.parametrize("name", CUSTOM)
def test_no_image_has_anything_of_it(docker_api: docker.APIClient, home: Checkout, name: str) -> None:
    """Neither what was downloaded nor where it is kept."""
    container = docker_api.create_container(f"{home.repository}:{name}", ["true"])["Id"]
    try:
        data = io.BytesIO(b"".join(docker_api.export(container)))
    finally:
        docker_api.remove_container(container)
    with tarfile.open(fileobj=data) as archive:
        names = set(archive.getnames())
    assert not {each for each in names if each.startswith("mnt/")}
    assert "etc/apk/cache" not in names
    assert not {each for each in names if re.search(r"/_cacache/|\.cache/pip|\.bun/install", each)}


def test_compiled_modules_are_those_of_pip(
    docker_api: docker.APIClient, home: Checkout, world: World
) -> None:
    """Byte for byte, with pip's own list of them: compiled beside pip, kept from an earlier build, or by pip alone."""
    found = []
    for cache in (True, True, False):
        declare(home, world, "more", cache=cache)
        done = home.doit("custom:python", "--force")
        assert done.code == 0, done.out + done.err
        found.append(python_files(docker_api, f"{home.repository}:python-custom"))
    declare(home, world, "more")
    compiled = {
        name
        for name in found[0]
        if re.search(r"/site-packages/__pycache__/(?:thing|other|more_python)\.", name)
    }
    assert len(compiled) == 3
    assert found[0] == found[1] == found[2]


def python_files(docker_api: docker.APIClient, image: str) -> dict[str, tuple[int, bytes]]:
    """Return the files below Python's modules, each with its mode."""
    container = docker_api.create_container(image, ["true"])["Id"]
    try:
        data = io.BytesIO(b"".join(docker_api.export(container)))
    finally:
        docker_api.remove_container(container)
    with tarfile.open(fileobj=data) as archive:
        return {
            each.name: (each.mode, content.read())
            for each in archive
            if "/site-packages/" in each.name and (content := archive.extractfile(each))
        }


def test_lock_is_installed_from_what_is_kept(home: Checkout, world: World) -> None:
    """As far as pip and npm hold a hash against it; bun's packages are fetched again."""
    assert home.doit("lock").code == 0
    world.forget()
    done = home.doit("setup", "--locked", "--force", "--only", "python,node,bun")
    assert done.code == 0, done.out + done.err
    fetched = downloads(world)
    assert {"thing-1.0-py3-none-any.whl", "left-1.0.0.tgz"} & {*fetched} == set()
    assert "right-1.0.0.tgz" in fetched


def test_prune_bounds_it(docker_api: docker.APIClient, home: Checkout, world: World) -> None:
    """It counts as the builder's cache."""

    def kept() -> int:
        records = docker_api.df()["BuildCache"] or []
        return sum(each["Size"] for each in records if each["Type"] == "exec.cachemount")

    assert kept() > SIZE
    settings = (home.folder / "deps.toml").read_text()
    (home.folder / "deps.toml").write_text(f'{settings}\n[prune]\nkeep = "0MB"\n')
    done = home.doit("prune", "--yes")
    assert done.code == 0, done.out + done.err
    assert kept() == 0
    world.forget()
    done = home.doit("custom:python", "--force")
    assert done.code == 0, done.out + done.err
    assert "thing-1.0-py3-none-any.whl" in downloads(world)


def test_classic_builder_says_so(home: Checkout) -> None:
    """In one line, and the image in use stays."""
    settings = (home.folder / "deps.toml").read_text()
    (home.folder / "deps.toml").write_text(settings.replace("[build]", '[build]\nbuilder = "classic"', 1))
    done = home.doit("custom:bash", "--force")
    assert done.code == 3
    assert (
        "[build] download_cache needs BuildKit, and this engine builds with the classic builder" in done.out
    )
