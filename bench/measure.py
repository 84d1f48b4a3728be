"""Whole-process measurements, taken in turns, so that what slows the machine slows every candidate."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import frozen


@frozen(kw_only=True)
class Candidate:
    """A command that is measured against others."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """What the command gets besides the common environment."""
    before: Callable[[], None] = lambda: None
    """Called before each run, outside the measurement."""
    after: Callable[[str], None] = lambda _output: None
    """Called after each run with what it printed, outside the measurement."""
    folder: Path | None = None
    """Where the command runs; None for the checkout."""


@frozen(kw_only=True)
class Figures:
    """What was measured of one candidate, run by run."""

    name: str
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...]
    """Peak memory of the process itself."""
    processor: tuple[float, ...] = ()
    """Seconds of a processor for the process and its children, which other programs on the machine change less."""

    @property
    def median_seconds(self) -> float:
        """Half of the runs took longer."""
        return statistics.median(self.seconds)

    @property
    def median_processor(self) -> float:
        """Half of the runs took a processor longer."""
        return statistics.median(self.processor)

    @property
    def median_megabytes(self) -> float:
        """Half of the runs needed more."""
        return statistics.median(self.megabytes)


class RunFailedError(Exception):
    """A measured command did not succeed, so there is nothing to compare."""


class Stopwatch:
    """Measures commands run from the checkout, by way of a small process (bench/stopwatch.py says why)."""

    def __init__(self, checkout: Path, output: Path, environment: Mapping[str, str]) -> None:
        self._checkout = checkout
        self._output = output
        self._environment = dict(environment)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("stopwatch.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def run(self, candidate: Candidate) -> tuple[float, float, float]:
        """Run a command once; return seconds, megabytes, and seconds of a processor."""
        candidate.before()
        order = {
            "argv": list(candidate.command),
            "cwd": str(candidate.folder or self._checkout),
            "env": {**self._environment, **candidate.environment},
            "output": str(self._output),
        }
        assert self._process.stdin is not None  # noqa: S101 - Popen was given pipes
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        output = self._output.read_text(encoding="utf-8", errors="replace")
        candidate.after(output)
        if answer["status"] != 0:
            raise RunFailedError(f"{candidate.name} ended with {answer['status']}:\n{output[-2000:]}")
        return answer["seconds"], answer["megabytes"], answer["processor"]

    def compare(self, candidates: tuple[Candidate, ...], *, runs: int) -> dict[str, Figures]:
        """Run each candidate once to warm up, and then in turns; return the figures by name."""
        measured: dict[str, list[tuple[float, float, float]]] = {
            candidate.name: [] for candidate in candidates
        }
        for turn in range(runs + 1):
            for candidate in candidates:
                figures = self.run(candidate)
                if turn:
                    measured[candidate.name].append(figures)
        return {
            name: Figures(
                name=name,
                seconds=tuple(seconds for seconds, _, _ in figures),
                megabytes=tuple(megabytes for _, megabytes, _ in figures),
                processor=tuple(processor for _, _, processor in figures),
            )
            for name, figures in measured.items()
        }
