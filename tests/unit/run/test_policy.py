"""What a plain run fetches."""

from isol8_tasks.run.policy import lacking_upstream
from tests.fake_engine import FakeEngine
from tests.unit.lifecycle.made import observe
from tests.unit.lifecycle.test_build import BASE


def test_only_what_is_missing_is_lacking(fake_engine: FakeEngine) -> None:
    """A tag that is here is not pulled again."""
    assert lacking_upstream(BASE, observe(fake_engine)) == {"alpine:3.21": "alpine:3.21"}
    fake_engine.pull("alpine:3.21")
    assert not lacking_upstream(BASE, observe(fake_engine))
