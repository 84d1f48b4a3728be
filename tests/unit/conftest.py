"""What several unit tests need."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of resolved-images.json, as it is documented."""
    path = Path(__file__).parents[2] / "docs" / "manifest.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema
