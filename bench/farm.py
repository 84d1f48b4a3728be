"""How far engines, builders and a registry go: a simulation that is fed with what was measured on one machine.

    .venv-dev/bin/python -m bench.farm

An image is a series of steps. Each takes seconds of a processor at a station, which serves as many at once as it has
processors and gives each a slice in turn; a step may be of parts that go on side by side, as the containers of a
verification do. docs/scale.md has what is printed, and what it means.
"""

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from attrs import Factory, define, field, frozen

SLICE: Final = 0.1
PROCESSORS: Final = 2
"""Of the machine on which all was measured."""


@frozen
class Step:
    """A part of the making of an image."""

    station: str
    seconds: float
    """Of a processor, all its parts together."""
    parts: int = 1
    """That go on side by side."""


Route = Sequence[Step]


@frozen(kw_only=True)
class Cost:
    """What an image takes, in seconds of a processor."""

    build: float
    verify: float
    """In three containers, side by side."""
    push: float = 0
    """Of the registry."""
    give: float = 0
    """Of the registry."""
    pull: float = 0
    """Of the engine."""

    @property
    def whole(self) -> Route:
        """Build and verification on one engine."""
        return (Step("engine", self.build), Step("engine", self.verify, parts=3))


COST: Final = Cost(build=0.54, verify=0.64, push=0.085, give=0.019)
START: Final = 0.5
"""Seconds of a run before its first image and after its last."""


FARMS: Final = ((1_000, 1, 1), (1_000, 4, 1), (1_000, 4, 4), (100_000, 4, 4), (100_000, 16, 16))
"""Images, builders and engines."""


@frozen(kw_only=True)
class Outcome:
    """What came of a simulation."""

    seconds: float
    per_minute: float
    busy: Mapping[str, float]
    """The share of the time for which each station worked."""

    @property
    def limit(self) -> str:
        """Return the station that had most to do."""
        return max(self.busy, key=lambda name: self.busy[name])


@define(eq=False)
class _Worker:
    """One that makes images, one after the other."""

    route: Route
    step: int = -1
    parts: int = 0
    """Of its step, that are not done."""


@define(eq=False)
class _Part:
    worker: _Worker
    left: float


@define
class _Station:
    free: int
    queue: deque[_Part] = Factory(deque)
    worked: float = 0


@define
class _Simulation:
    stations: Mapping[str, _Station]
    images: int
    now: float = 0
    events: list[tuple[float, int, _Part]] = field(factory=list)
    order: "count[int]" = field(factory=count)

    def station(self, worker: _Worker) -> _Station:
        return self.stations[worker.route[worker.step].station]

    def serve(self, part: _Part) -> None:
        seconds = min(SLICE, part.left)
        part.left -= seconds
        self.station(part.worker).worked += seconds
        heapq.heappush(self.events, (self.now + seconds, next(self.order), part))

    def go_on(self, worker: _Worker) -> None:
        """Begin the worker's next step, of its next image if there is one."""
        worker.step = (worker.step + 1) % len(worker.route)
        if worker.step == 0:
            if not self.images:
                return
            self.images -= 1
        step = worker.route[worker.step]
        worker.parts = step.parts
        for _ in range(step.parts):
            self.ask(_Part(worker, step.seconds / step.parts))

    def ask(self, part: _Part) -> None:
        station = self.station(part.worker)
        if station.free:
            station.free -= 1
            self.serve(part)
        else:
            station.queue.append(part)

    def end_slice(self, part: _Part) -> None:
        station = self.station(part.worker)
        done = part.left <= 0
        if not done:
            station.queue.append(part)
        if station.queue:
            self.serve(station.queue.popleft())
        else:
            station.free += 1
        if done:
            part.worker.parts -= 1
            if not part.worker.parts:
                self.go_on(part.worker)


def simulate(servers: Mapping[str, int], routes: Sequence[Route], images: int) -> Outcome:
    """Let a worker for each route make images until so many are made, on stations with so many processors."""
    found = _Simulation({name: _Station(free) for name, free in servers.items()}, images)
    for route in routes:
        found.go_on(_Worker(route))
    while found.events:
        found.now, _, part = heapq.heappop(found.events)
        found.end_slice(part)
    busy = {name: each.worked / found.now / servers[name] for name, each in found.stations.items()}
    return Outcome(seconds=found.now, per_minute=images * 60 / found.now, busy=busy)


def farm(cost: Cost, *, builders: int, engines: int, processors: int, images: int) -> Outcome:
    """Simulate builders that push what they build to one registry, from which engines pull, verify and promote it.

    The registry has `processors`, too.
    """
    servers = {"registry": processors}
    servers |= {f"builder {each}": processors for each in range(builders)}
    servers |= {f"engine {each}": processors for each in range(engines)}
    routes = [
        (
            Step(f"builder {number % builders}", cost.build),
            Step("registry", cost.push),
            Step("registry", cost.give),
            Step(f"engine {number % engines}", cost.pull),
            Step(f"engine {number % engines}", cost.verify, parts=3),
        )
        for number in range(4 * processors * max(builders, engines))
    ]
    return simulate(servers, routes, images)


def predicted(at_once: int, *, images: int, engines: int = 1) -> float:
    """Return images a minute of a run with so many at once on each engine of the machine that was measured."""
    found = simulate({"engine": PROCESSORS}, [COST.whole] * (at_once * engines), images)
    return images * 60 / (found.seconds + START)


if __name__ == "__main__":
    for at_once in (1, 2, 4, 8):
        print(f"-n {at_once}, 16 images: {predicted(at_once, images=16):.0f} a minute")
    for at_once in (1, 2, 4):
        print(f"-n {at_once} each, two engines: {predicted(at_once, images=32, engines=2):.0f} a minute")
    for images, builders, engines in FARMS:
        made = farm(COST, builders=builders, engines=engines, processors=PROCESSORS, images=images)
        print(
            f"{images:,} images, {builders} builders, {engines} engines: {made.per_minute:.0f} a minute, "
            f"{made.seconds / 60:.0f} minutes; registry {made.busy['registry']:.0%}, limit {made.limit}"
        )
