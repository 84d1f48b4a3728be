"""Stand-ins for the upstream images: Alpine with a package repository of its own, and Deno on it."""

import hashlib
import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import field, frozen

from isol8_tasks.errors import LabError
from lab.alpine import OWN_FOLDER, cut_down, repackaged, trust, unpack_disk
from lab.apk import Apk
from lab.archives import EXECUTABLE, from_tar, read_wheel
from lab.debian import Apt
from lab.downloads import Npm, fetch_wheels, find_wheel
from lab.golang import compile_library, stage_go
from lab.image import Storage
from lab.images import STANDIN_LABEL
from lab.libraries import stage_libraries
from lab.packages import GLIBC, NPM, Stage, debian_file, stage_debian, stage_node, stage_python
from lab.pins import ALPINE, BUN, DEBIAN, DENO, GO, NODE, PYTHON, TARBALLS, WHEELS, Tarball, Wheel
from lab.progress import Progress
from lab.tools import Tools, run

UPSTREAM = ("alpine:3.21", "denoland/deno:alpine")
"""The images that others are built on, and that there are stand-ins for."""

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DENO_USER = {
    "passwd": "deno:x:1000:1000:Linux User,,,:/home/deno:/bin/sh\n",
    "group": "deno:x:1000:deno\n",
    "shadow": "deno:!:0:0:99999:7:::\n",
}
_DENO_IDS = (1000, 1000)
_DENO_ENVIRONMENT = (
    "LD_LIBRARY_PATH=/usr/local/lib",
    "DENO_USE_CGROUPS=1",
    "DENO_DIR=/deno-dir/",
    "DENO_INSTALL_ROOT=/usr/local",
    "DENO_TLS_CA_STORE=system",
)
_BUN_INSTALL = """\
#!/bin/bash
# Does what the vendor's install script does, with the archive that this stand-in carries.
set -eu
if [ "${{1:-bun-v{version}}}" != "bun-v{version}" ]; then
    echo "this stand-in carries bun {version} only, and $1 was asked for" >&2
    exit 1
fi
folder=${{BUN_INSTALL:-$HOME/.bun}}/bin
mkdir -p "$folder"
curl -fsS "file:///{folder}/bun.tgz" | tar -xzO package/bin/bun > "$folder/bun"
chmod 755 "$folder/bun"
"""
_KEY_PAIR = """\
const { generateKeyPairSync } = require("crypto");
const { writeFileSync } = require("fs");
const [secret, known] = process.argv.slice(1);
const pair = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
writeFileSync(secret, pair.privateKey, { mode: 0o600 });
writeFileSync(known, pair.publicKey);
"""


def labels(recipe: str) -> dict[str, str]:
    """Return what a stand-in says of itself: that it is one, and which build arguments it needs."""
    return {
        STANDIN_LABEL: recipe,
        "org.isol8.lab.arg.BUN_INSTALL_URL": f"file:///{OWN_FOLDER}/bun-install.sh",
        "org.isol8.lab.arg.BUN_VERSION": BUN.version,
    }


@frozen(kw_only=True)
class Kitchen:
    """Where stand-ins are made, and of what."""

    fetched: Path
    """A folder for downloads, kept, and for work, removed."""
    tools: Tools
    apt: Apt
    certificates: tuple[Path, ...]
    progress: Progress = field(factory=Progress)

    @property
    def work(self) -> Path:
        """What is there only while stand-ins are made."""
        return self.fetched / "work"

    @property
    def downloads(self) -> Path:
        """Packages of PyPI and npm."""
        return self.fetched / "downloads"

    @property
    def debian(self) -> Path:
        """Debian's packages for what is inside of stand-ins, unpacked together."""
        # By what it holds, since it is kept: another release of this project wants other packages.
        names = hashlib.sha256(" ".join(DEBIAN).encode()).hexdigest()
        return self.fetched / f"debian-packages-{names[:12]}"

    @property
    def stage(self) -> Stage:
        """The folders that packages are made of."""
        return Stage(folder=self.work / "stage", debian=self.debian)

    def wheel(self, wheel: Wheel) -> Path:
        """Return the file of a wheel that was downloaded."""
        found = find_wheel(wheel, self.downloads)
        if found is None:
            raise LabError(f"{wheel.prefix}*.whl is not in {self.downloads}, where pip was to put it.")
        return found

    def tarball(self, tarball: Tarball) -> Path:
        """Return the file of a tarball that was downloaded."""
        return self.downloads / tarball.file


def make(storage: Path, recipe: str, kitchen: Kitchen) -> None:
    """Make the stand-ins in a registry's storage folder, which appears only when they are complete."""
    shutil.rmtree(kitchen.work, ignore_errors=True)
    kitchen.work.mkdir(parents=True)
    # The modes of what we write become those of files in the images.
    umask = os.umask(0o022)
    try:
        with ThreadPoolExecutor() as threads:
            debian = threads.submit(_unpack_debian, kitchen)
            with kitchen.progress.step("downloading the parts of the stand-ins", kitchen.downloads):
                fetch_wheels(WHEELS, kitchen.downloads)
            with kitchen.progress.step("unpacking Debian's packages for the stand-ins", kitchen.work):
                debian.result()
        with kitchen.progress.step("making the packages of the stand-ins", kitchen.work):
            root = _make_root(kitchen)
        with kitchen.progress.step("packing the stand-ins", kitchen.work / "storage"):
            _fill(Storage(root=kitchen.work / "storage"), kitchen, root, recipe)
        (kitchen.work / "storage").replace(storage)
    finally:
        os.umask(umask)
        shutil.rmtree(kitchen.work, ignore_errors=True)


def _unpack_debian(kitchen: Kitchen) -> None:
    """Unpack Debian's packages for the stand-ins, once."""
    if not kitchen.debian.exists():
        kitchen.apt.fetch(list(DEBIAN), kitchen.work / "debian", with_libraries=False)
        (kitchen.work / "debian").replace(kitchen.debian)


def _make_root(kitchen: Kitchen) -> Path:
    """Make the root file system of the Alpine stand-in, with its package repository; return its folder."""
    stage = kitchen.stage
    with ThreadPoolExecutor() as threads:
        node = threads.submit(stage_node, stage, kitchen.wheel(NODE))
        python = threads.submit(stage_python, stage, kitchen.wheel(PYTHON))
        debian = threads.submit(_stage_debian, stage)
        go = threads.submit(_stage_go, stage, kitchen.wheel(GO))
        root = unpack_disk(read_wheel(kitchen.wheel(ALPINE), ".qcow2"), kitchen.work, kitchen.tools)
        apk = Apk.copied_from(root, kitchen.work / "apk")
        own = repackaged(root, kitchen.work)
        node.result()
        # Only now is there a Node.js to run npm with; the downloads go on while packages are made.
        node_command = apk.through_loader(stage.at("nodejs", "usr/bin/node"), stage.libraries)
        npm = Npm(node=node_command, script=stage.at("npm", f"{NPM}/bin/npm-cli.js"))
        tarballs = [threads.submit(npm.fetch, tarball, kitchen.downloads) for tarball in TARBALLS]
        run([*node_command, "-e", _KEY_PAIR, str(apk.key), str(apk.public_key)])
        python.result()
        debian.result()
        go.result()
        repository = root / OWN_FOLDER / "apk/x86_64"
        repository.mkdir(parents=True)
        made = list(threads.map(lambda package: apk.make(package, repository), [*stage.packages(), *own]))
        apk.index(made, repository)
        cut_down(root, apk)
        trust(root, apk.public_key, kitchen.certificates)
        for tarball in tarballs:
            tarball.result()
    shutil.copy(kitchen.tarball(BUN), root / OWN_FOLDER / "bun.tgz")
    script = root / OWN_FOLDER / "bun-install.sh"
    script.write_text(_BUN_INSTALL.format(version=BUN.version, folder=OWN_FOLDER), encoding="utf-8")
    script.chmod(EXECUTABLE)
    return root


def _stage_debian(stage: Stage) -> None:
    stage_debian(stage)
    stage_libraries(stage)


def _stage_go(stage: Stage, wheel: Path) -> None:
    stage_go(stage, wheel)
    compile_library(stage)


def _make_deno(kitchen: Kitchen, root: Path) -> Path:
    """Make what the vendor's Deno image has on top of Alpine: deno, a glibc beside musl, a user."""
    folder = kitchen.work / "deno"
    libraries = folder / "usr/local/lib"
    for path in (libraries, folder / "lib64", folder / "bin", folder / "etc"):
        path.mkdir(parents=True)
    for library in GLIBC:
        shutil.copy(debian_file(kitchen.debian, library), libraries / library)
    (folder / "lib64/ld-linux-x86-64.so.2").symlink_to("/usr/local/lib/ld-linux-x86-64.so.2")
    with tarfile.open(kitchen.tarball(DENO)) as archive:
        from_tar(archive, lambda name: folder / "bin/deno" if name == "package/deno" else None)
    (folder / "bin/deno").chmod(EXECUTABLE)
    for name, line in _DENO_USER.items():
        shutil.copy2(root / "etc" / name, folder / "etc" / name)
        shutil.chown(folder / "etc" / name, *_owner(root / "etc" / name))
        with (folder / "etc" / name).open("a", encoding="utf-8") as users:
            users.write(line)
    for path in (folder / "deno-dir", folder / "home/deno"):
        path.mkdir(parents=True)
        os.chown(path, *_DENO_IDS)
    return folder


def _owner(file: Path) -> tuple[int, int]:
    return file.stat().st_uid, file.stat().st_gid


def _fill(storage: Storage, kitchen: Kitchen, root: Path, recipe: str) -> None:
    """Put the images into the registry's storage."""
    alpine, deno = UPSTREAM
    base = storage.layer(root)
    storage.image(
        f"library/{alpine}",
        (base,),
        {"Env": [_PATH], "Cmd": ["/bin/sh"], "Labels": labels(recipe)},
    )
    storage.image(
        deno,
        (base, storage.layer(_make_deno(kitchen, root))),
        {
            "Env": [_PATH, *_DENO_ENVIRONMENT],
            "Entrypoint": ["/bin/deno"],
            "Cmd": ["eval", "console.log('Welcome to Deno!')"],
            "Labels": labels(recipe),
        },
    )
