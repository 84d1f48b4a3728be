"""Writes TOML, which Python can only read."""

import json


def toml_string(text: str) -> str:
    """Return the text as a basic string of TOML, whatever is in it."""
    # JSON leaves this one as it is, and TOML does not.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
