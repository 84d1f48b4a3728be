"""The benchmarks: each starts from the same images, in any order."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

import pytest
from attrs import define, field

from bench import peers, run
from bench.measure import Candidate
from isol8_tasks.ecosystems.runtimes import RUNTIMES

BASES = {
    f"{repository}:{runtime}"
    for repository in (run.REPOSITORY, f"{run.REPOSITORY}_build")
    for runtime in RUNTIMES
}
OTHERS = {"alpine:3.21", "isol8:bun"}


@define(eq=False)
class Machine:
    """What stands for the engine and for what is run on it."""

    tags: set[str] = field(factory=lambda: {*OTHERS})
    edited: bool = False
    """Whether a base is of another Dockerfile than the checkout's."""
    seen: list[tuple[set[str], bool]] = field(factory=list)
    """What each benchmark found."""

    def forget(self, *repositories: str, keep: Collection[str] = ()) -> None:
        """Remove the tags."""
        self.tags -= {tag for tag in self.tags if tag.partition(":")[0] in repositories and tag not in keep}

    def run(self, candidate: Candidate) -> tuple[float, float]:
        """Set everything up, which is all that is run here."""
        assert candidate.name == "doit setup"
        self.tags |= BASES
        self.edited = False
        return 1.0, 1.0

    def version(self) -> str:
        """Return none."""
        return "0"

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    "words", ["edit scale", "scale edit", "many no-op", "many edit scale edit", "start-up no-op"]
)
def test_each_starts_from_the_same_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    """Whatever the one before it left: an edited base, hundreds of images, those of other tools."""
    machine = Machine()

    def leaving(*tags: str, edited: bool = False) -> Callable[[Any], tuple[dict[str, Any], tuple[()]]]:
        def benchmark(_: object) -> tuple[dict[str, Any], tuple[()]]:
            machine.seen.append(({*machine.tags}, machine.edited))
            machine.tags |= {*tags}
            machine.edited = edited
            return {}, ()

        return benchmark

    left = {
        "edit": leaving(f"{run.REPOSITORY}:bun-previous", f"{run.PEERS}:bun", edited=True),
        "many": leaving(
            *(f"{run.REPOSITORY}{end}:n{number}" for end in ("", "_build") for number in range(9))
        ),
        "start-up": leaving(f"{run.PEERS}:bash"),
    }
    monkeypatch.setattr(run, "BENCHMARKS", {name: left.get(name, leaving()) for name in run.BENCHMARKS})
    monkeypatch.setattr(run, "__file__", str(tmp_path / "bench" / "run.py"))
    monkeypatch.setattr(run, "_host", lambda _: "unix:///nowhere")
    monkeypatch.setattr(run, "_table", lambda *_: "")
    monkeypatch.setattr(peers, "Engine", lambda _: machine)
    monkeypatch.setattr(run, "Stopwatch", lambda *_: machine)
    assert run.main([word for name in words.split() for word in ("--only", name)]) == 0
    assert machine.seen == [(OTHERS | BASES, False)] * len({*words.split()})
    assert machine.tags == OTHERS
