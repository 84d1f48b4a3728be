"""Which Docker Engine is in use, and why it does not answer; cheap, as every run asks the first question."""

import errno
import grp
import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from isol8_tasks.errors import COMMAND
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

RUN_ROOT: Final = Path("/run")
"""Where private engines keep their sockets: short, as a socket's path may have no more than 104 bytes."""
DEFAULT_SOCKET: Final = Path("/var/run/docker.sock")
OS_RELEASE: Final = Path("/etc/os-release")
SYSTEMD: Final = Path("/run/systemd/system")
_CONNECT_SECONDS: Final = 3.0
_TCP_PORT: Final = 2375
_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")
_LAB: Final = f"{COMMAND} up --lab"


@frozen(kw_only=True)
class Endpoint:
    """The address of an engine, and what led to it."""

    url: str
    """`unix:///var/run/docker.sock`, `tcp://…`; empty for a docker context that does not exist."""
    why: str
    """`DOCKER_HOST`, `private engine`, `docker context NAME` or `default socket`."""
    context: str = ""
    """The docker context's name, for what else it holds (TLS); empty when none led here."""


def private_run_dir(checkout: Path) -> Path:
    """Return the folder that holds the socket of a checkout's private engine."""
    digest = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()
    return RUN_ROOT / f"isol8-{digest[:12]}"


def private_note(checkout: Path) -> Path:
    """Return the file that is there from the start of a checkout's private engine until `down`, whatever ends it."""
    return checkout.resolve() / ".isol8" / "lab" / "in-use"


def find(checkout: Path, environ: Mapping[str, str]) -> Endpoint:
    """Return the engine to use: the one that is named, the checkout's own, docker's active context or the default.

    DOCKER_HOST and DOCKER_CONTEXT name one. A private engine that was started is used even if it has died, so that
    nobody works on another one without knowing.
    """
    if host := environ.get("DOCKER_HOST"):
        return Endpoint(url=host, why="DOCKER_HOST")
    if not environ.get("DOCKER_CONTEXT"):
        private = private_run_dir(checkout) / "docker.sock"
        # Not Path.exists, which raises where another user may not look.
        if _connect_unix(private) is None or os.path.exists(private_note(checkout)):  # noqa: PTH110 - as said
            return Endpoint(url=f"unix://{private}", why="private engine")
    folder = _config_folder(environ)
    if name := _active_context(folder, environ):
        return Endpoint(url=_context_host(folder, name), why=f"docker context {name}", context=name)
    return Endpoint(url=f"unix://{DEFAULT_SOCKET}", why="default socket")


def is_listening(url: str) -> bool:
    """Tell whether a Unix socket takes connections; cheap, and no proof of an engine behind it."""
    return url.startswith("unix:") and _connect(url) is None


def diagnose(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    """Return two lines: that and why no engine answers there, and the one thing to do about it."""
    if not endpoint.url:
        source = "DOCKER_CONTEXT" if environ.get("DOCKER_CONTEXT") else "docker's configuration"
        return (
            f"no Docker Engine: {endpoint.why} does not exist, though {source} names it\n"
            f"Choose another one: {_use_context('default', environ)}"
        )
    failure = _connect(endpoint.url)
    origin = (
        "the default; DOCKER_HOST is not set" if endpoint.why == "default socket" else f"from {endpoint.why}"
    )
    reason = _reason(endpoint, failure, environ)
    return (
        f"no Docker Engine answers at {redact(endpoint.url)} ({origin}): {reason}\n"
        f"{_fix(endpoint, failure, environ)}"
    )


def _reason(endpoint: Endpoint, failure: OSError | None, environ: Mapping[str, str]) -> str:
    if failure is None and endpoint.url.startswith("ssh://"):
        return "it is reached by ssh, which could not be set up"
    if failure is None:
        return "something listens there, but does not answer as a Docker Engine does"
    if not endpoint.url.startswith("unix:"):
        return f"it cannot be reached ({failure.strerror or failure})"
    known = {
        errno.EACCES: "this user has no permission to use the socket",
        errno.EPERM: "this user has no permission to use the socket",
        errno.ECONNREFUSED: "the socket is there, but the daemon behind it is stopped",
        errno.ENOENT: _no_socket(endpoint, environ),
    }
    return known.get(failure.errno or 0, f"the socket cannot be used ({failure.strerror or failure})")


def _no_socket(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    if endpoint.why != "default socket":
        return "there is no such socket"
    if _installed("dockerd", environ):
        return "Docker is installed, but not running"
    if _installed("docker", environ):
        return "only docker's client is installed, no engine"
    return "Docker is not installed"


def _fix(endpoint: Endpoint, failure: OSError | None, environ: Mapping[str, str]) -> str:
    if endpoint.why == "private engine":
        return f"Start it again: {_LAB}; or stop using it: {COMMAND} down; or use another one: DOCKER_CONTEXT=default"
    if failure is not None and failure.errno in {errno.EACCES, errno.EPERM}:
        return _permission_fix(_socket_path(endpoint.url), environ)
    if elsewhere := _elsewhere(endpoint, environ):
        return elsewhere
    lab = _lab_fix()
    if endpoint.why != "default socket":
        return {
            "DOCKER_HOST": "Correct DOCKER_HOST, or unset it" + (f" and run {_LAB}" if lab else ""),
        }.get(
            endpoint.why,
            "Start the engine that the context names, or choose another one: docker context use NAME",
        )
    stopped = failure is None or failure.errno == errno.ECONNREFUSED or _installed("dockerd", environ)
    if stopped or sys.platform == "darwin":
        return _start_fix() or lab or "Start Docker: sudo service docker start"
    return lab or "Install Docker: https://docs.docker.com/engine/install/"


def _permission_fix(path: Path, environ: Mapping[str, str]) -> str:
    user = environ.get("USER") or "$USER"
    rootless = "Run Docker as this user: dockerd-rootless-setuptool.sh install"
    try:
        group = grp.getgrgid(path.stat().st_gid)
    except (OSError, KeyError):
        return rootless
    if group.gr_gid == 0:
        return rootless
    if user in group.gr_mem:
        return f"Log in again: {user} is in group {group.gr_name}, but was not yet when this session began"
    return f"Add this user to the group, then log in again: sudo usermod -aG {group.gr_name} {user}"


def _elsewhere(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    """Return how to get to another engine of this machine that does answer; empty where there is none."""
    default = f"unix://{DEFAULT_SOCKET}"
    for name, url in (("default", default), *_contexts(_config_folder(environ))):
        if url != endpoint.url and is_listening(url):
            return f"An engine answers at {redact(url)}: {_use_context(name, environ)}"
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        rootless = f"unix://{runtime}/docker.sock"
        if rootless != endpoint.url and is_listening(rootless):
            return f"An engine answers at {rootless}: export DOCKER_HOST={rootless}"
    return ""


def _use_context(name: str, environ: Mapping[str, str]) -> str:
    """Return the command after which docker's context of that name is the one in use."""
    unset = [variable for variable in ("DOCKER_HOST", "DOCKER_CONTEXT") if environ.get(variable)]
    commands = [f"unset {' '.join(unset)}"] if unset else []
    saved = _text(_read_json(_config_folder(environ) / "config.json"), "currentContext") or "default"
    if saved != name:
        commands.append(f"docker context use {name}")
    return "; ".join(commands)


def _lab_fix() -> str:
    """Return the command that sets up a private engine; empty where it can't."""
    words: set[str] = set()
    try:
        lines = OS_RELEASE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition("=")
        if key in {"ID", "ID_LIKE"}:
            words.update(value.strip("\"'").split())
    if not words & {"debian", "ubuntu"}:
        return ""
    who = "" if os.geteuid() == 0 else "as root, "
    return f"Run {_LAB}: {who}it sets up a private engine and changes nothing else on the machine."


def _start_fix() -> str:
    if sys.platform == "darwin":
        return "Start Docker Desktop: open -a Docker"
    return "Start Docker: sudo systemctl start docker" if SYSTEMD.is_dir() else ""


def _connect(url: str) -> OSError | None:
    """Return what a connection to an engine fails with; None where it works or can't be tried."""
    if url.startswith("unix:"):
        return _connect_unix(_socket_path(url))
    parts = urlsplit(url)
    if parts.scheme not in {"tcp", "http", "https"}:
        return None
    try:
        address = (parts.hostname or "localhost", parts.port or _TCP_PORT)
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except ValueError as error:
        return OSError(errno.EINVAL, str(error))
    except OSError as error:
        return error
    return None


def _socket_path(url: str) -> Path:
    return Path("/", url.removeprefix("unix:").lstrip("/"))


def _connect_unix(path: Path) -> OSError | None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(os.fspath(path))
        except OSError as error:
            return error
    return None


def _installed(command: str, environ: Mapping[str, str]) -> bool:
    # An engine lies in sbin, which is not on every user's PATH.
    path = os.pathsep.join((environ.get("PATH", os.defpath), *_SBIN))
    return shutil.which(command, path=path) is not None


def _config_folder(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def _active_context(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the name of docker's context in use; empty for the one that every docker has."""
    name = environ.get("DOCKER_CONTEXT") or _text(_read_json(folder / "config.json"), "currentContext")
    return "" if name == "default" else name


def _contexts(folder: Path) -> Iterator[tuple[str, str]]:
    for meta in sorted((folder / "contexts" / "meta").glob("*/meta.json")):
        value = _read_json(meta)
        if name := _text(value, "Name"):
            yield name, _host(value)


def _context_host(folder: Path, name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return _host(_read_json(folder / "contexts" / "meta" / digest / "meta.json"))


def _host(meta: object) -> str:
    endpoints = meta.get("Endpoints") if isinstance(meta, dict) else None
    return _text(endpoints.get("docker") if isinstance(endpoints, dict) else None, "Host")


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _read_json(path: Path) -> object:
    # What docker's own client can't read counts for nothing here: it is not ours to complain about.
    try:
        return loads(path.read_bytes())
    except (OSError, ValueError):
        return None
