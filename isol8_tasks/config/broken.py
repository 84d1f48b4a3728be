"""Tells what makes a text no TOML or no JSON, where that is a slip that people make."""

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
    if text.lstrip().startswith("{"):
        return 'it is JSON; in TOML it is [dependencies], and below it python = ["numpy", "pandas"]'
    # Text of a script may be YAML, too.
    if re.search(_YAML, text) and not re.search(r"(?m)^\s*\[", text):
        return 'it is YAML; in TOML it is [dependencies], and below it python = ["numpy", "pandas"]'
    said = _between(found, message) or _left_open(text, line, column, message, written)
    return said or _mistyped(before, found, message)


def slip_in_json(text: str, position: int, message: str) -> str:
    """Return what is wrong where a text is no JSON any more, and how it is written; else the parser's own `message`."""
    before, found = text[:position].rstrip(), text[position:].lstrip()
    # Where it stops, with the comma before it.
    stop = f",{found}" if before.endswith(",") else found
    if not text.strip():
        return "it is empty"
    if not before and re.match(r"[\w@-]", found):
        return "it does not begin with {"
    if "',' delimiter" in message and re.match(r"[\"\[{]", found):
        return "a comma is missing before this value"
    return next((what for begins, what in _NO_JSON if re.match(begins, stop)), message)


def _between(found: str, message: str) -> str:
    """Name what is missing between two values, or a key and its value."""
    if message == "Unclosed array" and re.match(r"[\"']", found):
        return "a comma is missing before this value"
    if message.startswith("Expected '='") and re.match(r"\s*:", found):
        return "TOML has = between a key and its value, and no colon; write key = value"
    no_key = message.startswith("Expected '='") and re.match(r"\s*(?:[,<>~!^[]|$)", found)
    if no_key or (message == "Invalid value" and re.match(r"=\s*\d", found)):
        return 'no key with a value; packages are elements of a list: python = ["numpy", "pandas==2.2.3"]'
    return ""


def _left_open(text: str, line: int, column: int, message: str, written: str) -> str:
    """Name what does not end, or a character that is no TOML."""
    if message == "Unclosed array" and (opened := _opened(text, line, column)):
        return f"the [ in line {opened} is not closed; write ] behind its last value"
    for begins, said, what in _BRACKETS_OF_OTHERS:
        if message.startswith(said) and re.match(begins, written[column - 1 :]):
            return what
    # A string that does not end is noticed where its line does.
    if quote := re.search(
        _TYPOGRAPHIC, written[column - 1 :][:1] if message.startswith("Invalid") else written
    ):
        return f"{quote[0]} is a typographic quote; TOML's is \""
    if message == "Illegal character '\\n'":
        return "a string is not closed; write its quote again at its end, in this line"
    if hidden := re.search(_INVISIBLE, written):
        character = f"an invisible character (U+{ord(hidden[0]):04X})"
        return f"column {hidden.start() + 1} is {character}; remove it, or write a blank"
    return ""


def _mistyped(before: str, found: str, message: str) -> str:
    """Name what is wrong with a value."""
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


def _opened(text: str, line: int, column: int) -> int:
    """Return the line of the last array that is not closed at a place; 0 where none is found."""
    lines = text.split("\n")[:line]
    lines[-1] = lines[-1][: column - 1]
    open_in: list[int] = []
    for number, each in enumerate(lines, 1):
        for bracket in re.findall(_BRACKETS, each):
            if bracket == "[":
                open_in.append(number)
            elif bracket == "]" and open_in:
                open_in.pop()
    return open_in[-1] if open_in else 0


_BRACKETS_OF_OTHERS: Final = (
    (r"", "Expected ']' at the end of a table", "the ] behind the table's name is missing"),
    (r"\]", "Expected newline or end", "a ] too many; remove it"),
    (r"\(", "Invalid value", "a list of TOML is written in [ ], not in ( )"),
    (r"//|;|--", "Invalid statement", "a comment of TOML begins with #"),
    (r"", 'Expected "\'"', "a string is not closed; it ends with the quote that it begins with"),
)
"""What begins there, what the parser says, and what is wrong."""
_NO_JSON: Final = (
    (r",\s*[}\]]", "a comma stands before the closing bracket; remove it"),
    (r",?(?://|/\*|#)", "JSON has no comments; remove it"),
    (r",?'", "JSON's quotes are \", not '"),
    (r",?(?:True|False|None|undefined)\b", "JSON has true, false and null, in lower-case letters"),
    (r",?(?:[<>=]{7})", "a merge conflict is left; keep one side, and remove the markers"),
    (r",?[A-Za-z_$][\w$]*\s*:", 'a key has no quotes; write it in "'),
    (r",?$", "it ends before its last bracket is closed"),
)
"""By what begins where a text is no JSON any more."""
_BRACKETS: Final = r"""[][]|#.*|"(?:[^"\\]|\\.)*"|'[^']*'"""
"""Those of arrays and tables; strings and comments are passed over."""
_INVISIBLE: Final = "[\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]"
_MERGE_MARKER: Final = r"^(?:<{7}|>{7}|={7})(?=[ \r]|$)"
_YAML: Final = r"(?m)^\s*[\w-]+:\s*(?:#.*)?\n(?:\s*\n)*(?:\s*- |\s+[\w-]+:)"
"""A key and, below it, the first of a list or another key."""
_TYPOGRAPHIC: Final = "[\u2018-\u201f\xab\xbb\u2039\u203a]"
_BARE: Final = r"[\w@.][\w@./:~<>=!^*-]*"
