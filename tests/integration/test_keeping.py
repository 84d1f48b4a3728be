"""Images that are kept, held and thrown away, on a real engine: rollback, release, the end of holds, and prune."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from isol8_tasks.config import units
from isol8_tasks.engine.daemon import DockerEngine
from isol8_tasks.images.holds import hold_tags
from isol8_tasks.images.observed import Observed
from tests.clients import CLIENTS
from tests.integration.checkouts import Checkout, images_of, new_checkout, remove_tags, share_images, tags_of

SETUP = ("setup", "--only=bash")
FIRST, SECOND = "jq", "unzip"
BUILD = "org.isol8.tasks.build"
NAMES = ("bash", "bash-custom")


def second_inputs(checkout: Checkout, more: str = "") -> None:
    """Let a checkout ask for what the second builds are made of."""
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', 'CMD ["bash", "-l"]')
    checkout.deps(f'bash = ["{SECOND}"]', more)


@pytest.fixture(scope="module")
def ready(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with two builds of bash and of its custom image, the first with other packages."""
    checkout = new_checkout(tmp_path_factory.mktemp("keeping") / "template")
    checkout.deps(f'bash = ["{FIRST}"]')
    assert checkout.built(*SETUP) == set(NAMES)
    second_inputs(checkout)
    assert checkout.built(*SETUP) == set(NAMES)
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def another(
    docker_api: docker.APIClient, tmp_path: Path, ready: Checkout
) -> Iterator[Callable[..., Checkout]]:
    """Give what makes a checkout whose images are those of `ready`, under tags of its own."""
    made: list[Checkout] = []

    def make(more: str = "") -> Checkout:
        checkout = new_checkout(tmp_path / f"own{len(made)}")
        made.append(checkout)
        second_inputs(checkout, more)
        share_images(docker_api, ready, checkout)
        return checkout

    yield make
    for checkout in made:
        remove_tags(docker_api, checkout.repository)


@pytest.fixture
def own(another: Callable[..., Checkout]) -> Checkout:
    """Give one such checkout."""
    return another()


@pytest.fixture
def label(docker_api: docker.APIClient) -> Callable[[str, str], str]:
    """Give what reads a label of an image."""

    def read(tag: str, name: str) -> str:
        found: Any = docker_api.inspect_image(tag)
        return str(found["Config"]["Labels"].get(name, ""))

    return read


@pytest.fixture
def observe(engine: DockerEngine) -> Callable[[Checkout], Observed]:
    """Give what the engine holds, as one checkout sees it."""
    return lambda checkout: Observed(repository=checkout.repository, images=engine.images())


def chosen(observed: Observed, *packages: str) -> dict[str, str]:
    """Return by client generation which build it gets, among the images of one repository."""
    images = images_of(observed.images, observed.repository)
    builds = {image.id: image.labels[BUILD] for image in images}
    found = {
        client: choose(images, observed.repository, "bash", packages) for client, choose in CLIENTS.items()
    }
    return {client: builds[image] for client, image in found.items() if image}


class TestRollback:
    """Swapping an image with the one before it."""

    @pytest.mark.thorough
    def test_base(
        self,
        own: Checkout,
        docker_api: docker.APIClient,
        label: Callable[[str, str], str],
        observe: Callable[[Checkout], Observed],
    ) -> None:
        """The build before is in use again and held; what is based on the newer one stays as it is."""
        repository = own.repository
        old, new = (label(f"{repository}:bash{end}", BUILD) for end in ("-previous", ""))
        custom = docker_api.inspect_image(f"{repository}:bash-custom")["Id"]
        done = own.doit("rollback", "bash")
        assert done.code == 0, done.err
        first, second = done.out.splitlines()
        assert re.fullmatch(
            rf"{repository}:bash  rolled back: the build of \d{{4}}-\d\d-\d\d is in use again; "
            r"held until \d{4}-\d\d-\d\d \d\d:\d\d UTC",
            first,
        )
        assert second == (
            f"  The replaced build is {repository}:bash-previous. End the hold: ./doitw release bash"
        )
        assert [label(f"{repository}:bash{end}", BUILD) for end in ("", "-previous")] == [old, new]
        assert docker_api.inspect_image(f"{repository}:bash-custom")["Id"] == custom
        (hold,) = hold_tags(observe(own))["bash"]
        assert re.fullmatch(rf"{repository}:bash-held-\d{{8}}T\d{{6}}Z", hold.tag)

        plan = own.plan()
        state, (held, *updates) = plan["bash"]
        assert state == "held"
        assert re.fullmatch(r"for \d+ (second|minute)s? \(rolled back\), 1 update waiting", held)
        assert updates == [f"docker/Dockerfile:{_line(own)} changed in stage bash"]
        assert plan["bash-custom"] == ("up-to-date", [])
        since = hold.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert own.manifest()["images"][f"{repository}:bash"]["held"] == since
        assert own.manifest()["images"][f"{repository}:bash-custom"]["held"] is None

    def test_later_runs_rebuild_nothing_for_it(
        self, own: Checkout, label: Callable[[str, str], str], docker_api: docker.APIClient
    ) -> None:
        """Neither a run nor `--force` touches it, and both say in one line why."""
        assert own.doit("rollback", "bash").code == 0
        before = set(tags_of(docker_api, own.repository))
        build = label(f"{own.repository}:bash", BUILD)
        for words, more in (
            (SETUP, ""),
            (("base:bash", "--force"), "--force does not override a hold; run "),
        ):
            done = own.doit(*words)
            assert done.code == 0, done.out
            (line,) = (line for line in done.out.splitlines() if "rolled back" in line)
            end = f"{more}./doitw release bash first" if more else "last built from another checkout"
            assert re.match(
                rf"{own.repository}:bash +held +for \d+ \w+ \(rolled back\), 1 update waiting", line
            )
            assert end in line
            assert re.search(r"^1 held", done.out, re.MULTILINE)
            assert label(f"{own.repository}:bash", BUILD) == build
        assert set(tags_of(docker_api, own.repository)) == before

    def test_custom(
        self,
        own: Checkout,
        observe: Callable[[Checkout], Observed],
        label: Callable[[str, str], str],
    ) -> None:
        """Clients of every generation find the packages of before, and none the image that was rolled away."""
        repository = own.repository
        old, new = (label(f"{repository}:bash-custom{end}", BUILD) for end in ("-previous", ""))
        base = label(f"{repository}:bash", BUILD)
        assert own.doit("rollback", "custom:bash").code == 0
        assert chosen(observe(own), FIRST) == dict.fromkeys(CLIENTS, old)
        assert chosen(observe(own), SECOND) == {"v0.1": old, "v0.11.1": old, "v0.18": base}
        state, (_, *updates) = own.plan()["bash-custom"]
        assert state == "held"
        assert updates == [
            f"+ {SECOND}, \N{MINUS SIGN} {FIRST}",
            f"parent {repository}:bash was rebuilt",
        ]
        # And once more, which is the way forth again.
        assert own.doit("rollback", f"{repository}:bash-custom").code == 0
        assert chosen(observe(own), SECOND) == dict.fromkeys(CLIENTS, new)
        assert len(hold_tags(observe(own))["bash-custom"]) == 1

    def test_every_checkout_sees_it(self, own: Checkout, tmp_path: Path) -> None:
        """The hold lies beside the images: another checkout holds still as well, and can let go."""
        assert own.doit("rollback", "bash-custom").code == 0
        other = new_checkout(tmp_path / "other", own.repository)
        second_inputs(other)
        assert other.plan()["bash-custom"][0] == "held"
        assert other.built("custom:bash") == set()
        done = other.doit("release", "bash-custom")
        assert (done.code, done.out) == (
            0,
            f"{own.repository}:bash-custom  released; ./doitw plan shows what a run would do\n",
        )
        state, reasons = own.plan()["bash-custom"]
        assert (state, reasons[0]) == ("stale", f"+ {SECOND}, \N{MINUS SIGN} {FIRST}")
        assert own.built("custom:bash") == {"bash-custom"}

    @pytest.mark.thorough
    def test_a_hold_ends_by_itself(
        self, another: Callable[..., Checkout], observe: Callable[[Checkout], Observed]
    ) -> None:
        """After [hold] max_age the image is brought up to date again, and the hold's tag is gone."""
        own = another('[hold]\nmax_age = "4s"')
        assert own.doit("rollback", "bash").code == 0
        began = time.monotonic()
        assert own.plan()["bash"][0] == "held"
        time.sleep(max(0.0, 5 - (time.monotonic() - began)))
        assert own.plan()["bash"][0] == "stale"
        assert own.built(*SETUP) == set(NAMES)
        assert hold_tags(observe(own)) == {}

    @pytest.mark.thorough(every=3)
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("then", [SETUP, ("rollback",), ("release",)], ids=["run", "rollback", "release"])
    def test_killed_before_each_step(
        self,
        another: Callable[..., Checkout],
        observe: Callable[[Checkout], Observed],
        label: Callable[[str, str], str],
        name: str,
        then: tuple[str, ...],
    ) -> None:
        """Wherever it ends clients get either build, and the next command finishes or undoes it."""
        for step in range(20):
            own = another()
            public, previous = f"{own.repository}:{name}", f"{own.repository}:{name}-previous"
            new, old = label(public, BUILD), label(previous, BUILD)
            base = label(f"{own.repository}:bash", BUILD)
            code = own.cut_off(step, "rollback", name)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            for packages in (FIRST, SECOND):
                found = chosen(observe(own), packages)
                assert found.keys() == CLIENTS.keys(), step
                assert set(found.values()) <= {new, old, base, label(f"{own.repository}:bash-custom", BUILD)}
            done = own.doit(*then, *(() if then == SETUP else (name,)))
            finished = label(public, BUILD) == old
            holds = hold_tags(observe(own))
            if then == ("release",):
                assert holds == {}, step
                assert done.code == (0 if finished else 3), done.err
            elif then == ("rollback",):
                # It swaps back what the first one had swapped, or else does what that could not.
                assert done.code == 0, done.err
                assert [len(found) for found in holds.values()] == [1], step
            else:
                assert (name in holds) == finished, step
                assert done.code == 0, done.out
                assert not re.search(rf"^{public} +built ", done.out, re.MULTILINE), step
            # Neither build is lost.
            assert {label(public, BUILD), label(previous, BUILD)} == {new, old}, step
        assert step >= 4

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("rollback", "nothing"),
                "{0}:nothing: no such image to roll back; ./doitw plan lists them",
            ),
            (
                ("rollback", "bash"),
                "{0}:bash: there is no {0}:bash-previous to roll back to; an image has one from its second build on",
            ),
            (("rollback",), "rollback: expected one image, for example: ./doitw rollback python-custom"),
            (("release", "bash"), "{0}:bash is not held (no image is held)"),
            (("release",), "release: expected one image, for example: ./doitw release python-custom"),
        ],
        ids=["no such image", "nothing before", "rollback of nothing", "not held", "release of nothing"],
    )
    def test_mistakes(
        self, own: Checkout, docker_api: docker.APIClient, words: tuple[str, ...], message: str
    ) -> None:
        """Each is told in a line, and nothing is touched."""
        docker_api.remove_image(f"{own.repository}:bash-previous")
        before = set(tags_of(docker_api, own.repository))
        done = own.doit(*words)
        assert (done.code, done.out) == (3, "")
        assert done.err == f"ERROR: {message.format(own.repository)}\n"
        assert set(tags_of(docker_api, own.repository)) == before

    def test_release_of_another_names_what_is_held(self, own: Checkout) -> None:
        """Who mistypes a name sees which images are held."""
        assert own.doit("rollback", "bash-custom").code == 0
        done = own.doit("release", "bash")
        assert (done.code, done.err) == (
            3,
            f"ERROR: {own.repository}:bash is not held (held: bash-custom)\n",
        )


def _line(checkout: Checkout) -> int:
    """Return the line of the Dockerfile on which bash is started."""
    lines = (checkout.folder / "docker/Dockerfile").read_text().splitlines()
    return lines.index('CMD ["bash", "-l"]') + 1


@pytest.fixture
def container(docker_api: docker.APIClient) -> Iterator[Callable[[str], str]]:
    """Give what makes a container of an image, not started; removed at the end."""
    made: list[str] = []

    def make(image: str) -> str:
        made.append(str(docker_api.create_container(image, ["true"])["Id"]))
        return made[-1]

    yield make
    for each in made:
        with contextlib.suppress(docker.errors.NotFound):
            docker_api.remove_container(each)


class TestPrune:
    """Throwing away what nothing uses."""

    def test_nothing_to_remove(self, own: Checkout, docker_api: docker.APIClient) -> None:
        """Images in use, young ones and the upstream images stay."""
        before = set(tags_of(docker_api, own.repository))
        done = own.doit("prune", "--yes")
        assert (done.code, done.out) == (0, "nothing to remove\n")
        assert set(tags_of(docker_api, own.repository)) == before

    def test_it_shows_and_asks(self, another: Callable[..., Checkout], docker_api: docker.APIClient) -> None:
        """With nobody to ask it says what it would remove, and removes nothing."""
        own = another('[prune]\nprevious_age = "1s"')
        before = set(tags_of(docker_api, own.repository))
        done = own.doit("prune")
        assert done.code == 3
        assert done.out.splitlines() == [
            f"{own.repository}:{name}-previous  previous" for name in ("bash", "bash-custom")
        ]
        assert done.err == (
            "ERROR: prune needs confirmation, and stdin is not a terminal; ./doitw prune --yes removes them\n"
        )
        assert set(tags_of(docker_api, own.repository)) == before

    def test_long_replaced(self, another: Callable[..., Checkout], docker_api: docker.APIClient) -> None:
        """What was replaced long ago goes, unless what took its place is held."""
        own = another('[prune]\nprevious_age = "1s"')
        assert own.doit("rollback", "bash").code == 0
        done = own.doit("prune", "--yes")
        assert done.code == 0, done.err
        shown, figures = done.out.splitlines()
        assert shown == f"{own.repository}:bash-custom-previous  previous"
        assert re.fullmatch(r"1 image removed · freed .*", figures)
        left = tags_of(docker_api, own.repository)
        assert f"{own.repository}:bash-previous" in left
        assert f"{own.repository}:bash-custom-previous" not in left

    def test_long_replaced_and_with_triggers(self, checkout: Checkout, docker_api: docker.APIClient) -> None:
        """A base that hands an index on to its children is known as ours all the same."""
        setup = ("setup", "--only=deno")
        checkout.deps("", '[prune]\nprevious_age = "1s"')
        assert checkout.built(*setup) == {"deno"}
        checkout.edit("docker/Dockerfile", 'CMD ["deno"]', 'CMD ["deno", "repl"]')
        assert checkout.built(*setup) == {"deno"}
        assert f"{checkout.repository}:deno-previous" in tags_of(docker_api, checkout.repository)
        time.sleep(1)
        assert checkout.doit("prune", "--yes").code == 0
        assert f"{checkout.repository}:deno-previous" not in tags_of(docker_api, checkout.repository)

    def test_undeclared_and_rejected(self, own: Checkout, docker_api: docker.APIClient) -> None:
        """An undeclared image goes with all its tags; a rejected one too; the bases stay."""
        own.deps(f'bash = ["{SECOND}"]', '[verify.bash]\ncommand = ["false"]')
        assert own.doit("base:bash", "--force").code == 1
        own.deps()
        done = own.doit("prune", "--yes")
        assert done.code == 0, done.err
        custom = f"{own.repository}:bash-custom"
        assert [line for line in done.out.splitlines() if "rejected" in line] == [
            f"{own.repository}:bash-rejected  rejected"
        ]
        assert [line for line in done.out.splitlines() if line.startswith(f"{custom},")]
        assert set(tags_of(docker_api, own.repository)) == {
            f"{own.repository}:bash",
            f"{own.repository}:bash-previous",
            f"{own.repository}_build:bash",
        }

    def test_in_use_by_a_container(
        self, own: Checkout, docker_api: docker.APIClient, container: Callable[[str], str]
    ) -> None:
        """A superseded image stays as long as a container was made of it, running or not."""
        # Twice, so that a build of this checkout's own is replaced, of which nobody else has a tag.
        own.deps(f'bash = ["{FIRST}"]')
        assert own.built("custom:bash") == {"bash-custom"}
        image = docker_api.inspect_image(f"{own.repository}:bash-custom")["Id"]
        made = container(image)
        own.deps(f'bash = ["{SECOND}"]')
        assert own.built("custom:bash") == {"bash-custom"}
        short = image.removeprefix("sha256:")[:12]
        shown = f"{short} (was {own.repository}:bash-custom)  superseded"
        done = own.doit("prune", "--yes")
        assert (done.code, done.out.splitlines()) == (
            0,
            [f"{shown}; in use by a container, so it is kept", "nothing to remove"],
        )
        assert docker_api.inspect_container(made)["Image"] == image
        docker_api.remove_container(made)
        done = own.doit("prune", "--yes")
        assert done.out.splitlines()[0] == shown
        with pytest.raises(docker.errors.ImageNotFound):
            docker_api.inspect_image(image)

    def test_what_others_made_of_ours(
        self, own: Checkout, docker_api: docker.APIClient, container: Callable[[str], str]
    ) -> None:
        """A `docker commit` carries our labels and is somebody's own, with a name, without, and under our tag."""
        assert own.built("custom:bash", "--force") == {"bash-custom"}
        made = container(f"{own.repository}:bash-custom")
        nameless = docker_api.commit(made)["Id"]
        theirs = {
            f"{own.repository}:{tag}": docker_api.commit(made, own.repository, tag, message=tag)["Id"]
            for tag in ("mine", "bash-custom-mine", "mine-rejected", "bash-custom")
        }
        docker_api.remove_container(made)
        try:
            own.deps()
            done = own.doit("prune", "--yes")
            assert done.code == 0, done.err
            assert "mine" not in done.out
            for tag, image in theirs.items():
                assert docker_api.inspect_image(tag)["Id"] == image
            assert docker_api.inspect_image(nameless)["Id"] == nameless
            assert f"{own.repository}_build:bash-custom" not in tags_of(docker_api, own.repository)
        finally:
            docker_api.remove_image(nameless)

    def test_it_frees_what_it_says(self, own: Checkout, docker_api: docker.APIClient) -> None:
        """The figures are the engine's own."""
        # Random, since an engine keeps equal layers once.
        own.edit(
            "docker/Dockerfile",
            'CMD ["bash", "-l"]',
            'RUN head -c 30000000 /dev/urandom > /opt/big\nCMD ["bash", "-l"]',
        )
        assert own.built("base:bash") == {"bash"}
        own.deps(build='[prune]\nprevious_age = "1s"\n[verify.bash]\ncommand = ["false"]')
        own.edit("docker/Dockerfile", "/opt/big", "/opt/large")
        assert own.doit("base:bash").code == 1
        before = docker_api.df()
        done = own.doit("prune", "--yes")
        after = docker_api.df()
        assert done.code == 0, done.err
        sizes = [
            (found["LayersSize"], sum(each["Size"] for each in found["BuildCache"] if not each["Shared"]))
            for found in (before, after)
        ]
        images, cache = (new - old for old, new in zip(*sizes, strict=True))
        kept = f"; the build cache keeps {units.size(cache)} of it ([prune] keep in deps.toml)"
        assert done.out.splitlines()[-1] == (
            f"4 images removed · freed {units.size(max(-images - cache, 0))}{kept if cache > 0 else ''}"
        )
        if docker_api.info()["Driver"] == "overlay2":
            # Others count a layer for as long as the builder remembers it.
            assert units.size(-images) == units.size(cache) == "30 MB"

    @pytest.mark.thorough
    def test_nights_of_refreshes(
        self,
        own: Checkout,
        engine: DockerEngine,
        docker_api: docker.APIClient,
        request: pytest.FixtureRequest,
    ) -> None:
        """Each night takes more of the disk, until [prune] keep brings that back to what the first one took."""
        layer, standing = 20_000_000, f"{own.repository}-standing"
        docker_api.tag(f"{own.repository}:bash", standing, "base")
        request.addfinalizer(lambda: docker_api.remove_image(f"{standing}:base"))
        own.edit(
            "docker/Dockerfile",
            "FROM base AS bash\n",
            f"FROM {standing}:base AS bash\nRUN head -c {layer} /dev/urandom > /opt/night\n",
        )
        forced = ("base:bash", "--force", "custom:bash", "--force")

        def night(keep: str) -> int:
            own.deps(f'bash = ["{SECOND}"]', f'[prune]\nprevious_age = "1s"\n{keep}')
            assert own.built(*forced) == set(NAMES)
            # What this night replaced is to be old enough.
            time.sleep(1)
            done = own.doit("prune", "--yes")
            assert done.code == 0, done.err
            return _room(docker_api, engine)

        cache = engine.disk().cache
        before = _room(docker_api, engine)
        first, *others = (night("") - before for _ in range(3))
        assert others[-1] > first + 1.9 * layer
        # The first of these may take more away than has to go: what others built, in one piece.
        bounded = [night(f'keep = "{cache + 1_000_000}B"') - before for _ in range(4)]
        assert max(bounded) <= 1.3 * first


def _room(api: docker.APIClient, engine: DockerEngine) -> int:
    """Return what the engine takes of the disk; by its own word where that can't be read on this machine."""
    root = Path(api.info()["DockerRootDir"])
    if os.geteuid() != 0 or not root.is_dir():
        found = engine.disk()
        return found.images + found.cache
    # The private engine's containerd has its folder beside it.
    folders = [str(each) for each in (root, root.with_name("containerd")) if each.is_dir()]
    done = subprocess.run(["du", "-sc", "-B1", *folders], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[-2])
