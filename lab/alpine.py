"""Alpine's root file system: taken out of a virtual machine's disk, repackaged, cut down."""

import re
import shutil
import tarfile
from pathlib import Path

from isol8_tasks.errors import LabError
from lab.apk import Apk, Package
from lab.qcow2 import write_raw
from lab.tools import Tools

OWN_FOLDER = "opt/lab"
"""Where a stand-in keeps what it must have at hand because it can't be fetched."""

_FOLDERS = (
    *("bin", "dev", "etc", "home", "lib", "media", "mnt"),
    *("opt", "root", "run", "sbin", "srv", "tmp", "usr", "var"),
)
_MINIMAL = {"alpine-baselayout", "alpine-keys", "alpine-release", "apk-tools", "busybox", "musl-utils"}
_REPACKAGED = (
    *("curl", "libcurl", "brotli-libs", "c-ares", "libidn2", "nghttp2-libs", "libpsl", "libunistring"),
    *("zstd-libs", "ca-certificates", "xz-libs", "libuuid", "ncurses-terminfo-base", "libncursesw"),
)
"""Alpine's own packages that its disk has, a minimal image has not, and others need."""

_OF_A_VIRTUAL_MACHINE = (
    *("boot", "usr/local/*/*", "home/*", "run/*", "var/cache/*", "var/log/*", "var/lib/dhcpcd", ".dockerenv"),
    *(f"etc/{name}" for name in ("runlevels", "conf.d", "local.d", "init.d", "sudoers.d", "rc.conf", "ssh")),
    *(f"etc/{name}" for name in ("resolv.conf*", "hosts", "hostname", "mkinitfs", "modules")),
    *("etc/group-", "etc/passwd-", "etc/shadow-"),
)
_USERS_OF_A_VIRTUAL_MACHINE = ("quicksand:", "dhcpcd:")


def unpack_disk(disk: bytes, work: Path, tools: Tools) -> Path:
    """Unpack the file system of a disk image, with owners and modes, and return the folder that it is in."""
    raw, root = work / "alpine.raw", work / "root"
    with raw.open("wb") as out:
        write_raw(disk, out)
    root.mkdir()
    script = work / "debugfs"
    script.write_text("".join(f'rdump /{folder} "{root}"\n' for folder in _FOLDERS), encoding="utf-8")
    tools.run("debugfs", "-f", str(script), str(raw))
    raw.unlink()
    if not (root / "sbin/apk").exists():
        raise LabError(f"debugfs could not extract Alpine from the disk image for the stand-ins: see {root}.")
    for folder in ("proc", "sys"):
        (root / folder).mkdir()
    for folder in ("tmp", "var/tmp"):  # debugfs drops the sticky bit
        (root / folder).chmod(0o1777)
    shutil.rmtree(root / "lib/modules", ignore_errors=True)
    return root


def parse_installed(text: str) -> dict[str, tuple[dict[str, str], list[str]]]:
    """Return the fields and the files of each package in apk's database of what is installed."""
    packages = {}
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        files: list[str] = []
        folder = ""
        for line in block.splitlines():
            key, value = line[0], line[2:]
            if key == "F":
                folder = value
            elif key == "R":
                files.append(f"{folder}/{value}" if folder else value)
            else:
                fields[key] = value
        if fields:
            packages[fields["P"]] = (fields, files)
    return packages


def _scripts(root: Path, work: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return the scripts of installed packages, as `name-version` -> (kind, file)."""
    folder = work / "scripts"
    folder.mkdir()
    scripts: dict[str, list[tuple[str, Path]]] = {}
    with tarfile.open(root / "lib/apk/db/scripts.tar.gz") as archive:
        for member in archive:
            match = re.fullmatch(r"(.*)\.[QX][^.]*\.([a-z-]+)", member.name)
            content = archive.extractfile(member)
            if match and content:
                file = folder / Path(member.name).name
                file.write_bytes(content.read())
                file.chmod(0o755)
                scripts.setdefault(match[1], []).append((match[2], file))
    return scripts


def repackaged(root: Path, work: Path) -> list[Package]:
    """Return Alpine's own packages made again from their installed files."""
    database = root / "lib/apk/db"
    installed = parse_installed((database / "installed").read_text(encoding="utf-8"))
    scripts = _scripts(root, work)
    triggers = dict(
        line.split(" ", 1) for line in (database / "triggers").read_text(encoding="utf-8").splitlines()
    )
    packages = []
    for name in _REPACKAGED:
        fields, files = installed[name]
        stage = work / "stage" / name
        for file in files:
            (stage / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, stage / file, follow_symlinks=False)
        packages.append(
            Package(
                name=name,
                version=fields["V"],
                files=stage,
                description=fields["T"],
                depends=fields.get("D", ""),
                provides=fields.get("p", ""),
                scripts=tuple(scripts.get(f"{name}-{fields['V']}", ())),
                triggers=tuple(triggers.get(fields["C"], "").split()),
            )
        )
    return packages


def cut_down(root: Path, apk: Apk) -> None:
    """Take away what Alpine's minimal image does not have."""
    world = (root / "etc/apk/world").read_text(encoding="utf-8").split()
    apk.run(
        *("--root", str(root), "--no-network", "--quiet", "--repositories-file", "/dev/null"),
        *("del", *(name for name in world if name not in _MINIMAL)),
    )
    for pattern in _OF_A_VIRTUAL_MACHINE:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in ("passwd", "group", "shadow"):
        file = root / "etc" / name
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text(
            "".join(line for line in lines if not line.startswith(_USERS_OF_A_VIRTUAL_MACHINE)),
            encoding="utf-8",
        )


def trust(root: Path, public_key: Path, certificates: tuple[Path, ...]) -> None:
    """Make the image take packages from its own repository, and trust whom the machine trusts."""
    (root / "etc/apk/repositories").write_text(f"/{OWN_FOLDER}/apk\n", encoding="utf-8")
    shutil.copy(public_key, root / "etc/apk/keys")
    folder = root / "usr/local/share/ca-certificates"
    folder.mkdir(parents=True, exist_ok=True)
    with (root / "etc/ssl/certs/ca-certificates.crt").open("a", encoding="utf-8") as bundle:
        for certificate in certificates:
            shutil.copy(certificate, folder / certificate.name)
            bundle.write("\n" + certificate.read_text(encoding="utf-8"))
