"""The fake keeps the real engine's promises, so what is tested on it holds."""

import pytest

from isol8_tasks.engine import ImageEngine
from isol8_tasks.errors import EngineUnreachableError
from tests.engine_contract import BASE, EngineContract
from tests.fake_engine import UNREACHABLE, FakeEngine


class TestFakeEngine(EngineContract):
    """The contract, kept in memory."""

    @pytest.fixture
    def engine(self, fake_engine: FakeEngine) -> ImageEngine:
        """Give the fake with the upstream image on it."""
        fake_engine.pull(BASE)
        return fake_engine


def test_a_stopped_engine_can_be_played(fake_engine: FakeEngine) -> None:
    """Every question to an engine that is not reachable fails."""
    fake_engine.reachable = False
    with pytest.raises(EngineUnreachableError) as caught:
        fake_engine.images()
    assert str(caught.value) == UNREACHABLE
