"""A registry as shared truth: what one engine built and pushed, another pulls instead of building it."""

import base64
import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.registries import PASSWORD, Registry
from tests.integration.tokens import TokenServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a second engine needs Linux")

ONLY = ("--only", "bash")
NAMES = ("bash", "bash-custom", "tools")
TOOLS = '[images.tools]\nruntime = "bash"\npackages = ["unzip"]\n'


def shared_by(registry: Registry, *, push: bool = True) -> str:
    return (
        f'{TOOLS}[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n'
        f"push = {str(push).lower()}\n"
    )


def states(checkout: Checkout, *words: str, host: str = "") -> dict[str, str]:
    """Return the state of each image as plan prints it."""
    environment = {"DOCKER_HOST": host} if host else {}
    done = checkout.doit("plan", *ONLY, *words, **environment)
    assert done.code == 0, done.out + done.err
    rows = [re.split(r"  +", line, maxsplit=2) for line in done.out.splitlines()[1:]]
    return {row[0].rpartition(":")[2]: row[1] for row in rows if len(row) > 1}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry that both engines reach."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "shared").start()
    yield registry
    registry.kill()


@pytest.fixture(scope="module")
def builder(
    registry: Registry, docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout whose images were built and pushed."""
    checkout = new_checkout(tmp_path_factory.mktemp("builder") / "builder")
    checkout.deps('bash = ["jq"]', shared_by(registry))
    done = checkout.doit("setup", *ONLY)
    assert done.code == 0, done.out + done.err
    assert "3 built · 3 pushed · " in done.out
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def reader(registry: Registry, builder: Checkout, second: str, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout for an engine that has no image of it, after another one pushed them."""
    assert builder.repository
    checkout = new_checkout(tmp_path / "reader")
    checkout.deps('bash = ["jq"]', shared_by(registry))
    yield checkout
    client = docker.APIClient(base_url=second)
    remove_tags(client, checkout.repository)
    client.close()


class TestAnEmptyEngine:
    """An engine without any image, and a registry that has them."""

    def test_plan_says_what_is_there_without_a_layer(
        self, reader: Checkout, second: str, registry: Registry
    ) -> None:
        """Manifest and configuration of each image are asked for, and nothing else."""
        before = len(registry.paths())
        assert states(reader, host=second) == dict.fromkeys(NAMES, "in registry")
        asked = [path for path in registry.paths()[before:] if path != "/v2/"]
        assert sum("/manifests/" in path for path in asked) == len(NAMES)
        assert sum("/blobs/" in path for path in asked) == len(NAMES)
        check = reader.doit("plan", "--check", *ONLY, DOCKER_HOST=second)
        assert check.code == 0
        assert f"up to date in {registry.address}/isol8, so it is pulled" in check.out

    def test_setup_pulls_and_builds_nothing(self, reader: Checkout, builder: Checkout, second: str) -> None:
        """The images are the same afterwards, and the next run asks nobody."""
        done = reader.doit("setup", *ONLY, DOCKER_HOST=second)
        assert done.code == 0, done.out + done.err
        assert "3 pulled · " in done.out
        assert "built" not in done.out.replace("not built", "")
        here = {name.rpartition(":")[2]: each for name, each in builder.manifest()["images"].items()}
        there = {name.rpartition(":")[2]: each for name, each in reader.manifest()["images"].items()}
        for name in NAMES:
            for key in ("key", "pushed", "inventory", "packages", "created"):
                assert there[name][key] == here[name][key], (name, key)
        again = reader.doit("setup", *ONLY, DOCKER_HOST=second)
        assert again.out.startswith("3 images up to date · ")

    def test_rebuild_of_what_was_pulled_replaces_nothing(
        self, reader: Checkout, registry: Registry, second: str
    ) -> None:
        """Here the files are as there, though the engine says that the image that it pulled is larger."""
        assert "3 pulled" in reader.doit("setup", *ONLY, DOCKER_HOST=second).out
        before = registry.tags("isol8")
        done = reader.doit("setup", *ONLY, "--force", DOCKER_HOST=second)
        assert done.code == 0, done.out + done.err
        assert re.search("^3 rebuilt, same result · ", done.out, re.MULTILINE), done.out
        assert registry.tags("isol8") == before

    def test_without_the_registry_all_is_built(self, reader: Checkout, second: str) -> None:
        """As --no-registry asks for."""
        assert set(states(reader, "--no-registry", host=second).values()) == {"not built"}

    def test_registry_that_does_not_answer_is_a_warning(self, reader: Checkout, second: str) -> None:
        """What can't be looked up is built."""
        reader.deps('bash = ["jq"]', '[registry]\nrepository = "127.0.0.1:9/isol8"\n')
        done = reader.doit("plan", *ONLY, DOCKER_HOST=second)
        assert done.code == 0
        assert "not built" in done.out
        assert "warning: the registry 127.0.0.1:9: it could not be asked: " in done.out
        assert "what it may have is built here" in done.out


def test_only_what_changed_goes_back_and_forth(reader: Checkout, builder: Checkout, second: str) -> None:
    """A change on one engine is built there once, and pulled on the other."""
    text = (reader.folder / "deps.toml").read_text().replace('["jq"]', '["jq", "unzip"]')
    (reader.folder / "deps.toml").write_text(text)
    assert states(reader, host=second) == {
        "bash": "in registry",
        "bash-custom": "not built",
        "tools": "in registry",
    }
    done = reader.doit("setup", *ONLY, DOCKER_HOST=second)
    assert done.code == 0, done.out + done.err
    assert "1 built · 2 pulled · 1 pushed · " in done.out
    (builder.folder / "deps.toml").write_text(text.replace(reader.repository, builder.repository))
    assert states(builder)["bash-custom"] == "in registry"
    back = builder.doit("setup", *ONLY)
    assert back.code == 0, back.out + back.err
    assert "1 pulled · 2 up to date · " in back.out
    assert "bash-custom" in builder.doit("inventory", "bash-custom").out


def test_keys_are_equal_on_every_engine(reader: Checkout, builder: Checkout, second: str) -> None:
    """Whatever kind of store an engine has: an upstream image counts by its digest in its registry."""
    done = reader.doit("setup", *ONLY, "--no-registry", DOCKER_HOST=second)
    assert done.code == 0, done.out + done.err
    (here,), (there,) = (
        [each["key"] for name, each in made.manifest()["images"].items() if name.endswith(":bash")]
        for made in (builder, reader)
    )
    assert here == there


def test_reader_pushes_nothing(registry: Registry, reader: Checkout, second: str) -> None:
    """With push = false what is built stays here, and nobody complains."""
    reader.deps('bash = ["unzip"]', shared_by(registry, push=False))
    before = registry.tags("isol8")
    done = reader.doit("setup", *ONLY, DOCKER_HOST=second)
    assert done.code == 0, done.out + done.err
    assert "1 built · 2 pulled · " in done.out
    assert "pushed" not in done.out
    assert registry.tags("isol8") == before


def test_two_machines_build_the_same_at_once(
    registry: Registry, docker_api: docker.APIClient, second: str, tmp_path: Path
) -> None:
    """The one that pushes later takes the other's images; what it based on its own is built again on these."""
    text = shared_by(registry).replace("/isol8", "/race")
    slow = (
        '[images.slow]\nruntime = "bash"\nsetup = "true"\n'
        '[verify.slow]\ncommand = ["sleep", "20"]\ntimeout = "2m"\n'
    )
    first, later = new_checkout(tmp_path / "first"), new_checkout(tmp_path / "later")
    first.deps('bash = ["jq"]', text)
    later.deps('bash = ["jq"]', text + slow)
    try:
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(first.doit, "setup", *ONLY),
                pool.submit(later.doit, "setup", *ONLY, DOCKER_HOST=second),
            ]
            one, other = (each.result() for each in runs)
        assert (one.code, other.code) == (0, 0), one.out + other.out
        assert "3 built · 3 pushed · " in one.out
        assert "1 built · 3 pulled · " in other.out
        again = later.doit("setup", *ONLY, DOCKER_HOST=second)
        assert "1 built · 3 up to date · 1 pushed · " in again.out, again.out
        pushed = [
            {
                name.rpartition(":")[2]: each["pushed"]["digest"]
                for name, each in made.manifest()["images"].items()
            }
            for made in (first, later)
        ]
        assert pushed[0] == {name: pushed[1][name] for name in NAMES}
    finally:
        remove_tags(docker_api, first.repository)
        client = docker.APIClient(base_url=second)
        remove_tags(client, later.repository)
        client.close()


def test_rollback_on_one_machine_and_runs_on_another(
    registry: Registry, docker_api: docker.APIClient, second: str, tmp_path: Path
) -> None:
    """In the registry the name stays where the one left it, and follows the end of its hold."""
    text = f'[registry]\nrepository = "{registry.address}/held"\nstandins = true\n'
    one, other = new_checkout(tmp_path / "one"), new_checkout(tmp_path / "other")
    try:
        one.deps('bash = ["jq"]', text)
        assert one.doit("setup", *ONLY).code == 0
        older = registry.digest("held", "bash-custom")
        for each, host in ((one, {}), (other, {"DOCKER_HOST": second})):
            each.deps('bash = ["jq", "unzip"]', text)
            assert each.doit("setup", *ONLY, **host).code == 0
        newer = registry.digest("held", "bash-custom")
        assert one.doit("rollback", "bash-custom").code == 0
        assert registry.digest("held", "bash-custom") == older != newer
        # A fresh clone, of which nobody knows that it pushed or pulled anything.
        (other.folder / "resolved-images.json").unlink()
        done = other.doit("setup", *ONLY, DOCKER_HOST=second)
        assert (done.code, "pushed" in done.out) == (0, False), done.out
        assert registry.digest("held", "bash-custom") == older
        assert one.doit("release", "bash-custom").code == 0
        done = one.doit("setup", *ONLY)
        assert "1 pulled · 1 up to date · 1 pushed · " in done.out, done.out
        assert registry.digest("held", "bash-custom") == newer
    finally:
        remove_tags(docker_api, one.repository)
        client = docker.APIClient(base_url=second)
        remove_tags(client, other.repository)
        client.close()


def test_registry_that_wants_tokens(docker_api: docker.APIClient, second: str, tmp_path: Path) -> None:
    """Who logs in pushes; who does not reads all the same, and is told nothing of it."""
    tokens = TokenServer(tmp_path / "tokens", PASSWORD)
    registry = Registry(tmp_path / "registry", tokens=tokens).start()
    login = {registry.address: {"auth": base64.b64encode(f"me:{PASSWORD}".encode()).decode()}}
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": login}))
    writer, reader = new_checkout(tmp_path / "writer"), new_checkout(tmp_path / "reader")
    try:
        writer.deps('bash = ["jq"]', shared_by(registry))
        pushed = writer.doit("setup", *ONLY, DOCKER_CONFIG=str(tmp_path / "docker"))
        assert pushed.code == 0, pushed.out + pushed.err
        assert "3 pushed" in pushed.out
        reader.deps('bash = ["jq"]', shared_by(registry))
        nobody = {"DOCKER_HOST": second, "DOCKER_CONFIG": str(tmp_path / "nobody")}
        read = reader.doit("setup", *ONLY, **nobody)
        assert read.code == 0, read.out + read.err
        assert "3 pulled · " in read.out
        assert "push" not in read.out
        reader.deps('bash = ["unzip"]', shared_by(registry))
        built = reader.doit("setup", *ONLY, **nobody)
        assert built.code == 0, built.out + built.err
        assert "1 built · 2 up to date · " in built.out
        host = registry.address
        assert (
            f"not pushed, because nobody is logged in at {host}: bash-custom (docker login {host})"
            in built.out
        )
        asked = reader.doit("push", **nobody)
        assert asked.code == 1
        (tmp_path / "nobody").mkdir()
        login[host]["auth"] = base64.b64encode(b"reader:word").decode()
        (tmp_path / "nobody" / "config.json").write_text(json.dumps({"auths": login}))
        noted = reader.doit("setup", *ONLY, **nobody)
        assert noted.code == 0, noted.out + noted.err
        assert f"not pushed, because docker's login at {host} may only read: bash-custom" in noted.out
        assert reader.doit("refresh", *ONLY, **nobody).code == 1
    finally:
        registry.kill()
        tokens.stop()
        remove_tags(docker_api, writer.repository)
        client = docker.APIClient(base_url=second)
        remove_tags(client, reader.repository)
        client.close()


def test_quiet_night_pulls_only_where_sources_are_asked(
    registry: Registry, docker_api: docker.APIClient, second: str, tmp_path: Path
) -> None:
    """What npm has for bun-custom is asked in its parent, so its own layers stay in the registry."""
    text = f'[registry]\nrepository = "{registry.address}/quiet"\nstandins = true\n'
    writer, reader = new_checkout(tmp_path / "writer"), new_checkout(tmp_path / "reader")
    try:
        for checkout in (writer, reader):
            checkout.deps('bun = ["zod"]', text)
        assert writer.built("setup", "--only", "bun") == {"bun", "bun-custom"}
        before, sent = registry.tags("quiet"), registry.sent()
        done = reader.doit("refresh", "--only", "bun", DOCKER_HOST=second)
        assert (done.code, done.err) == (0, ""), done.out + done.err
        assert re.search(r" · 2 images fresh · 1 pulled · ", done.out), done.out
        assert registry.tags("quiet") == before
        small = 200_000
        assert registry.sent() - sent <= sum(registry.layers("quiet", "bun").values()) + small
        assert registry.layers("quiet", "bun-custom").keys() > registry.layers("quiet", "bun").keys()
        listed = {name.rpartition(":")[2]: each for name, each in reader.manifest()["images"].items()}
        assert listed["bun-custom"]["pushed"]["digest"] == before["bun-custom"]
        assert listed["bun-custom"]["size"] is None
    finally:
        remove_tags(docker_api, writer.repository)
        client = docker.APIClient(base_url=second)
        remove_tags(client, reader.repository)
        client.close()


def test_nightly_runner_starts_empty(registry: Registry, reader: Checkout, second: str) -> None:
    """On a quiet night it pulls, builds nothing and pushes nothing; with news it builds on what it pulled."""
    before = registry.tags("isol8")
    done = reader.doit("refresh", *ONLY, DOCKER_HOST=second)
    assert (done.code, done.err) == (0, ""), done.out + done.err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC · 3 images fresh · 3 pulled · \d+\.\d s\n", done.out)
    assert registry.tags("isol8") == before
    (reader.folder / "resolved-images.json").unlink()
    file = reader.folder / "deps.toml"
    file.write_text(file.read_text() + '[refresh]\nmax_age = "1ms"\n')
    aged = reader.doit("refresh", *ONLY, DOCKER_HOST=second)
    assert aged.code == 0, aged.out + aged.err
    # That may come to the same, after which all names stay.
    before = registry.tags("isol8")
    reader.edit("docker/Dockerfile", 'CMD ["bash"]', 'RUN echo news > /news\nCMD ["bash"]')
    news = reader.doit("refresh", *ONLY, DOCKER_HOST=second)
    assert news.code == 0, news.out + news.err
    after = registry.tags("isol8")
    assert {name for name in NAMES if after[name] != before[name]} == set(NAMES)
