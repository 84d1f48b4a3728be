"""Candidates: what a run that was cut off built, or another builder, is verified and promoted, and not built again."""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from isol8_tasks.images.candidates import candidate_tag
from isol8_tasks.images.labels import BUILD, PREFIX, SETUP
from isol8_tasks.plan.description import Provenance, describe
from isol8_tasks.run.session import open_session
from isol8_tasks.run.workspace import now
from tests.integration.checkouts import Checkout, Result, new_checkout, remove_tags, sharing, tags_of

SETUP_BASH = ("setup", "--only=bash")
CUSTOM = "bash-custom"
CHAIN = '[images.tools]\nruntime = "bash"\npackages = ["unzip"]\n[images.more]\nextends = "tools"\npackages = ["jq"]\n'
PLAN = "a candidate exists: it is verified, and not built again"


@pytest.fixture(scope="module")
def ready(docker_api: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout with bash alone."""
    checkout = new_checkout(tmp_path_factory.mktemp("candidates") / "template")
    assert checkout.built(*SETUP_BASH) == {"bash"}
    yield checkout
    remove_tags(docker_api, checkout.repository)


@pytest.fixture
def own(docker_api: docker.APIClient, tmp_path: Path, ready: Checkout) -> Iterator[Checkout]:
    """Give a checkout with that image, and a custom one that was not built."""
    with sharing(docker_api, ready, tmp_path / "own") as checkout:
        checkout.deps('bash = ["jq"]')
        yield checkout


def candidates(api: docker.APIClient, checkout: Checkout) -> list[str]:
    return [tag for tag in tags_of(api, checkout.repository) if tag.endswith("-candidate")]


def results(done: Result) -> dict[str, str]:
    """Return what a run that succeeded says of each image that it made."""
    assert done.code == 0, done.out + done.err
    return dict(re.findall(r"^\S+:(\S+) +(built|promoted|rebuilt, same result) ", done.out, re.MULTILINE))


def wanted(checkout: Checkout, name: str, *parents: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return Dockerfile and labels of a candidate, as whoever builds one by other means gets them from the library.

    `parents` are the labels of candidates that it is based on.
    """
    session = open_session(checkout.folder, os.environ)
    try:
        spec, observed = session.view.graph.image(name), session.view.observed
        found = describe(
            spec, observed, Provenance(checkout=checkout.id, revision="", created="2099-01-01T00:00:00Z")
        )
        labels = found.candidate()
        if parents:
            labels[f"{PREFIX}parent"] = parents[-1][BUILD]
        return spec.dockerfile, labels
    finally:
        session.close()


def build(api: docker.APIClient, dockerfile: str, tag: str, labels: Mapping[str, str]) -> str:
    """Build as `docker build` does that knows nothing of this project."""
    file = io.BytesIO(dockerfile.encode())
    lines = list(api.build(fileobj=file, tag=tag, labels=dict(labels), rm=True, decode=True))
    assert not [line for line in lines if "error" in line], lines
    return str(api.inspect_image(tag)["Id"])


def stamped(checkout: Checkout, name: str, labels: Mapping[str, str]) -> str:
    return candidate_tag(checkout.repository, name, labels[BUILD], now())


def test_run_that_is_killed_between_build_and_verification(
    own: Checkout, docker_api: docker.APIClient
) -> None:
    """The next run says so, verifies, promotes, and runs no step; after that nothing is left over."""
    assert own.cut_off(0, *SETUP_BASH, changes="run") == -9
    (left,) = candidates(docker_api, own)
    state, reasons = own.plan()[CUSTOM]
    assert (state, reasons[-1]) == ("not-built", PLAN)
    labels = docker_api.inspect_image(left)["Config"]["Labels"]
    done = own.doit(*SETUP_BASH)
    assert results(done) == {CUSTOM: "promoted"}
    assert "1 promoted · 1 up to date · " in done.out
    promoted = docker_api.inspect_image(f"{own.repository}:{CUSTOM}")["Config"]["Labels"]
    assert promoted[BUILD] == labels[BUILD]
    assert promoted[f"{PREFIX}inventory"]
    assert candidates(docker_api, own) == []
    assert own.plan()[CUSTOM] == ("up-to-date", [])


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize("step", [1, 2, 5])
def test_run_that_is_killed_at_any_change_of_a_promotion(
    own: Checkout, docker_api: docker.APIClient, step: int
) -> None:
    """What has the public tag was verified, and the next run completes without a build."""
    own.cut_off(step, *SETUP_BASH)
    before = {tag: docker_api.inspect_image(tag)["Id"] for tag in tags_of(docker_api, own.repository)}
    if f"{own.repository}:{CUSTOM}" in before:
        assert docker_api.inspect_image(f"{own.repository}:{CUSTOM}")["Config"]["Labels"][
            f"{PREFIX}inventory"
        ]
    done = own.doit(*SETUP_BASH)
    assert "built" not in results(done).values()
    assert own.plan()[CUSTOM] == ("up-to-date", [])
    assert [tag for tag in candidates(docker_api, own) if role(docker_api, tag) == "candidate"] == []


def role(api: docker.APIClient, tag: str) -> str:
    return str(api.inspect_image(tag)["Config"]["Labels"][f"{PREFIX}role"])


def test_forced_build_ignores_it(own: Checkout) -> None:
    """Whoever forces a build wants what a build comes to today."""
    assert own.cut_off(0, *SETUP_BASH, changes="run") == -9
    done = own.doit("custom:bash", "--force")
    assert results(done) == {CUSTOM: "built"}


def test_chain_that_plain_docker_built(own: Checkout, docker_api: docker.APIClient) -> None:
    """Images of another builder, one on the other, are verified and promoted with the steps they have."""
    (own.folder / "deps.toml").write_text(f'{CHAIN}[build]\nrepository = "{own.repository}"\n')
    dockerfile, tools = wanted(own, "tools")
    tag = stamped(own, "tools", tools)
    build(docker_api, dockerfile, tag, tools)
    dockerfile, more = wanted(own, "more", tools)
    build(docker_api, dockerfile.replace(f"{own.repository}:tools", tag), stamped(own, "more", more), more)
    assert {name: reasons[-1] for name, (_, reasons) in own.plan("--only=bash").items() if reasons} == {
        "tools": PLAN,
        "more": PLAN,
    }
    done = own.doit(*SETUP_BASH)
    assert results(done) == {"tools": "promoted", "more": "promoted"}
    assert candidates(docker_api, own) == []
    assert all(state == "up-to-date" for state, _ in own.plan("--only=bash").values())


def test_one_that_fails_verification(own: Checkout, docker_api: docker.APIClient) -> None:
    """Its labels say that it has jq: it takes no tag, is kept as `-rejected`, and the next run builds."""
    _, labels = wanted(own, CUSTOM)
    build(docker_api, f"FROM {own.repository}:bash\n", stamped(own, CUSTOM, labels), labels)
    done = own.doit(*SETUP_BASH)
    assert done.code == 1
    assert "jq" in done.out
    assert candidates(docker_api, own) == []
    assert f"{own.repository}:{CUSTOM}-rejected" in tags_of(docker_api, own.repository)
    assert f"{own.repository}:{CUSTOM}" not in tags_of(docker_api, own.repository)
    assert own.built(*SETUP_BASH) == {CUSTOM}


def for_another_processor(api: docker.APIClient, tag: str) -> None:
    """Let an image say that it is for arm64."""
    saved, changed = io.BytesIO(b"".join(api.get_image(tag))), io.BytesIO()
    with tarfile.open(fileobj=saved) as old, tarfile.open(fileobj=changed, mode="w") as new:
        files = {each.name: each for each in old if each.isfile()}
        contents = {name: found.read() for name, each in files.items() if (found := old.extractfile(each))}
        (listed,) = json.loads(contents["manifest.json"])
        config = json.dumps({**json.loads(contents.pop(listed["Config"])), "architecture": "arm64"}).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        contents |= {name: config, "manifest.json": json.dumps([{**listed, "Config": name}]).encode()}
        for path, data in contents.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
    api.load_image(changed.getvalue())
    assert api.inspect_image(tag)["Architecture"] == "arm64"


FOREIGN = {
    "another parent": ({f"{PREFIX}parent": "0" * 16}, ""),
    "picked by clients": ({"org.isol8.runtime": "bash"}, ""),
    "a script": ({SETUP: "echo evil"}, "it has the label org.isol8.setup, which this image has not"),
}


@pytest.mark.thorough(every=3)
@pytest.mark.parametrize("name", FOREIGN)
def test_labels_that_are_not_right(own: Checkout, docker_api: docker.APIClient, name: str) -> None:
    """It is not promoted, and the image is built, whatever the labels are."""
    changes, why = FOREIGN[name]
    dockerfile, labels = wanted(own, CUSTOM)
    foreign = build(docker_api, dockerfile, stamped(own, CUSTOM, labels), {**labels, **changes})
    assert (own.plan()[CUSTOM][1][-1:] == [PLAN]) == bool(why)
    done = own.doit(*SETUP_BASH)
    assert results(done) == {CUSTOM: "built"}
    assert why in done.out
    public = docker_api.inspect_image(f"{own.repository}:{CUSTOM}")
    assert public["Id"] != foreign
    assert public["Config"]["Labels"].get(SETUP, "") == ""


@pytest.mark.thorough
def test_layers_and_platform_that_are_not_right(own: Checkout, docker_api: docker.APIClient) -> None:
    """Labels alone make no image of ours, and one for another processor is told by name."""
    dockerfile, labels = wanted(own, CUSTOM)
    tag = stamped(own, CUSTOM, labels)
    build(docker_api, dockerfile.replace(f"{own.repository}:bash", "alpine:3.21"), tag, labels)
    done = own.doit(*SETUP_BASH)
    assert results(done) == {CUSTOM: "built"}
    assert (
        f"a candidate was not promoted: it is not based on the {own.repository}:bash of this engine"
        in done.out
    )
    docker_api.remove_image(tag)
    own.deps('bash = ["jq", "unzip"]')
    dockerfile, labels = wanted(own, CUSTOM)
    tag = stamped(own, CUSTOM, labels)
    build(docker_api, dockerfile, tag, labels)
    for_another_processor(docker_api, tag)
    done = own.doit(*SETUP_BASH)
    assert results(done) == {CUSTOM: "built"}
    assert "a candidate was not promoted: it is for linux/arm64, and this engine for linux/amd64" in done.out
