"""JSON that others wrote, which may be nested deeper than Python can read."""

import json
from typing import Any


def loads(text: str | bytes, **hooks: Any) -> Any:  # noqa: ANN401 - as json's own
    """Do what `json.loads` does, with the same hooks, and raise ValueError for whatever can't be read."""
    try:
        return json.loads(text, **hooks)  # noqa: TID251 - the one place
    except RecursionError:
        raise ValueError("nested too deeply") from None
