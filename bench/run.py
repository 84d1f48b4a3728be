"""Measures what is claimed to be fast: prints a table and writes .isol8/bench.json."""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import tomli
from attrs import frozen

from bench import (
    builders,
    downloads,
    edit,
    installed,
    many,
    peers,
    proxy,
    scale,
    shared,
    start,
    throughput,
    traffic,
    warm,
)
from bench.measure import Candidate, Figures, RunFailedError, Stopwatch
from isol8_tasks.ecosystems.runtimes import RUNTIMES

REPOSITORY: Final = "isol8-bench"
PEERS: Final = "isol8-bench-peers"
NO_OP: Final = "doit, nothing to do"
FLOOR: Final = "floor: imports, ping, list"
WRAPPED: Final = "./doitw, nothing to do"
INSTALLED: Final = "isol8-tasks, nothing to do"
COLD: Final = "doit setup --force"
UNCHECKED: Final = "the same without checks"
_NO_BUILDX: Final = "docker buildx is neither here nor to be had from Debian; compared without it"
_ON_REQUEST: Final = frozenset(
    {
        "builders",
        "cache",
        "many",
        "one-more",
        "registry",
        "start-up",
        "thousand",
        "throughput",
        "traffic",
        "tunnel",
        "warm",
    }
)
"""Left out unless they are named, as they take minutes to prepare."""


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
    classic: bool
    """Whether the classic builder takes part, which takes minutes."""

    def doit(self, *words: str) -> tuple[str, ...]:
        """Return the command that doitw runs."""
        return (self.python, "-E", "-m", "isol8_tasks.cli", *words)

    @property
    def python(self) -> str:
        """The interpreter of doitw's environment."""
        return str(self.checkout / ".venv" / "bin" / "python")


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
                classic=options.classic,
            )
            names = options.only or [name for name in BENCHMARKS if name not in _ON_REQUEST]
            for name in dict.fromkeys(names):
                start_clean(bench)
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


def start_clean(bench: Bench) -> None:
    """Have the five bases as the checkout declares them and nothing else, whatever a benchmark before this one left."""
    repositories = (REPOSITORY, f"{REPOSITORY}_build")
    bases = {f"{repository}:{runtime}" for repository in repositories for runtime in RUNTIMES}
    bench.engine.forget(*repositories, PEERS, keep=bases)
    bench.stopwatch.run(Candidate(name="doit setup", command=bench.doit("setup"), environment={}))


def no_op(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare a run with nothing to do with the least that any run can do."""
    figures = bench.stopwatch.compare(
        (
            Candidate(
                name=FLOOR,
                command=(bench.python, str(Path(__file__).with_name("floor.py"))),
                environment={},
            ),
            Candidate(name=NO_OP, command=bench.doit(), environment={}),
        ),
        runs=bench.runs,
    )
    return figures, (
        _ratio(figures[NO_OP], figures[FLOOR], limit=1.1),
        Claim(
            text=f"{NO_OP} / {FLOOR}: seconds of a processor",
            value=figures[NO_OP].median_processor / figures[FLOOR].median_processor,
            limit=0.8,
        ),
        Claim(text=f"{NO_OP}: peak memory in MB", value=figures[NO_OP].median_megabytes, limit=70),
    )


def scaled(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare runs with nothing to do for ever more images, on an engine's recorded answer."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    listing = bench.engine.listing(REPOSITORY, f"{REPOSITORY}_build")
    with scale.recorded(bench.checkout, REPOSITORY, arguments, listing, bench.doit()) as candidates:
        figures = bench.stopwatch.compare(candidates, runs=bench.runs)
    few, hundred, thousand, most = (figures[scale.name(count)] for count in scale.COUNTS)
    small = (thousand.median_seconds - hundred.median_seconds) / (scale.COUNTS[2] - scale.COUNTS[1])
    large = (most.median_seconds - thousand.median_seconds) / (scale.COUNTS[3] - scale.COUNTS[2])
    return figures, (
        _ratio(thousand, few, limit=3),
        Claim(text=f"{thousand.name}, in seconds", value=thousand.median_seconds, limit=0.6),
        Claim(text=f"{thousand.name}, peak in MB", value=thousand.median_megabytes, limit=120),
        Claim(text="an image more beyond 1,000 / below", value=large / small, limit=1.3),
    )


def thousand(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Measure a run with nothing to do for 1,000 images on the engine itself, all of which share their layers."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    file = bench.scratch / "thousand.toml"
    file.write_text(scale.deps(REPOSITORY, arguments, scale.THOUSAND), encoding="utf-8")
    place = {"ISOL8_DEPS": str(file)}
    many = Candidate(name=scale.name(scale.THOUSAND, real=True), command=bench.doit(), environment=place)
    # What is in them is not the question.
    bench.stopwatch.run(
        Candidate(name="making them", command=(bench.python, "-m", "bench.unchecked"), environment=place)
    )
    few = Candidate(name=NO_OP, command=bench.doit(), environment={})
    listed = Candidate(
        name="the engine's list alone",
        command=(bench.python, str(Path(__file__).with_name("listed.py"))),
        environment={},
    )
    figures = bench.stopwatch.compare((few, many, listed), runs=bench.runs)
    return figures, (
        _ratio(figures[many.name], figures[few.name], limit=3),
        Claim(text=f"{many.name}, in seconds", value=figures[many.name].median_seconds, limit=0.6),
        Claim(text=f"{many.name}, peak in MB", value=figures[many.name].median_megabytes, limit=120),
    )


def two_hundred(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Measure a run with 200 stale images, and a bake of as many targets."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    found = many.candidates(bench.scratch, REPOSITORY, PEERS, bench.doit(), arguments)
    if many.BAKED not in {candidate.name for candidate in found}:
        print(_NO_BUILDX)
    figures = bench.stopwatch.compare(found, runs=min(bench.runs, 2))
    bench.engine.forget(PEERS)
    return figures, (
        Claim(text=f"{many.OURS}, in seconds", value=figures[many.OURS].median_seconds, limit=60),
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


def installed_command(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the command of an installation with doitw."""
    command = installed.command(bench.checkout, bench.scratch)
    figures = bench.stopwatch.compare(
        (
            Candidate(name=WRAPPED, command=(str(bench.checkout / "doitw"),), environment={}),
            Candidate(name=INSTALLED, command=command, environment={}),
        ),
        runs=bench.runs,
    )
    return figures, (_ratio(figures[INSTALLED], figures[WRAPPED], limit=1.05),)


def edited(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the ways from an edit in stage bun to its rebuilt image."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    ours, *others = edit.candidates(bench.checkout, bench.scratch, PEERS, bench.doit(), arguments)
    if not others:
        print(_NO_BUILDX)
    figures = bench.stopwatch.compare((ours, *others), runs=bench.runs)
    bench.engine.forget(PEERS)
    return figures, tuple(
        _ratio(figures[ours.name], figures[other.name], limit=limit)
        for other, limit in zip(others, (1.25, 0.8), strict=True)
    )


def cold(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare five bases built without cache and promoted with ways to build them that neither promote nor check."""

    def forget_peers(output: str) -> None:
        bench.engine.forget(PEERS)
        bench.engine.forget_steps(output)

    unchecked = Candidate(
        name=UNCHECKED,
        command=(bench.python, "-m", "bench.unchecked", "setup", "--force"),
        environment={},
    )
    checked = Candidate(name=COLD, command=bench.doit("setup", "--force"), environment={})
    setting = peers.Setting(
        scratch=bench.scratch,
        folder=bench.checkout,
        repository=PEERS,
        arguments={**bench.engine.standin_arguments(), **bench.arguments},
        after=forget_peers,
        cached=False,
    )
    baked, serial = peers.bake(setting), peers.classic(setting) if bench.classic else None
    if baked is None:
        print(_NO_BUILDX)
    found = (checked, unchecked, baked, serial)
    figures = bench.stopwatch.compare(tuple(candidate for candidate in found if candidate), runs=bench.runs)
    claims = [_ratio(figures[UNCHECKED], figures[baked.name], limit=1.15)] if baked else []
    added = figures[COLD].median_seconds - figures[UNCHECKED].median_seconds
    claims.append(Claim(text="the checks add, in seconds", value=added, limit=1.5))
    if serial:
        claims.append(_ratio(figures[UNCHECKED], figures[serial.name], limit=0.5))
    return figures, tuple(claims)


def tunnel(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare a tunnel of a gigabyte through the network filter with a plain relay."""
    images = {runtime: f"{REPOSITORY}:{runtime}" for runtime in proxy.RUNTIMES}
    found = proxy.measure(images, bench.engine.host, bench.scratch, runs=bench.runs)
    figures = {
        way: Figures(name=f"1 GiB, {way}", seconds=seconds, megabytes=(0.0,) * len(seconds))
        for way, seconds in found.items()
    }
    if proxy.SOCAT not in figures:
        print("socat is neither here nor to be had from Debian; measured without it")
        return figures, ()
    # At least 0.8 of its speed.
    return figures, tuple(_ratio(figures[way], figures[proxy.SOCAT], limit=1.25) for way in images)


def start_up(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the start of the base images with that of images with what isol8's own Dockerfile installs."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    built = start.build(bench.scratch, PEERS, arguments)
    if built is None:
        print(_NO_BUILDX)
        return {}, ()
    bench.stopwatch.run(built)
    for image in bench.engine.listing(REPOSITORY, PEERS):
        print(f"{image['Size'] / 1e6:7.1f} MB  {image['RepoTags'][0]}")
    found = (*start.candidates(REPOSITORY), *start.candidates(PEERS))
    figures = bench.stopwatch.compare(found, runs=bench.runs)
    pairs = [(figures[f"{REPOSITORY}:{runtime}"], figures[f"{PEERS}:{runtime}"]) for runtime in start.HELLO]
    return figures, tuple(_ratio(ours, theirs, limit=1.03) for ours, theirs in pairs)


def one_more(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the build of an image with one package more than forty with and without a download cache."""
    index = downloads.Index(downloads.fetch(bench.scratch))
    with downloads.serving(index, bench.engine.gateway()) as address:
        host = address.split("/")[2].partition(":")[0]
        arguments = {**bench.arguments, "PIP_INDEX_URL": address, "PIP_TRUSTED_HOST": host}
        found, fetched = downloads.candidates(
            downloads.Setting(
                scratch=bench.scratch,
                repository=REPOSITORY,
                doit=bench.doit(),
                arguments=arguments,
                index=index,
                run=bench.stopwatch.run,
            )
        )
        # Each run needs a package that no earlier one had, and the first two warm up.
        figures = bench.stopwatch.compare(found, runs=min(bench.runs, len(downloads.MORE) // 2 - 1))
    whole, part = (statistics.median(fetched[name]) for name in (downloads.WITHOUT, downloads.WITH))
    print(f"{whole / 1e6:.1f} MB are fetched without the cache, {part / 1e6:.3f} MB with it")
    return figures, (
        _ratio(figures[downloads.WITH], figures[downloads.WITHOUT], limit=0.35),
        Claim(text=f"bytes of {downloads.WITH} / without", value=part / whole, limit=0.05),
    )


def registry(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Measure what an engine without images takes to learn that a registry has all of them."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    listing = bench.engine.listing(REPOSITORY, f"{REPOSITORY}_build")
    with shared.planned(bench.checkout, REPOSITORY, arguments, listing, bench.doit()) as candidates:
        figures = bench.stopwatch.compare(candidates, runs=bench.runs)
    few, most = (figures[shared.name(count)] for count in shared.COUNTS)
    return figures, (
        Claim(text=f"{few.name}, in seconds", value=few.median_seconds, limit=2),
        Claim(text=f"{most.name}, in seconds", value=most.median_seconds, limit=5),
    )


def warm_registry(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the ways to five bases on an engine without them, where a registry has all that they are made of."""
    setting = peers.Setting(
        scratch=bench.scratch,
        folder=bench.checkout,
        repository=PEERS,
        arguments={**bench.engine.standin_arguments(), **bench.arguments},
    )
    with warm.pairs(bench.checkout, bench.engine, setting, bench.doit(), REPOSITORY) as found:
        for pair in found:
            bench.stopwatch.run(pair.filling)
        figures = bench.stopwatch.compare(tuple(pair.measured for pair in found), runs=bench.runs)
    ours, *others = figures.values()
    if not others:
        print(_NO_BUILDX)
    return figures, tuple(_ratio(ours, other, limit=0.5) for other in others)


def by_builder(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare the builders that five bases can be built by without cache, verified and promoted in any case."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    with builders.ways(bench.checkout, bench.engine, REPOSITORY, bench.doit(), arguments) as found:
        return bench.stopwatch.compare(found.by_builder(), runs=bench.runs), ()


def from_cache(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Compare a remote builder that has nothing with one that finds its steps in a registry."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    with builders.ways(bench.checkout, bench.engine, REPOSITORY, bench.doit(), arguments) as found:
        return bench.stopwatch.compare(found.by_cache(), runs=bench.runs), ()


def rates(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Measure how many images an engine makes in a minute, by how many are made at once, and two engines."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    with throughput.another_engine(bench.checkout) as second:
        setup = Candidate(name="bases", command=bench.doit("setup"), environment={"DOCKER_HOST": second})
        bench.stopwatch.run(setup)
        found, busy = throughput.candidates(bench.scratch, REPOSITORY, bench.doit(), arguments, second)
        figures = bench.stopwatch.compare(found, runs=bench.runs)
    print(busy.table())
    return figures, ()


def traffic_rates(bench: Bench) -> tuple[dict[str, Figures], tuple[Claim, ...]]:
    """Measure what a registry takes and gives: images pushed to it and pulled from it."""
    arguments = {**bench.engine.standin_arguments(), **bench.arguments}
    return traffic.measure(bench, REPOSITORY, arguments), ()


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "no-op": no_op,
    "scale": scaled,
    "wrapper": wrapper,
    "installed": installed_command,
    "edit": edited,
    "cold": cold,
    "thousand": thousand,
    "start-up": start_up,
    "tunnel": tunnel,
    "many": two_hundred,
    "one-more": one_more,
    "builders": by_builder,
    "cache": from_cache,
    "throughput": rates,
    "traffic": traffic_rates,
    "registry": registry,
    "warm": warm_registry,
}


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="doitw bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="whole-process runs each [default: %(default)s]")
    parser.add_argument(
        "--classic", action="store_true", help="let the classic builder take part in cold; it takes minutes"
    )
    parser.add_argument(
        "--only", action="append", choices=tuple(BENCHMARKS), help="run just this one; may be repeated"
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
    # doitw drops it as well: a package that is compiled again in each run is not what people wait for.
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
                        "processor": figure.processor,
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
