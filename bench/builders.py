"""Five bases without cache, by each way to have them built; all of them end verified and in use."""

import contextlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bench import peers, scale, shared
from bench.measure import Candidate, RunFailedError
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from tests.integration.remote_builder import NAME, remote_builder

API: Final = "the engine's API"
DRIVER: Final = "buildx, the engine's own builder"
REMOTE: Final = "a remote builder"
CACHED: Final = "a remote builder, cache in a registry"
BAKED: Final = "bake, the file written and its results promoted"


@contextlib.contextmanager
def candidates(
    checkout: Path, engine: peers.Engine, repository: str, doit: tuple[str, ...], arguments: Mapping[str, str]
) -> Iterator[tuple[Candidate, ...]]:
    """Give a candidate for each way, to whom none of the images is there before.

    The remote builder is the BuildKit of a newer engine beside this one, on the same processors.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isol8-builders-")))
        far = stack.enter_context(remote_builder())
        address = stack.enter_context(shared.registry(checkout, folder))

        def forget() -> None:
            engine.forget(repository, f"{repository}_build")

        def way(name: str, *settings: str) -> Candidate:
            file = folder / f"{len(list(folder.iterdir()))}.toml"
            text = scale.deps(repository, arguments, scale.BASES)
            file.write_text(
                text.replace("[build]\n", "\n".join(["[build]", *settings, ""]), 1), encoding="utf-8"
            )
            environment = {**far, "ISOL8_DEPS": str(file)}
            return Candidate(
                name=name,
                command=(*doit, "setup", "--force"),
                environment=environment,
                before=forget,
                after=_ensure_built,
            )

        builder = f'buildx = "{NAME}"'
        api = way(API)
        yield (
            api,
            way(DRIVER, 'builder = "buildx"'),
            way(REMOTE, builder),
            way(CACHED, builder, f'cache = "{address}/cache"'),
            Candidate(
                name=BAKED,
                command=("sh", "-c", _bake(doit, folder / "bake.json")),
                environment=api.environment,
                before=forget,
                after=_ensure_promoted,
            ),
        )


def _bake(doit: tuple[str, ...], file: Path) -> str:
    return " && ".join(
        shlex.join(words)
        for words in (
            (*doit, "bake", "--output", str(file)),
            ("docker", "buildx", "bake", "--no-cache", "--progress=plain", "--file", str(file)),
            (*doit, "setup"),
        )
    )


def _ensure_built(output: str) -> None:
    _ensure(f"{len(RUNTIMES)} built", output)


def _ensure_promoted(output: str) -> None:
    _ensure(f"{len(RUNTIMES)} promoted", output)


def _ensure(words: str, output: str) -> None:
    if words not in output:
        raise RunFailedError(f"not {words}:\n{output[-2000:]}")
