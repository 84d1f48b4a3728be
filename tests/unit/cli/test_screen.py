"""The lines of a run: those that stay, and live ones below them on a terminal."""

import io
import re
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from attrs import evolve

from isol8_tasks.cli import screen as screens
from isol8_tasks.cli.screen import Screen
from isol8_tasks.engine import BuildEvent
from isol8_tasks.errors import BuildFailedError, Isol8Error, VerifyFailedError
from isol8_tasks.images.pushed import Pushed
from isol8_tasks.lifecycle.build import Outcome

STEP = BuildEvent(kind="step", step="RUN apk add jq", number=1, total=2)
ERASE = re.compile(r"\x1b\[(\d+)F\x1b\[J")


class Clock:
    """Time that passes as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return it."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the screen."""
    made = Clock()
    monkeypatch.setattr(screens, "time", made)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "4")
    return made


@pytest.fixture
def make(clock: Clock) -> Callable[..., Screen]:
    """Give what makes a screen, whose ticker never draws by itself."""
    del clock

    def make(*, live: bool = False, quiet: bool = False) -> Screen:
        made = Screen(stream=io.StringIO(), live=live, width=18, repository="isol8", quiet=quiet)
        made._ticker = SimpleNamespace()  # type: ignore[assignment]  # noqa: SLF001 - the test draws
        return made

    return make


def text(screen: Screen) -> str:
    assert isinstance(screen.stream, io.StringIO)
    return screen.stream.getvalue()


def outcome(*left_out: str, result: str = "built") -> Outcome:
    return Outcome(image="bun", result=result, image_id="i", labels={}, tags=(), left_out=left_out)  # type: ignore[arg-type]


def last_frame(screen: Screen) -> list[str]:
    """Return the live lines as they stand now, and check that each is erased before the next is drawn."""
    shown: list[str] = []
    for part in re.split(r"(\x1b\[\d+F\x1b\[J)", text(screen)):
        if found := ERASE.fullmatch(part):
            assert len(shown) >= int(found[1])
            del shown[len(shown) - int(found[1]) :]
        else:
            shown += part.splitlines()
    return shown


class TestLog:
    """Where no terminal is: every line stays."""

    def test_built_image_is_a_line_with_its_time(self, make: Callable[..., Screen]) -> None:
        """And no control sequence."""
        screen = make()
        screen.building("bun")
        screen.done(outcome(), 1.26)
        screen.done(outcome(result="relabelled"), 0)
        screen.done(outcome(result="same"), 2)
        screen.close()
        assert text(screen) == (
            "isol8:bun           built       1.3 s\n"
            "isol8:bun           relabelled  0.0 s\n"
            "isol8:bun           rebuilt, same result  2.0 s\n"
        )

    def test_slow_steps_are_lines_quick_ones_are_not(self, make: Callable[..., Screen], clock: Clock) -> None:
        """Nor is what a step prints, or comes from the cache."""
        screen = make()
        screen.building("bun")
        screen.event("bun", STEP)
        screen.event("bun", BuildEvent(kind="log", step=STEP.step, line="fetching"))
        clock.now += 2
        screen.event("bun", BuildEvent(kind="cached", step="COPY a b", number=2, total=2))
        clock.now += 2
        screen.event("bun", BuildEvent(kind="step", step="exporting"))
        clock.now += 0.5
        screen.done(outcome(), 4.5)
        assert text(screen).splitlines() == [
            "isol8:bun           1/2  RUN apk add jq  2.0 s",
            "isol8:bun           built       4.5 s",
        ]

    @pytest.mark.parametrize("quiet", [False, True])
    def test_what_is_waited_for_is_a_line_at_once(self, make: Callable[..., Screen], *, quiet: bool) -> None:
        """A registry may be silent for longer than a reader waits."""
        screen = make(quiet=quiet)
        screen.building("bun")
        screen.event("bun", BuildEvent(kind="waiting", step="pulling alpine:3.21 …"))
        assert text(screen) == ("" if quiet else "isol8:bun           pulling alpine:3.21 …\n")

    def test_quiet_says_nothing_of_what_went_well(self, make: Callable[..., Screen], clock: Clock) -> None:
        """A line of whoever calls stays."""
        screen = make(quiet=True)
        screen.building("bun")
        screen.event("bun", STEP)
        clock.now += 5
        screen.done(outcome(), 5)
        screen.settled("bun")
        screen.pushed("bun", Pushed(repository="r.example/i", tag="t", digest="d"), ["t"], 1)
        screen.line("1 built")
        assert text(screen) == "1 built\n"

    def test_what_clients_cannot_find_by_label_is_noted(self, make: Callable[..., Screen]) -> None:
        """Even in a quiet run."""
        screen = make(quiet=True)
        screen.done(outcome("a>1,<2", "b[c,d]"), 1)
        assert text(screen).startswith(
            "isol8:bun           note        a>1,<2, b[c,d]: contains a comma, so "
        )

    def test_notes_of_verification(self, make: Callable[..., Screen]) -> None:
        """Each has a line, even in a quiet run."""
        screen = make(quiet=True)
        screen.done(evolve(outcome(), notes=("nltk downloads data", "a needs b")), 1)
        assert text(screen) == (
            "isol8:bun           note        nltk downloads data\nisol8:bun           note        a needs b\n"
        )

    def test_what_others_do_is_told(self, make: Callable[..., Screen]) -> None:
        """Of another run, and of the registry."""
        screen = make()
        screen.waiting("process 7 in /checkout")
        screen.settled("bun")
        screen.pushed("bun", Pushed(repository="r.example/i", tag="t", digest="d"), ["t"], 1)
        assert text(screen).splitlines() == [
            "waiting for another run on this engine: process 7 in /checkout",
            "isol8:bun           up to date  another run built it in the meantime",
            "isol8:bun           pushed      r.example/i:t  1.0 s",
        ]


class TestFailure:
    """A failure is news while other images are awaited."""

    def test_it_is_told_at_once(self, make: Callable[..., Screen], clock: Clock) -> None:
        """With its cause, on one line; the details come at the end."""
        screen = make()
        screen.awaited = 3
        screen.building("python")
        clock.now += 31
        output = ("Collecting nunpy", "ERROR: No matching distribution found for nunpy")
        screen.failed(
            "python", BuildFailedError("exit code 1", step="[2/2] RUN pip install nunpy", output=output)
        )
        screen.failed(
            "bash",
            VerifyFailedError("isol8:bash failed verification\n  jq", findings=("jq is not installed",)),
        )
        assert text(screen).splitlines() == [
            "isol8:python        failed      ERROR: No matching distribution found for nunpy  31.0 s",
            "isol8:bash          failed      jq is not installed  0.0 s",
        ]

    def test_details_that_follow_at_once_are_enough(self, make: Callable[..., Screen]) -> None:
        """Of the last image that is awaited nothing is told twice, and a quiet run tells the details alone."""
        screen, quiet = make(), make(quiet=True)
        screen.awaited = quiet.awaited = 2
        screen.done(outcome(), 1)
        quiet.failed("bash", Isol8Error("no"))
        screen.failed("bash", Isol8Error("no"))
        assert "failed" not in text(screen) + text(quiet)

    def test_another_run_made_it(self, make: Callable[..., Screen]) -> None:
        """Then it is not awaited any more either."""
        screen = make()
        screen.awaited = 2
        screen.settled("bun")
        screen.failed("bash", Isol8Error("no"))
        assert "failed" not in text(screen)


class TestLive:
    """On a terminal: live lines are erased and drawn again below those that stay."""

    def test_image_under_way_is_a_live_line(self, make: Callable[..., Screen], clock: Clock) -> None:
        """With its step and how long it takes; it goes when the image is done."""
        screen = make(live=True)
        screen.building("bun")
        screen.building("deno")
        clock.now += 3
        screen.event("bun", STEP)
        assert last_frame(screen) == [
            "isol8:bun           1/2  RUN apk add jq  3.0 s",
            "isol8:deno          …  3.0 s",
        ]
        screen.failed("deno", Isol8Error("no"))
        clock.now += 1
        screen.done(outcome(), 4)
        assert last_frame(screen) == [
            "isol8:bun           1/2  RUN apk add jq  1.0 s",
            "isol8:bun           built       4.0 s",
        ]

    def test_it_is_not_drawn_more_often_than_one_can_see(
        self, make: Callable[..., Screen], clock: Clock
    ) -> None:
        """A build tells of many steps within a moment."""
        screen = make(live=True)
        screen.building("bun")
        clock.now += 1
        screen.event("bun", STEP)
        before = text(screen)
        clock.now += 0.01
        screen.event("bun", BuildEvent(kind="step", step="COPY a b"))
        assert text(screen) == before

    def test_no_line_wraps_and_none_scrolls_away(self, make: Callable[..., Screen], clock: Clock) -> None:
        """What wrapped or scrolled could not be erased."""
        screen = make(live=True)
        for name in ("python", "node", "bun", "deno", "bash"):
            screen.building(name)
            screen.event(name, BuildEvent(kind="step", step="RUN " + "x" * 200))
            clock.now += 0.2
        screen.line("a line that stays")
        frame = last_frame(screen)
        assert "a line that stays" in frame
        live = frame[frame.index("a line that stays") + 1 :]
        assert len(live) == 3
        assert all(len(line) < 60 for line in frame)

    def test_live_lines_are_gone_at_the_end(self, make: Callable[..., Screen], clock: Clock) -> None:
        """Whatever was under way."""
        screen = make(live=True)
        screen.building("bun")
        clock.now += 1
        screen.event("bun", STEP)
        screen.close()
        assert last_frame(screen) == []

    def test_time_goes_on_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While nothing happens."""
        monkeypatch.setattr(screens, "_REDRAW", 0.001)
        screen = Screen(stream=io.StringIO(), live=True, width=18, repository="isol8")
        screen.building("bun")
        end = time.monotonic() + 10
        while text(screen).count("isol8:bun") < 3 and time.monotonic() < end:
            time.sleep(0.001)
        screen.close()
        assert text(screen).count("isol8:bun") >= 3
        assert last_frame(screen) == []
