"""Images for a platform that is not the engine's own: built, verified and run where QEMU runs them."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab.updown import Lab
from tests.integration.arm64 import (
    CAN_EMULATE,
    OWN,
    PLATFORM,
    alpine_for_both,
    emulating,
    not_emulated,
)
from tests.integration.checkouts import ROOT, Checkout, new_checkout, remove_tags
from tests.integration.registries import Registry

pytestmark = CAN_EMULATE


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Give what stand-ins are made with, on a machine that runs programs for arm64."""
    with emulating(Lab.of(ROOT)) as lab:
        yield lab


@pytest.fixture(scope="module")
def alpine(lab: Lab, docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the name of an Alpine for both platforms, without its tag, as a registry has it."""
    with alpine_for_both(lab, docker_api, tmp_path_factory.mktemp("registry") / "both") as name:
        yield name


@pytest.fixture
def arm(checkout: Checkout, alpine: str) -> Checkout:
    """Give a checkout that builds for arm64."""
    declare(checkout, alpine, PLATFORM)
    return checkout


def declare(checkout: Checkout, alpine: str, platform: str, verify: str = "") -> None:
    wanted = f'platforms = ["{platform}"]\n' if platform else ""
    checkout.deps('bash = ["jq"]', f'{wanted}args = {{ ALPINE_IMAGE = "{alpine}" }}\n{verify}')


def processor(api: docker.APIClient, checkout: Checkout, name: str) -> str:
    """Run an image as somebody who does not care, and return what it says that it runs on."""
    made = api.create_container(
        f"{checkout.repository}:{name}", ["uname", "-m"], labels={"org.isol8.tasks.test": "1"}
    )
    try:
        api.start(made)
        assert api.wait(made)["StatusCode"] == 0
        said: bytes = api.logs(made)
        return said.decode().strip()
    finally:
        api.remove_container(made, force=True)


@contextlib.contextmanager
def on_second(
    second: str, folder: Path, platform: str, alpine: str, registry: Registry
) -> Iterator[tuple[Checkout, docker.APIClient]]:
    """Give a checkout for another engine, which builds for one platform, as one of that platform would."""
    other, api = new_checkout(folder / "second"), docker.APIClient(base_url=second)
    other.deps(
        'bash = ["jq"]',
        f'platforms = ["{platform}"]\nargs = {{ ALPINE_IMAGE = "{alpine}" }}\n'
        f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n',
    )
    try:
        yield other, api
    finally:
        remove_tags(api, other.repository)
        api.close()


def test_built_verified_and_run(arm: Checkout, alpine: str, docker_api: docker.APIClient) -> None:
    """Base and custom image are in use, whichever platform the upstream image was last here for; and so back again."""
    done = arm.doit("setup", "--only=bash")
    assert (done.code, "2 built · " in done.out) == (0, True), done.out + done.err
    for name in ("bash", "bash-custom"):
        assert docker_api.inspect_image(f"{arm.repository}:{name}")["Architecture"] == "arm64"
        assert arm.manifest()["images"][f"{arm.repository}:{name}"]["platform"] == PLATFORM
    assert processor(docker_api, arm, "bash-custom") == "aarch64"
    plan = json.loads(arm.doit("plan", "--only=bash", "--json").out)
    assert (plan["platform"], {each["state"] for each in plan["images"]}) == (PLATFORM, {"up-to-date"})
    assert arm.doit("verify", "bash-custom").code == 0
    declare(arm, alpine, "")
    assert arm.plan("--only=bash")["bash"] == ("stale", [f"platform {PLATFORM} → the engine's own"])
    done = arm.doit("setup", "--only=bash")
    assert (done.code, "2 built · " in done.out) == (0, True), done.out + done.err
    assert processor(docker_api, arm, "bash-custom") == "x86_64"
    assert arm.doit("rollback", "bash-custom").code == 0
    assert processor(docker_api, arm, "bash-custom") == "aarch64"


def test_what_the_engine_can_not_run(
    arm: Checkout, alpine: str, docker_api: docker.APIClient, lab: Lab
) -> None:
    """A build that nobody can verify stays a candidate, unless deps.toml says that this will do."""
    arm.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN echo {arm.repository}\nCMD ["bash"]')
    with not_emulated(lab):
        done = arm.doit("base:bash")
    assert done.code == 1
    assert f"The builder can't run programs for {PLATFORM}." in done.out
    # As a builder elsewhere does, which runs them itself.
    assert arm.doit("base:bash", "--force").code == 0
    assert arm.doit("clean", "base:bash").code == 0
    with not_emulated(lab):
        done = arm.doit("base:bash")
        assert done.code == 4, done.out
        assert f"is for {PLATFORM}, which the engine ({OWN}) can't run, so it was not verified" in done.out
        assert not docker_api.images(f"{arm.repository}:bash")
        declare(arm, alpine, PLATFORM, "[verify]\nunchecked_platforms = true")
        done = arm.doit("base:bash")
    assert done.code == 0, done.out
    # containerd's store tells the layers of one platform of an upstream image, by which a candidate is judged.
    assert "1 promoted · " in done.out or docker_api.info()["Driver"] != "overlay2", done.out
    assert f"not verified: the engine can't run {PLATFORM}" in done.out
    assert arm.manifest()["runtimes"]["bash"]["inventory"] is None
    declare(arm, alpine, PLATFORM)
    assert arm.doit("verify", "bash").code == 0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Give a registry for what is built."""
    found = Registry(tmp_path / "registry").start()
    yield found
    found.kill()


def declare_both(
    checkout: Checkout, alpine: str, registry: Registry, more: str = "", package: str = "jq"
) -> None:
    checkout.deps(
        f'bash = ["{package}"]',
        f'platforms = ["{PLATFORM}", "{OWN}"]\nargs = {{ ALPINE_IMAGE = "{alpine}" }}\n'
        f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n{more}',
    )


@pytest.fixture
def both(
    checkout: Checkout, alpine: str, registry: Registry, docker_api: docker.APIClient
) -> Iterator[Checkout]:
    """Give a checkout that builds for both platforms."""
    declare_both(checkout, alpine, registry)
    yield checkout
    remove_tags(docker_api, f"{checkout.repository}_linux-arm64")


def foreign(api: docker.APIClient) -> set[str]:
    """Return all names of images for arm64 on an engine, but for the stand-in's."""
    return {
        tag
        for image in api.images()
        if api.inspect_image(image["Id"])["Architecture"] == "arm64"
        for tag in image["RepoTags"] or ()
        if "/alpine:" not in tag and tag != "<none>:<none>"
    }


def test_both_under_one_name(  # noqa: PLR0913, PLR0917 - fixtures
    both: Checkout, alpine: str, registry: Registry, docker_api: docker.APIClient, second: str, tmp_path: Path
) -> None:
    """An index has both, an engine of either platform takes its own, and a change builds both."""
    # As if somebody had asked for the other platform's.
    docker_api.pull(alpine, "3.21", platform=PLATFORM)
    done = both.doit("setup", "--only=bash")
    assert done.code == 0, done.out + done.err
    assert "2 built for linux/arm64 · 2 put under one name" in done.out
    assert foreign(docker_api) == set()
    assert docker_api.inspect_image(f"{alpine}:3.21")["Architecture"] == "amd64"
    names = ("bash", "bash-custom")
    first = {name: registry.indexed("isol8", name) for name in names}
    assert all(set(each) == {OWN, PLATFORM} for each in first.values())
    for name in names:
        entry = both.manifest()["images"][f"{both.repository}:{name}"]
        assert (entry["platform"], entry["pushed"]["digest"]) == (OWN, first[name][OWN])
        assert entry["pushed"]["others"][PLATFORM]["digest"] == first[name][PLATFORM]
    assert processor(docker_api, both, "bash-custom") == "x86_64"
    done = both.doit("setup", "--only=bash")
    assert (done.code, done.out.startswith("2 images up to date")) == (0, True), done.out + done.err
    assert both.doit("plan", "--only=bash", "--check").code == 0
    with on_second(second, tmp_path, PLATFORM, alpine, registry) as (other, api):
        done = other.doit("setup", "--only=bash", DOCKER_HOST=second)
        assert (done.code, "2 pulled · " in done.out) == (0, True), done.out + done.err
        assert processor(api, other, "bash-custom") == "aarch64"
    declare_both(both, alpine, registry, package="bash")
    plan = json.loads(both.doit("plan", "--only=bash", "--json").out)
    states = {place: [each["state"] for each in plan[place]] for place in ("images",)}
    assert states | {"others": [each["state"] for each in plan["others"][PLATFORM]]} == {
        "images": ["up-to-date", "stale"],
        "others": ["up-to-date", "stale"],
    }
    done = both.doit("setup", "--only=bash")
    assert done.code == 0, done.out + done.err
    assert "1 built · " in done.out
    assert "1 built for linux/arm64 · 1 put under one name" in done.out
    again = {name: registry.indexed("isol8", name) for name in names}
    assert again["bash"] == first["bash"]
    assert not {*again["bash-custom"].values()} & {*first["bash-custom"].values()}
    assert foreign(docker_api) == set()
    other_commands(both, registry)


def other_commands(both: Checkout, registry: Registry) -> None:
    """Roll back and bake one platform; without the registry nobody can decide for the other."""
    done = both.doit("setup", "--locked")
    assert (done.code, "deps.linux-amd64.lock.toml: not found, but --locked needs it" in done.err) == (
        3,
        True,
    )
    done = both.doit("bake", "--print", "bash")
    assert (done.code, done.err) == (
        0,
        f"note: these targets are for {OWN}; ./doitw setup builds for {PLATFORM}\n",
    )
    assert json.loads(done.out)["target"]["bash"]["platforms"] == [OWN]
    before = registry.indexed("isol8", "bash-custom")
    assert both.doit("rollback", "bash-custom").code == 0
    after = registry.indexed("isol8", "bash-custom")
    assert (after[PLATFORM], after[OWN] == before[OWN]) == (before[PLATFORM], False)
    registry.kill()
    done = both.doit("setup", "--only=bash")
    assert (done.code, f"so nobody knows what it has for {PLATFORM}" in done.out) == (4, True), done.out
    assert both.doit("plan", "--only=bash").code == 4
    assert both.doit("setup", "--only=bash", "--no-registry").code == 0


def test_one_platform_is_missing(
    both: Checkout, alpine: str, registry: Registry, docker_api: docker.APIClient, lab: Lab
) -> None:
    """Only what is missing is built; what nobody can run moves no name, unless deps.toml says otherwise."""
    both.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN echo {both.repository}\nCMD ["bash"]')
    done = both.doit("base:bash")
    assert (done.code, "1 built for linux/arm64 · 1 put under one name" in done.out) == (0, True), done.out
    first, tags = registry.indexed("isol8", "bash"), registry.storage.glob("**/isol8/_manifests/tags/bash-*")
    registry.index("isol8", "bash", {OWN: first[OWN]})
    done = both.doit("setup", "--only=bash")
    # It has the tag of its key still.
    assert (done.code, "linux/arm64 · 1 put" in done.out) == (0, False), done.out + done.err
    assert registry.indexed("isol8", "bash") == first, done.out
    registry.index("isol8", "bash", {OWN: first[OWN]})
    for tag in tags:
        if tag.joinpath("current/link").read_text() == first[PLATFORM]:
            shutil.rmtree(tag)
    plan = json.loads(both.doit("plan", "--only=bash", "--json").out)
    assert [each["state"] for each in plan["images"]] == ["up-to-date", "up-to-date"]
    assert [each["state"] for each in plan["others"][PLATFORM]] == ["not-built", "stale"]
    assert both.doit("plan", "--only=bash", "--check").code == 2
    with not_emulated(lab):
        done = both.doit("setup", "--only=bash")
        assert (done.code, f"is for {PLATFORM}, which the engine ({OWN}) can't run" in done.out) == (4, True)
        assert "_linux-arm64" not in done.out
        assert registry.indexed("isol8", "bash") == {OWN: first[OWN]}
        declare_both(both, alpine, registry, "[verify]\nunchecked_platforms = true\n")
        done = both.doit("setup", "--only=bash")
    assert (done.code, f"not verified: the engine can't run {PLATFORM}" in done.out) == (0, True), done.out
    assert set(registry.indexed("isol8", "bash")) == {OWN, PLATFORM}
    assert foreign(docker_api) == set()
    # As a night of later: it is rebuilt here, and so for the other platform, where it is verified now.
    declare_both(both, alpine, registry)
    done = both.later(2, "base:bash", "--force")
    assert (done.code, "1 built for linux/arm64" in done.out) == (0, True), done.out + done.err
    assert both.doit("plan", "--only=bash", "--check").code == 2
