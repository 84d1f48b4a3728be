"""Fetches the pinned packages of PyPI and npm, through the machine's own configuration for both."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from isol8_tasks.errors import LabError
from isol8_tasks.safety.troubles import trouble_in
from lab.machine import BUNDLE
from lab.pins import Tarball, Wheel
from lab.tools import run

_PLATFORMS = ("manylinux_2_17_x86_64", "musllinux_1_2_x86_64")
_NPM_CONFIGURATIONS = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")


def find_wheel(wheel: Wheel, folder: Path) -> Path | None:
    """Return the wheel's file if it is in the folder."""
    return next(folder.glob(f"{wheel.prefix}*.whl"), None)


def fetch_wheels(wheels: tuple[Wheel, ...], folder: Path) -> None:
    """Download those wheels that are not in the folder yet; pip compares the hashes."""
    missing = [wheel for wheel in wheels if find_wheel(wheel, folder) is None]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    # A file gets its name in the folder only when all of it is there and its hash is right.
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        requirements = Path(temporary, "requirements.txt")
        requirements.write_text("".join(f"{wheel.requirement}\n" for wheel in missing), encoding="utf-8")
        platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
        _fetch(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-deps"),
                *("--disable-pip-version-check", "--no-input", "--require-hashes"),
                *("--only-binary", ":all:", *platforms, "--dest", temporary, "-r", str(requirements)),
            ],
            what=", ".join(wheel.name for wheel in missing),
            check="pip config list",
            # Where it is seen how much has come.
            env={**os.environ, "TMPDIR": temporary},
        )
        for file in Path(temporary).glob("*.whl"):
            file.replace(folder / file.name)


@frozen(kw_only=True)
class Npm:
    """The npm that comes with the Node.js of the stand-ins, since the machine may have none."""

    node: tuple[str, ...]
    """The command that runs Node.js."""
    script: Path
    """npm's own program."""

    def fetch(self, tarball: Tarball, folder: Path) -> None:
        """Download a tarball, unless it is in the folder already, and compare its hash with the pin."""
        if (folder / tarball.file).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            _fetch(
                [
                    *self.node,
                    str(self.script),
                    *("pack", f"{tarball.name}@{tarball.version}", "--silent"),
                    *("--pack-destination", temporary, "--cache", f"{temporary}/cache"),
                ],
                what=tarball.name,
                check="npm config list",
                env=npm_environment(),
            )
            file = Path(temporary, tarball.file)
            found = hashlib.sha512(file.read_bytes()).hexdigest()
            if found != tarball.sha512:
                raise LabError(
                    f"{tarball.name} {tarball.version} from npm has the sha512 {found[:16]}…, and "
                    f"{tarball.sha512[:16]}… was expected: it was modified in transit, and is not used."
                )
            file.replace(folder / tarball.file)


def npm_environment() -> dict[str, str]:
    """Return the environment in which our npm finds what the machine's would: settings and authorities."""
    environment = dict(os.environ)
    # npm looks for the global configuration beside its own program, which ours does not lie beside.
    if found := next((file for file in _NPM_CONFIGURATIONS if Path(file).exists()), None):
        environment.setdefault("NPM_CONFIG_GLOBALCONFIG", found)
    if BUNDLE.exists():
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(BUNDLE))
    environment["NPM_CONFIG_UPDATE_NOTIFIER"] = "false"
    return environment


def _fetch(command: list[str], *, what: str, check: str, env: dict[str, str] | None = None) -> None:
    try:
        run(command, what=check.split(maxsplit=1)[0], env=env, cwd=Path("/"))
    except LabError as problem:
        known = trouble_in(str(problem))
        step = (
            known.advice(source=f"the registry configured ({check})")
            if known
            else f"Check the network and the registry configured ({check})."
        )
        raise LabError(
            f"The stand-ins need {what}, which could not be fetched: {problem}. {step}"
        ) from problem
