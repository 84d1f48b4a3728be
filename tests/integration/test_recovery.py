"""What an engine that goes away in the middle of a build leaves, and that the next run completes it."""

import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

import lab
from isol8_tasks import resolve_image
from isol8_tasks.errors import ConfigError, EngineError
from lab import processes
from lab.places import Places
from tests.integration.checkouts import Checkout, new_checkout, sleeping, tags_of, wait_for
from tests.integration.registries import Registry

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a private engine needs root on Linux"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with a private engine of its own, which doit has to find by itself."""
    with pytest.MonkeyPatch.context() as patch:
        cache = os.environ.get("ISOL8_LAB_CACHE") or str(ROOT / ".isol8/lab/fetched")
        patch.setenv("ISOL8_LAB_CACHE", cache)
        patch.delenv("DOCKER_HOST", raising=False)
        made = new_checkout(tmp_path_factory.mktemp("recovery") / "own")
        lab.up(made.folder, lambda _text: None)
        assert made.built("base:bash") == {"bash"}
        yield made
        lab.down(made.folder, lambda _text: None)
        shutil.rmtree(made.folder / ".isol8", ignore_errors=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry that can be made to say nothing."""
    made = Registry(tmp_path_factory.mktemp("registry") / "own").start()
    yield made
    made.kill()


@pytest.fixture
def client(checkout: Checkout) -> Iterator[docker.APIClient]:
    """Give a client of the private engine."""
    client = docker.APIClient(base_url=lab.up(checkout.folder, lambda _text: None))
    yield client
    client.close()


def signal_engine(checkout: Checkout, number: int = signal.SIGKILL) -> None:
    """End the engine as a crash would, or let it hang."""
    for pid, program in processes.of_engine(Places.of(checkout.folder, None).name).items():
        if program == "dockerd":
            os.kill(pid, number)


def slow_step(checkout: Checkout) -> str:
    """Let the build of bash take a while, with a new step, and return what its process is known by."""
    mark = secrets.token_hex(4)
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 3 && echo {mark}\nCMD ["bash"]')
    return mark


def another_build(checkout: Checkout) -> None:
    """Let bash be stale, by a step that takes no time."""
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'ENV N={secrets.token_hex(4)}\nCMD ["bash"]')


def leftovers(client: docker.APIClient, checkout: Checkout) -> list[str]:
    """Return containers, and tags that a run would have taken away."""
    return [
        *(tag for tag in tags_of(client, checkout.repository) if tag.endswith(("-candidate", "-pushing"))),
        *(each["Id"] for each in client.containers(all=True)),
    ]


def test_an_engine_that_is_killed_in_the_middle_of_a_build(
    checkout: Checkout, client: docker.APIClient
) -> None:
    """The run fails with a line, plan says that nothing is known, and after the next start a run completes."""
    assert resolve_image("bash", checkout=checkout.folder, environ={}) == f"{checkout.repository}:bash"
    with pytest.raises(EngineError, match="there is no image for deno"):
        resolve_image("deno", checkout=checkout.folder, environ={})
    with pytest.raises(ConfigError, match="'perl' is not a runtime"):
        resolve_image("perl", checkout=checkout.folder, environ={})
    old = client.inspect_image(f"{checkout.repository}:bash")["Id"]
    mark = slow_step(checkout)
    run = checkout.start("base:bash")
    wait_for(lambda: bool(sleeping(mark)))
    signal_engine(checkout)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 4, out
    assert "Traceback" not in out
    assert "the connection to the engine was lost" in out
    for words in (("setup",), ("prune", "--yes"), ("refresh",)):
        done = checkout.doit(*words)
        assert done.code == 4, words
        assert "(from private engine): the socket is there, but the daemon behind it is stopped" in (
            done.out + done.err
        )
    lab.up(checkout.folder, lambda _text: None)
    assert client.inspect_image(f"{checkout.repository}:bash")["Id"] == old
    assert checkout.built("base:bash") == {"bash"}
    assert checkout.plan()["bash"] == ("up-to-date", [])


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize(
    "words",
    [("refresh", "--only=bash"), ("push",), ("pull", "given.json")],
    ids=lambda words: words[0],
)
def test_an_engine_that_is_killed_in_the_middle_of(
    checkout: Checkout, client: docker.APIClient, registry: Registry, words: tuple[str, ...]
) -> None:
    """Whatever it works on: a line and 4, what was in use is, and the same again completes and leaves nothing."""
    public = f"{checkout.repository}:bash"
    checkout.deps(build=f'[registry]\nrepository = "{registry.address}/{words[0]}"\nstandins = true\n')
    if words[0] == "pull":
        assert checkout.doit("push").code == 0
        shutil.copy(checkout.folder / "resolved-images.json", checkout.folder / "given.json")
        another_build(checkout)
        assert checkout.built("base:bash") == {"bash"}
    old = client.inspect_image(public)["Id"]
    run = begun(checkout, registry, words)
    signal_engine(checkout)
    out, _ = run.communicate(timeout=60)
    registry.kill()
    registry.start()
    assert run.returncode == 4, out
    assert "Traceback" not in out
    assert re.findall(r"the connection to the engine was lost|the daemon behind it is stopped", out)
    lab.up(checkout.folder, lambda _text: None)
    assert client.inspect_image(public)["Id"] == old
    # Another refresh would look for news as long as the first.
    done = checkout.doit(*(("base:bash",) if words[0] == "refresh" else words))
    assert done.code == 0, done.out + done.err
    assert (client.inspect_image(public)["Id"] == old) == (words[0] == "push")
    assert leftovers(client, checkout) == []


def test_a_run_that_is_killed_while_it_verifies(checkout: Checkout, client: docker.APIClient) -> None:
    """What it did not verify has no public tag; the next run removes its container, and verifies and promotes it."""
    checkout.deps()
    before = {tag: client.inspect_image(tag)["Id"] for tag in tags_of(client, checkout.repository)}
    another_build(checkout)
    run = checkout.start("base:bash")
    wait_for(lambda: bool(client.containers(all=True)) or run.poll() is not None, seconds=60)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    after = {tag: client.inspect_image(tag)["Id"] for tag in tags_of(client, checkout.repository)}
    left = [tag for tag in after if tag.endswith("-candidate")]
    assert {tag: after[tag] for tag in after if tag not in left} == before
    assert left
    done = checkout.doit("base:bash")
    assert done.code == 0, done.out
    assert "1 promoted · " in done.out
    assert leftovers(client, checkout) == []


def test_an_engine_that_hangs(checkout: Checkout, client: docker.APIClient) -> None:
    """One that says nothing any more is given up: a line and 4, and once it goes on, a run completes."""
    checkout.deps()
    public = f"{checkout.repository}:bash"
    old = client.inspect_image(public)["Id"]
    mark = slow_step(checkout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOL8_ENGINE_SECONDS", "4")
        run = checkout.start("base:bash")
    wait_for(lambda: bool(sleeping(mark)) or run.poll() is not None, seconds=120)
    began = time.monotonic()
    signal_engine(checkout, signal.SIGSTOP)
    try:
        out, _ = run.communicate(timeout=60)
    finally:
        signal_engine(checkout, signal.SIGCONT)
    assert run.returncode == 4, out
    assert "did not answer for 4 s, not even a ping" in out
    assert "Traceback" not in out
    assert time.monotonic() - began < 30
    assert client.inspect_image(public)["Id"] == old
    assert checkout.built("base:bash") == {"bash"}


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, ("base:bash",)),
        (signal.SIGTERM, 143, ("base:bash",)),
        (signal.SIGTERM, 143, ("verify", "bash")),
    ],
)
def test_a_run_that_is_told_to_end_while_it_verifies(
    checkout: Checkout, client: docker.APIClient, number: int, code: int, words: tuple[str, ...]
) -> None:
    """It ends at once with a line, and leaves no container, what was in use, and a candidate for the next run."""
    checkout.deps()
    with (checkout.folder / "deps.toml").open("a") as file:
        file.write('[verify.bash]\ncommand = ["sleep", "50"]\ntimeout = "55s"\n')
    before = {tag: client.inspect_image(tag)["Id"] for tag in tags_of(client, checkout.repository)}
    another_build(checkout)
    builds = words[0] == "base:bash"
    run = checkout.start(*words)
    wait_for(
        lambda: any("sleep" in each["Command"] for each in client.containers()) or run.poll() is not None,
        seconds=60,
    )
    began = time.monotonic()
    run.send_signal(number)
    out, _ = run.communicate(timeout=60)
    assert (run.returncode, out.count("interrupted")) == (code, 1), out
    assert time.monotonic() - began < 15
    assert client.containers(all=True) == []
    after = {tag: client.inspect_image(tag)["Id"] for tag in tags_of(client, checkout.repository)}
    assert {tag: after[tag] for tag in before} == before
    assert [tag.endswith("-candidate") for tag in after if tag not in before] == [True] * builds


def begun(checkout: Checkout, registry: Registry, words: tuple[str, ...]) -> "subprocess.Popen[str]":
    """Start a command, and return once it waits: for a build, or for a registry that says nothing."""
    if words[0] in {"push", "pull"}:
        registry.freeze()
        run = checkout.start(*words)
        wait_for(lambda: registry.is_kept_waiting() or run.poll() is not None, seconds=120)
        return run
    mark = slow_step(checkout)
    run = checkout.start(*words)
    wait_for(lambda: bool(sleeping(mark)) or run.poll() is not None, seconds=120)
    return run
