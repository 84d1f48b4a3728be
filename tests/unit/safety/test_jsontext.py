"""JSON of others never ends a run by its depth."""

import pytest

from isol8_tasks.errors import ConfigError
from isol8_tasks.images.labels import PREFIX, read_record
from isol8_tasks.images.pushed import read_manifest
from isol8_tasks.safety.jsontext import loads

DEEP = "[" * 100_000 + "]" * 100_000


def test_too_deep_is_a_value_error() -> None:
    """As whatever else can't be read."""
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        loads(DEEP)
    assert loads(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("name", ["flags", "packages", "standin-args", "clients"])
def test_a_label_nested_too_deeply_is_no_record(name: str) -> None:
    """An image with such a label is none of ours."""
    ours = {PREFIX + each: "1" for each in ("schema", "image", "key", "inputs", "build", "checkout")}
    ours[PREFIX + "role"] = "current"
    assert read_record(ours) is not None
    assert read_record({**ours, PREFIX + name: DEEP}) is None


def test_a_manifest_nested_too_deeply() -> None:
    """It is refused in a line."""
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_manifest(DEEP, "resolved-images.json")
