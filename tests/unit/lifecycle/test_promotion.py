"""Whether an image is the one that its labels tell of."""

from isol8_tasks.lifecycle.promotion import has_layers, layers_of
from tests.fake_engine import FakeEngine


def test_label_of_the_layers_is_compared_with_the_image(fake_engine: FakeEngine) -> None:
    """It is true of that image alone, and of none whose layers are unknown."""
    fake_engine.pull("alpine:3.21")
    recorded = layers_of(fake_engine, "alpine:3.21")
    assert recorded
    assert has_layers(fake_engine, "alpine:3.21", recorded)
    assert not has_layers(fake_engine, "alpine:3.21", "0" * 16)
    assert not has_layers(fake_engine, "alpine:3.21", "")
    assert not has_layers(fake_engine, "isol8:removed", "")
