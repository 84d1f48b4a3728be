"""Two hundred stale images in one run: each is built, one that fails fails alone, and nothing piles up meanwhile."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags, tags_of

COUNT = 200
WORKERS = 8


@pytest.fixture
def checkout(docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Checkout]:
    """Give a checkout that asks for 200 images, of which one can't be built and one is based on that."""
    checkout = new_checkout(tmp_path / "many")
    tables = [
        "[images.broken]\nruntime = 'bash'\npackages = ['no-such-package-isol8']",
        "[images.on-broken]\nextends = 'broken'\nsetup = 'true'",
        *(f"[images.n{number:03}]\nruntime = 'bash'\nsetup = 'echo {number}'" for number in range(COUNT - 2)),
    ]
    deps = checkout.folder / "deps.toml"
    deps.write_text(deps.read_text() + "\n".join(tables) + "\n")
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.mark.thorough
def test_all_are_built_but_the_one_that_fails(checkout: Checkout, docker_api: docker.APIClient) -> None:
    """`doit -n 8` builds them; threads and connections stay as few as at the start, and no candidate is left."""
    run = checkout.start("-n", str(WORKERS), "image:*")
    threads, open_files = _most(run.pid)
    out, _ = run.communicate()
    assert run.returncode == 1, out
    assert re.search(rf"^{COUNT - 1} built · 1 failed · 1 skipped · \d", out, re.MULTILINE), out
    failed = re.findall(rf"^{checkout.repository}:(\S+) +failed ", out, re.MULTILINE)
    # Once when it fails, with its details at the end.
    assert failed == ["broken", "broken"]
    assert "Traceback" not in out
    # All of them and their base were missing, and ten lines are enough to see of what kind they are.
    assert len(re.findall(r"^\S+ +not built\b", out, re.MULTILINE)) == 10
    assert f"\nand {COUNT - 9} more not built: ./doitw plan shows all\n" in out
    wanted = {"bash", *(f"n{number:03}" for number in range(COUNT - 2))}
    private = f"{checkout.repository}_build"
    assert set(tags_of(docker_api, checkout.repository)) == {
        f"{repository}:{name}" for repository in (checkout.repository, private) for name in wanted
    }
    assert len(checkout.manifest()["images"]) == len(wanted)
    # A few for each worker, as a slow engine is watched by one; one that each image left behind would make hundreds.
    assert threads <= 4 * WORKERS
    assert open_files <= 10 * WORKERS


def _most(pid: int) -> tuple[int, int]:
    """Return the most threads and open files that a process had until its end."""
    threads = open_files = 0
    process = Path("/proc", str(pid))
    while True:
        try:
            threads = max(threads, len(list((process / "task").iterdir())))
            open_files = max(open_files, len(list((process / "fd").iterdir())))
        except OSError:
            return threads, open_files
        if " Z " in (process / "stat").read_text():
            return threads, open_files
        time.sleep(0.1)
