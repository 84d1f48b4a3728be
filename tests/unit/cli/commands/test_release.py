"""The command release: ends the hold of an image."""

import pytest

from tests.command_line import CommandLine, Ended


@pytest.fixture
def held(built: CommandLine) -> CommandLine:
    """Give the command line of a checkout of which one image is held."""
    assert built("base:bun", "--force").code == 0
    assert built("rollback", "bun").code == 0
    return built


@pytest.mark.parametrize("word", ["bun", "isol8:bun", "base:bun"])
def test_hold_ends(held: CommandLine, word: str) -> None:
    """By name, tag or task; the image stays as it is until a run."""
    before = held.open().view.observed.public("bun")
    assert before is not None
    done = held("release", word)
    assert done == Ended(0, "isol8:bun  released; ./doitw plan shows what a run would do\n", "")
    after = held.open().view.observed.public("bun")
    assert after is not None
    assert after.id == before.id
    assert "held" not in held("plan").out


def test_image_that_is_not_held_is_refused(held: CommandLine) -> None:
    """The line lists those that are."""
    assert held("release", "deno") == Ended(3, "", "ERROR: isol8:deno is not held (held: bun)\n")
    assert held("release", "bun").code == 0
    assert held("release", "bun") == Ended(3, "", "ERROR: isol8:bun is not held (no image is held)\n")
