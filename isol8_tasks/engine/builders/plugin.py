"""What docker's plugin buildx says of itself and of its builders."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from isol8_tasks.errors import ConfigError, EngineUnreachableError
from isol8_tasks.safety.redact import redact

_FIRST_WITH_JSON: Final = (0, 13)
_LOOK_SECONDS: Final = 60
_AGAIN_SECONDS: Final = 1
_NONE: Final = re.compile(r'no builder "[^"]*" found')
_LINES: Final = r"^(Driver|Driver Options|Endpoint|Status|Platforms|Error):[ \t]+(\S.*)$"
_BOOTED: Final = ("docker-container", "kubernetes")
"""The drivers whose builders are started by the first build."""


@frozen(kw_only=True)
class BuildxBuilder:
    """A builder, as `docker buildx inspect` shows it."""

    name: str
    driver: str
    """`docker`, `docker-container`, `remote`, `kubernetes` or `cloud`."""
    status: str
    """Of its nodes, the best: `running`, `inactive`, …"""
    platforms: tuple[str, ...]
    endpoint: str = ""
    """Where its first node is, as `tcp://host:1234`."""
    problem: str = ""

    @property
    def is_inside(self) -> bool:
        """Tell whether it builds inside an engine, and so sees that engine's images."""
        return self.driver == "docker"


def is_usable(name: str, environ: Mapping[str, str]) -> bool:
    """Tell whether buildx is there and the builder of that name builds inside the engine itself.

    One that is elsewhere sees no image of the engine, so nothing could be built on ours without more ado.
    """
    if buildx_version(environ) < _FIRST_WITH_JSON:
        return False
    found = inspect(name, environ)
    return found is not None and found.is_inside and found.status == "running" and not found.problem


def builder_elsewhere(name: str, platform: str, environ: Mapping[str, str]) -> BuildxBuilder:
    """Return a builder that is not the engine's own, and builds for its platform.

    Raises:
        ConfigError: there is no such plugin or builder, it is another engine's own, or builds for other platforms only.
        EngineUnreachableError: the builder does not answer.

    """
    version = buildx_version(environ)
    if version < _FIRST_WITH_JSON:
        oldest, own = (".".join(map(str, each)) for each in (_FIRST_WITH_JSON, version))
        problem = (
            f"it is buildx {own}, and {oldest} is the oldest that works" if any(version) else "there is none"
        )
        raise ConfigError(
            f"the builder {name!r} needs docker's plugin buildx: {problem}\n"
            "Install it (docs.docker.com/build/install-buildx), or build on the engine: without build.buildx and "
            "--builder."
        )
    found = inspect(name, environ)
    if found is None:
        raise ConfigError(
            f"docker buildx has no builder {name!r}\n"
            f"Choose one that docker buildx ls shows, or make it: docker buildx create --name {name} --driver …"
        )
    if found.is_inside:
        raise ConfigError(
            f"the builder {name!r} is an engine's own (driver docker), and its images stay there\n"
            "Name one of the driver docker-container, remote or kubernetes in build.buildx or by --builder, or none "
            "for the engine in use."
        )
    if found.problem or (found.status != "running" and found.driver not in _BOOTED):
        where = f" at {redact(found.endpoint)}" if found.endpoint else ""
        raise EngineUnreachableError(
            f"the builder {name!r} (driver {found.driver or 'unknown'}) does not answer{where}: "
            f"{found.problem or found.status or 'it has no node'}\n"
            f"Look whether it runs, and at its certificates if it has any: docker buildx inspect {name}; or build on "
            "the engine: without build.buildx and --builder."
        )
    if found.platforms and not any(_covers(each, platform) for each in found.platforms):
        raise ConfigError(
            f"the builder {name!r} builds for {', '.join(found.platforms)}, and {platform} is wanted\n"
            f"Name a builder that has this platform: docker buildx ls lists them."
        )
    return found


def is_answering(name: str, environ: Mapping[str, str], seconds: float = 0) -> bool:
    """Tell whether a builder answers, asking until these seconds are over: one that is busy may take a while."""
    end = time.monotonic() + seconds
    while True:
        found = inspect(name, environ)
        if found and found.status == "running" and not found.problem:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(_AGAIN_SECONDS)


def inspect(name: str, environ: Mapping[str, str]) -> BuildxBuilder | None:
    """Return the builder of that name; None where there is none."""
    done = _ask(["inspect", name], environ)
    if done is None or done.returncode != 0:
        problem = (
            _last_line(done.stderr) if done else f"docker buildx inspect took more than {_LOOK_SECONDS} s"
        )
        if _NONE.search(problem):
            return None
        return BuildxBuilder(name=name, driver="", status="", platforms=(), problem=problem)
    lines = re.findall(_LINES, done.stdout, re.MULTILINE)
    first = dict(reversed(lines))
    statuses = [value for key, value in lines if key == "Status"]
    platforms = [each.strip(" *") for key, value in lines if key == "Platforms" for each in value.split(",")]
    return BuildxBuilder(
        name=name,
        driver=first.get("Driver", ""),
        status="running" if "running" in statuses else next(iter(statuses), ""),
        platforms=tuple(dict.fromkeys(platforms)),
        endpoint=first.get("Endpoint", ""),
        problem=""
        if "running" in statuses
        else first.get("Error") or _lost_file(first.get("Driver Options", "")),
    )


def _lost_file(options: str) -> str:
    """Say which certificate of a builder of the driver remote is not there; empty if none is missed."""
    files = re.findall(r'\b(?:cacert|cert|key)="([^"]+)"', options)
    return next((f"{file} is not there" for file in files if not Path(file).is_file()), "")


def _covers(offered: str, wanted: str) -> bool:
    """Tell whether a platform of a builder is the wanted one; amd64's v2 to v4 are no others."""
    return offered == wanted or offered.startswith(f"{wanted}/") or wanted.startswith(f"{offered}/")


def buildx_version(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return the plugin's version, as 0.13; 0.0 where there is none."""
    done = _ask(["version"], environ)
    found = re.search(r" v?(\d+)\.(\d+)", done.stdout) if done and done.returncode == 0 else None
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else ""


def _ask(arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str] | None:
    """Ask the plugin; None where docker's command can't be started, or doesn't end."""
    try:
        return subprocess.run(
            ["docker", "buildx", *arguments],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOOK_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
