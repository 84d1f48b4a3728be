"""Images by way of a registry: pushed from one engine, pulled to another, and whatever goes wrong on the way."""

import base64
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import jsonschema
import pytest

from isol8_tasks.engine import BuildRequest, FileContent
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import NotInRegistryError, RegistryError, SourceUnavailableError
from tests.clients import CLIENTS
from tests.integration.checkouts import Checkout, images_of, new_checkout, remove_tags, tags_of, wait_for
from tests.integration.registries import PASSWORD, Registry

SETUP = ("setup", "--only", "bash")
NAMES = ("bash", "bash-custom", "tools")
TOOLS = '[images.tools]\nruntime = "bash"\npackages = ["unzip"]\n'
CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a second engine needs root on Linux"
)


def push_to(registry: Registry, *, repository: str = "isol8") -> str:
    return f'{TOOLS}[registry]\nrepository = "{registry.address}/{repository}"\nstandins = true\n'


def connect(host: str) -> DockerEngine:
    return DockerEngine(Endpoint(url=host, why="DOCKER_HOST"), environ=os.environ)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry that several tests share."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "shared").start()
    yield registry
    registry.kill()


@pytest.fixture
def make_registry(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Give what makes registries of a test's own."""
    made: list[Registry] = []

    def make(*, login: bool = False) -> Registry:
        made.append(Registry(tmp_path / f"registry{len(made)}", login=login).start())
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture(scope="module")
def first(
    shared: Registry, docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout whose images were built and pushed by one run."""
    checkout = new_checkout(tmp_path_factory.mktemp("first") / "first")
    checkout.deps('bash = ["jq"]', push_to(shared))
    done = checkout.doit(*SETUP)
    assert done.code == 0, done.out + done.err
    assert "3 built · 3 pushed · " in done.out
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def other(second: str, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout that asks for the same, for the second engine."""
    checkout = new_checkout(tmp_path / "other")
    checkout.deps('bash = ["jq"]', TOOLS)
    yield checkout
    client = docker.APIClient(base_url=second)
    remove_tags(client, checkout.repository)
    client.close()


@pytest.fixture
def own(
    first: Checkout, docker_api: docker.APIClient, tmp_path: Path
) -> Iterator[Callable[[Registry], Checkout]]:
    """Give what makes a checkout that has the images of the first and another registry to push them to."""
    made: list[str] = []

    def make(registry: Registry) -> Checkout:
        checkout = new_checkout(tmp_path / f"own{len(made)}")
        made.append(checkout.repository)
        checkout.deps('bash = ["jq"]', push_to(registry))
        for tag in tags_of(docker_api, first.repository):
            repository, _, name = tag.partition(":")
            if not name.endswith("-previous"):
                docker_api.tag(tag, checkout.repository + repository.removeprefix(first.repository), name)
        return checkout

    yield make
    for repository in made:
        remove_tags(docker_api, repository)


@pytest.fixture
def small(engine: DockerEngine) -> Iterator[str]:
    """Give a small image."""
    tag = f"isol8test{secrets.token_hex(4)}:small"
    request = BuildRequest(
        tag=tag,
        dockerfile="FROM scratch\nCOPY file /\n",
        context={"file": FileContent(data=secrets.token_bytes(20000))},
        labels={"org.isol8.tasks.test": "1"},
    )
    engine.build(request, lambda _event: None)
    yield tag
    engine.untag(tag)


def names_of(engine: docker.APIClient, repository: str) -> list[str]:
    """Return all names that have to do with a repository, by tag and by digest."""
    names = [
        name for image in engine.images() for name in (image["RepoTags"] or []) + (image["RepoDigests"] or [])
    ]
    return sorted(name for name in names if repository in name and not name.startswith("<none>"))


def entries(checkout: Checkout) -> dict[str, Any]:
    return {name.rpartition(":")[2]: entry for name, entry in checkout.manifest()["images"].items()}


def chosen(engine: DockerEngine, repository: str) -> list[str]:
    """Return which build each generation of clients gets for some requests."""
    images = images_of(engine.images(), repository)
    builds = {image.id: image.labels["org.isol8.tasks.build"] for image in images}
    return [
        builds[str(choose(images, repository, "bash", packages))]
        for choose in CLIENTS.values()
        for packages in ((), ("jq",), ("unzip",))
    ]


def give(source: Checkout, target: Checkout) -> None:
    shutil.copy(source.folder / "resolved-images.json", target.folder / "resolved-images.json")


class TestPushing:
    """What a run, and the command, bring into a registry."""

    def test_under_three_tags(
        self, first: Checkout, shared: Registry, manifest_schema: dict[str, Any]
    ) -> None:
        """Each image is there under its name, its key, and a tag with date and key, and the manifest says where."""
        tags = shared.tags("isol8")
        for name in NAMES:
            entry = entries(first)[name]
            pushed = entry["pushed"]
            day = entry["created"][:10].replace("-", "")
            assert pushed["repository"] == f"{shared.address}/isol8"
            assert pushed["tag"] == f"{name}-{day}-{entry['key'][:12]}"
            assert tags[name] == tags[pushed["tag"]] == pushed["digest"]
        assert len(tags) == 3 * len(NAMES)
        jsonschema.validate(first.manifest(), manifest_schema)

    def test_nothing_of_it_stays_here(
        self, first: Checkout, shared: Registry, docker_api: docker.APIClient
    ) -> None:
        """No name of the registry is left on the engine, by which clients would find what is out of use."""
        assert entries(first)["bash"]["pushed"]
        assert names_of(docker_api, shared.address) == []
        assert not [tag for tag in tags_of(docker_api, first.repository) if tag.endswith("-pushing")]

    def test_a_run_with_nothing_to_do_asks_nobody(self, first: Checkout, shared: Registry) -> None:
        """What the manifest says is enough."""
        before = len(shared.requests())
        done = first.doit(*SETUP)
        assert (done.code, re.sub(r"Docker \S+", "Docker", done.out)) == (
            0,
            "3 images up to date · Docker · resolved-images.json unchanged\n",
        )
        assert len(shared.requests()) == before

    def test_the_command_with_nothing_to_do(self, first: Checkout, shared: Registry) -> None:
        """It asks for each image, and sends nothing."""
        before = len(shared.requests())
        done = first.doit("push")
        assert done.code == 0, done.err
        assert re.fullmatch(r"3 already there · \d+\.\d s · resolved-images\.json unchanged\n", done.out)
        asked = shared.requests()[before:]
        assert set(asked) <= {"GET", "HEAD"}
        assert len(asked) <= 4 * len(NAMES)

    def test_without_its_manifest(self, first: Checkout, shared: Registry) -> None:
        """A fresh clone finds by digests that everything is there, and gives nothing another tag."""
        before, tags = len(shared.requests()), shared.tags("isol8")
        written = (first.folder / "resolved-images.json").read_text()
        (first.folder / "resolved-images.json").unlink()
        done = first.doit(*SETUP)
        assert done.code == 0, done.err
        assert (first.folder / "resolved-images.json").read_text() == written
        assert set(shared.requests()[before:]) <= {"GET", "HEAD"}
        assert shared.tags("isol8") == tags

    def test_without_a_registry(self, other: Checkout) -> None:
        """Who names none is told how."""
        done = other.doit("push")
        assert (done.code, done.out) == (3, "")
        assert done.err == (
            "ERROR: push: deps.toml names no registry to push to; write under [registry] "
            'repository = "registry.example/isol8"\n'
        )

    def test_stand_ins_stay_here_unless_it_is_said(self, first: Checkout, shared: Registry) -> None:
        """What is based on one is not pushed, by a run or by the command."""
        text = (first.folder / "deps.toml").read_text()
        (first.folder / "deps.toml").write_text(
            text.replace("/isol8", "/real").replace("standins = true", "")
        )
        try:
            run, command = first.doit(*SETUP), first.doit("push")
        finally:
            (first.folder / "deps.toml").write_text(text)
            first.doit("push")
        assert (run.code, command.code) == (0, 0)
        assert (
            "left out    based on a stand-in of the lab; [registry] standins = true pushes it" in command.out
        )
        assert "3 left out" in command.out
        with pytest.raises(OSError, match="404"):
            shared.tags("real")


class TestPulling:
    """What another engine gets."""

    def test_the_same_images(
        self,
        first: Checkout,
        other: Checkout,
        second: str,
        engine: DockerEngine,
    ) -> None:
        """Ids, digests, inventories and what clients choose are equal; nothing is to be done, and nothing left over."""
        give(first, other)
        done = other.doit("pull", DOCKER_HOST=second)
        assert done.code == 0, done.out + done.err
        assert "3 pulled · " in done.out
        assert done.out.count("based on a stand-in of the lab") == len(NAMES)
        theirs = connect(second)
        # Other stores call the same image by other ids.
        same_store = theirs.info().store == engine.info().store
        here, there = entries(first), entries(other)
        for name in NAMES:
            for key in ("key", "inventory", "pushed", "packages", "upstream", "created"):
                assert there[name][key] == here[name][key], (name, key)
            assert not same_store or there[name]["id"] == here[name]["id"]
        if same_store:
            plan = other.doit("plan", "--check", "--only", "bash", DOCKER_HOST=second)
            assert plan.code == 0, plan.out
        assert chosen(theirs, other.repository) == chosen(engine, first.repository)
        client = docker.APIClient(base_url=second)
        assert names_of(client, "127.0.0.1:") == []
        client.close()
        again = other.doit("pull", DOCKER_HOST=second)
        theirs.close()
        assert re.fullmatch(r"3 images up to date · \d+\.\d s · resolved-images\.json unchanged\n", again.out)
        assert other.doit("verify", "bash-custom", DOCKER_HOST=second).code == 0

    def test_manifests_are_merged(self, first: Checkout, other: Checkout, second: str) -> None:
        """What two of them list between them is pulled; different builds of an image are refused."""
        whole = first.manifest()
        for name in ("bash-custom", "tools"):
            listed = {
                key: each for key, each in whole["images"].items() if key.endswith((":bash", f":{name}"))
            }
            (other.folder / f"{name}.json").write_text(json.dumps({**whole, "images": listed}))
        words = ("pull", "bash-custom.json", "tools.json")
        done = other.doit(*words, DOCKER_HOST=second)
        assert done.code == 0, done.out + done.err
        assert "3 pulled · " in done.out
        assert set(entries(other)) == set(NAMES)
        other.edit("tools.json", entries(other)["bash"]["pushed"]["digest"], f"sha256:{'0' * 64}")
        refused = other.doit(*words, DOCKER_HOST=second)
        assert refused.code == 3
        assert "tools.json: expected the image bash of bash-custom.json" in refused.err

    def test_a_new_build_follows(
        self, shared: Registry, other: Checkout, second: str, own: Callable[[Registry], Checkout]
    ) -> None:
        """What was pulled before stays as -previous; one that is held stays in use."""
        builder = own(shared)
        builder.doit("push")
        give(builder, other)
        assert other.doit("pull", DOCKER_HOST=second).code == 0
        old = entries(other)
        builder.deps('bash = ["jq", "unzip"]', push_to(shared))
        built = builder.doit(*SETUP)
        assert "1 built · 2 up to date · 1 pushed · " in built.out, built.out
        give(builder, other)
        assert other.doit("pull", DOCKER_HOST=second).code == 0
        new = entries(other)
        assert new["bash"]["id"] == old["bash"]["id"]
        assert new["bash-custom"]["pushed"] == entries(builder)["bash-custom"]["pushed"]
        assert new["bash-custom"]["id"] != old["bash-custom"]["id"]
        assert other.doit("rollback", "bash-custom", DOCKER_HOST=second).code == 0
        assert entries(other)["bash-custom"]["key"] == old["bash-custom"]["key"]
        give(builder, other)
        held = other.doit("pull", DOCKER_HOST=second)
        assert held.code == 0
        assert "held        left untouched; end the hold: ./doitw release bash-custom" in held.out
        assert entries(other)["bash-custom"]["key"] == old["bash-custom"]["key"]

    def test_what_is_not_what_it_says(self, first: Checkout, other: Checkout, second: str) -> None:
        """An image of another name, one that does not exist, one that nobody pushed: each is told, the rest comes."""
        found = first.manifest()
        bash, custom, tools = (found["images"][f"{first.repository}:{name}"] for name in NAMES)
        custom["pushed"]["digest"] = bash["pushed"]["digest"]
        tools["pushed"]["digest"] = "sha256:" + "0" * 64
        file = other.folder / "given.json"
        file.write_text(json.dumps(found))
        done = other.doit("pull", "given.json", DOCKER_HOST=second)
        assert done.code == 1
        assert (
            f"is not {other.repository}:bash-custom: its image is bash, where the manifest says bash-custom"
            in done.out
        )
        assert re.search(rf"{other.repository}:tools +failed +the pull of \S+@sha256:0+ failed: .*", done.out)
        assert done.out.count("Images in use on this engine are untouched.") == 2
        assert "1 pulled · 2 failed · " in done.out
        client = docker.APIClient(base_url=second)
        assert {tag.rpartition(":")[2] for tag in tags_of(client, other.repository)} == {"bash"}
        assert names_of(client, "127.0.0.1:") == []
        client.close()
        assert not (other.folder / "resolved-images.json").exists()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "can't be read as a manifest (No such file or directory); copy"),
            ("{", "not a manifest that ./doitw resolve wrote"),
            (
                '{"schema": 2, "images": {}}',
                "expected a manifest of schema 1, found 2: another version wrote it",
            ),
        ],
        ids=["none", "torn", "newer"],
    )
    def test_no_manifest(self, other: Checkout, second: str, text: str | None, message: str) -> None:
        """Nothing is begun with a file that can't be understood."""
        if text is not None:
            (other.folder / "resolved-images.json").write_text(text)
        done = other.doit("pull", DOCKER_HOST=second)
        assert (done.code, done.out) == (3, "")
        assert message in done.err


class TestCutOff:
    """Pushes that something ends in the middle."""

    @pytest.fixture
    def filled(
        self, make_registry: Callable[..., Registry], engine: DockerEngine, small: str
    ) -> tuple[Registry, str]:
        """Give a registry that has an image under the name already, and its digest."""
        registry = make_registry()
        name = f"{registry.address}/isol8:bash"
        engine.tag(small, name)
        digest = engine.push(name)
        engine.untag(name)
        return registry, digest

    @pytest.mark.thorough
    def test_by_the_client_s_end(
        self,
        filled: tuple[Registry, str],
        own: Callable[[Registry], Checkout],
        docker_api: docker.APIClient,
    ) -> None:
        """The old image stays under its name, and the next run brings the rest there and tidies up."""
        registry, old = filled
        checkout = own(registry)
        process = checkout.start("push")
        wait_for(registry.uploading)
        process.kill()
        process.communicate()
        assert registry.digest("isol8", "bash") == old
        assert [
            tag for tag in tags_of(docker_api, checkout.repository) if tag.endswith("_build:bash-pushing")
        ]
        done = checkout.doit(*SETUP)
        assert done.code == 0, done.out + done.err
        assert "3 up to date · 3 pushed" in done.out
        tags = registry.tags("isol8")
        assert len(tags) == 3 * len(NAMES)
        assert tags["bash"] == entries(checkout)["bash"]["pushed"]["digest"] != old
        assert names_of(docker_api, registry.address) == []
        assert not [tag for tag in tags_of(docker_api, checkout.repository) if tag.endswith("-pushing")]

    @pytest.mark.thorough
    def test_by_the_registry_s_end(
        self, filled: tuple[Registry, str], own: Callable[[Registry], Checkout]
    ) -> None:
        """It is tried again until the registry is back, and then ends as if nothing had been."""
        registry, old = filled
        checkout = own(registry)
        process = checkout.start("push")
        wait_for(registry.uploading)
        registry.kill()
        time.sleep(2)
        registry.start()
        assert registry.digest("isol8", "bash") == old
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        assert registry.tags("isol8")["bash"] == entries(checkout)["bash"]["pushed"]["digest"]

    def test_by_a_registry_that_does_not_come_back(
        self,
        make_registry: Callable[..., Registry],
        own: Callable[[Registry], Checkout],
        docker_api: docker.APIClient,
    ) -> None:
        """A run says what is missing and what to do, keeps its images, and leaves no tags behind."""
        registry = make_registry()
        checkout = own(registry)
        registry.kill()
        began = time.monotonic()
        done = checkout.doit(*SETUP)
        assert time.monotonic() - began < 30
        assert done.code == 1
        assert f"{checkout.repository}:bash could not be pushed: " in done.out
        assert "connection refused" in done.out
        assert (
            "It is still in use on this engine. Check that the registry answers, and run again: ./doitw push"
            in done.out
        )
        assert checkout.plan("--only", "bash")["bash"][0] == "up-to-date"
        assert names_of(docker_api, registry.address) == []

    def test_by_silence(
        self,
        make_registry: Callable[..., Registry],
        engine: DockerEngine,
        small: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A registry that takes connections and says nothing is given up, and the engine not taken for dead."""
        frozen = make_registry()
        frozen.freeze()
        monkeypatch.setattr("isol8_tasks.engine.registry.SILENCE", 2)
        monkeypatch.setattr("isol8_tasks.engine.connection._ANSWER_SECONDS", 2)
        name = f"{frozen.address}/isol8:small"
        engine.tag(small, name)
        try:
            with pytest.raises(RegistryError, match="no progress for 2 s") as caught:
                engine.push(name)
            assert not caught.value.lasting
            with pytest.raises(SourceUnavailableError, match="it does not answer"):
                engine.remote_digest(name)
        finally:
            engine.untag(name)

    @pytest.mark.thorough
    def test_by_another_tag_of_the_same_day(
        self,
        make_registry: Callable[..., Registry],
        own: Callable[[Registry], Checkout],
        engine: DockerEngine,
        small: str,
    ) -> None:
        """A tag that is to stay is left to the image that has it, and the new one gets another."""
        registry = make_registry()
        checkout = own(registry)
        found = next(image for image in engine.images() if f"{checkout.repository}:bash" in image.tags)
        tag = f"bash-{found.built:%Y%m%d}-{found.labels['org.isol8.tasks.key'][:12]}"
        name = f"{registry.address}/isol8:{tag}"
        engine.tag(small, name)
        taken = engine.push(name)
        engine.untag(name)
        done = checkout.doit("push")
        assert done.code == 0, done.out + done.err
        tags = registry.tags("isol8")
        assert tags[tag] == taken
        assert tags[f"{tag}-2"] == tags["bash"] != taken


def test_credentials(
    make_registry: Callable[..., Registry],
    endpoint: Endpoint,
    small: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Docker's own configuration opens a registry that asks for a password; without it nobody gets in."""
    closed = make_registry(login=True)
    name = f"{closed.address}/isol8:small"
    (tmp_path / "docker").mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setattr("docker.utils.config.home_dir", lambda: str(tmp_path))
    nobody = DockerEngine(endpoint, environ=os.environ)
    nobody.tag(small, name)
    with pytest.raises(RegistryError) as caught:
        nobody.push(name)
    assert caught.value.lasting
    assert PASSWORD not in str(caught.value)
    nobody.close()
    token = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {closed.address: {"auth": token}}}))
    somebody = DockerEngine(endpoint, environ=os.environ)
    with pytest.raises(NotInRegistryError):
        somebody.remote_digest(name)
    digest = somebody.push(name)
    assert somebody.remote_digest(name) == digest == closed.digest("isol8", "small")
    somebody.untag(name)
    somebody.untag(small)
    fetched = somebody.fetch(f"{closed.address}/isol8", digest)
    somebody.tag(fetched.id, small)
    somebody.untag(f"{closed.address}/isol8@{digest}")
    somebody.close()
