"""Where `docker buildx` comes from: docker's own plugin, or Debian's package in a private folder."""

import subprocess
from pathlib import Path
from typing import Final

_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PLUGIN: Final = Path("usr/libexec/docker/cli-plugins/docker-buildx")

# Lists and archives of its own, and no source but one, so that nothing of the machine's apt changes. The
# machine's hooks are about its own lists.
_CONFIGURATION: Final = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
APT::Sandbox::User "root";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
"""


def find_buildx(folder: Path) -> list[str] | None:
    """Return the command that is `docker buildx` here, fetched into the folder if need be, or None."""
    for command in (["docker", "buildx"], [str(folder / _PLUGIN)]):
        if _works(command):
            return command
    try:
        _fetch(folder)
    except (OSError, subprocess.CalledProcessError):
        return None
    command = [str(folder / _PLUGIN)]
    return command if _works(command) else None


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _fetch(folder: Path) -> None:
    """Download Debian's newest docker-buildx, authenticated by apt, and unpack it; older suites have none."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = f" [signed-by={_KEYRING}]" if _KEYRING.exists() else ""
    (folder / "sources.list").write_text(f"deb{options} {_archive()} sid main\n", encoding="utf-8")
    configuration = folder / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder), encoding="utf-8")
    for words in (["update"], ["download", "docker-buildx"]):
        _run(["apt-get", "-c", str(configuration), "-qq", *words], folder)
    for package in folder.glob("docker-buildx_*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(folder)], folder)
        package.unlink()


def _archive() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    found = _run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)", "Identifier: Packages"]
    )
    for line in found.splitlines():
        origin, codename, address = line.split(" ", 2)
        if origin == "Debian" and "-" not in codename:
            return address
    raise FileNotFoundError("apt's sources name no Debian archive")


def _run(command: list[str], folder: Path | None = None) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True).stdout
