"""Named images on a real engine: chains of them, scripts, and which image a request gets."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import docker
import pytest

from isol8_tasks import resolve_image
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import EngineError
from tests.integration.checkouts import Checkout, new_checkout, remove_tags, tags_of

IMAGES = """
[images.top]
extends = "middle"
setup = "echo started > /sandbox/started"

[images.bottom]
runtime = "bash"
packages = ["jq"]

[images.middle]
extends = "bottom"
packages = ["unzip"]

[images.ready]
runtime = "bash"
setup = "true"
"""
NAMED = {"bottom", "middle", "top", "ready"}


def write(checkout: Checkout, images: str) -> None:
    checkout.deps()
    file = checkout.folder / "deps.toml"
    file.write_text(file.read_text() + images)


@pytest.fixture(scope="module")
def template(
    docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ...]]:
    """Build a chain of three and an image with a script alone, and return their tags."""
    checkout = new_checkout(tmp_path_factory.mktemp("folder") / "template")
    write(checkout, IMAGES)
    try:
        assert checkout.built("image") == {"bash", *NAMED}
        yield tags_of(docker_api, checkout.repository)
    finally:
        remove_tags(docker_api, checkout.repository)


@pytest.fixture
def built(template: tuple[str, ...], docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout of its own the template's images, under tags of its own."""
    checkout = new_checkout(tmp_path / "checkout")
    write(checkout, IMAGES)
    for tag in template:
        repository, _, name = tag.partition(":")
        private = "_build" if repository.endswith("_build") else ""
        docker_api.tag(tag, f"{checkout.repository}{private}", name)
    yield checkout
    remove_tags(docker_api, checkout.repository)


class TestChain:
    """Images that are based on one another."""

    @pytest.mark.thorough
    def test_nothing_to_do(self, built: Checkout) -> None:
        """Images that are as the file says are left alone, and listed with their tasks."""
        assert built.built("image") == set()
        listed = built.doit("list").out
        assert [line.split()[0] for line in listed.splitlines() if line.startswith("image:")] == [
            "image:bottom",
            "image:middle",
            "image:ready",
            "image:top",
        ]

    def test_a_change_in_the_middle(self, built: Checkout) -> None:
        """The image that changed is rebuilt and what is based on it; its parent is not."""
        built.edit("deps.toml", '"unzip"', '"curl"')
        plan = built.plan()
        assert plan["middle"] == ("stale", ["+ curl, \N{MINUS SIGN} unzip"])
        assert plan["top"] == ("stale", [f"parent {built.repository}:middle will be rebuilt"])
        assert {name for name in NAMED if plan[name][0] != "up-to-date"} == {"middle", "top"}
        assert built.built("image:top") == {"middle", "top"}
        images = built.manifest()["images"]
        assert images[f"{built.repository}:top"]["packages"] == ["curl", "jq"]
        assert images[f"{built.repository}:top"]["base"] == f"{built.repository}:middle"
        assert built.stale() == {"python", "node", "bun", "deno"}

    def test_another_parent_and_another_script(self, built: Checkout) -> None:
        """An image says that it gets another parent, and that its script is another."""
        built.edit("deps.toml", 'extends = "middle"', 'extends = "bottom"')
        built.edit("deps.toml", "echo started", "echo ready")
        assert built.plan()["top"] == (
            "stale",
            ["the setup script changed", f"parent {built.repository}:middle → {built.repository}:bottom"],
        )

    def test_one_that_lost_its_table(self, built: Checkout) -> None:
        """It is reported, left alone, and taken away when somebody says so."""
        write(built, IMAGES.replace("[images.ready]", "[images.other]"))
        plan = built.plan()
        assert plan["ready"] == ("undeclared", [])
        assert plan["other"] == ("not-built", ["declared in deps.toml:19, never built"])
        done = built.doit("image:top")
        assert f"{built.repository}:ready" in done.out
        assert "remove it with: ./doitw clean image:ready" in done.out
        assert built.doit("clean", "image:ready").code == 0
        assert "ready" not in built.plan()

    def test_a_circle_is_told_and_nothing_is_built(self, checkout: Checkout) -> None:
        """The chain is named with its lines, before anything is asked of the engine."""
        write(checkout, IMAGES.replace('runtime = "bash"\npackages', 'extends = "top"\npackages'))
        done = checkout.doit(DOCKER_HOST="unix:///nowhere.sock")
        assert (done.code, done.out) == (3, "")
        assert done.err == (
            "ERROR: deps.toml:8: images.top.extends: cycle: top (line 7) → middle (line 15) → bottom (line 11) "
            "→ top; every `extends` chain must end at a runtime\n"
        )

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Checkout:
        """Give a checkout with nothing built."""
        return new_checkout(tmp_path / "new")


class TestWhich:
    """Which image a request gets."""

    @pytest.mark.parametrize(
        ("packages", "image", "why"),
        [
            pytest.param("unzip,jq", "middle", "exact", id="exactly"),
            pytest.param("jq", "bottom", "exact", id="not-a-superset"),
            pytest.param("unzip", "middle", "superset", id="the-smallest"),
        ],
    )
    def test_the_command_and_the_function(
        self, built: Checkout, endpoint: Endpoint, packages: str, image: str, why: str
    ) -> None:
        """Both give the image that fits best, and the command says why."""
        done = built.doit("which", "bash", "--packages", packages, "--json")
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert (found["image"], found["why"]) == (f"{built.repository}:{image}", why)
        assert found["image"] == resolve_image(
            "bash",
            packages=packages.split(","),
            checkout=built.folder,
            environ={**os.environ, "DOCKER_HOST": endpoint.url},
        )

    def test_without_packages(self, built: Checkout) -> None:
        """As the specification has it, it is the base where there is no custom image."""
        done = built.doit("which", "bash")
        assert done.out == f"{built.repository}:bash  is the base image, as there is no custom one\n"

    def test_nothing_fits(self, built: Checkout, endpoint: Endpoint) -> None:
        """It ends with 1, and says what to do and what clients would use."""
        done = built.doit("which", "bash", "--packages=curl,jq")
        assert done.code == 1
        assert done.out.splitlines() == [
            "no image for bash has curl, jq: build one with ./doitw setup --bash=curl,jq, or add them to deps.toml",
            (
                f"  isol8 v0.1 to v0.11.0, v0.11.1 to v0.17, v0.18 and later would use {built.repository}:bash, "
                "and install the missing packages at each start"
            ),
        ]
        with pytest.raises(EngineError, match="no image for bash has curl, jq"):
            resolve_image(
                "bash",
                packages=["jq", "curl"],
                checkout=built.folder,
                environ={**os.environ, "DOCKER_HOST": endpoint.url},
            )

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                [],
                "which: expected one runtime (python, node, bun, deno, bash), for example: ./doitw which python",
            ),
            (
                ["bsh"],
                "'bsh' is not a runtime (did you mean bash? allowed: python, node, bun, deno, bash)",
            ),
        ],
        ids=["none", "unknown"],
    )
    def test_wrong_usage(self, built: Checkout, words: list[str], message: str) -> None:
        """A request that is none is told in a line, with exit code 3."""
        done = built.doit("which", *words)
        assert (done.code, done.err) == (3, f"ERROR: {message}\n")


class TestClients:
    """What isol8's clients find."""

    def test_packages_of_the_whole_chain_run_for_the_sandbox(
        self,
        built: Checkout,
        start_sandbox: Callable[..., str],
        execute: Callable[..., CompletedProcess[str]],
        docker_api: docker.APIClient,
    ) -> None:
        """User sandbox has what every image of the chain installed, and the label is the script to be run."""
        image = docker_api.inspect_image(f"{built.repository}:top")
        labels = image["Config"]["Labels"]
        assert (labels["org.isol8.runtime"], labels["org.isol8.dependencies"]) == ("bash", "jq,unzip")
        container = start_sandbox(f"{built.repository}:top")
        assert execute(container, "sh", "-c", "jq --version && unzip -v").returncode == 0
        script = execute(container, "bash", "-c", labels["org.isol8.setup"])
        assert script.returncode == 0, script.stderr
        assert execute(container, "cat", "/sandbox/started").stdout == "started\n"
        docker_api.remove_container(container, force=True)

    def test_a_script_alone_makes_no_layer(self, built: Checkout, docker_api: docker.APIClient) -> None:
        """An image with no packages is its base with other labels, and no client takes it for a request."""
        base, ready = (docker_api.inspect_image(f"{built.repository}:{name}") for name in ("bash", "ready"))
        assert ready["RootFS"] == base["RootFS"]
        assert ready["Config"]["Labels"]["org.isol8.setup"] == "true"
        assert "org.isol8.dependencies" not in ready["Config"]["Labels"]
