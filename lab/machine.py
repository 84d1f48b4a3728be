"""What the machine must have for a private engine, and what of it an engine needs to know."""

import os
import platform
import shutil
import stat
from pathlib import Path

from isol8_tasks.errors import COMMAND, LabError
from isol8_tasks.safety.files import make_folder

CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""Debian's place for the certificate authorities that a machine trusts besides the public ones."""

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""All authorities that the machine trusts, in one file."""

_HANDED_ON = (
    *(f"{scheme}_proxy" for scheme in ("http", "https", "no", "all")),
    *(f"{scheme}_PROXY" for scheme in ("HTTP", "HTTPS", "NO", "ALL")),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def require_supported() -> None:
    """Raise LabError, with what to do instead, unless a private engine can run on this machine."""
    instead = f"install Docker and run {COMMAND} up without --lab"
    if platform.system() != "Linux":
        raise LabError(f"--lab needs Linux, and this is {platform.system()}: {instead}.")
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise LabError(
                f"--lab needs Debian's or Ubuntu's packages, and there is no {program} here: {instead}."
            )
    require_root("up --lab")


def require_root(what: str) -> None:
    """Raise LabError unless we are root."""
    if os.geteuid() != 0:
        raise LabError(
            f"{what} needs root, to run a private Docker Engine: sudo {COMMAND} {what}, or become root."
        )


def require_standins() -> None:
    """Raise LabError unless there are stand-ins for this machine's processor."""
    if platform.machine() != "x86_64":
        raise LabError(
            "alpine:3.21 and denoland/deno:alpine can't be pulled here, and stand-ins exist for x86-64 only, "
            f"not for {platform.machine()}: check the network, or name a registry that can be reached."
        )


def require_own_folder(folder: Path, *, trusting: Path) -> None:
    """Make a folder that programs are run from; LabError if somebody else could put his own there.

    Whom the checkout belongs to is trusted, since code in it runs anyway.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise LabError(
            f"{error.filename or folder}: the folder of downloads can't be made ({error.strerror}): give "
            "ISOL8_LAB_CACHE one that can, or unset it."
        ) from error
    trusted = {0, os.geteuid(), trusting.stat().st_uid}
    for each in (folder.resolve(), *folder.resolve().parents):
        found = each.stat()
        loose = 0o022 if each == folder.resolve() else 0o002
        if found.st_uid not in trusted or (found.st_mode & loose and not found.st_mode & stat.S_ISVTX):
            raise LabError(
                f"{each}: others can write there, and root would run their programs: give ISOL8_LAB_CACHE a folder "
                "that belongs to root, with no permission to write for others (chmod go-w)."
            )


def certificates() -> tuple[Path, ...]:
    """Return the machine's own certificate authorities, which a proxy in front of the registries may use."""
    return tuple(sorted(CERTIFICATES.rglob("*.crt")))


def daemon_environment() -> dict[str, str]:
    """Return what of our environment a daemon needs: the way to the network, and nothing else."""
    return {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
