"""What isol8's clients of every generation get of images that real runs made, and what no text makes a run do."""

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import docker
import pytest

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine.daemon import DockerEngine
from tests.clients import CLIENTS, list_custom
from tests.hostile import CANARY, SCRIPTS, refused, taken
from tests.integration.checkouts import (
    Checkout,
    images_of,
    new_checkout,
    remove_tags,
    share_images,
    tags_of,
)
from tests.toml import toml_string

SETUP = ("setup", "--only=bash")
TOOLS = '[images.tools]\nruntime = "bash"\npackages = ["curl", "jq", "unzip"]\nsetup = "true"\n'
OTHERS = {"v0.1": "bash-custom", "v0.11.1": "bash-custom"}
"""What clients without labels take wherever there is a custom image."""


@pytest.fixture(scope="module")
def ready(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout whose custom image had jq and then jq and unzip, with a named image beside it."""
    checkout = new_checkout(tmp_path_factory.mktemp("clients") / "template")
    checkout.deps('bash = ["jq"]', TOOLS)
    assert checkout.built(*SETUP) == {"bash", "bash-custom", "tools"}
    checkout.deps('bash = ["jq", "unzip"]', TOOLS)
    assert checkout.built(*SETUP) == {"bash-custom"}
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def own(docker_api: docker.APIClient, tmp_path: Path, ready: Checkout) -> Iterator[Checkout]:
    """Give a checkout whose images are those of `ready`, under tags of its own."""
    checkout = new_checkout(tmp_path / "own")
    checkout.deps('bash = ["jq", "unzip"]', TOOLS)
    share_images(docker_api, ready, checkout)
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def chosen(engine: DockerEngine) -> Callable[..., dict[str, str]]:
    """Give what tells which image each generation gets, by the image's name, for a request of bash and packages."""

    def choose(checkout: Checkout, *packages: str) -> dict[str, str]:
        images = images_of(engine.images(), checkout.repository)
        names = {
            image.id: re.sub(r"\A.*?:", "", next(tag for tag in image.tags if "_build:" not in tag))
            for image in images
            if image.tags[0].startswith(f"{checkout.repository}:")
        }
        found = {
            client: model(images, checkout.repository, "bash", packages) for client, model in CLIENTS.items()
        }
        return {client: names.get(image or "", "none") for client, image in found.items()}

    return choose


class TestChoice:
    """Which image they get."""

    @pytest.mark.parametrize(
        ("packages", "by_label"),
        [
            ((), "bash"),
            (("jq", "unzip"), "bash-custom"),
            ((" unzip", "jq", "jq"), "bash-custom"),
            (("curl", "jq", "unzip"), "tools"),
            (("curl", "unzip"), "tools"),
            (("tree",), "bash"),
        ],
        ids=[
            "nothing",
            "exactly",
            "as people write",
            "a named image",
            "more than asked for",
            "what nobody has",
        ],
    )
    def test_in_use(
        self, ready: Checkout, chosen: Callable[..., dict[str, str]], packages: tuple[str, ...], by_label: str
    ) -> None:
        """Newer ones get what has the packages, or the base; older ones the custom image, whatever is in it."""
        assert chosen(ready, *packages) == {**OTHERS, "v0.18": by_label}

    def test_replaced(self, ready: Checkout, chosen: Callable[..., dict[str, str]]) -> None:
        """The packages of the image before are served by one in use, though it still is on the engine."""
        found = chosen(ready, "jq")
        assert found["v0.18"] in {"bash-custom", "tools"}
        assert {**found, "v0.18": ""} == {**OTHERS, "v0.18": ""}

    def test_rejected(
        self, own: Checkout, chosen: Callable[..., dict[str, str]], docker_api: docker.APIClient
    ) -> None:
        """An image that failed its check is found by nobody, though its packages are the very ones."""
        own.deps('bash = ["libgcc"]', TOOLS + '[verify.bash-custom]\ncommand = ["false"]')
        assert own.doit(*SETUP).code == 1
        rejected = docker_api.inspect_image(f"{own.repository}:bash-custom-rejected")["Config"]["Labels"]
        assert json.loads(rejected["org.isol8.tasks.packages"]) == ["libgcc"]
        assert chosen(own, "libgcc") == {**OTHERS, "v0.18": "bash"}
        assert chosen(own, "jq", "unzip") == {**OTHERS, "v0.18": "bash-custom"}

    def test_list_custom(self, own: Checkout, engine: DockerEngine) -> None:
        """It prints of every image what is in it, and of those that nobody gets that they are not in use."""
        more = '[images.more]\nextends = "tools"\npackages = ["libgcc"]\n[verify.more]\ncommand = ["false"]\n'
        own.deps('bash = ["jq", "unzip"]', TOOLS + more)
        assert "more-rejected" in own.doit(*SETUP).out
        assert own.doit("rollback", "bash-custom").code == 0
        images = images_of(engine.images(), own.repository)
        assert {tag.partition(":")[2]: found for tag, found in list_custom(images).items()} == {
            "bash-custom": ("bash", "jq"),
            "bash-custom-previous": ("bash (not in use)", "jq,unzip"),
            "tools": ("bash", "curl,jq,unzip"),
            "more-rejected": ("bash (not in use)", "curl,jq,libgcc,unzip"),
        }
        assert not [
            key
            for image in images
            for key, text in image.labels.items()
            if key.startswith("org.isol8.") and "isol8.tasks" not in key and not text
        ]

    def test_held(
        self, own: Checkout, chosen: Callable[..., dict[str, str]], docker_api: docker.APIClient
    ) -> None:
        """After a rollback the image of before is found by its packages, and the other by nobody until it is back."""
        own.deps('bash = ["jq", "unzip"]')
        docker_api.remove_image(f"{own.repository}:tools")
        docker_api.remove_image(f"{own.repository}_build:tools")
        assert own.doit("rollback", "bash-custom").code == 0
        assert chosen(own, "jq") == {**OTHERS, "v0.18": "bash-custom"}
        assert chosen(own, "jq", "unzip") == {**OTHERS, "v0.18": "bash"}
        assert own.doit("release", "bash-custom").code == 0
        assert chosen(own, "jq", "unzip") == {**OTHERS, "v0.18": "bash"}
        assert own.built(*SETUP) == {"bash-custom"}
        assert chosen(own, "jq", "unzip") == {**OTHERS, "v0.18": "bash-custom"}

    def test_what_they_get_runs(
        self,
        ready: Checkout,
        engine: DockerEngine,
        start_sandbox: Callable[..., str],
        execute: Callable[..., CompletedProcess[str]],
        docker_api: docker.APIClient,
    ) -> None:
        """In the sandbox of a client each of these images has the packages, its user and what waits for ports."""
        images = images_of(engine.images(), ready.repository)
        request = ("jq", "unzip")
        for image in {model(images, ready.repository, "bash", request) for model in CLIENTS.values()}:
            assert image is not None
            container = start_sandbox(image)
            done = execute(
                container,
                *(
                    "sh",
                    "-c",
                    "id -u; id -g; pwd; jq -n 1 && unzip -v > /dev/null && command -v nc; touch /x",
                ),
            )
            assert done.stdout.split() == ["100", "101", "/sandbox", "1", "/usr/bin/nc"]
            assert "Read-only file system" in done.stderr
            assert docker_api.inspect_image(image)["Config"]["Entrypoint"] == ["/sbin/tini", "--"]
            docker_api.remove_container(container, force=True)


RECORDER = """\
#!/bin/sh
case $1 in
install|add|cache) for word; do printf '%s\\0' "$word"; done >> /srv/words; exit ;;
esac
for folder in /usr/bin /bin /sbin /deno; do
    [ ! -x "$folder/${0##*/}" ] || exec "$folder/${0##*/}" "$@"
done
"""
"""In an installer's place: writes down the words that it gets, and leaves all else to the real program."""


class TestHostile:
    """Texts that want to be more than text."""

    @pytest.fixture
    def new(self, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Checkout]:
        """Give a checkout with nothing built."""
        checkout = new_checkout(tmp_path / "new")
        yield checkout
        remove_tags(docker_api, checkout.repository)

    def test_a_file_of_them(self, new: Checkout, docker_api: docker.APIClient) -> None:
        """No hostile spec that is refused in deps.toml gets anywhere: one line for each, and nothing is built."""
        lists = {name: refused(runtime.ecosystem) for name, runtime in RUNTIMES.items()}
        assert sum(map(len, lists.values())) >= 200
        new.deps("\n".join(f"{name} = [{', '.join(map(toml_string, bad))}]" for name, bad in lists.items()))
        done = new.doit()
        assert (done.code, done.out) == (3, "")
        assert done.err.count("\n") == sum(map(len, lists.values()))
        assert tags_of(docker_api, new.repository) == ()
        assert not Path(CANARY).exists()

    def test_flags_of_them(self, new: Checkout, docker_api: docker.APIClient) -> None:
        """Nor does one from the command line."""
        words = [f"--bash={text}" for text in refused("apk") if "\0" not in text and text.strip()]
        done = new.doit("setup", *words)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: --bash: ")
        assert tags_of(docker_api, new.repository) == ()
        assert not Path(CANARY).exists()

    @pytest.mark.thorough(every=4)
    @pytest.mark.parametrize("runtime", ["bash", "deno", "node", "python"])
    def test_those_that_are_packages(self, new: Checkout, docker_api: docker.APIClient, runtime: str) -> None:
        """What has every sign of a shell's in it and still is a package reaches the installer as one word."""
        found = RUNTIMES[runtime]
        packages = sorted(taken(found.ecosystem))
        recorder = new.folder / "docker/recorder"
        recorder.write_text(RECORDER)
        recorder.chmod(0o755)
        command = json.dumps([{"bash": "bash", "python": "python3"}.get(runtime, runtime)])
        new.edit(
            "docker/Dockerfile",
            f"CMD {command}\n",
            f"COPY recorder /usr/local/bin/{found.install[0]}\nCMD {command}\n",
        )
        new.deps(f"{runtime} = [{', '.join(map(toml_string, packages))}]")
        done = new.doit(f"custom:{runtime}")
        # Nothing was installed, and so the check tells.
        assert done.code == 1, done.out
        assert re.search(rf"^{new.repository}:{runtime} +built ", done.out, re.MULTILINE), done.out
        rejected = f"{new.repository}:{runtime}-custom-rejected"
        words = _file(docker_api, rejected, "/srv/words").split("\0")[:-1]
        call, calls = list(found.install[1:]), len(packages) if found.one_by_one else 1
        assert words[: len(call)] == call
        assert sorted(words) == sorted([*packages, *call * calls])
        with pytest.raises(docker.errors.NotFound):
            _file(docker_api, rejected, CANARY)
        # The step wrote that one file.
        assert _new_files(docker_api, f"{new.repository}:{runtime}", rejected) == {"srv/words"}
        assert not Path(CANARY).exists()

    @pytest.mark.thorough
    def test_scripts(self, own: Checkout, docker_api: docker.APIClient, engine: DockerEngine) -> None:
        """Every script is in its label byte for byte, as a client reads it, and nobody has run a line of it."""
        many = 30
        scripts = ["\n".join(SCRIPTS[begin : begin + many]) for begin in range(0, len(SCRIPTS), many)]
        own.deps(
            'bash = ["jq", "unzip"]',
            "\n".join(
                f'[images.s{number}]\nruntime = "bash"\nsetup = {toml_string(script)}'
                for number, script in enumerate(scripts)
            ),
        )
        names = {f"s{number}" for number in range(len(scripts))}
        assert own.built("image") == names
        base = docker_api.inspect_image(f"{own.repository}:bash")
        listed = {tag: image for image in engine.images() for tag in image.tags}
        for number, script in enumerate(scripts):
            tag = f"{own.repository}:s{number}"
            image = docker_api.inspect_image(tag)
            assert image["Config"]["Labels"]["org.isol8.setup"] == script
            assert listed[tag].labels["org.isol8.setup"] == script
            assert image["RootFS"] == base["RootFS"]
            assert image["Config"]["Entrypoint"] == base["Config"]["Entrypoint"]
            assert image["Config"]["Cmd"] == base["Config"]["Cmd"]
        assert not Path(CANARY).exists()
        assert own.built("image") == set()


def _file(api: docker.APIClient, image: str, path: str) -> str:
    """Return the text of a file of an image."""
    container = api.create_container(image)["Id"]
    try:
        chunks, _ = api.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile(archive.next() or "")
            assert file is not None
            return file.read().decode()
    finally:
        api.remove_container(container)


def _new_files(api: docker.APIClient, old: str, new: str) -> set[str]:
    """Return the files that one image has and another has not."""
    found = []
    for image in (new, old):
        container = api.create_container(image)["Id"]
        try:
            with tarfile.open(fileobj=io.BytesIO(b"".join(api.export(container)))) as archive:
                found.append({member.name for member in archive if member.isfile()})
        finally:
            api.remove_container(container)
    return found[0] - found[1]
