"""How far engines, builders and a registry go: a simulation that is fed with what was measured on one machine.

    .venv-dev/bin/python -m bench.farm

An image is a series of steps. Each takes seconds at a station, which serves as many at once as it has processors and
gives each a slice in turn, or is a wait that takes no processor. docs/scale.md has what is printed, and what it means.
"""

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from attrs import define, field, frozen

SLICE: Final = 0.1
WAIT: Final = "wait"
Route = Sequence[tuple[str, float]]
"""Stations, and the seconds at each."""


@frozen(kw_only=True)
class Cost:
    """What an image takes: seconds of a processor, and seconds of waiting for anything else."""

    build: float
    build_wait: float
    verify: float
    verify_wait: float
    push: float = 0
    """Of the registry."""
    pull: float = 0
    """Of a processor of the engine."""

    @property
    def whole(self) -> Route:
        """Build and verification on one engine."""
        checks = (("engine", self.verify), (WAIT, self.verify_wait))
        return (("engine", self.build), (WAIT, self.build_wait), *checks)


@frozen(kw_only=True)
class Outcome:
    """What came of a simulation."""

    per_minute: float
    busy: Mapping[str, float]
    """The share of the time for which each station worked."""


@define
class _Worker:
    """One that makes images, one after the other."""

    route: Route
    step: int = -1
    left: float = 0

    @property
    def station(self) -> str:
        return self.route[self.step][0]


@define
class _Station:
    free: int
    queue: deque[_Worker] = field(factory=deque)
    worked: float = 0


@define
class _Simulation:
    stations: Mapping[str, _Station]
    images: int
    now: float = 0
    events: list[tuple[float, int, _Worker]] = field(factory=list)
    order: "count[int]" = field(factory=count)

    def serve(self, worker: _Worker) -> None:
        part = worker.left if worker.station == WAIT else min(SLICE, worker.left)
        worker.left -= part
        if worker.station != WAIT:
            self.stations[worker.station].worked += part
        heapq.heappush(self.events, (self.now + part, next(self.order), worker))

    def go_on(self, worker: _Worker) -> None:
        while worker.left <= 0:
            worker.step = (worker.step + 1) % len(worker.route)
            if worker.step == 0:
                if not self.images:
                    return
                self.images -= 1
            worker.left = worker.route[worker.step][1]
        if worker.station == WAIT:
            self.serve(worker)
        elif self.stations[worker.station].free:
            self.stations[worker.station].free -= 1
            self.serve(worker)
        else:
            self.stations[worker.station].queue.append(worker)

    def end_slice(self, worker: _Worker) -> None:
        if worker.station != WAIT:
            station = self.stations[worker.station]
            if station.queue:
                self.serve(station.queue.popleft())
            else:
                station.free += 1
        self.go_on(worker)


def simulate(servers: Mapping[str, int], routes: Sequence[Route], images: int) -> Outcome:
    """Let a worker for each route make images until so many are made, on stations with so many processors."""
    found = _Simulation({name: _Station(free) for name, free in servers.items()}, images)
    for route in routes:
        found.go_on(_Worker(route))
    while found.events:
        found.now, _, worker = heapq.heappop(found.events)
        found.end_slice(worker)
    busy = {name: each.worked / found.now / servers[name] for name, each in found.stations.items()}
    return Outcome(per_minute=images * 60 / found.now, busy=busy)


def farm(cost: Cost, *, builders: int, engines: int, processors: int, images: int) -> Outcome:
    """Simulate builders that push what they build to one registry, from which engines pull, verify and promote it."""
    servers = {"registry": 1}
    servers |= {
        f"{kind} {each}": processors
        for kind in ("builder", "engine")
        for each in range(max(builders, engines))
    }
    routes = [
        (
            (f"builder {number % builders}", cost.build),
            (WAIT, cost.build_wait),
            ("registry", cost.push),
            (f"engine {number % engines}", cost.pull + cost.verify),
            (WAIT, cost.verify_wait),
        )
        for number in range(4 * processors * max(builders, engines))
    ]
    return simulate(servers, routes, images)
