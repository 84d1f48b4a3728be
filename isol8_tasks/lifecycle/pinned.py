"""The Dockerfile of an image whose packages are installed in exactly the versions that were resolved before.

It has one step, like the one that it stands for, and the ecosystem's lock file is in the words of that step: a file of
the build's context would take a layer of its own, and stay in it.
"""

import base64
import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Final

from attrs import evolve

from isol8_tasks.ecosystems.locks.contents import LockFile, lock_file
from isol8_tasks.ecosystems.runtimes import RUNTIMES, release_args
from isol8_tasks.ecosystems.specs import parse_spec
from isol8_tasks.ecosystems.updates import Resolution
from isol8_tasks.engine import Build, BuildRequest, OnEvent
from isol8_tasks.errors import BuildFailedError, PlanError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.plan.rendering import install_step


def build_pinned(
    spec: ImageSpec, resolution: Resolution, request: BuildRequest, build: Build, on_event: OnEvent
) -> str:
    """Build an image as a request says, but with its packages in the versions of a resolution; return its id.

    Its steps go by the names of those that they stand for, whatever is in their words.
    """
    kind = lock_file(spec.runtime)
    if kind is None or not (resolution.lockfile or (kind.MAY_BE_EMPTY and spec.inputs.packages)):
        # A step that is the same as before may still bring something newer.
        args = {**request.args, **_releases(resolution)}
        return build(evolve(request, no_cache=True, args=args), on_event)
    _check_hashes(spec, resolution)
    return _built(spec, render_pinned(spec, resolution, kind), request, build, on_event)


def build_hashed(spec: ImageSpec, request: BuildRequest, build: Build, on_event: OnEvent) -> str:
    """Build an image as a request says, but let pip take only files with the hashes of its list; return its id."""
    lines = "".join(
        f"{package}{''.join(f' --hash={each}' for each in hashes)}\n"
        for package, hashes in sorted(spec.hashes.items())
    )
    install = f"{' '.join(RUNTIMES[spec.runtime].install)} --require-hashes -r requirements.txt"
    return _built(
        spec,
        _render(spec, {"requirements.txt": lines}, install),
        request,
        build,
        on_event,
        how="with hashes",
    )


def _check_hashes(spec: ImageSpec, resolution: Resolution) -> None:
    """Raise PlanError where a resolution has a file that the list of an image does not have the hash of."""
    if not spec.hashes:
        return
    ecosystem = RUNTIMES[spec.runtime].ecosystem
    known = {parse_spec(ecosystem, package).name: hashes for package, hashes in spec.hashes.items()}
    for pin in resolution.pins:
        if pin.ecosystem == ecosystem and pin.integrity not in known.get(pin.name, ()):
            source = spec.inputs.files[0][0]
            raise PlanError(
                f"{pin.name} {pin.version}: its hash, {pin.integrity or 'none'}, is not in {source}"
            )


def _built(  # noqa: PLR0913 - what build_pinned gets, and what is built
    spec: ImageSpec,
    rendered: str,
    request: BuildRequest,
    build: Build,
    on_event: OnEvent,
    *,
    how: str = "as resolved",
) -> str:
    """Build what stands for an image's own Dockerfile, under the names of its steps."""
    dockerfile = rendered + request.dockerfile.removeprefix(spec.dockerfile)
    try:
        return build(
            evolve(request, dockerfile=dockerfile),
            lambda event: on_event(evolve(event, step=step_name(spec, event.step, how))),
        )
    except BuildFailedError as error:
        step = step_name(spec, error.step, how)
        message = f"{request.tag} could not be built: {step}" if error.step else str(error)
        raise BuildFailedError(message, step=step, output=error.output) from error


def render_pinned(spec: ImageSpec, resolution: Resolution, kind: LockFile) -> str:
    """Return the Dockerfile of an image with a step that installs a resolution with its lock file."""
    lock = resolution.lockfile
    return _render(spec, {kind.FILE: lock, **kind.files(lock)}, kind.script(lock, spec.inputs.packages))


def _render(spec: ImageSpec, files: Mapping[str, str], install: str) -> str:
    """Return the Dockerfile of an image with a step that runs an installation with files beside it."""
    packed = base64.b64encode(_packed(files)).decode()
    words = [
        "/bin/sh",
        "-euc",
        # As tidying.py does where the step is the one of the runtime.
        _SCRIPT.format(install=install, left=" ".join(('"$folder"', *RUNTIMES[spec.runtime].leaves))),
        f"pinned {spec.name}",
        *(packed[at : at + _LONGEST] for at in range(0, len(packed), _LONGEST)),
    ]
    step = f"RUN [{_BREAK.join(json.dumps(word) for word in words)}]\n"
    return RUNTIMES[spec.runtime].patiently(spec.dockerfile.replace(f"{_plain(spec)}\n", step))


def step_name(spec: ImageSpec, step: str, how: str = "as resolved") -> str:
    """Return the name of a build's step for people: that of the step which it stands for."""
    return re.sub(_STEP, lambda found: f"{found[1] or ''}{_plain(spec)} ({how})", step, flags=re.DOTALL)


def _plain(spec: ImageSpec) -> str:
    return install_step(RUNTIMES[spec.runtime], spec.inputs.packages)


def _releases(resolution: Resolution) -> Mapping[str, str]:
    """Return the build arguments that ask for runtimes in exactly their versions."""
    return {
        name: value
        for pin in resolution.pins
        if (names := release_args(pin.ecosystem, pin.name))
        for name, value in zip(names, (pin.version, pin.integrity.removeprefix("sha256:")), strict=True)
    }


def _packed(texts: Mapping[str, str]) -> bytes:
    """Pack files without times, so that the same lock gives the same step, and a builder's cache knows it."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, text in sorted(texts.items()):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


_STEP: Final = r"^(\[[^\]]*\] )?RUN \[? *\"?/bin/sh\"?,? +\"?-euc\b.*"
_LONGEST: Final = 50_000
"""Of a word: builders read lines of no more than 65,535 bytes, and Linux takes no longer words than twice that."""
_BREAK: Final = ", \\\n    "
_SCRIPT: Final = """\
folder=$(mktemp -d); export TMPDIR="$folder"; cd "$folder"; mkdir cache
printf %s "$@" | base64 -d | tar xz
{install}
cd /; rm -rf {left}
"""
