"""Five bases without cache, by each way to have them built; all of them end verified and in use."""

import contextlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import define, evolve

from bench import peers, scale, shared
from bench.measure import Candidate, RunFailedError
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from tests.integration.remote_builder import NAME, buildx, remote_builder

API: Final = "the engine's API"
DRIVER: Final = "buildx, the engine's own builder"
REMOTE: Final = "a remote builder"
BY_DIGEST: Final = "a remote builder, results by a registry, and pushed"
WRITTEN: Final = "a remote builder, and its cache written to a registry"
BAKED: Final = "bake, the file written and its results promoted"
UNCACHED: Final = "a remote builder that has nothing"
CACHED: Final = "the same with the cache in a registry"
_FAR: Final = f'buildx = "{NAME}"'


@define(eq=False)
class Ways:
    """Makes candidates, to whom none of the images is there before.

    The remote builder is the BuildKit of a newer engine beside this one, on the same processors.
    """

    engine: peers.Engine
    repository: str
    doit: tuple[str, ...]
    arguments: Mapping[str, str]
    folder: Path
    far: Mapping[str, str]
    """By which docker's command knows the remote builder."""
    address: str
    """Of a registry."""

    def way(
        self, name: str, *settings: str, registry: str = "", words: Sequence[str] = ("setup", "--force")
    ) -> Candidate:
        """Return a run with these lines under [build], and these at the end of deps.toml."""
        file = self.folder / f"{len(list(self.folder.iterdir()))}.toml"
        text = scale.deps(self.repository, self.arguments, scale.BASES) + registry
        file.write_text(text.replace("[build]\n", "\n".join(["[build]", *settings, ""]), 1), encoding="utf-8")
        environment = {**self.far, "ISOL8_DEPS": str(file)}
        return Candidate(
            name=name,
            command=(*self.doit, *words),
            environment=environment,
            before=self.forget,
            after=_ensure_built,
        )

    def forget(self) -> None:
        """Let the engine have none of the images."""
        self.engine.forget(self.repository, f"{self.repository}_build", self.pushed)

    def forget_steps(self) -> None:
        """Let neither it nor the remote builder have anything."""
        self.forget()
        buildx(self.far, "prune", "--force", "--all", f"--builder={NAME}")

    @property
    def pushed(self) -> str:
        """Where results go through the registry."""
        return f"{self.address}/isol8"

    def by_builder(self) -> tuple[Candidate, ...]:
        """Return each way to build without cache."""
        api = self.way(API)
        through = f'[registry]\nrepository = "{self.pushed}"\nstandins = true\n'
        baked = ("sh", "-c", _bake(self.doit, self.folder / "bake.json"))
        return (
            api,
            self.way(DRIVER, 'builder = "buildx"'),
            self.way(REMOTE, _FAR),
            self.way(BY_DIGEST, _FAR, registry=through),
            self.way(WRITTEN, _FAR, self._cache),
            evolve(api, name=BAKED, command=baked, after=_ensure_promoted),
        )

    def by_cache(self) -> tuple[Candidate, ...]:
        """Return builds by a remote builder that has nothing, once from a cache that is in a registry."""
        return tuple(
            evolve(self.way(name, _FAR, *settings, words=("setup",)), before=self.forget_steps)
            for name, settings in ((UNCACHED, ()), (CACHED, (self._cache,)))
        )

    @property
    def _cache(self) -> str:
        return f'cache = "{self.address}/cache"'


@contextlib.contextmanager
def ways(
    checkout: Path, engine: peers.Engine, repository: str, doit: tuple[str, ...], arguments: Mapping[str, str]
) -> Iterator[Ways]:
    """Start a remote builder and a registry."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isol8-builders-")))
        far = stack.enter_context(remote_builder())
        address = stack.enter_context(shared.registry(checkout, folder))
        yield Ways(engine, repository, doit, arguments, folder, far, address)


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
