"""Measures what is claimed to be fast: prints a table and writes .isol8/bench.json."""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import tomli
from attrs import frozen

from bench import peers
from bench.measure import Candidate, Figures, RunFailedError, Stopwatch

REPOSITORY: Final = "isol8-bench"
PEERS: Final = "isol8-bench-peers"
NO_OP: Final = "doit, nothing to do"
FLOOR: Final = "floor: imports, ping, list"
WRAPPED: Final = "./doitw, nothing to do"
COLD: Final = "doit setup --force"
_BENCHMARKS: Final = ("no-op", "wrapper", "cold")


@frozen(kw_only=True)
class Claim:
    """A figure, and what it is claimed to stay below."""

    text: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        """Tell whether it does."""
        return self.value <= self.limit


@frozen(kw_only=True)
class Bench:
    """What every benchmark needs."""

    checkout: Path
    scratch: Path
    engine: peers.Engine
    stopwatch: Stopwatch
    arguments: Mapping[str, str]
    """Build arguments of deps.toml."""
    runs: int

    def doit(self, *words: str) -> tuple[str, ...]:
        """Return the command that runs doit as doitw does, without it."""
        binaries = self.checkout / ".venv" / "bin"
        return (str(binaries / "python"), str(binaries / "doit"), *words)


Benchmark = Callable[[Bench], tuple[dict[str, Figures], tuple[Claim, ...]]]


def main(argv: list[str]) -> int:
    """Run the benchmarks; the exit code says whether they could be run, not how fast they were."""
    options = _options(argv)
    checkout = Path(__file__).parent.parent
    scratch = checkout / ".isol8" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    host = _host(checkout)
    engine = peers.Engine(host)
    deps = scratch / "deps.toml"
    arguments = _arguments(Path(os.environ.get("ISOL8_DEPS", checkout / "deps.toml")))
    deps.write_text(_deps(arguments), encoding="utf-8")
    results: dict[str, tuple[dict[str, Figures], tuple[Claim, ...]]] = {}
    try:
        with Stopwatch(checkout, scratch / "output.log", _environment(host, deps)) as stopwatch:
            bench = Bench(
                checkout=checkout,
                scratch=scratch,
                engine=engine,
                stopwatch=stopwatch,
                arguments=arguments,
                runs=options.runs,
            )
            stopwatch.run(Candidate(name="doit setup", command=bench.doit("setup"), environment={}))
            for name in options.only or _BENCHMARKS:
                results[name] = BENCHMARKS[name](bench)
                print(_table(name, *results[name]), flush=True)
        report = checkout / ".isol8" / "bench.json"
        report.write_text(_json(results, engine.version(), options.runs), encoding="utf-8")
        print(f"medians of {options.runs} runs on Docker {engine.version()}; every run is in {report}")
    except RunFailedError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        engine.forget(REPOSITORY, f"{REPOSITORY}_build", PEERS)
        engine.close()
    return 0


def no_op(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare a run with nothing to do with the least that any run can do."""
    figures = bench.stopwatch.compare(
        (
            Candidate(
                name=FLOOR,
                command=(bench.doit()[0], str(Path(__file__).with_name("floor.py"))),
                environment={},
            ),
            Candidate(name=NO_OP, command=bench.doit(), environment={}),
        ),
        runs=bench.runs,
    )
    return figures, (
        _ratio(figures[NO_OP], figures[FLOOR], limit=1.25),
        Claim(text=f"{NO_OP}: peak memory in MB", value=figures[NO_OP].median_megabytes, limit=70),
    )


def wrapper(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare doitw with the doit that it runs."""
    figures = bench.stopwatch.compare(
        (
            Candidate(name=NO_OP, command=bench.doit(), environment={}),
            Candidate(name=WRAPPED, command=(str(bench.checkout / "doitw"),), environment={}),
        ),
        runs=bench.runs,
    )
    added = (figures[WRAPPED].median_seconds - figures[NO_OP].median_seconds) * 1000
    return figures, (Claim(text="./doitw adds, in ms", value=added, limit=20),)


def cold(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare five bases built without cache and promoted with ways to build them that don't promote."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}

    def forget_peers(output: str) -> None:
        bench.engine.forget(PEERS)
        bench.engine.forget_steps(output)

    ours = Candidate(name=COLD, command=bench.doit("setup", "--force"), environment={})
    baked = peers.bake(bench.scratch, PEERS, arguments, forget_peers)
    serial = peers.classic(bench.checkout, PEERS, arguments, forget_peers)
    figures = bench.stopwatch.compare(
        tuple(candidate for candidate in (ours, baked, serial) if candidate), runs=bench.runs
    )
    claims = [_ratio(figures[COLD], figures[serial.name], limit=0.5)]
    if baked:
        claims.insert(0, _ratio(figures[COLD], figures[baked.name], limit=1.15))
    else:
        print("docker buildx is neither here nor to be had from Debian; compared without it")
    return figures, tuple(claims)


BENCHMARKS: Final[Mapping[str, Benchmark]] = dict(zip(_BENCHMARKS, (no_op, wrapper, cold), strict=True))


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="doitw bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="whole-process runs each [default: %(default)s]")
    parser.add_argument(
        "--only", action="append", choices=_BENCHMARKS, help="run just this one; may be repeated"
    )
    return parser.parse_args(argv)


def _host(checkout: Path) -> str:
    """Return the engine that doit uses here, so that all candidates use the same."""
    answer = subprocess.run(
        [str(checkout / "doitw"), "env"], cwd=checkout, stdout=subprocess.PIPE, check=False, text=True
    )
    if answer.returncode:
        # It has said why.
        raise SystemExit(answer.returncode)
    return shlex.split(answer.stdout)[1].removeprefix("DOCKER_HOST=")


def _environment(host: str, deps: Path) -> dict[str, str]:
    """Return the environment of every measured command."""
    environment = {**os.environ, "DOCKER_HOST": host, "ISOL8_DEPS": str(deps), "NO_COLOR": "1"}
    # doitw drops it as well: a package that is compiled anew in each run is not what people wait for.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _arguments(deps: Path) -> dict[str, str]:
    """Return the build arguments that a deps.toml asks for."""
    config = tomli.loads(deps.read_text(encoding="utf-8")) if deps.exists() else {}
    return dict(config.get("build", {}).get("args", {}))


def _deps(arguments: Mapping[str, str]) -> str:
    """Return a deps.toml with the five bases alone, in a repository of its own."""
    lines = ["[build]", f'repository = "{REPOSITORY}"']
    if arguments:
        lines += [
            "[build.args]",
            *(f"{name} = {json.dumps(value)}" for name, value in sorted(arguments.items())),
        ]
    return "\n".join([*lines, ""])


def _ratio(ours: Figures, peer: Figures, *, limit: float) -> Claim:
    return Claim(
        text=f"{ours.name} / {peer.name}", value=ours.median_seconds / peer.median_seconds, limit=limit
    )


def _table(name: str, figures: Mapping[str, Figures], claims: tuple[Claim, ...]) -> str:
    width = max(len(text) for text in (*figures, *(claim.text for claim in claims)))
    lines = [f"{name:<{width}}  {'median':>9}  {'fastest':>9}  {'slowest':>9}  {'peak':>7}"]
    lines += [
        f"{figure.name:<{width}}  {figure.median_seconds:>7.3f} s  {min(figure.seconds):>7.3f} s"
        f"  {max(figure.seconds):>7.3f} s  {figure.median_megabytes:>4.0f} MB"
        for figure in figures.values()
    ]
    lines += [
        f"{claim.text:<{width}}  {claim.value:>9.2f}  {'within' if claim.holds else 'OVER'} {claim.limit:g}"
        for claim in claims
    ]
    return "\n".join([*lines, ""])


def _json(
    results: Mapping[str, tuple[Mapping[str, Figures], tuple[Claim, ...]]], engine: str, runs: int
) -> str:
    report = {
        "schema": 1,
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "engine": engine,
        },
        "runs": runs,
        "benchmarks": {
            name: {
                "candidates": {
                    figure.name: {
                        "median_seconds": figure.median_seconds,
                        "median_megabytes": figure.median_megabytes,
                        "seconds": figure.seconds,
                        "megabytes": figure.megabytes,
                    }
                    for figure in figures.values()
                },
                "claims": [
                    {"claim": claim.text, "value": claim.value, "limit": claim.limit, "holds": claim.holds}
                    for claim in claims
                ],
            }
            for name, (figures, claims) in results.items()
        },
    }
    return json.dumps(report, indent=2) + "\n"
