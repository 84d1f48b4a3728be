"""The words of a Dockerfile instruction: quotes, escapes, variables and flags, as BuildKit reads them."""

import re
from collections.abc import Callable
from typing import Final

_NAME: Final = re.compile(r"[0-9]+|[@*#?$!-]|\w+")
_SPACES: Final = re.compile(r"[\t\v\f\r ]+")

Lookup = Callable[[str], str | None]
"""The value of a variable; None where it is not set."""


class LexError(ValueError):
    """A word that BuildKit refuses too."""


class UnreadableError(ValueError):
    """Something that BuildKit may read and this project does not."""


def split(text: str) -> list[str]:
    """Return what stands between blanks, with no regard to quotes."""
    return _SPACES.split(text) if text else []


def words(text: str, escape: str) -> list[str]:
    """Return what stands between blanks outside quotes; quotes and escapes stay."""
    found: list[str] = []
    word = ""
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char.isspace() and not quote:
            if word:
                found.append(word)
            word = ""
            continue
        if char == escape and quote != "'":
            if position == len(text):
                break
            char += text[position]
            position += 1
        elif char == quote:
            quote = ""
        elif char in "'\"" and not quote:
            quote = char
        word += char
    return [*found, word] if word else found


def flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """Return the leading `--name=value` words without their quotes, and the rest of the text."""
    found: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith("--", position):
            return tuple(found), text[position:].strip()
        word, position = _flag(text, position, escape)
        if word == "--":
            return tuple(found), text[position:].strip()
        found.append(word)


def _flag(text: str, position: int, escape: str) -> tuple[str, int]:
    word = ""
    quote = ""
    while position < len(text) and (quote or not text[position].isspace()):
        char = text[position]
        position += 1
        if char == quote:
            quote = ""
        elif char in "'\"" and not quote:
            quote = char
        elif char == escape:
            word += text[position : position + 1]
            position += 1
        else:
            word += char
    return word, position


def expand(word: str, lookup: Lookup, escape: str) -> str:
    """Return a word without its quotes and escapes, and with its variables replaced."""
    return _Reader(word, escape, lookup=lookup).read("")[0]


def raw_words(text: str) -> list[str]:
    """Return the words of a line with quotes, escapes and variables as they stand; `<< EOF` is one word."""
    return _Reader(text, "\\", raw_quotes=True, raw_escapes=True).read("")[1]


def unquoted_words(text: str) -> list[str]:
    """Return the words of a text without quotes and escapes, with variables as they stand."""
    return _Reader(text, "\\").read("")[1]


class _Words:
    """Words in the making."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._word = ""

    def add(self, text: str, *, solid: bool) -> None:
        """Take more text in; blanks end a word unless it is solid."""
        for char in text:
            if solid or not char.isspace():
                self._word += char
            elif self._word:
                self.end()

    def end(self) -> list[str]:
        """Close the word under way, and return all."""
        if self._word:
            self.done.append(self._word)
            self._word = ""
        return self.done


class _Reader:
    """One pass over a text. Without `lookup`, variables are left as they stand."""

    def __init__(
        self,
        text: str,
        escape: str,
        *,
        lookup: Lookup | None = None,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
    ) -> None:
        self._text = text
        self._position = 0
        self._escape = escape
        self._lookup = lookup
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes

    def read(self, stop: str) -> tuple[str, list[str]]:
        """Return the text up to `stop` (empty: up to the end), whole and in words."""
        result = ""
        found = _Words()
        while char := self._next():
            if char == stop:
                return result, found.end()
            if char == "$":
                piece, solid = self._dollar(), False
            elif char in "'\"":
                piece, solid = (self._single() if char == "'" else self._double()), True
                piece = f"{char}{piece}{char}" if self._raw_quotes else piece
            elif char == "<":
                piece, solid = self._less(), True
            elif char == self._escape:
                piece, solid = self._next(), True
                piece = char + piece if self._raw_escapes else piece
            else:
                piece, solid = char, False
            result += piece
            found.add(piece, solid=solid)
        if stop:
            raise LexError(f"missing {stop!r}")
        return result, found.end()

    def _next(self) -> str:
        char = self._text[self._position : self._position + 1]
        self._position += 1
        return char

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _single(self) -> str:
        end = self._text.find("'", self._position)
        if end < 0:
            raise LexError("a single quote is not closed")
        piece = self._text[self._position : end]
        self._position = end + 1
        return piece

    def _double(self) -> str:
        result = ""
        while char := self._next():
            if char == '"':
                return result
            if char == "$":
                result += self._dollar()
                continue
            if char == self._escape:
                result += char if self._raw_escapes else ""
                if self._peek() in ('"', "$", self._escape):
                    char = self._next()
                elif self._raw_escapes:
                    continue
            result += char
        raise LexError("a double quote is not closed")

    def _less(self) -> str:
        """Keep the blanks that a here-document may have between `<<` and its name."""
        start = self._position
        if self._peek() == "<":
            self._position += 1
            while self._peek() in ("\t", "\r", " "):
                self._position += 1
        return "<" + self._text[start : self._position]

    def _name(self) -> str:
        match = _NAME.match(self._text, self._position)
        name = match.group() if match else ""
        self._position += len(name)
        return name

    def _dollar(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._value(name, "$" + name) if name else "$"
        self._position += 1
        if self._peek() in ("{", "}", ":"):
            raise LexError("bad substitution")
        name = self._name()
        operator = self._next()
        if operator == "}":
            return self._value(name, "${" + name + "}")
        if operator == "/":
            return self._replacement(name)
        if operator == ":":
            operator += self._next()
        if operator in {"#", "%"}:
            return self._trimmed(name, operator)
        if operator in (*"-+?", ":-", ":+", ":?"):
            return self._modified(name, operator)
        raise LexError(
            f"unsupported modifier ({operator}) in substitution"
            if operator
            else "the ${ is not closed by a }"
        )

    def _value(self, name: str, unset: str) -> str:
        if self._lookup is None:
            return unset
        return self._lookup(name) or ""

    def _modified(self, name: str, operator: str) -> str:
        word = self.read("}")[0]
        if self._lookup is None:
            return "${" + name + operator + word + "}"
        value = self._lookup(name)
        given = value is not None and (value != "" or ":" not in operator)
        match operator[-1]:
            case "-":
                return value or "" if given else word
            case "+":
                return word if given else ""
        if not given:
            raise LexError(f"{name}: {word or 'is not allowed to be unset or empty'}")
        return value or ""

    def _trimmed(self, name: str, operator: str) -> str:
        """Return a value without what a pattern matches at one of its ends."""
        pattern = self._pattern("}")
        if self._lookup is None:
            return "${" + name + operator + pattern + "}"
        from isol8_tasks.dockerfile import substitution  # noqa: PLC0415 - few use it

        trim = substitution.without_start if operator == "#" else substitution.without_end
        longest = pattern.startswith(operator)
        try:
            return trim(self._lookup(name) or "", pattern[longest:], longest=longest)
        except substitution.BadSubstitutionError as error:
            raise LexError(str(error)) from None

    def _replacement(self, name: str) -> str:
        operator = "/" + (self._next() if self._peek() == "/" else "")
        pattern = self._pattern("/")
        replacement = self._pattern("}")
        text = "${" + name + operator + pattern + "/" + replacement + "}"
        if self._lookup is None:
            return text
        every = len(operator) > 1
        if every and "$" in replacement:
            # To the builder that is part of what was matched.
            raise UnreadableError(text)
        from isol8_tasks.dockerfile import substitution  # noqa: PLC0415 - few use it

        try:
            return substitution.replaced(self._lookup(name) or "", pattern, replacement, every=every)
        except substitution.BadSubstitutionError as error:
            raise LexError(str(error)) from None

    def _pattern(self, stop: str) -> str:
        """Return the text up to `stop` with its escapes, which are the pattern's."""
        before, self._raw_escapes = self._raw_escapes, True
        try:
            return self.read(stop)[0]
        finally:
            self._raw_escapes = before
