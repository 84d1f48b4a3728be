"""What freshness and refresh share: what a terminal shows while sources are asked."""

import io
import sys

import pytest

from isol8_tasks.cli.commands.sources import while_asking
from tests.command_line import CommandLine, Terminal


def shown(cli: CommandLine, stream: io.StringIO) -> list[str]:
    """Return what is shown on standard error while sources are asked, and when they have answered."""
    cli.patch.setattr(sys, "stderr", stream)
    with while_asking(cli.open().view):
        during = stream.getvalue()
    return [during, stream.getvalue().removeprefix(during)]


def test_terminal_shows_it_until_the_answer(built: CommandLine) -> None:
    """Then the line is erased."""
    assert shown(built, Terminal()) == ["asking the sources of 6 images …", "\r\x1b[K"]


def test_line_is_erased_after_a_failure(built: CommandLine) -> None:
    """What is said of it begins a line."""
    stream = Terminal()
    built.patch.setattr(sys, "stderr", stream)
    with pytest.raises(KeyError), while_asking(built.open().view):
        raise KeyError
    assert stream.getvalue().endswith("\r\x1b[K")


def test_log_shows_nothing_of_it(built: CommandLine) -> None:
    """It would only be in the way."""
    assert shown(built, io.StringIO()) == ["", ""]
