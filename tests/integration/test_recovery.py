"""What an engine that goes away in the middle of a build leaves, and that the next run completes it."""

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

import lab
from isol8_tasks import resolve_image
from isol8_tasks.errors import ConfigError, EngineError
from lab import processes
from lab.places import Places
from tests.integration.checkouts import Checkout, new_checkout, sleeping, wait_for

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a private engine needs root on Linux"
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """Give a checkout with a private engine of its own, which doit has to find by itself."""
    monkeypatch.setenv(
        "ISOL8_LAB_CACHE", os.environ.get("ISOL8_LAB_CACHE") or str(ROOT / ".isol8/lab/fetched")
    )
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    made = new_checkout(tmp_path / "own")
    lab.up(made.folder, lambda _text: None)
    yield made
    lab.down(made.folder, lambda _text: None)
    shutil.rmtree(made.folder / ".isol8", ignore_errors=True)


def test_an_engine_that_is_killed_in_the_middle_of_a_build(checkout: Checkout) -> None:
    """The run fails with a line, plan says that nothing is known, and after the next start a run completes."""
    assert checkout.built("base:bash") == {"bash"}
    assert resolve_image("bash", checkout=checkout.folder, environ={}) == f"{checkout.repository}:bash"
    with pytest.raises(EngineError, match="there is no image for deno"):
        resolve_image("deno", checkout=checkout.folder, environ={})
    with pytest.raises(ConfigError, match="'perl' is not a runtime"):
        resolve_image("perl", checkout=checkout.folder, environ={})
    host = lab.up(checkout.folder, lambda _text: None)
    old = docker.APIClient(base_url=host).inspect_image(f"{checkout.repository}:bash")["Id"]
    mark = secrets.token_hex(4)
    checkout.edit("docker/Dockerfile", 'CMD ["bash"]', f'RUN sleep 3 && echo {mark}\nCMD ["bash"]')
    run = checkout.start("base:bash")
    wait_for(lambda: bool(sleeping(mark)))
    for pid, program in processes.of_engine(Places.of(checkout.folder, None).name).items():
        if program == "dockerd":
            os.kill(pid, signal.SIGKILL)
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
    client = docker.APIClient(base_url=host)
    assert client.inspect_image(f"{checkout.repository}:bash")["Id"] == old
    client.close()
    assert checkout.built("base:bash") == {"bash"}
    assert checkout.plan()["bash"] == ("up-to-date", [])
