"""What one registry, Debian's docker-registry, takes and gives: images that share all but a layer of their own."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench import shared, throughput
from bench.measure import Candidate, Figures, RunFailedError
from isol8_tasks.ecosystems.runtimes import RUNTIMES

if TYPE_CHECKING:
    from bench.run import Bench


def measure(bench: "Bench", repository: str, arguments: Mapping[str, str]) -> dict[str, Figures]:
    """Return what pushing and pulling took, with seconds of a processor of the registry alone."""
    with tempfile.TemporaryDirectory(prefix="isol8-traffic-") as place:
        folder = Path(place)
        with shared.registry(bench.checkout, folder) as address:
            server = _server(folder)
            rounds = [
                _round(bench, repository, arguments, folder, f"{address}/r{number}", server)
                for number in range(bench.runs)
            ]
    found = {}
    for name, measured in zip(("pushed", "pulled"), zip(*rounds, strict=True), strict=True):
        seconds, processor = zip(*measured, strict=True)
        found[name] = Figures(
            name=name, seconds=seconds, processor=processor, megabytes=(0.0,) * len(seconds)
        )
        each = min(measured)[1] / throughput.COUNT
        print(
            f"{name}: {throughput.COUNT * 60 / min(seconds):.1f} a minute, {each:.3f} s of the registry each"
        )
    return found


def _round(  # noqa: PLR0913, PLR0917 - what it needs
    bench: "Bench", repository: str, arguments: Mapping[str, str], folder: Path, place: str, server: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Build, push, forget and pull; return seconds, and those of a processor of the registry."""
    plain, shared_too = folder / "plain.toml", folder / "shared.toml"
    text = throughput.deps(repository, arguments)
    plain.write_text(text, encoding="utf-8")
    shared_too.write_text(f'{text}[registry]\nrepository = "{place}"\nstandins = true\n', encoding="utf-8")
    bases = {f"{name}:{each}" for name in (repository, f"{repository}_build") for each in RUNTIMES}

    def run(words: tuple[str, ...], file: Path, expected: str = "") -> tuple[float, float]:
        before = _processor(server)
        output: list[str] = []
        seconds, _, _ = bench.stopwatch.run(
            Candidate(
                name=words[0],
                command=bench.doit(*words),
                environment={"ISOL8_DEPS": str(file)},
                after=output.append,
            )
        )
        if expected not in output[0]:
            raise RunFailedError(f"not {expected}:\n{output[0][-2000:]}")
        return seconds, _processor(server) - before

    images = tuple(f"image:t{number:02}" for number in range(throughput.COUNT))
    # What they are based on is there already, as it is in a registry that is in use.
    run(("push",), shared_too)
    run(("run", "-n", "4", *images), plain)
    pushed = run(("push",), shared_too)
    bench.engine.forget(repository, f"{repository}_build", place, keep=bases)
    pulled = run(("run", "-n", "4", *images), shared_too, f"{throughput.COUNT} pulled")
    return pushed, pulled


def _server(folder: Path) -> int:
    """Return the process of the registry."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder / "registry.yml").encode() in (place / "cmdline").read_bytes():
                return int(place.name)
        except OSError:
            continue
    raise RunFailedError("the registry does not run")


def _processor(process: int) -> float:
    """Return the seconds of a processor that a process has taken."""
    words = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
