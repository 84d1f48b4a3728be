"""Tells what makes a text no TOML, where that is a slip that people make."""

import re
from typing import Final


def slip_in(text: str, line: int, column: int, message: str) -> str:
    """Return what is wrong, and how it is written; empty where that is no slip that is known.

    `message` is the parser's. The value of a key is not shown, as it may be a credential.
    """
    if marker := re.search(_MERGE_MARKER, text, re.MULTILINE):
        at = text.count("\n", 0, marker.start()) + 1
        return f"a merge conflict is left, line {at} is {marker[0]}; keep one side, and remove the markers"
    written = text.split("\n")[line - 1]
    before, found = written[: column - 1], written[column - 1 :]
    # A string that does not end is noticed where its line does.
    if quote := re.search(_TYPOGRAPHIC, found[:1] if message.startswith("Invalid") else written):
        return f"{quote[0]} is a typographic quote; TOML's is \""
    if re.match(r"(?i:true|false)\b", found):
        return "true and false are written in lower-case letters"
    key = re.search(r"([\w-]+)\s*=\s*(?:\d[\w.]*)?$", before)
    if (
        key
        and (message == "Invalid value" or message.startswith("Expected newline"))
        and re.match(_BARE, found)
    ):
        return f'the value of {key[1]} has no quotes; write {key[1]} = "…"'
    if message == "Invalid value" and (bare := re.match(_BARE, found)):
        return f'{bare[0]} has no quotes; write "{bare[0]}"'
    return ""


_MERGE_MARKER: Final = r"^(?:<{7}|>{7}|={7})(?=[ \r]|$)"
_TYPOGRAPHIC: Final = "[\u2018-\u201f\xab\xbb\u2039\u203a]"
_BARE: Final = r"[\w@.][\w@./:~<>=!^*-]*"
