"""[build.secrets] on a real engine, with an index and a registry that let nobody in without a login.

Canaries are looked for wherever something of a run stays: in images as they are saved, in labels and history, in logs
and files of the checkout, in all that is printed, and in the lists of processes while it builds.
"""

import base64
import hashlib
import io
import json
import os
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from attrs import frozen

from isol8_tasks.engine import BuildRequest
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.engine.endpoint import Endpoint
from isol8_tasks.errors import BuildFailedError
from tests.archives import saved_parts
from tests.integration.checkouts import Checkout, Result, new_checkout, remove_tags, tags_of
from tests.integration.registries import PASSWORD, Registry
from tests.integration.remote_builder import secured_engine
from tests.integration.world import World

CANARIES = {
    "wheels": "canary-Wh33ls",
    "npm": "canary-Np44m",
    "corp": "canary-C0rp55",
    "netrc": "canary-N3trc66",
    "apk": "canary-4pk777",
}
LOOKS = (
    "plan",
    "plan --json",
    "graph",
    "why thing",
    "log",
    "log --json",
    "diff python-custom",
    "page",
    "verify",
    "inventory",
    "sbom",
    "list",
    "bake --print",
)
CUSTOM = ("python-custom", "node-custom", "bun-custom", "deno-custom")

pytestmark = pytest.mark.skipif(
    os.environ.get("ISOL8_TEST_BUILDER") == "classic", reason="the classic builder keeps no secrets"
)


def _basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}"


VALUES = {*CANARIES.values(), *(_basic(each).removeprefix("Basic ") for each in CANARIES.values())}


@frozen
class Private:
    """A checkout whose packages are behind logins, and what was printed in it so far."""

    checkout: Checkout
    environment: Mapping[str, str]
    said: list[str]

    def doit(self, *words: str) -> Result:
        done = self.checkout.doit(*words, **self.environment)
        self.said.append(done.out + done.err)
        return done


@pytest.fixture(scope="module")
def private(
    docker_api: docker.APIClient,
    template: tuple[str, ...],
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Private]:
    """Give a checkout with bases, and packages that only who has the secrets can install."""
    folder = tmp_path_factory.mktemp("private")
    checkout = new_checkout(folder / "checkout")
    for tag in template:
        repository, _, name = tag.partition(":")
        private = "_build" if repository.endswith("_build") else ""
        if not name.endswith("-custom"):
            docker_api.tag(tag, f"{checkout.repository}{private}", name)
    world.wheel("thing", "1.0", requires=["other"])
    world.wheel("other", "1.0")
    for name in ("left", "right", "down"):
        world.npm(name, "1.0.0", dependencies={"below": "^1"})
    world.npm("below", "1.0.0")
    world.traffic["wheels"].logins = frozenset({_basic(CANARIES["wheels"]), _basic(CANARIES["netrc"])})
    world.traffic["npm"].logins = frozenset({f"Bearer {CANARIES['npm']}"})
    npm = world.addresses["npm"]
    (folder / ".npmrc").write_text(f"registry=http://{npm}/\n//{npm}/:_authToken=${{NPM_TOKEN}}\n")
    checkout.deps('python = ["thing"]\nnode = ["left"]\nbun = ["right"]\ndeno = ["npm:down"]', _build(world))
    index = f"http://me:{CANARIES['wheels']}@{world.addresses['wheels']}/simple/"
    environment = {"HOME": str(folder), "INDEX": "", "PIP_INDEX_URL": index, "NPM_TOKEN": CANARIES["npm"]}
    yield Private(checkout, environment, [])
    world.traffic["wheels"].logins = world.traffic["npm"].logins = frozenset()
    remove_tags(docker_api, checkout.repository)


def _build(world: World, more: str = "") -> str:
    host = world.addresses["wheels"].partition(":")[0]
    npm = world.addresses["npm"]
    args = f'PIP_TRUSTED_HOST = "{host}", NPM_CONFIG_REGISTRY = "http://{npm}/"'
    return (
        f'args = {{ {args} }}\n[build.secrets]\npip = {{ env = "PIP_INDEX_URL" }}\n'
        f'npm = {{ file = "~/.npmrc" }}\ntoken = {{ env = "NPM_TOKEN" }}\n{more}'
    )


@contextmanager
def _watching() -> Iterator[set[str]]:
    """Give the command lines of all processes with a canary in them that were seen meanwhile."""
    found: set[str] = set()
    looks, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            looks[0] += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_text(errors="replace")
                except OSError:
                    continue
                found.update(line for value in VALUES if value in line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
    assert looks[0] > 1


def _left_behind(private: Private, api: docker.APIClient) -> Iterator[tuple[str, bytes]]:
    """Give all that is left of runs: of the images, and of the checkout."""
    for number, text in enumerate(private.said):
        yield f"said {number}", text.encode()
    repository = private.checkout.repository
    for tag in tags_of(api, repository):
        yield f"inspect {tag}", json.dumps(api.inspect_image(tag)).encode()
        yield f"history {tag}", json.dumps(api.history(tag)).encode()
    for name in (*CUSTOM, *(f"{each}-previous" for each in CUSTOM)):
        base = api.inspect_image(f"{repository}:{name.partition('-')[0]}")
        if f"{repository}:{name}" in tags_of(api, repository):
            yield from saved_parts(api, f"{repository}:{name}", len(base["RootFS"]["Layers"]))
    for path in private.checkout.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def _looked_through(private: Private, api: docker.APIClient) -> list[str]:
    """Look for canaries in all that is left, and return the places that were looked into; there is none."""
    places = []
    for place, text in _left_behind(private, api):
        assert not [value for value in VALUES if value.encode() in text], place
        if " layer " in place:
            with tarfile.open(fileobj=io.BytesIO(text)) as layer:
                names = layer.getnames()
            # Where they were mounted there is no trace either.
            assert not [name for name in names if re.search(r"dev/shm/|root/\.npmrc|run/secrets", name)]
        places.append(place)
    return places


def test_canaries(private: Private, docker_api: docker.APIClient, world: World) -> None:
    """Packages behind logins are installed, asked for, locked and installed as locked; no canary is left anywhere."""
    with _watching() as seen:
        done = private.doit("setup")
        assert (done.code, "4 built · " in done.out) == (0, True), done.out + done.err
        assert "RUN --mount" not in done.out
        world.wheel("thing", "1.1", requires=["other"])
        world.npm("left", "1.1.0", dependencies={"below": "^1"})
        fresh = private.doit("freshness")
        assert fresh.code == 2, fresh.out + fresh.err
        assert re.search(r"thing 1\.0 → 1\.1", fresh.out)
        assert re.search(r"left 1\.0\.0 → 1\.1\.0", fresh.out)
        assert "undetermined" not in fresh.out
        lock = private.doit("lock")
        assert lock.code == 0, lock.out + lock.err
        again = private.doit("--verbose", "setup", "--locked", "--force", "--only", "python,node,bun,deno")
        assert again.code == 0, again.out + again.err
        for words in LOOKS:
            assert private.doit(*words.split()).code == 0, private.said[-1]
    assert not seen
    places = _looked_through(private, docker_api)
    assert sum(" layer " in place for place in places) >= 2 * len(CUSTOM)
    assert any(place.endswith("deps.lock.toml") for place in places)
    assert any("/logs/" in place or place.endswith("sbom/python.cdx.json") for place in places)
    assert any(place.endswith("history.jsonl") for place in places)
    assert any(place.endswith(".html") for place in places)
    assert '"secret": [' in private.said[-1]


@pytest.mark.thorough
def test_download_cache(private: Private, docker_api: docker.APIClient) -> None:
    """Installers get their secrets beside their cache, and programs that follow a run see neither."""
    text = (private.checkout.folder / "deps.toml").read_text()
    private.checkout.edit("deps.toml", "[build]", "[build]\ndownload_cache = true")
    done = private.doit("--progress=json", "custom:python", "custom:node", "--force")
    assert done.code == 0, done.out + done.err
    assert "--mount" not in done.out
    assert _looked_through(private, docker_api)
    (private.checkout.folder / "deps.toml").write_text(text)


def test_keys_have_names(private: Private, world: World) -> None:
    """Another value builds nothing, nor does none at all; another name does, and says so."""
    checkout = private.checkout
    assert checkout.stale() == set()
    changed = {**private.environment, "PIP_INDEX_URL": "http://you:other-value@index.example/"}
    assert checkout.doit("plan", "--check", **changed).code == 0
    assert checkout.doit("plan", "--check").code == 0
    host = world.addresses["wheels"].partition(":")[0]
    (checkout.folder / "net").mkdir()
    (checkout.folder / "net/netrc").write_text(f"machine {host} login me password {CANARIES['netrc']}\n")
    text = (checkout.folder / "deps.toml").read_text()
    checkout.deps(
        'python = ["thing"]\nnode = ["left"]\nbun = ["right"]\ndeno = ["npm:down"]',
        _build(world, 'net = { file = "net/netrc" }\n'),
    )
    assert checkout.plan()["python-custom"] == ("stale", ["secret net added, deps.toml:13"])
    # Without a login in the index's address, netrc has it.
    environment = {**private.environment, "PIP_INDEX_URL": f"http://{world.addresses['wheels']}/simple/"}
    done = checkout.doit("custom:python", **environment)
    private.said.append(done.out + done.err)
    assert done.code == 0, private.said[-1]
    fresh = checkout.doit("freshness", **environment)
    (checkout.folder / "net/netrc").unlink()
    (checkout.folder / "deps.toml").write_text(text)
    # What is behind depends on what other tests published meanwhile.
    assert fresh.code in {0, 2}, fresh.out
    assert "undetermined" not in fresh.out, fresh.out


def test_a_step_of_ones_own_that_fails(private: Private, docker_api: docker.APIClient) -> None:
    """It prints the secret, and the run doesn't: not on the screen, in the log, nor in a report."""
    checkout = private.checkout
    text = (checkout.folder / "deps.toml").read_text()
    (checkout.folder / "deps.toml").write_text(f'{text}corp = {{ env = "CORP" }}\n')
    step = "RUN --mount=type=secret,id=corp,required=true cat /run/secrets/corp; false"
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'{step}\nCMD ["bash"]')
    done = checkout.doit("setup", "--only=bash", **private.environment)
    assert done.code == 3
    assert "deps.toml:14: build.secrets.corp: the variable CORP is not set; export it" in done.out
    environment = {**private.environment, "CORP": f"{CANARIES['corp']} of me"}
    for flag in ("--verbose", "--progress=json"):
        with _watching() as seen:
            done = checkout.doit(flag, "setup", "--only=bash", **environment)
        private.said.append(done.out + done.err)
        assert done.code == 1, private.said[-1]
        assert "***" in done.out
        assert not seen
    assert "***" in (checkout.folder / ".isol8/logs/bash.log").read_text()
    assert any(place.endswith("logs/bash.log") for place in _looked_through(private, docker_api))
    checkout.edit("docker/Dockerfile", "id=corp", "id=crop")
    done = checkout.doit("plan")
    assert done.code == 3
    assert "mounts the secret crop, which is not in [build.secrets] of deps.toml" in done.err
    checkout.edit("docker/Dockerfile", "id=crop", "id=corp")
    # What BuildKit does with it is not for the classic builder.
    checkout.edit("deps.toml", "[build]", '[build]\nbuilder = "classic"')
    done = checkout.doit("custom:node", "--force", **environment)
    assert done.code == 3
    assert "only BuildKit keeps secrets out of images" in done.out
    (checkout.folder / "deps.toml").write_text(text)


def test_alpines_repository(docker_api: docker.APIClient, world: World, tmp_path: Path) -> None:
    """Apk gets .netrc or HTTP_AUTH for it: in a step of one's own, in a build, and when it is asked."""
    checkout = new_checkout(tmp_path / "checkout")
    world.apk("hidden", "1.0-r0")
    world.traffic["apk"].logins = frozenset({_basic(CANARIES["apk"])})
    host = world.addresses["apk"].partition(":")[0]
    netrc = checkout.folder / "netrc"
    netrc.write_text(f"machine {host} login me password {CANARIES['apk']}\n")
    dockerfile = checkout.folder / "docker/Dockerfile"
    step = 'RUN if [ -n "$APK_REPOSITORY" ]'
    mount = "--mount=type=secret,id=net,target=/dev/shm/net,required=true export NETRC=/dev/shm/net && "
    dockerfile.write_text(dockerfile.read_text().replace(step, step.replace("RUN ", f"RUN {mount}")))
    secrets = '[build.secrets]\nnet = { file = "netrc" }\n'
    checkout.deps('bash = ["hidden"]', f"{world.build}\n{secrets}")
    try:
        with _watching() as seen:
            done = checkout.doit("setup", "--only=bash")
            assert (done.code, "2 built · " in done.out) == (0, True), done.out + done.err
            world.apk("hidden", "1.1-r0")
            fresh = checkout.doit("freshness", "--only=bash")
            assert (fresh.code, "hidden 1.0-r0 → 1.1-r0" in fresh.out) == (2, True), fresh.out + fresh.err
            # What .netrc does not have, the variable has.
            netrc.write_text("machine other.example login me password other-value\n")
            checkout.deps('bash = ["hidden"]', f'{world.build}\n{secrets}auth = {{ env = "HTTP_AUTH" }}\n')
            done = checkout.doit("custom:bash", HTTP_AUTH=f"basic:*:me:{CANARIES['apk']}")
            assert (done.code, "1 built · " in done.out) == (0, True), done.out + done.err
        assert not seen
        for name in ("bash", "bash-custom"):
            for place, text in saved_parts(docker_api, f"{checkout.repository}:{name}", 0):
                assert CANARIES["apk"].encode() not in text, place
        # Without either it is refused.
        checkout.deps('bash = ["hidden"]', f"{world.build}\n{secrets}")
        assert checkout.doit("custom:bash", "--force").code == 1
    finally:
        world.traffic["apk"].logins = frozenset()
        remove_tags(docker_api, checkout.repository)


@frozen
class Reached:
    """An engine, and the variables by which it is reached."""

    endpoint: Endpoint
    variables: Mapping[str, str]

    def engine(self, secret: bytes, **more: str) -> DockerEngine:
        """Return the engine for builds with the secret `it`."""
        environ = {**os.environ, **self.variables, **more}
        return DockerEngine(self.endpoint, environ=environ, secrets=Given(it=secret))


class Given:
    """Secrets of a test."""

    def __init__(self, **values: bytes) -> None:
        self.values = values

    def value(self, name: str) -> bytes:
        return self.values[name]

    def option(self, name: str) -> str:
        raise NotImplementedError


@pytest.fixture(params=["socket", "TLS"])
def reached(request: pytest.FixtureRequest, endpoint: Endpoint, tmp_path: Path) -> Iterator[Reached]:
    """Give the engine as it is, and on TCP by TLS with certificates of both sides."""
    if request.param == "socket":
        yield Reached(endpoint, {})
        return
    if not endpoint.url.startswith("unix://"):
        pytest.skip("the engine has no socket to stand behind")
    (tmp_path / "tls").mkdir()
    with secured_engine(endpoint.url, tmp_path / "tls") as variables:
        yield Reached(Endpoint(url=variables["DOCKER_HOST"], why="DOCKER_HOST"), variables)


def test_the_largest_secret(reached: Reached, docker_api: docker.APIClient) -> None:
    """It comes whole, however many pieces the engine takes it in; two builds at a time have their own."""
    values = {name: os.urandom(512_000) for name in ("one", "two")}
    failures: list[BaseException] = []

    def build(name: str) -> None:
        engine = reached.engine(values[name])
        digest = hashlib.sha256(values[name]).hexdigest()
        step = f'test "$(sha256sum </run/secrets/it)" = "{digest}  -"'
        text = f"FROM alpine:3.21\nRUN --mount=type=secret,id=it,required=true {step}\n"
        try:
            engine.build(
                BuildRequest(tag=f"isol8test:secret-{name}", dockerfile=text, secrets=("it",)), lambda _: None
            )
        except BaseException as error:  # noqa: BLE001 - of a thread
            failures.append(error)
        engine.close()

    threads = [threading.Thread(target=build, args=(name,)) for name in values]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for name in values:
        docker_api.remove_image(f"isol8test:secret-{name}")
    assert not failures


@pytest.mark.thorough
def test_private_upstream_image(reached: Reached, docker_api: docker.APIClient, tmp_path: Path) -> None:
    """BuildKit gets docker's login for a registry in the session that has the secrets; without one it is refused."""
    registry = Registry(tmp_path / "registry", login=True).start()
    reference = f"{registry.address}/private/alpine:1"
    home = tmp_path / "docker"
    home.mkdir()
    auth = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    (home / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}))
    mark = os.urandom(4).hex()
    text = f"FROM {reference}\nRUN --mount=type=secret,id=it,required=true echo {mark} && test -s /run/secrets/it\n"
    request = BuildRequest(tag="isol8test:private", dockerfile=text, secrets=("it",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(home))
        knowing = reached.engine(b"x", DOCKER_CONFIG=str(home))
        knowing.tag("alpine:3.21", reference)
        knowing.push(reference)
        docker_api.remove_image(reference)
        docker_api.prune_builds()
        nobody = tmp_path / "nobody"
        nobody.mkdir()
        patch.setenv("DOCKER_CONFIG", str(nobody))
        stranger = reached.engine(b"x", DOCKER_CONFIG=str(nobody))
        with pytest.raises(BuildFailedError, match=r"401|authorization|no basic auth"):
            stranger.build(request, lambda _: None)
        patch.setenv("DOCKER_CONFIG", str(home))
        try:
            knowing.build(request, lambda _: None)
            assert docker_api.inspect_image("isol8test:private")
            docker_api.remove_image("isol8test:private")
        finally:
            knowing.close()
            stranger.close()
            registry.kill()
