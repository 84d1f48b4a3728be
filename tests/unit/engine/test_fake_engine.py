"""The fake keeps the real engine's promises, so what is tested on it holds."""

import pytest

from isol8_tasks.engine import ImageEngine
from isol8_tasks.engine.registry import RegistryEngine
from isol8_tasks.errors import EngineUnreachableError
from tests.engine_contract import BASE, EngineContract
from tests.fake_engine import UNREACHABLE, FakeEngine
from tests.registry_contract import RegistryContract


class TestFakeEngine(EngineContract):
    """The contract, kept in memory."""

    @pytest.fixture
    def engine(self, fake_engine: FakeEngine) -> ImageEngine:
        """Give the fake with the upstream image on it."""
        fake_engine.pull(BASE)
        return fake_engine


class TestFakeRegistry(RegistryContract):
    """The contract of registries, kept in memory."""

    @pytest.fixture
    def engine(self, fake_engine: FakeEngine) -> RegistryEngine:
        """Give the fake with the upstream image on it."""
        fake_engine.pull(BASE)
        return fake_engine

    @pytest.fixture
    def repository(self) -> str:
        """Give a repository that nothing was pushed to."""
        return "registry.example/isol8"


def test_a_stopped_engine_can_be_played(fake_engine: FakeEngine) -> None:
    """Every question to an engine that is not reachable fails."""
    fake_engine.reachable = False
    with pytest.raises(EngineUnreachableError) as caught:
        fake_engine.images()
    assert str(caught.value) == UNREACHABLE
