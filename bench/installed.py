"""The command of an installation: a wheel of the checkout, in an environment with the checkout's packages."""

import subprocess
import sysconfig
import venv
from pathlib import Path


def command(checkout: Path, scratch: Path) -> tuple[str, ...]:
    """Install the wheel, and return the command."""
    folder = scratch / "installed"
    pip = (str(checkout / ".venv/bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
    venv.create(folder, clear=True)
    run(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder / "wheel"), str(checkout))
    (wheel,) = (folder / "wheel").glob("*.whl")
    run(*pip, "--python", str(folder / "bin/python"), "install", "--no-deps", str(wheel))
    places = sysconfig.get_paths(vars={"base": str(folder)})
    theirs = sysconfig.get_paths(vars={"base": str(checkout / ".venv")})
    # Only a folder of the environment's own is searched for .pth files, so the checkout is on no path here.
    Path(places["purelib"], "packages.pth").write_text(theirs["purelib"] + "\n", encoding="utf-8")
    return (str(folder / "bin/isol8-tasks"),)


def run(*words: str) -> None:
    """Run what the measurement needs; what it prints is the reason if it fails."""
    subprocess.run(words, check=True)
