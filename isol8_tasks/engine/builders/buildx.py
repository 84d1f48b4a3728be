"""`docker buildx build`: for builders elsewhere, and engines that refuse BuildKit through their API."""

import base64
import contextlib
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final

from attrs import frozen

from isol8_tasks.engine import BuildRequest, OnEvent
from isol8_tasks.engine.builders.archive import pack
from isol8_tasks.engine.builders.progress import Progress, Vertex
from isol8_tasks.engine.jobs import Job
from isol8_tasks.errors import ConfigError, EngineError, EngineUnreachableError
from isol8_tasks.safety.jsontext import loads
from isol8_tasks.safety.redact import redact

_NO_PLUGIN: Final = (
    rb"'buildx' is not a docker command|unknown command: docker buildx|^unknown flag: --builder"
)
"""What docker says where it has no such plugin, by its release."""
_LOST: Final = r"failed to receive status: rpc error: code = Unavailable"
"""What docker says where the connection to a builder ends."""
_END_SECONDS: Final = 5
_OF_DOCKER: Final = ("DOCKER_", "BUILDX_", "BUILDKIT_")


@frozen(kw_only=True)
class BuildxRun:
    """How buildx is asked to build."""

    builder: str
    """The builder's name."""
    environ: Mapping[str, str]
    """In which docker's command runs; it says which engine gets what was built."""
    options: tuple[str, ...] = ("--load",)
    """How the result comes into the engine, and what a builder is told that is not inside it."""
    tagged: bool = True
    """Whether the result gets the tag of the request."""


def build(request: BuildRequest, how: BuildxRun, job: Job, on_event: OnEvent) -> None:
    """Build by docker's client program; the tag is set when this returns."""
    archive = pack(request, request.dockerfile)
    command, given = _command(request, archive.dockerfile, how)
    progress = Progress(on_event)
    try:
        process = subprocess.Popen(
            command,
            env={**how.environ, **given},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise _absent(f"the docker command can't be started ({error.strerror})") from error
    with process:
        job.closes_with(process.terminate)
        if process.stdin is None or process.stderr is None:
            raise AssertionError("stdin and stderr of docker were not opened")
        writer = threading.Thread(target=_send, args=(process.stdin, archive.data))
        writer.start()
        last = [line for line in process.stderr if not _take(line, progress)]
        writer.join()
        status = process.wait()
    if job.cancelled:
        raise EngineError(f"the build of {request.tag} was aborted")
    if status != 0 and re.search(_NO_PLUGIN, b"".join(last)):
        raise _absent("docker has no plugin buildx here")
    if status != 0 and re.search(_LOST, reason := _reason(last)):
        raise EngineUnreachableError(
            f"the builder {how.builder!r} was lost during the build of {request.image or request.tag}: "
            f"{redact(reason.removeprefix('ERROR: '))}\n"
            f"Look whether it runs: docker buildx inspect {how.builder}; then run again: images in use are untouched."
        )
    if status != 0:
        raise progress.failure(request.tag, reason)


def _absent(problem: str) -> ConfigError:
    return ConfigError(
        f'{problem}, but builder = "buildx" in [build] needs it; install docker\'s plugin buildx, or write '
        'builder = "auto"'
    )


def _command(
    request: BuildRequest, dockerfile: str, how: BuildxRun
) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the command, and the variables by which it gets what should be in no list of processes."""
    command = ["docker", "buildx", "build", f"--builder={how.builder}", *how.options, "--progress=rawjson"]
    command += ["--provenance=false", "--sbom=false", *([f"--tag={request.tag}"] if how.tagged else ())]
    command.append(f"--file={dockerfile}")
    if request.target is not None:
        command.append(f"--target={request.target}")
    if request.platform:
        command.append(f"--platform={request.platform}")
    if request.no_cache:
        command.append("--no-cache")
    command += [f"--label={name}={value}" for name, value in request.labels.items()]
    given = {}
    for name, value in request.args.items():
        if name in how.environ or name.startswith(_OF_DOCKER):
            command.append(f"--build-arg={name}={value}")
        else:
            command.append(f"--build-arg={name}")
            given[name] = value
    return (*command, "-"), given


def _send(stdin: IO[bytes], data: bytes) -> None:
    # A build that fails early does not read to the end.
    with contextlib.suppress(OSError), stdin:
        stdin.write(data)


def _take(line: bytes, progress: Progress) -> bool:
    """Take a line of progress; tell whether it was one."""
    try:
        status = loads(line)
    except ValueError:
        return False
    if not isinstance(status, dict):
        return False
    for vertex in status.get("vertexes") or ():
        progress.vertex(
            Vertex(
                digest=vertex["digest"],
                name=vertex.get("name", ""),
                started=bool(vertex.get("started")),
                completed=bool(vertex.get("completed")),
                cached=bool(vertex.get("cached")),
                error=vertex.get("error", ""),
            )
        )
    for output in status.get("logs") or ():
        progress.output(output["vertex"], base64.b64decode(output.get("data") or ""))
    return True


def _reason(lines: Sequence[bytes]) -> str:
    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    errors = [text for text in texts if text.startswith("ERROR: ")]
    return (errors or [text for text in texts if text] or ["no reason was given"])[-1]
