"""Throw-away containers of a real engine: an image is run once, locked down, and what it printed is kept."""

import base64
import contextlib
import io
import json
import math
import re
import tarfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from attrs import evolve, frozen

from isol8_tasks.ecosystems.model import SECRETS_FOLDER
from isol8_tasks.engine import SecretSource
from isol8_tasks.engine.connection import Connection
from isol8_tasks.engine.containers import Finished, NoSuchImageError, NotStartedError, RunRequest
from isol8_tasks.engine.output import printed
from isol8_tasks.engine.owner import is_alive, this_process
from isol8_tasks.engine.wire import NOT_FOUND, ChunkFile, EngineRefusedError
from isol8_tasks.errors import EngineError
from isol8_tasks.safety.jsontext import loads

LABEL: Final = "org.isol8.tasks.check"
"""On every container made here, with the image's reference, so that one that is left over can be told and removed."""
OWNER: Final = "org.isol8.tasks.check.by"
"""Beside it: the process that made it."""


def run(connection: Connection, request: RunRequest, secrets: SecretSource | None = None) -> Finished:
    """Do what SandboxEngine.run promises."""
    if request.online:
        return _executed(connection, with_sandbox_secrets(request, secrets))
    with unstarted(connection, request) as container, contextlib.ExitStack() as stack:
        # Before it starts, so that neither its first line nor its end is missed.
        params = {"stream": "1", "stdout": "1", "stderr": "1"}
        what = f"the verification of {request.image}"
        chunks = connection.read(f"/containers/{container}/attach", what, params)
        stack.enter_context(contextlib.closing(chunks))
        end = connection.read(f"/containers/{container}/wait", what, {"condition": "removed"})
        stack.enter_context(contextlib.closing(end))
        next(chunks), next(end)
        _start(connection, container, request)
        if not request.folders:
            return _followed(connection, container, request, _Streams(chunks, end))
        # Beside it, as that takes as long as a start. What is listed is of its image, which is read-only.
        pool = stack.enter_context(ThreadPoolExecutor(1))
        listed = pool.submit(_listed_in_time, connection, container, request.folders)
        finished = _followed(connection, container, request, _Streams(chunks, end))
        return evolve(finished, modes=listed.result())


def modes(connection: Connection, image: str, folder: str) -> tuple[tuple[str, int], ...]:
    """Do what SandboxEngine.modes promises."""
    request = RunRequest(image=image, command=("true",), seconds=1)
    with unstarted(connection, request) as container:
        return _listed(connection, container, folder) or ()


def sweep(connection: Connection) -> None:
    """Do what SandboxEngine.sweep promises."""
    params = {"all": "1", "filters": json.dumps({"label": [LABEL]})}
    for each in connection.list("/containers/json", "list its containers", params):
        alive = is_alive((each.get("Labels") or {}).get(OWNER, ""))
        # Of a run on another machine nobody knows: its containers start within seconds, and end by themselves.
        old = time.time() - each["Created"] > _LEFT_OVER and each["State"] != "running"
        if alive is False or (alive is None and old):
            _remove(connection, each["Id"])


def host_config(request: RunRequest, *, podman: bool) -> Mapping[str, Any]:
    """Return what an engine is told of the container's surroundings; Podman can't do all of it."""
    config = {**_LOCKED_DOWN, **(_ONLINE if request.online else {})}
    if request.tmpfs is not None:
        config["Tmpfs"] = request.tmpfs
    if request.capabilities is not None:
        config |= {"CapDrop": [], "CapAdd": list(request.capabilities)}
    if podman:
        # It knows no owner of a tmpfs but the container's user, and takes a profile for the name of a file.
        config["Tmpfs"] = {
            folder: _OWNER.sub(",mode=1777,U", each) for folder, each in config["Tmpfs"].items()
        }
    elif request.seccomp:
        config["SecurityOpt"] = [*config["SecurityOpt"], f"seccomp={request.seccomp}"]
    return config


@frozen
class _Streams:
    """What is read of a container that runs."""

    output: Generator[bytes, None, None]
    end: Generator[bytes, None, None]


def _listed_in_time(
    connection: Connection, container: str, folders: tuple[str, ...]
) -> Mapping[str, tuple[tuple[str, int], ...]]:
    """List folders of a container that runs; none of them once it has ended."""
    try:
        found = {folder: _listed(connection, container, folder) for folder in folders}
    except EngineError:
        return {}
    return {folder: modes for folder, modes in found.items() if modes is not None}


def _listed(connection: Connection, container: str, folder: str) -> tuple[tuple[str, int], ...] | None:
    """List a folder of a container, itself included; None if it is not there."""
    path = f"/containers/{container}/archive"
    chunks = connection.read(path, f"the listing of {folder}", {"path": folder}, method="GET")
    with contextlib.closing(chunks):
        try:
            next(chunks)
        except EngineRefusedError as error:
            # The same status tells of a folder that is not there, and of a container that somebody removed.
            if error.status == NOT_FOUND and "no such container" not in error.reason.lower():
                return None
            raise
        try:
            with tarfile.open(fileobj=ChunkFile(chunks), mode="r|") as archive:
                parent = folder.rpartition("/")[0]
                return tuple((f"{parent}/{member.name}", _mode(member)) for member in archive)
        except tarfile.TarError as error:
            raise EngineError(f"the engine's list of {folder} can't be read: {error}") from error


@contextlib.contextmanager
def unstarted(connection: Connection, request: RunRequest, *, folder: str = "/sandbox") -> Iterator[str]:
    """Make a container that works in a folder, and take it away at the end in whatever state it is."""
    body = {**_description(request, connection), "WorkingDir": folder}
    try:
        # As a job, of which none begins once a run was interrupted.
        with connection.jobs.job():
            made = connection.call("POST", "/containers/create", f"run {request.image}", body=body)
    except EngineRefusedError as error:
        if error.status == NOT_FOUND:
            raise NoSuchImageError(str(error)) from error
        raise NotStartedError(str(error), error.reason) from error
    container = str(made["Id"])
    try:
        yield container
    finally:
        if connection.jobs.is_over:
            # The engine ends it by itself once it was told to, and nobody waits for that who pressed Ctrl-C.
            removal = threading.Thread(target=_try_to_remove, args=(connection, container), daemon=True)
            removal.start()
            removal.join(_LONGEST_REMOVAL)
        else:
            _remove(connection, container)


def _try_to_remove(connection: Connection, container: str) -> None:
    # Whatever goes wrong: the connection may be closed meanwhile, and the next run removes what is left over.
    with contextlib.suppress(Exception):
        _remove(connection, container)


def _remove(connection: Connection, container: str) -> None:
    try:
        params = {"force": "1", "v": "1"}
        connection.call("DELETE", f"/containers/{container}", f"remove {container}", params)
    except EngineRefusedError as error:
        # It removes itself when it ends: gone already, or on its way.
        if error.status not in {NOT_FOUND, _CONFLICT}:
            raise


def _start(connection: Connection, container: str, request: RunRequest) -> None:
    try:
        with connection.jobs.job():
            connection.call("POST", f"/containers/{container}/start", f"start {request.image}")
    except EngineRefusedError as error:
        raise NotStartedError(str(error), error.reason) from error


def _executed(connection: Connection, request: RunRequest) -> Finished:
    """Run a command in a container that waits for it.

    Its variables may hold the passwords of package indexes: an engine shows those of a container to whoever asks, as
    long as there is the container, and those of a command that is executed in it to nobody.
    """
    what = f"the verification of {request.image}"
    described = {
        "Cmd": list(request.command),
        "User": request.user,
        # What goes to the network goes the way that builds go.
        "Env": _pairs({**connection.proxies(), **request.environment}),
        "AttachStdout": True,
        "AttachStderr": True,
    }
    waiting = evolve(
        request, command=("sleep", str(math.ceil(request.seconds) + _GRACE_SECONDS)), environment={}
    )
    with unstarted(connection, waiting) as container:
        _start(connection, container, request)
        path = f"/containers/{container}/exec"
        execution = f"/exec/{connection.call('POST', path, f'run {request.image}', body=described)['Id']}"
        body, headers = b'{"Detach": false, "Tty": false}', {"Content-Type": "application/json"}
        output = connection.read(f"{execution}/start", what, {}, body=body, headers=headers)
        with contextlib.closing(output):
            next(output)
            kept, over = printed(connection, container, request, output)
        return Finished(exit=None if over else _exit(connection, execution), **kept)


def with_sandbox_secrets(request: RunRequest, source: SecretSource | None) -> RunRequest:
    """Return a request whose command finds its secrets in memory; they go there in a variable of its own."""
    if source is None or not request.secrets:
        return request
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in request.secrets:
            value = source.value(name)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(value), 0o400
            archive.addfile(entry, io.BytesIO(value))
    text = base64.b64encode(packed.getvalue()).decode()
    if len(text) > _LONGEST_VARIABLE:
        raise EngineError(
            f"the secrets {', '.join(request.secrets)} are too large to be given to package tools that look for "
            "versions; remove from them what these don't need"
        )
    return evolve(
        request,
        command=("sh", "-ec", _UNPACK, "sh", *request.command),
        environment={**request.environment, _VARIABLE: text.ljust(_UNLOGGED, "\n")},
    )


def _exit(connection: Connection, execution: str) -> int:
    """Return the exit code of a command that printed its last; the engine may need a moment more to know it."""
    for _ in range(_LOOKS):
        found = connection.call("GET", f"{execution}/json", "report how a command ended")
        if not found["Running"] and found["ExitCode"] is not None:
            return int(found["ExitCode"])
        time.sleep(_LOOK_SECONDS)
    raise EngineError("the engine did not report how a command ended")


def _followed(connection: Connection, container: str, request: RunRequest, streams: _Streams) -> Finished:
    """Read what a container prints until it ends, and how that was."""
    kept, over = printed(connection, container, request, streams.output)
    try:
        answer = loads(b"".join(streams.end))
        if answer.get("Error"):
            raise EngineError(f"the engine did not report how {container} ended: {answer['Error']}")
        return Finished(exit=None if over else int(answer["StatusCode"]), **kept)
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"the engine did not report how {container} ended") from error


def _description(request: RunRequest, connection: Connection) -> Mapping[str, Any]:
    """Say to the engine what isol8's clients say (verify/clients.py), but for the limit of one processor."""
    # It ends by itself, should nobody be there any more to end it.
    longest = max(request.seconds, request.clock)
    limit = ("timeout", "-s", "KILL", str(math.ceil(longest) + _GRACE_SECONDS))
    described: dict[str, Any] = {
        "Image": request.image,
        "Cmd": [*limit, *request.command],
        "User": request.user,
        "Env": _pairs(request.environment),
        "Labels": {LABEL: request.image, OWNER: this_process()},
        "NetworkDisabled": not request.online,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host_config(request, podman=connection.hello().podman),
    }
    if request.entrypoint is not None:
        described["Entrypoint"] = list(request.entrypoint)
    return described


def _pairs(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(environment.items())]


def _mode(member: tarfile.TarInfo) -> int:
    return _KINDS.get(member.type, 0o100000) | member.mode


_LOCKED_DOWN: Final[Mapping[str, Any]] = {
    "ReadonlyRootfs": True,
    "Tmpfs": {
        "/sandbox": "rw,exec,nosuid,nodev,size=512m,uid=100,gid=101",
        "/tmp": "rw,noexec,nosuid,nodev,size=256m",  # noqa: S108 - a mount point inside the container
    },
    "NetworkMode": "none",
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "PidsLimit": 64,
    "Memory": 512 * 1024 * 1024,
    "AutoRemove": True,
    # What it prints goes to whoever listens, and never to the engine's disk.
    "LogConfig": {"Type": "none"},
}
_ONLINE: Final[Mapping[str, Any]] = {
    "ReadonlyRootfs": False,
    "Tmpfs": {},
    "NetworkMode": "default",
    "Memory": 2 * 1024 * 1024 * 1024,
    "PidsLimit": 256,
}
_OWNER: Final = re.compile(r",uid=\d+,gid=\d+")
_VARIABLE: Final = "ISOL8_SECRETS"
_UNPACK: Final = (
    f'printf %s "${_VARIABLE}" | base64 -d | tar xz -C {SECRETS_FOLDER}; unset {_VARIABLE}; exec "$@"'
)
_LONGEST_VARIABLE: Final = 120_000
"""Linux takes no longer ones (MAX_ARG_STRLEN)."""
_UNLOGGED: Final = 4097
"""Bytes of a request that an engine with --debug no longer writes to its log (moby, api/server/middleware/debug.go)."""
_CONFLICT: Final = 409
_GRACE_SECONDS: Final = 5
_LONGEST_REMOVAL: Final = 0.3
"""Seconds of an interrupted run."""
_LEFT_OVER: Final = 20
_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.05
_KINDS: Final = {
    tarfile.DIRTYPE: 0o040000,
    tarfile.SYMTYPE: 0o120000,
    tarfile.CHRTYPE: 0o020000,
    tarfile.BLKTYPE: 0o060000,
    tarfile.FIFOTYPE: 0o010000,
}
