"""Which Docker Engine is in use, and why it does not answer; cheap, as every run asks the first question."""

import errno
import grp
import hashlib
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from isol8_tasks.engine.configuration import (
    active_context,
    config_folder,
    context_host,
    contexts,
    read_json,
    text_in,
)
from isol8_tasks.errors import COMMAND
from isol8_tasks.safety.redact import redact
from isol8_tasks.values import ByValue

RUN_ROOT: Final = Path("/run")
"""Where private engines keep their sockets: short, as a socket's path may have no more than 104 bytes."""
DEFAULT_SOCKET: Final = Path("/var/run/docker.sock")
OS_RELEASE: Final = Path("/etc/os-release")
SYSTEMD: Final = Path("/run/systemd/system")
_CONNECT_SECONDS: Final = 3.0
_LOOKS: Final = 4
_LOOK_SECONDS: Final = 0.1
_TCP_PORT: Final = 2375
_ROOTLESS: Final = "dockerd-rootless-setuptool.sh"
_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")
_LAB: Final = f"{COMMAND} up --lab"
_LAB_AGAIN: Final = f"As root, start this checkout's private engine again, which has its images: {_LAB}"
_TLS_FIX: Final = (
    "export DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH=FOLDER, in which ca.pem, cert.pem and key.pem are"
)

_CONTEXT_FIX: Final = 'docker context update {name} --docker "host=…,ca=ca.pem,cert=cert.pem,key=key.pem"'


@frozen(kw_only=True, eq=False, repr=False)
class Endpoint(ByValue):
    """The address of an engine, and what led to it."""

    url: str
    """`unix:///var/run/docker.sock`, `tcp://…`; empty for a docker context that does not exist."""
    why: str
    """`DOCKER_HOST`, `private engine`, `docker context NAME` or `default socket`."""
    context: str = ""
    """The docker context's name, for what else it holds (TLS); empty when none led here."""
    has_stopped: bool = False
    """The checkout has a private engine, which `down` stopped."""


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
    folder = config_folder(environ)
    # Where the private engine keeps its images.
    has_stopped = os.path.exists(private_note(checkout).with_name("docker"))  # noqa: PTH110 - as above
    if name := active_context(environ):
        url, why = context_host(folder, name), f"docker context {name}"
        return Endpoint(url=url, why=why, context=name, has_stopped=has_stopped)
    return Endpoint(url=f"unix://{DEFAULT_SOCKET}", why="default socket", has_stopped=has_stopped)


def is_listening(url: str) -> bool:
    """Tell whether a Unix socket takes connections; cheap, and no proof of an engine behind it."""
    return url.startswith("unix:") and _connect(url) is None


def malformed(url: str) -> str:
    """Say how an address is written that is none, as people often write it; empty for any other."""
    whole = url.strip(" \t\r\n\"'")
    if whole != url:
        return f"there are blanks or quotes around it; write {redact(whole)}"
    if url.startswith("/"):
        return f"it lacks unix:// before the path; write unix://{url}"
    scheme, separator, rest = url.partition("://")
    if not separator and not url.startswith("unix:"):
        return f"it lacks tcp:// before the host; write tcp://{redact(url)}"
    port = rest.partition("/")[0].rpartition("@")[2].rpartition("]")[2].rpartition(":")
    if scheme == "tcp" and not (port[1] and port[2].isascii() and port[2].isdecimal()):
        return "it lacks the number of a port, as in tcp://host:2375"
    return ""


def diagnose(endpoint: Endpoint, environ: Mapping[str, str], *, is_silent: bool = False) -> str:
    """Return two lines: that and why no engine answers there, and the one thing to do about it.

    `is_silent` says of one that takes connections that it was waited for in vain.
    """
    if not endpoint.url:
        source = "DOCKER_CONTEXT" if environ.get("DOCKER_CONTEXT") else "docker's configuration"
        return (
            f"no Docker Engine: {endpoint.why} does not exist, though {source} names it\n"
            f"Choose another one: {_use_context('default', environ)}"
        )
    if problem := malformed(endpoint.url):
        return (
            f"no Docker Engine: {redact(endpoint.url)} (from {endpoint.why}) is not the address of one: {problem}\n"
            "An engine's address looks like unix:///var/run/docker.sock or tcp://host:2375."
        )
    failure = _connect_while_open(endpoint.url, is_silent=is_silent)
    origin = (
        "the default; DOCKER_HOST is not set" if endpoint.why == "default socket" else f"from {endpoint.why}"
    )
    reason = _reason(endpoint, failure, environ, is_silent=is_silent)
    tls_fix = _CONTEXT_FIX.format(name=endpoint.context) if endpoint.context else _TLS_FIX
    fix = tls_fix if reason.startswith("it speaks TLS") else _fix(endpoint, failure, environ)
    return f"no Docker Engine answers at {redact(endpoint.url)} ({origin}): {reason}\n{fix}"


def _reason(
    endpoint: Endpoint, failure: OSError | None, environ: Mapping[str, str], *, is_silent: bool
) -> str:
    if failure is None and endpoint.url.startswith("ssh://"):
        return "it is reached by ssh, which could not be set up"
    if failure is None and is_silent:
        return "something listens there, but nothing answered in 8 s"
    if failure is None and _speaks_tls(endpoint.url):
        lacking = (
            "docker's context has no certificates" if endpoint.context else "DOCKER_TLS_VERIFY is not set"
        )
        return f"it speaks TLS, and {lacking}"
    if failure is None:
        return "something listens there, but does not answer as a Docker Engine does"
    if not endpoint.url.startswith("unix:"):
        return f"it cannot be reached ({failure.strerror or failure})"
    known = {
        errno.EACCES: "this user has no permission to use the socket",
        errno.EPERM: "this user has no permission to use the socket",
        errno.ECONNREFUSED: "that is a file or a folder, not a socket"
        if _is_no_socket(endpoint.url, failure)
        else "the socket is there, but the daemon behind it is stopped",
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
    if other := (endpoint.has_stopped and _LAB_AGAIN) or _elsewhere(endpoint, environ):
        return other
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
        return (
            _moving_away(endpoint.url, failure)
            or _start_fix()
            or lab
            or "Start Docker: sudo service docker start"
        )
    return lab or "Install Docker: https://docs.docker.com/engine/install/"


def _permission_fix(path: Path, environ: Mapping[str, str]) -> str:
    user = environ.get("USER") or "$USER"
    rootless = f"Run it as root: sudo {COMMAND} …" + (
        f"; or a private engine: sudo {_LAB}" if _lab_fix() else ""
    )
    if _installed(_ROOTLESS, environ):
        rootless += f"; or Docker as this user: {_ROOTLESS} install"
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
    for name, url in (("default", default), *contexts(config_folder(environ))):
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
    saved = text_in(read_json(config_folder(environ) / "config.json"), "currentContext") or "default"
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


def _moving_away(url: str, failure: OSError | None) -> str:
    """Return what removes a folder from where the socket belongs, as a container's mount makes one; else nothing."""
    path = _socket_path(url)
    return f"Move it away, and run again: sudo mv {path} {path}.old" if _is_no_socket(url, failure) else ""


def _start_fix() -> str:
    if sys.platform == "darwin":
        return "Start Docker Desktop: open -a Docker"
    return "Start Docker: sudo systemctl start docker" if SYSTEMD.is_dir() else ""


def _connect_while_open(url: str, *, is_silent: bool) -> OSError | None:
    """Do what `_connect` does, and try again while it works: an engine that is ending takes connections for a while."""
    failure = _connect(url)
    for _ in range(0 if is_silent else _LOOKS):
        if failure is not None:
            break
        time.sleep(_LOOK_SECONDS)
        failure = _connect(url)
    return failure


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


def _speaks_tls(url: str) -> bool:
    """Tell whether a server wants TLS, be it with a certificate of the client's."""
    import ssl  # noqa: PLC0415 - it takes long to import, and few need it

    parts = urlsplit(url)
    if parts.scheme not in {"tcp", "http"}:
        return False
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(
            (parts.hostname or "", parts.port or _TCP_PORT), _CONNECT_SECONDS
        ) as plain:
            context.wrap_socket(plain).close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
    return True


def _is_no_socket(url: str, failure: OSError | None) -> bool:
    """Tell whether a connection was refused since what is there is something else."""
    return failure is not None and failure.errno == errno.ECONNREFUSED and not _socket_path(url).is_socket()


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
    import shutil  # noqa: PLC0415 - in most runs an engine answers

    return shutil.which(command, path=path) is not None
