"""What is printed, fit for a terminal and for CI's logs: no escape sequence of others, no command, no credential."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from isol8_tasks.safety.redact import redact

Redact = Callable[[str], str]

_SEQUENCE: Final = (
    # What sets colours or moves the cursor; a string for the terminal, as a title or a link, up to its end; the rest.
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[PX\]^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
)
_UNSAFE: Final = (
    # Controls but for tab and line end; what hides or turns text around: bidirectional marks, line separators.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_COMMAND: Final = r"(?m)^([^\S\n]*):(?=:)|#(?=#\w*\[)"
"""What CI takes for an order in a log: `::error::`, `##[group]`, `##vso[…]`."""


def printable(text: str) -> str:
    r"""Return foreign text as a terminal may have it; lines and tabs stay, other controls read as `\u001b`.

    JSON that was fine stays so, and means the same.
    """
    text = text.replace("\r\n", "\n")
    # Patterns are compiled when there is something to compare: all that is unsafe is not printable.
    if not text.replace("\n", "").isprintable() and re.search(_UNSAFE, text):
        text = re.sub(_UNSAFE, _escaped, re.sub(_SEQUENCE, "", text))
    return re.sub(_COMMAND, _disarmed, text) if "::" in text or "##" in text else text


def one_line(text: str) -> str:
    """Return foreign text as it may stand within a line: what would end the line, or hide, reads as its number."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    )


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _disarmed(found: re.Match[str]) -> str:
    sign = found[0][-1]
    return f"{found[0][:-1]}\\u{ord(sign):04x}"


class CleanStream(io.TextIOBase):
    """A stream whose text is made printable and free of credentials as it is written."""

    def __init__(self, stream: TextIO, hide: Redact) -> None:
        self.raw = stream
        """For what is ours alone, and for what has to be exact."""
        self.redact = hide
        self._begins_line = True
        self.lost: OSError | None = None
        """Why nothing can be written any more, as nobody reads it or there is no room; work goes on all the same."""

    def write(self, text: str, /) -> int:
        """Write the text cleaned; tell how much was taken of it."""
        clean = printable(self.redact(text))
        if not self._begins_line and clean.startswith("\\u003a:"):
            # It goes on with a line, so it is no order.
            clean = clean.replace("\\u003a", ":", 1)
        self._begins_line = clean.endswith("\n") if clean else self._begins_line
        self.keep(lambda: self.raw.write(clean))
        return len(text)

    def flush(self) -> None:
        """Pass it on."""
        self.keep(self.raw.flush)

    def keep(self, write: Callable[[], object]) -> None:
        """Write, and remember if that is no longer possible; what is written from then on goes nowhere."""
        try:
            write()
        except OSError as error:
            self.lost = self.lost or error
            # Also for what is still in the buffer, which Python writes at its end.
            with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self.raw.fileno())

    def isatty(self) -> bool:
        """Tell whether somebody looks at it."""
        return self.raw.isatty()

    def fileno(self) -> int:
        """Return the descriptor below."""
        return self.raw.fileno()

    def writable(self) -> bool:
        """Tell that it is for writing."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # which typeshed has as an attribute
        """The encoding below."""
        return self.raw.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        """What becomes of characters that the encoding lacks."""
        return self.raw.errors

    @property
    def buffer(self) -> Any:  # noqa: ANN401 - as the stream below has it
        """The bytes below."""
        return self.raw.buffer


def clean_output(hide: Redact) -> None:
    """Let all that this process prints from now on go through `hide` and be printable."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, CleanStream):
            setattr(sys, name, CleanStream(stream, hide))


def without_credentials(text: str) -> str:
    """Return the text as it would be printed, as to credentials; for what is kept of a run that came to a bad end."""
    return sys.stderr.redact(text) if isinstance(sys.stderr, CleanStream) else redact(text)


def write_exactly(stream: TextIO, text: str) -> None:
    """Write text of our own as it stands, in UTF-8; that nobody reads it is remembered, as of other text."""
    raw = exactly(stream)
    if isinstance(raw, io.TextIOWrapper):
        raw.reconfigure(encoding="utf-8")
    if isinstance(stream, CleanStream):
        stream.keep(lambda: raw.write(text))
    else:
        raw.write(text)


def exactly(stream: TextIO) -> TextIO:
    """Return the stream below, for terminal control of our own and for what another program reads as it stands."""
    return stream.raw if isinstance(stream, CleanStream) else stream
