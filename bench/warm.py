"""From an engine with the upstream images alone to the five bases, which a registry on this machine has."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from bench import peers, scale, shared
from bench.measure import Candidate, RunFailedError
from isol8_tasks.ecosystems.runtimes import RUNTIMES

OURS: Final = "setup, all of it in a registry"


@frozen
class Pair:
    """What fills the registry, and what is measured then."""

    filling: Candidate
    measured: Candidate


@contextlib.contextmanager
def pairs(
    checkout: Path, engine: peers.Engine, setting: peers.Setting, doit: tuple[str, ...], repository: str
) -> Iterator[tuple[Pair, ...]]:
    """Give doit, and bake with a registry cache where there is buildx; each forgets before it runs what both built.

    The cache of bake is in the images that it pushed (`type=inline`), as an engine without containerd's store can
    write no other.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isol8-warm-")))
        address = stack.enter_context(shared.registry(checkout, folder))

        def forget() -> None:
            engine.forget(repository, f"{repository}_build", setting.repository, f"{address}/peers")
            engine.forget_builds()

        file = folder / "deps.toml"
        table = f'[registry]\nrepository = "{address}/ours"\nstandins = true\n'
        file.write_text(scale.deps(repository, setting.arguments, scale.BASES) + table, encoding="utf-8")
        ours = Candidate(
            name=OURS, command=(*doit, "setup"), environment={"ISOL8_DEPS": str(file)}, before=forget
        )
        found = [Pair(ours, evolve(ours, after=_ensure_pulled))]
        bake = peers.bake(evolve(setting, before=forget))
        if bake is not None:
            found.append(_cached(bake, folder, f"{address}/peers", setting))
        yield tuple(found)


def _ensure_pulled(output: str) -> None:
    if f"{len(RUNTIMES)} pulled" not in output:
        raise RunFailedError(f"not all was pulled:\n{output[-2000:]}")


def _cached(bake: Candidate, folder: Path, place: str, setting: peers.Setting) -> Pair:
    """Return bake as it fills a registry, and as it builds from what is there."""

    def with_file(name: str, described: Callable[[str], dict[str, object]], *options: str) -> Candidate:
        targets = {
            runtime: {
                "context": "docker",
                "target": runtime,
                "args": dict(setting.arguments),
                **described(f"{place}:{runtime}"),
            }
            for runtime in RUNTIMES
        }
        group = {"default": {"targets": list(targets)}}
        file = folder / f"{name}.json"
        file.write_text(json.dumps({"group": group, "target": targets}), encoding="utf-8")
        program = bake.command[: bake.command.index("bake")]
        return evolve(
            bake,
            name="docker buildx bake, a registry cache",
            command=(*program, "bake", "--file", str(file), *options, "--progress", "plain"),
        )

    filling = with_file("fill", lambda tag: {"tags": [tag], "cache-to": ["type=inline"]}, "--push")
    measured = with_file(
        "use",
        lambda tag: {
            "tags": [f"{setting.repository}:{tag.rpartition(':')[2]}"],
            "cache-from": [f"type=registry,ref={tag}"],
        },
        "--load",
    )
    return Pair(filling, measured)
