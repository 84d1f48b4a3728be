"""A rebuild with the same result replaces nothing: on a real engine, with a registry behind it."""

import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import docker
import pytest
from attrs import frozen

from isol8_tasks.engine.daemon import DockerEngine
from tests.archives import ALIKE, DIFFERENT, PLAIN, archive, folder
from tests.integration.checkouts import Checkout, new_checkout, remove_tags, tags_of
from tests.integration.registries import Registry

STEP = "RUN mkdir /opt/it && echo one > /opt/it/a && chmod 640 /opt/it/a && ln /opt/it/a /opt/it/b\n"
ENV = "ENV ONE=1 TWO=2\n"
STAGE = f'FROM base AS bash\n{STEP}{ENV}CMD ["bash"]\n'


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry to push to."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "same").start()
    yield registry
    registry.kill()


@pytest.fixture(scope="module")
def home(
    registry: Registry, docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a base image and its custom image, built and pushed; its upstream image is its own."""
    checkout = new_checkout(tmp_path_factory.mktemp("home") / "home")
    _upstream(checkout, docker_api, "LABEL one=1")
    checkout.edit("docker/Dockerfile", 'FROM base AS bash\nCMD ["bash"]\n', STAGE)
    _declare(checkout, registry, f"{checkout.repository}up")
    done = checkout.doit("setup", "--only", "bash")
    assert done.code == 0, done.out + done.err
    assert "2 built · 2 pushed · " in done.out
    yield checkout
    for repository in (checkout.repository, f"{checkout.repository}up"):
        remove_tags(docker_api, repository)


def _declare(checkout: Checkout, registry: Registry, upstream: str) -> None:
    checkout.deps(
        'bash = ["jq"]',
        f'args = {{ ALPINE_IMAGE = "{upstream}" }}\n'
        f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n',
    )


def _upstream(checkout: Checkout, api: docker.APIClient, step: str) -> None:
    file = io.BytesIO(f"FROM alpine:3.21\n{step}\n".encode())
    for answer in api.build(fileobj=file, tag=f"{checkout.repository}up:3.21", rm=True, decode=True):
        assert "error" not in answer, answer


def _edit(old: str, new: str) -> Callable[[Checkout, docker.APIClient], None]:
    return lambda home, _api: home.edit("docker/Dockerfile", old, new)


def _copied(home: Checkout, _api: docker.APIClient) -> None:
    (home.folder / "docker/a").write_text("one\n")
    copied = "COPY a /opt/it/a\nRUN chmod 640 /opt/it/a && ln /opt/it/a /opt/it/b\n"
    home.edit("docker/Dockerfile", STEP, copied)


EDITS: Final[Mapping[str, Callable[[Checkout, docker.APIClient], None]]] = {
    "a RUN in other words": _edit(STEP, STEP.replace(" && ", " \\\n    && ")),
    "a RUN as a list": _edit(STEP, f'RUN ["sh", "-c", "{STEP.removeprefix("RUN ").strip()}"]\n'),
    "a comment of the shell": _edit(STEP, STEP.replace("\n", " # as said\n")),
    "a step that does nothing": _edit(STEP, f"RUN true\n{STEP}"),
    "a step that undoes itself": _edit(STEP, f"RUN touch /gone\nRUN rm /gone\n{STEP}"),
    "a step made two": _edit(STEP, STEP.replace(" && chmod", "\nRUN chmod")),
    "a file written again": _edit(STEP, f"{STEP}RUN cp /etc/passwd /p && cat /p > /etc/passwd && rm /p\n"),
    "a COPY for a RUN": _copied,
    "steps in another order": _edit(STEP + ENV, ENV + STEP),
    "an argument without effect": _edit(STEP, f"ARG MARK=7\n{STEP.replace('RUN ', 'RUN : $MARK && ')}"),
    "a new upstream image of the same files": lambda home, api: _upstream(
        home, api, "LABEL one=1\nRUN touch /etc/passwd /bin/busybox"
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit_with_the_same_result_replaces_nothing(
    name: str, home: Checkout, registry: Registry, docker_api: docker.APIClient
) -> None:
    """One image is built, none replaced; what is based on it stays up to date, and the registry gets nothing."""
    dockerfile = home.folder / "docker/Dockerfile"
    text = dockerfile.read_text()
    before = _state(home, registry, docker_api)
    EDITS[name](home, docker_api)
    try:
        assert home.stale("--only", "bash") == {"bash", "bash-custom"}
        done = home.doit("setup", "--only", "bash")
        assert done.code == 0, done.out + done.err
        assert re.search(rf"^{home.repository}:bash +rebuilt, same result +", done.out, re.MULTILINE)
        assert re.search("^1 rebuilt, same result · 1 up to date · ", done.out, re.MULTILINE)
        _nothing_came_of_it(home, registry, docker_api, before)
    finally:
        dockerfile.write_text(text)
        _upstream(home, docker_api, "LABEL one=1")
        assert home.doit("setup", "--only", "bash").code == 0


def test_forced_rebuild_replaces_nothing(
    home: Checkout, registry: Registry, docker_api: docker.APIClient
) -> None:
    """Without the cache all files have other times."""
    before = _state(home, registry, docker_api)
    done = home.doit("setup", "--only", "bash", "--force")
    assert done.code == 0, done.out + done.err
    assert re.search("^2 rebuilt, same result · ", done.out, re.MULTILINE), done.out
    _nothing_came_of_it(home, registry, docker_api, before)


def test_another_machine_finds_the_image_that_stayed(
    home: Checkout, make_checkout: Callable[..., Checkout], registry: Registry
) -> None:
    """By its new key, so that it builds nothing; and what others follow there stays."""
    names = {tag: digest for tag, digest in registry.tags("isol8").items() if tag in {"bash", "bash-custom"}}
    home.edit("docker/Dockerfile", STEP, f"RUN true # elsewhere\n{STEP}")
    try:
        done = home.doit("setup", "--only", "bash")
        assert "1 rebuilt, same result" in done.out, done.out + done.err
        other = make_checkout()
        _declare(other, registry, f"{home.repository}up")
        shutil.copy(home.folder / "docker/Dockerfile", other.folder / "docker/Dockerfile")
        done = other.doit("setup", "--only", "bash")
        assert "2 pulled" in done.out, done.out + done.err
        assert other.doit("push").code == 0
        assert names.items() <= registry.tags("isol8").items()
    finally:
        home.edit("docker/Dockerfile", "RUN true # elsewhere\n", "")
        assert home.doit("setup", "--only", "bash").code == 0


def test_manifest_of_the_image_that_stayed_can_be_pulled(
    home: Checkout, make_checkout: Callable[..., Checkout]
) -> None:
    """What is in the registry has the older key, and the manifest says so."""
    home.edit("docker/Dockerfile", STEP, f"RUN true # by manifest\n{STEP}")
    assert home.doit("setup", "--only", "bash").code == 0
    other = make_checkout()
    (other.folder / "resolved.json").write_text((home.folder / "resolved-images.json").read_text())
    done = other.doit("pull", "resolved.json")
    assert done.code == 0, done.out + done.err
    assert "2 pulled" in done.out
    assert other.manifest()["images"][f"{other.repository}:bash"]["key"] != _key(home)
    home.edit("docker/Dockerfile", "RUN true # by manifest\n", "")
    assert home.doit("setup", "--only", "bash").code == 0


def _key(home: Checkout) -> str:
    return str(home.manifest()["images"][f"{home.repository}:bash"]["key"])


@frozen
class State:
    """What an engine and a registry have."""

    layers: dict[str, list[str]]
    tags: dict[str, str]
    requests: int


def _state(home: Checkout, registry: Registry, api: docker.APIClient) -> State:
    """Return the layers of each image of a checkout, and what is in the registry."""
    layers = {tag: api.inspect_image(tag)["RootFS"]["Layers"] for tag in tags_of(api, home.repository)}
    return State(layers, registry.tags("isol8"), len(registry.requests()))


def _nothing_came_of_it(home: Checkout, registry: Registry, api: docker.APIClient, before: State) -> None:
    """See that what was there is there, and nothing else but the new labels, under a tag of the new key."""
    after = _state(home, registry, api)
    assert after.layers == before.layers
    assert {tag: after.tags[tag] for tag in before.tags} == before.tags
    assert home.stale("--only", "bash") == set()
    new = after.tags.keys() - before.tags
    assert all(re.fullmatch(r"bash(-custom)?-[0-9a-f]{12}", tag) for tag in new)
    requests = registry.requests()[before.requests :]
    # Each a manifest and a configuration.
    assert (requests.count("POST"), requests.count("PUT")) == (len(new), 2 * len(new))
    # What the manifest says is there is there.
    for image in home.manifest()["images"].values():
        assert after.tags[image["pushed"]["tag"]] == image["pushed"]["digest"]


OTHER = {
    "a mode": ("chmod 640", "chmod 644"),
    "an owner": (" && ln /opt", " && chown sandbox /opt/it/a && ln /opt"),
    "no hard link": ("ln /opt/it/a", "cp -p /opt/it/a"),
    "an empty folder": (" && ln /opt", " && mkdir /opt/empty && ln /opt"),
    "a file less": (" && ln /opt", " && rm /etc/motd && ln /opt"),
    "a variable": ("TWO=2", "TWO=3"),
    "a command": ('CMD ["bash"]', 'CMD ["bash", "-l"]'),
    "a label": ("ENV ONE", "LABEL vendor=me\nENV ONE"),
}


@pytest.mark.parametrize("name", OTHER)
def test_edit_with_another_result_replaces_the_image(name: str, home: Checkout) -> None:
    """Then what is based on it is built again, too, and both are pushed."""
    dockerfile = home.folder / "docker/Dockerfile"
    text = dockerfile.read_text()
    home.edit("docker/Dockerfile", *OTHER[name])
    try:
        done = home.doit("setup", "--only", "bash")
        assert done.code == 0, done.out + done.err
        assert "2 built · 2 pushed · " in done.out
    finally:
        dockerfile.write_text(text)
        assert home.doit("setup", "--only", "bash").code == 0


@pytest.fixture(scope="module")
def of(engine: DockerEngine, docker_api: docker.APIClient) -> Iterator[Callable[[bytes], str]]:
    """Give what reads the image that an archive makes."""
    made: list[str] = []

    def read(data: bytes) -> str:
        tag = f"isol8testfiles:{len(made)}"
        docker_api.import_image_from_data(data, repository="isol8testfiles", tag=str(len(made)))
        made.append(tag)
        return engine.files(tag)

    yield read
    for tag in made:
        docker_api.remove_image(tag)


class TestWhatAnEngineSaysOfFiles:
    """Images made of archives, which differ in one thing."""

    def test_each_difference_shows(self, of: Callable[[bytes], str]) -> None:
        """No two of them are the same, nor the same as without."""
        found = {of(each) for each in (archive(*PLAIN), *DIFFERENT.values())}
        assert len(found) == 1 + len(DIFFERENT)

    def test_times_do_not_count(self, of: Callable[[bytes], str]) -> None:
        """Images of one content have one digest."""
        assert len({of(each) for each in ALIKE.values()}) == 1

    def test_folder_that_containers_work_in_is_not_made(self, of: Callable[[bytes], str]) -> None:
        """It would hide that one image has it, and another has not."""
        assert of(archive(*PLAIN, folder("sandbox"))) != of(archive(*PLAIN))

    def test_image_that_is_not_there_has_none(self, engine: DockerEngine) -> None:
        """It counts as another one, and whoever promotes it hears why not."""
        assert not engine.files("isol8testfiles:none")

    def test_no_container_is_left(self, of: Callable[[bytes], str], docker_api: docker.APIClient) -> None:
        """Each goes with its reading."""
        of(archive(*PLAIN))
        assert not docker_api.containers(all=True, filters={"label": "org.isol8.tasks.check"})
