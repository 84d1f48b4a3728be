"""The pulls of a run: what is told of those that take long."""

import threading
from collections.abc import Iterator

import pytest

from isol8_tasks.engine import OnBytes
from isol8_tasks.run import pulls as module
from isol8_tasks.run.pulls import Pulls
from tests.fake_engine import FakeEngine

SILENT = "alpine:3.21"
QUICK = "denoland/deno:alpine"


class Silent(FakeEngine):
    """An engine whose registry says nothing of one image until it may."""

    may_go_on: threading.Event

    def pull(self, reference: str, on_bytes: OnBytes | None = None) -> None:
        """Wait, and pull."""
        if reference == SILENT:
            self.may_go_on.wait(10)
        super().pull(reference, on_bytes)


@pytest.fixture
def pulls(fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulls]:
    """Give the pulls of a run that expects them to take no time."""
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    engine = Silent(registry=fake_engine.registry)
    engine.may_go_on = threading.Event()
    made = Pulls(engine)
    yield made
    made.close()


def test_what_takes_long_is_told(pulls: Pulls) -> None:
    """And nothing of what is there; it is pulled in the end."""
    told: list[str] = []
    engine = pulls.engine
    assert isinstance(engine, Silent)

    def tell(references: str) -> None:
        told.append(references)
        engine.may_go_on.set()

    pulls.pull({SILENT: SILENT, QUICK: QUICK}, tell)
    assert told == [SILENT]
    assert {f"pull {SILENT}", f"pull {QUICK}"} <= {*engine.asked}
