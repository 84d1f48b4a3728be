"""The history of images on a real engine, and what a registry has of it."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.integration.checkouts import Checkout, new_checkout, remove_tags
from tests.integration.registries import Registry
from tests.json_schemas import validator

SETUP = ("setup", "--only", "bash")
PUSHING = '[registry]\nrepository = "{}/isol8"\nstandins = true\n'

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="the engine of these tests needs root on Linux"
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry."""
    made = Registry(tmp_path_factory.mktemp("registry") / "one").start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def changed(
    registry: Registry, docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Give a checkout in which an image was built, pushed, and built again with another package."""
    checkout = new_checkout(tmp_path_factory.mktemp("changed") / "checkout")
    for packages in ('"jq"', '"jq", "unzip"'):
        checkout.deps(f"bash = [{packages}]", PUSHING.format(registry.address))
        done = checkout.doit(*SETUP)
        assert done.code == 0, done.out + done.err
    yield checkout
    remove_tags(docker_api, checkout.repository)


def document(checkout: Checkout, *words: str) -> Any:  # noqa: ANN401 - JSON
    done = checkout.doit(*words, "--json")
    assert done.code == 0, done.out + done.err
    return json.loads(done.out)


def test_each_change_is_there_with_its_digest(changed: Checkout, registry: Registry) -> None:
    """As the engine and the registry have it."""
    new, old = document(changed, "log", "bash-custom")["changes"]
    assert (new["how"], new["why"], new["verified"]) == ("built", ["+ unzip"], True)
    assert new["old"]["id"] == old["new"]["id"] != new["new"]["id"]
    assert new["new"]["digest"] == registry.digest("isol8", "bash-custom")
    assert old["new"]["digest"] not in {None, new["new"]["digest"]}
    assert new["new"]["size"] > old["new"]["size"] > 0
    assert new["seconds"] > 0
    assert new["bytes"]["built"] > 0
    assert new["bytes"]["pushed"] > 0
    assert "unzip" in {each["name"] for each in new["packages"]}


def test_diff_needs_no_older_image(changed: Checkout, docker_api: docker.APIClient) -> None:
    """Nor an engine."""
    before = document(changed, "diff", "bash-custom")
    docker_api.remove_image(f"{changed.repository}:bash-custom-previous")
    assert document(changed, "diff", "bash-custom") == before
    assert before["configuration"] == []
    assert [each["name"] for each in before["inputs"]] == ["package unzip"]
    lines = changed.doit("diff", "bash-custom").out.splitlines()
    assert any(line.split()[:3] == ["apk", "+", "unzip"] for line in lines)
    environment = document(changed, "diff", "bash", "bash-custom")["configuration"]
    assert not any(each["name"].startswith("Env PATH") for each in environment)


def test_failed_build_is_told_and_every_line_is_as_its_schema_says(changed: Checkout) -> None:
    """Once, however often it is tried on one day; the image in use stays the newest change."""
    before = document(changed, "log", "bash-custom")["changes"]
    text = (changed.folder / "deps.toml").read_text()
    changed.edit("deps.toml", '"unzip"', '"unzip", "nothing-of-that-name"')
    for _ in range(2):
        assert changed.doit("custom:bash").code == 1
    (changed.folder / "deps.toml").write_text(text)
    failed, *after = document(changed, "log", "bash-custom")["changes"]
    assert (failed["how"], failed["number"], failed["why"]) == ("failed", None, ["+ nothing-of-that-name"])
    assert "nothing-of-that-name" in failed["problem"]
    assert after == before
    for line in (changed.folder / ".isol8" / "history.jsonl").read_text().splitlines():
        validator("history").validate(json.loads(line))


def test_lost_file_is_rebuilt_from_the_registry(changed: Checkout) -> None:
    """With the packages of each build, and nothing twice."""
    before = document(changed, "diff", "bash-custom")
    file = Path(changed.folder, ".isol8", "history.jsonl")
    kept = file.read_text()
    file.unlink()
    done = changed.doit("log", "--rebuild", "bash-custom")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[0].startswith("3 builds of ")
    after = document(changed, "diff", "bash-custom")
    assert (after["packages"], after["inputs"]) == (before["packages"], before["inputs"])
    assert [after[each]["digest"] for each in ("old", "new")] == [
        before[each]["digest"] for each in ("old", "new")
    ]
    assert after["configuration"] is None
    assert changed.doit("log", "--rebuild").out.startswith("0 builds of ")
    file.write_text(kept)
