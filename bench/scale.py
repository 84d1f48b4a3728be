"""Nothing to do, with ever more images: on a recorded answer of an engine, and on a real engine."""

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from bench.measure import Candidate
from isol8_tasks.config.deps import parse_config
from isol8_tasks.dockerfile.closure import parse
from isol8_tasks.engine.listing import tagged
from isol8_tasks.images import labels
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.fingerprint import encode_inputs, key
from isol8_tasks.plan.graph import build_graph
from isol8_tasks.plan.model import FlagRequest, ImageSpec
from isol8_tasks.run.context import Digests
from isol8_tasks.run.workspace import Workspace

COUNTS: Final = (5, 100, 1_000, 10_000)
THOUSAND: Final = 1_000
BASES: Final = 5


def name(count: int, *, real: bool = False) -> str:
    """Return the name of the candidate with so many images."""
    return f"doit, {count:,} images" + (" on the engine" if real else "")


def deps(repository: str, arguments: Mapping[str, str], count: int) -> str:
    """Return a deps.toml that makes `count` images of the five bases, each with a setup script of its own."""
    lines = ["[build]", f'repository = "{repository}"', "[build.args]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in sorted(arguments.items())]
    for number in range(count - BASES):
        lines += [f"[images.n{number:05}]", 'runtime = "bash"', f'setup = "echo {number}"']
    return "\n".join([*lines, ""])


@contextlib.contextmanager
def recorded(
    checkout: Path,
    repository: str,
    arguments: Mapping[str, str],
    listing: Sequence[Mapping[str, Any]],
    command: tuple[str, ...],
) -> Iterator[tuple[Candidate, ...]]:
    """Give a run with nothing to do for each number of images, each against an engine that answers from a file.

    The file is the engine's own list of the five bases and their parents, with an entry more, made in the form
    of these, for each image that the run asks for.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isol8-scale-")))
        candidates = []
        for count in COUNTS:
            place = folder / str(count)
            place.mkdir()
            file = place / "deps.toml"
            file.write_text(deps(repository, arguments, count), encoding="utf-8")
            answer = place / "images.json"
            answer.write_text(json.dumps(entries(checkout, file, listing)), encoding="utf-8")
            stack.enter_context(serving(place / "docker.sock", answer))
            candidates.append(
                Candidate(
                    name=name(count),
                    command=command,
                    environment={
                        "ISOL8_DEPS": str(file),
                        "DOCKER_HOST": f"unix://{place / 'docker.sock'}",
                    },
                )
            )
        yield tuple(candidates)


def entries(checkout: Path, file: Path, listing: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return an engine's list of the bases with an entry more for each image that a deps.toml declares."""
    workspace = Workspace(root=checkout, deps=file)
    config = parse_config(file.read_text(encoding="utf-8"), file.name)
    context = workspace.read_context()
    observed = Observed(repository=config.build.repository, images=tagged(listing, podman=False))
    graph = build_graph(
        config, parse(context["Dockerfile"].data.decode()), Digests(context), observed, FlagRequest()
    )
    base = next(entry for entry in listing if f"{config.build.repository}:bash" in (entry["RepoTags"] or ()))
    record = observed.record("bash")
    if record is None:
        raise LookupError(f"{config.build.repository}:bash is not built")
    named = [spec for spec in graph.images if spec.kind == "named"]
    return [*listing, *(_entry(config.build.repository, spec, base, record) for spec in named)]


def _entry(
    repository: str, spec: ImageSpec, base: Mapping[str, Any], parent: labels.Record
) -> Mapping[str, Any]:
    record = evolve(
        parent,
        image=spec.name,
        key=key(spec.inputs),
        inputs=encode_inputs(spec.inputs),
        build=hashlib.sha256(spec.name.encode()).hexdigest()[:16],
        parent=parent.build,
        packages=spec.packages,
    )
    shown = labels.for_clients(
        spec.runtime, spec.build_hash, packages=spec.packages, dependencies="", setup=spec.inputs.setup
    )
    return {
        **base,
        "Id": f"sha256:{hashlib.sha256(spec.name.encode()).hexdigest()}",
        "RepoTags": [f"{repository}:{spec.name}", f"{repository}_build:{spec.name}"],
        "Labels": {**base["Labels"], **labels.write(record), **shown},
    }


@contextlib.contextmanager
def serving(socket: Path, answer: Path) -> Iterator[None]:
    """Answer at a socket as an engine that has the images of a file."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("recorded.py")), str(socket), str(answer), "20.10.24"],
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None  # noqa: S101 - Popen was given a pipe
        server.stdout.readline()
        yield
    finally:
        server.terminate()
        server.wait()
