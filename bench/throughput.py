"""How many images an engine makes in a minute, by how many are made at once; and two engines."""

import contextlib
import json
import secrets
import shlex
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import Factory, define

from bench.measure import Candidate, RunFailedError
from lab.updown import Lab, bring_up, take_down

COUNT: Final = 16
AT_ONCE: Final = (1, 2, 4, 8)
_TICK: Final = 100
"""Of /proc/stat, in a second."""


@define
class Busy:
    """What the whole machine's processors did in each run: of the engine and its containers too."""

    seconds: dict[str, list[tuple[float, float]]] = Factory(lambda: defaultdict(list))
    """Of the clock, and of a processor; the first of a candidate warms up."""
    images: dict[str, int] = Factory(dict)
    _began: tuple[float, float] = (0, 0)

    def begin(self) -> None:
        """Note the time before a run."""
        self._began = time.monotonic(), busy()

    def end(self, name: str, images: int) -> None:
        """Note what a run took."""
        clock, worked = self._began
        self.seconds[name].append((time.monotonic() - clock, busy() - worked))
        self.images[name] = images

    def table(self) -> str:
        """Return a line for each candidate, of its fastest run, which others on the machine disturbed least."""
        lines = []
        for name, measured in self.seconds.items():
            seconds, processor = min(measured[1:] or measured)
            images = self.images[name]
            lines.append(
                f"{images * 60 / seconds:6.1f} a minute  {processor / images:5.2f} s of a processor each  {name}"
            )
        return "\n".join(lines)


def busy() -> float:
    """Return the seconds of a processor that this machine has worked."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _idle, _wait, interrupts, soft, *_ = (int(word) for word in line.split()[1:])
    return (user + nice + system + interrupts + soft) / _TICK


def deps(repository: str, arguments: Mapping[str, str]) -> str:
    """Return a deps.toml of images on bash, each with a package that is installed in a step of its own."""
    lines = ["[build]", f'repository = "{repository}"', "[build.args]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in sorted(arguments.items())]
    for number in range(COUNT):
        lines += [f"[images.t{number:02}]", 'runtime = "bash"', 'packages = ["jq"]']
        lines += [f'setup = "echo {secrets.token_hex(8)}"']
    return "\n".join([*lines, ""])


def tasks() -> tuple[str, ...]:
    """Return the words of doit that build all of them without cache, so that the package is installed each time."""
    return tuple(word for number in range(COUNT) for word in (f"image:t{number:02}", "--force"))


def candidates(
    scratch: Path,
    repository: str,
    doit: tuple[str, ...],
    arguments: Mapping[str, str],
    second: str,
) -> tuple[tuple[Candidate, ...], Busy]:
    """Return a candidate for each number at once, verified and not, those on two engines, and what notes their work.

    `second` is the address of an engine that has the bases, too.
    """
    file, noted = scratch / "throughput.toml", Busy()

    def stale() -> None:
        file.write_text(deps(repository, arguments), encoding="utf-8")
        noted.begin()

    def ended(name: str, engines: int) -> Callable[[str], None]:
        def check(output: str) -> None:
            noted.end(name, COUNT * engines)
            if output.count(f"{COUNT} built") != engines:
                raise RunFailedError(f"not {COUNT} built:\n{output[-2000:]}")

        return check

    def way(at_once: int, *, checked: bool = True, engines: int = 1) -> Candidate:
        name = f"-n {at_once}{' on two engines each' * (engines - 1)}{', not verified' * (not checked)}"
        program = doit if checked else (doit[0], "-m", "bench.unchecked")
        command: tuple[str, ...] = (*program, "run", "-n", str(at_once), *tasks())
        if engines > 1:
            text = shlex.join(command)
            command = ("sh", "-c", f'DOCKER_HOST={second} {text} & {text} || exit; wait "$!"')
        return Candidate(
            name=name,
            command=command,
            environment={"ISOL8_DEPS": str(file)},
            before=stale,
            after=ended(name, engines),
        )

    ways = [way(at_once, checked=checked) for checked in (True, False) for at_once in AT_ONCE]
    return (*ways, *(way(at_once, engines=2) for at_once in AT_ONCE[:3])), noted


@contextlib.contextmanager
def another_engine(checkout: Path) -> Iterator[str]:
    """Start an engine with the upstream images beside that of the checkout; give its address."""
    with tempfile.TemporaryDirectory(prefix="isol8-second-", dir=checkout / ".isol8") as folder:
        lab = Lab.of(Path(folder))
        try:
            yield bring_up(lab, print)
        finally:
            take_down(lab, print)
