"""Nights and locks of two platforms: what is newer for one of them, for both, or for none."""

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
from attrs import Factory, define

from isol8_tasks.ecosystems.inventory import decode
from isol8_tasks.images.labels import read_record
from isol8_tasks.plan.model import FlagRequest
from isol8_tasks.run.locking import write_lock
from isol8_tasks.run.session import open_session
from lab.updown import Lab
from tests.integration.arm64 import CAN_EMULATE, OWN, PLATFORM, alpine_for_both, emulating
from tests.integration.checkouts import ROOT, Checkout, remove_tags, wait_for
from tests.integration.registries import Registry
from tests.integration.world.apks import KEY, Apks
from tests.integration.world.serving import Answer, Traffic, served

pytestmark = CAN_EMULATE
ARCHES = {OWN: "x86_64", PLATFORM: "aarch64"}


@define
class Scene:
    """A checkout that builds for both platforms, of a repository with packages for each."""

    checkout: Checkout
    registry: Registry
    apks: Mapping[str, Apks]
    born: dt.datetime = Factory(lambda: dt.datetime.now(dt.UTC) - dt.timedelta(days=30))
    """When everything was built, so that a version has the same checksum each time."""

    def publish(self, version: str, *platforms: str) -> None:
        """Publish a version of `tool` for these platforms, or all."""
        for platform in platforms or ARCHES:
            self.apks[platform].add(
                "tool",
                version,
                built=self.born,
                depends=(),
                fault="",
                size=0,
                files={},
            )

    def versions(self) -> dict[str, str]:
        """Return the version of `tool` that the index has for each platform."""
        found = {}
        for platform, digest in self.registry.indexed("isol8", "bash-custom").items():
            record = read_record(self.registry.image_labels("isol8", digest))
            inventory = decode(record.inventory) if record else None
            assert inventory, platform
            (found[platform],) = (each.version for each in inventory[1] if each.name == "tool")
        return found

    def refresh(self) -> dict[str, Any]:
        """Run a refresh of the two images, and return its report."""
        done = self.checkout.doit("refresh", "--only=bash", "--json")
        assert done.code == 0, done.out + done.err
        report: dict[str, Any] = json.loads(done.out)
        return report


@pytest.fixture
def scene(checkout: Checkout, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Scene]:
    """Give one whose two images are built for both platforms."""
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(emulating(Lab.of(ROOT)))
        apks = {each: Apks(folder=tmp_path, more={}, arch=arch) for each, arch in ARCHES.items()}
        keys = {KEY: apks[OWN].make_key()}
        alpine = stack.enter_context(alpine_for_both(lab, docker_api, tmp_path / "both", keys))
        gateway = docker_api.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]

        def routes(path: str, headers: Mapping[str, str]) -> Answer | None:
            return next(filter(None, (each.routes(path, headers) for each in apks.values())), None)

        address = stack.enter_context(served(routes, Traffic(), gateway))
        registry = Registry(tmp_path / "registry").start()
        stack.callback(registry.kill)
        stack.callback(remove_tags, docker_api, f"{checkout.repository}_linux-arm64")
        checkout.deps(
            'bash = ["tool"]',
            f'platforms = ["{PLATFORM}", "{OWN}"]\n'
            f'args = {{ ALPINE_IMAGE = "{alpine}", APK_REPOSITORY = "/opt/lab/apk http://{address}/apk" }}\n'
            f'[registry]\nrepository = "{registry.address}/isol8"\nstandins = true\n'
            '[verify]\noldest_client = "0.7.0"\n',
        )
        scene = Scene(checkout, registry, apks)
        scene.publish("1.0-r0")
        kill_in_emulated_build(checkout, docker_api, f"{alpine}:3.21")
        done = checkout.doit("setup", "--only=bash")
        assert (done.code, "2 put under one name" in done.out) == (0, True), done.out
        yield scene


def kill_in_emulated_build(checkout: Checkout, api: docker.APIClient, upstream: str) -> None:
    """End a run like a power cut while it builds for arm64; nothing of the engine's own is stale then."""
    with checkout.start("setup", "--only=bash") as run:
        try:
            wait_for(lambda: _is_building(checkout, api, upstream) or run.poll() is not None, seconds=200)
            assert run.poll() is None, run.stdout.read() if run.stdout else ""
        finally:
            run.kill()
    assert checkout.stale("--only=bash") == set()


def _is_building(checkout: Checkout, api: docker.APIClient, upstream: str) -> bool:
    """Tell whether the upstream image is here for arm64, or a candidate where a name may have both."""
    if api.images(f"{checkout.repository}_linux-arm64_build"):
        return True
    with contextlib.suppress(docker.errors.ImageNotFound):
        return bool(api.inspect_image(upstream)["Architecture"] == "arm64")
    return False


def test_nights_and_locks(scene: Scene) -> None:
    """Both are rebuilt for what both can have, one alone for what is late there, and none in a quiet night."""
    checkout = scene.checkout
    first = scene.registry.indexed("isol8", "bash")
    quiet(scene)
    scene.publish("1.1-r0")
    assert checkout.doit("freshness", "--only=bash").code == 2
    report = scene.refresh()
    assert report["others"] == {PLATFORM: {f"{checkout.repository}:bash-custom": "built"}}
    assert scene.versions() == {OWN: "1.1-r0", PLATFORM: "1.1-r0"}
    assert scene.registry.indexed("isol8", "bash") == first

    scene.publish("1.2-r0", OWN)
    scene.refresh()
    assert scene.versions() == {OWN: "1.2-r0", PLATFORM: "1.1-r0"}
    done = checkout.doit("freshness", "--only=bash")
    said = f"other versions than for {OWN} (tool 1.1-r0 → 1.2-r0); only a refresh asks its sources"
    assert (done.code, said in done.out) == (4, True), done.out
    quiet(scene)
    before = scene.registry.indexed("isol8", "bash-custom")
    scene.publish("1.2-r0", PLATFORM)
    report = scene.refresh()
    assert report["changed"] == []
    assert report["others"] == {PLATFORM: {f"{checkout.repository}:bash-custom": "built"}}
    assert scene.versions() == {OWN: "1.2-r0", PLATFORM: "1.2-r0"}
    assert scene.registry.indexed("isol8", "bash-custom")[OWN] == before[OWN]
    assert checkout.doit("freshness", "--only=bash").code == 0
    locks(scene)


def quiet(scene: Scene) -> None:
    """See that a refresh builds nothing and writes nothing into the registry."""
    before = [each for each in scene.registry.requests() if each not in {"GET", "HEAD"}]
    indexed = scene.registry.indexed("isol8", "bash-custom")
    report = scene.refresh()
    assert (report["changed"], report["others"]) == ([], {})
    after = [each for each in scene.registry.requests() if each not in {"GET", "HEAD"}]
    assert scene.registry.indexed("isol8", "bash-custom") == indexed
    # Sources are asked in an image that differs, which is put beside it without labels before it is pulled.
    assert len(after) - len(before) == 0 or len(set(scene.versions().values())) > 1


def locks(scene: Scene) -> None:
    """Each platform has a lock, and is built by it where the index has something else."""
    checkout = scene.checkout
    # The other runtimes are not there for arm64, and a lock is of all images.
    session = open_session(checkout.folder, os.environ)
    session.view.request = FlagRequest(only=("bash",))
    try:
        written = write_lock(session)
    finally:
        session.close()
    names = {each: f"deps.{each.replace('/', '-')}.lock.toml" for each in ARCHES}
    assert written == dict.fromkeys(names.values(), ("bash", "bash-custom"))
    texts = {each: (checkout.folder / name).read_text() for each, name in names.items()}
    pins = {each: re.search(r"apk tool 1.2-r0 (Q1\S+=)", text) for each, text in texts.items()}
    assert len({each[1] for each in pins.values() if each}) == len(ARCHES)
    done = checkout.doit("plan", "--only=bash", "--locked", "--check")
    assert done.code == 0, done.out + done.err
    # A build of something else than the lock of the platform has is not put there.
    scene.publish("1.3-r0")
    scene.refresh()
    assert scene.versions() == {OWN: "1.3-r0", PLATFORM: "1.3-r0"}
    plan = json.loads(checkout.doit("plan", "--only=bash", "--locked", "--json").out)
    assert [each["state"] for each in plan["others"][PLATFORM]] == ["up-to-date", "stale"]
    scene.publish("1.2-r0", OWN)
    done = checkout.doit("setup", "--only=bash", "--locked")
    assert done.code == 1, done.out + done.err
    assert f"{checkout.repository}:bash-custom {PLATFORM}" in done.out
    assert f"does not match {names[PLATFORM]}:" in done.out
    assert scene.versions() == {OWN: "1.3-r0", PLATFORM: "1.3-r0"}
    scene.publish("1.2-r0", PLATFORM)
    done = checkout.doit("setup", "--only=bash", "--locked")
    assert done.code == 0, done.out + done.err
    assert scene.versions() == {OWN: "1.2-r0", PLATFORM: "1.2-r0"}
