"""The lease of an engine: one run at a time, whatever is stopped, killed or moved meanwhile."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest

from isol8_tasks.engine import lease
from isol8_tasks.engine.lease import LEASE, SLOT_SECONDS, VolumeLease
from isol8_tasks.engine.wire import EngineRefusedError
from isol8_tasks.errors import EngineError, LeaseLostError

if TYPE_CHECKING:
    from isol8_tasks.engine.connection import Connection

START = 1_700_000_000 // SLOT_SECONDS * SLOT_SECONDS


class Volumes:
    """An engine's volumes and its clock, as a connection asks for them."""

    def __init__(self) -> None:
        self.time: float = START
        self.kept: dict[str, Mapping[str, str]] = {}
        self.asked = 0
        self.status = 0
        """What every question is refused with."""
        self.clash: Callable[[str], bool] = lambda _name: False
        """Tells of a volume that is to be created whether it is refused, as Podman does for the second of two."""
        self.before: Callable[[], None] = lambda: None
        """Called before each request."""

    def dated(
        self,
        method: str,
        path: str,
        what: str,
        params: object = None,
        *,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[Any, float]:
        """Answer with the engine's time in whole seconds, as HTTP has it."""
        self.before()
        self.asked += 1
        if self.status:
            raise EngineRefusedError(what, "it was told to refuse", status=self.status)
        assert params or method != "GET"
        answer: object = None
        if method == "GET":
            answer = {"Volumes": [{"Name": name, "Labels": labels} for name, labels in self.kept.items()]}
        elif method == "POST":
            assert body
            assert path == "/volumes/create"
            if self.clash(body["Name"]):
                raise EngineRefusedError(what, "it exists", status=500)
            answer = {"Labels": self.kept.setdefault(body["Name"], body["Labels"])}
        elif self.kept.pop(path.rpartition("/")[2], None) is None:
            raise EngineRefusedError(what, "no such volume", status=404)
        return answer, float(int(self.time))

    def call(self, method: str, path: str, what: str) -> None:
        self.dated(method, path, what)


@pytest.fixture(name="engine")
def name_engine(monkeypatch: pytest.MonkeyPatch) -> Volumes:
    """Give an engine whose clock is that of its clients, too, and on which nobody renews in the background."""
    engine = Volumes()
    monkeypatch.setattr(lease, "_now", lambda: engine.time)
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 3600)
    return engine


@pytest.fixture(name="run")
def name_run(engine: Volumes) -> Iterator[Callable[..., VolumeLease]]:
    """Return what makes the lease of a run."""
    made: list[VolumeLease] = []

    def run(folder: str = "/home/a") -> VolumeLease:
        made.append(VolumeLease(cast("Connection", engine), folder))
        return made[-1]

    yield run
    for each in made:
        each.release()


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody know whether the process of a lease is alive, as on another machine."""
    monkeypatch.setattr(lease, "is_alive", lambda _name: None)


def test_one_run_at_a_time(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """The second is told who has it, where and since when on the engine's clock; it gets it after the first."""
    one, two = run(), run()
    assert one.take() == ""
    said = two.take()
    assert said.startswith("process ")
    assert said.endswith(" in /home/a, since 2023-11-14T22:13:20+00:00")
    one.release()
    assert engine.kept == {}
    assert two.take() == ""


def test_it_lasts(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """Whoever confirms it now and then has it for hours, and leaves two volumes at most."""
    one, two = run(), run()
    assert one.take() == ""
    for _ in range(1000):
        engine.time += 7
        one.confirm()
        assert len(engine.kept) <= 2
        assert two.take() != ""


def test_the_engine_is_asked_once_a_second(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """Not for each of the tags that are moved together."""
    one = run()
    one.take()
    one.confirm()
    asked = engine.asked
    for _ in range(9):
        engine.time += 0.1
        one.confirm()
    assert engine.asked == asked
    engine.time += 0.2
    one.confirm()
    assert engine.asked > asked


def test_a_run_that_is_gone_keeps_it_for_a_minute_at_most(
    engine: Volumes, run: Callable[..., VolumeLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run on another machine nobody knows that it was killed."""
    elsewhere(monkeypatch)
    longest = 0.0
    for second in range(SLOT_SECONDS):
        gone, next_run = run(), run()
        engine.time = START + second
        assert gone.take() == ""
        gone.confirm()
        while next_run.take():
            engine.time += 1
        longest = max(longest, engine.time - START - second)
        # Whoever takes it leaves nothing of those before.
        assert len(engine.kept) == 1
        next_run.release()
    assert longest == SLOT_SECONDS * 1.5


def test_a_run_that_was_killed_here_keeps_nobody_waiting(
    engine: Volumes, run: Callable[..., VolumeLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is known to be gone."""
    assert run().take() == ""
    engine.time += 30
    monkeypatch.setattr(lease, "is_alive", lambda _name: False)
    assert run().take() == ""


@pytest.mark.parametrize("told", ["in /home/b, since", "another run took over"])
def test_a_run_that_was_stopped_notices_who_was_there(
    engine: Volumes, run: Callable[..., VolumeLease], monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """Whether the other one is still at work or not; and again, each time it asks."""
    elsewhere(monkeypatch)
    one, two = run(), run("/home/b")
    one.take()
    engine.time += 100
    assert two.take() == ""
    is_over = told.startswith("another")
    if is_over:
        two.release()
    for _ in range(2):
        with pytest.raises(LeaseLostError, match=told):
            one.confirm()
    assert (run().take() == "") == is_over


def test_a_run_that_was_stopped_goes_on_where_nobody_was(
    engine: Volumes, run: Callable[..., VolumeLease]
) -> None:
    """As after the sleep of a laptop with its engine."""
    one = run()
    one.take()
    engine.time += 100_000
    one.confirm()
    engine.time -= 50_000
    one.confirm()


def test_what_somebody_removed_is_made_again(
    engine: Volumes, run: Callable[..., VolumeLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker volume prune` of old engines takes it; whoever comes first then has it."""
    elsewhere(monkeypatch)
    one, two = run(), run("/home/b")
    one.take()
    engine.kept.clear()
    one.confirm()
    assert two.take() != ""
    engine.kept.clear()
    assert two.take() == ""
    engine.time += 2
    with pytest.raises(LeaseLostError, match="/home/b"):
        one.confirm()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_an_engine_without_volumes(engine: Volumes, run: Callable[..., VolumeLease], status: int) -> None:
    """Runs go on there, and see others on their own machine only."""
    engine.status = status
    one = run()
    assert one.take() == ""
    one.confirm()
    engine.status, engine.time = 0, 0
    assert run().take() == ""


def test_two_at_the_same_moment_on_podman(
    engine: Volumes, run: Callable[..., VolumeLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is refused finds out who was faster."""
    elsewhere(monkeypatch)

    def is_taken(name: str) -> bool:
        engine.kept[name] = {LEASE: "x", "org.isol8.tasks.run.holder": "the first"}
        return True

    engine.clash = is_taken
    assert run().take() == "the first"


def test_one_that_was_faster_and_is_done(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """Its volume is gone, and the other run asks again; an engine that goes on refusing is heard."""
    answers = [True]
    engine.clash = lambda _name: bool(answers and answers.pop())
    one = run()
    assert one.take() == ""
    assert len(engine.kept) == 1
    one.release()
    engine.clash = lambda _name: True
    with pytest.raises(EngineRefusedError, match="it exists"):
        run().take()


def test_an_engine_that_fails(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """What it says is raised, before anything was done."""
    engine.status = 500
    with pytest.raises(EngineRefusedError, match="it was told to refuse"):
        run().take()


def test_others_words_are_clean(engine: Volumes, run: Callable[..., VolumeLease]) -> None:
    """Anybody may write labels."""
    engine.kept[f"isol8-tasks-run-{START // SLOT_SECONDS}"] = {
        LEASE: "x",
        "org.isol8.tasks.run.holder": "\x1b[2J" + "a" * 1000,
    }
    said = run().take()
    assert said.startswith("?[2Jaaa")
    assert len(said) == 300
    engine.kept = {name: {LEASE: "x"} for name in engine.kept}
    assert run().take() == "holder unknown"


class Simulation:
    """Runs on several machines whose requests are put in an order by chance, with stops of any length."""

    def __init__(self, seed: int, engine: Volumes) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test's
        self.engine = engine
        self.turns: dict[threading.Thread, threading.Semaphore] = {}
        self.waiting = threading.Semaphore(0)
        self.over: set[threading.Thread] = set()
        self.changes: list[tuple[int, int]] = []
        """Who changed something, and how many changes there were when he took the lease."""
        self.lost = 0
        engine.before = self._wait

    def _wait(self) -> None:
        self.waiting.release()
        self.turns[threading.current_thread()].acquire()
        if self.stopped:
            raise SystemExit

    stopped = False

    def _work(self, number: int) -> None:
        me = threading.current_thread()
        self.turns[me].acquire()
        try:
            mine = VolumeLease(cast("Connection", self.engine), f"/{number}")
            while not self.stopped:
                if mine.take():
                    continue
                seen = len(self.changes)
                for own in range(self.chance.randrange(4)):
                    mine.confirm()
                    # Nothing but what this run did itself may have happened since it took the lease.
                    assert len(self.changes) == seen + own, f"{number} and {self.changes[-1]}"
                    self.changes.append((number, seen))
                mine.release()
                mine = VolumeLease(cast("Connection", self.engine), f"/{number}")
        except LeaseLostError:
            self.lost += 1
        except (SystemExit, EngineError):
            pass
        except AssertionError as error:
            self.problem = str(error)
        finally:
            self.over.add(me)
            self.waiting.release()

    problem = ""

    def run(self, runs: int, steps: int) -> None:
        """Let so many runs make so many requests together."""
        for number in range(runs):
            thread = threading.Thread(target=self._work, args=(number,), daemon=True)
            self.turns[thread] = threading.Semaphore(0)
            thread.start()
        for _ in range(steps):
            alive = [each for each in self.turns if each not in self.over]
            if not alive or self.problem:
                break
            # A machine often does several things in a row while another stands still.
            chosen = self.chance.choice(alive)
            for _ in range(self.chance.choice((1, 1, 2, 5, 20))):
                if chosen in self.over:
                    break
                self.turns[chosen].release()
                self.waiting.acquire()
            self.engine.time += self.chance.choice((0, 0, 0, 0.4, 1, 5, 15, 30, 100))
        self.stopped = True
        for thread, turn in self.turns.items():
            for _ in range(100):
                turn.release()
            thread.join(10)


def test_no_two_runs_change_anything_at_once(engine: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order of their requests: between a lease and a change there is no change of another run."""
    elsewhere(monkeypatch)
    monkeypatch.setattr(threading.Thread, "start", _not_for_renewal(threading.Thread.start))
    changes = lost = 0
    for seed in range(150):
        engine.kept.clear()
        engine.time = START
        simulation = Simulation(seed, engine)
        simulation.run(runs=3, steps=60)
        assert simulation.problem == "", f"seed {seed}"
        changes += len(simulation.changes)
        lost += simulation.lost
    assert changes > 300
    assert lost > 30


def _not_for_renewal(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def begin(thread: threading.Thread) -> None:
        if "_renew_often" not in thread.name:
            start(thread)

    return begin
