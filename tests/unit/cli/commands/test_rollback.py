"""The command rollback: restores the previous build of an image, and holds it."""

import re

import pytest

from tests.command_line import CommandLine


@pytest.mark.parametrize("word", ["bun", "isol8:bun", "base:bun"])
def test_previous_build_is_in_use_again_and_held(built: CommandLine, word: str) -> None:
    """By name, tag or task; later runs leave it untouched."""
    first = built.open().view.observed.public("bun")
    assert first is not None
    assert built("base:bun", "--force").code == 0
    done = built("rollback", word)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(
        r"isol8:bun  rolled back: the build of \S+ is in use again; held until \S+ \S+ UTC\n"
        r"  The replaced build is isol8:bun-previous\. End the hold: \./doitw release bun\n",
        done.out,
    )
    now = built.open().view.observed.public("bun")
    assert now is not None
    assert now.id == first.id
    assert "isol8:bun           held " in built("plan").out
    assert built().out.splitlines()[-1].startswith("1 held · 5 up to date")


def test_custom_image_is_named_by_its_task(built: CommandLine) -> None:
    """Whose name is another."""
    assert built("custom:bash", "--force").code == 0
    assert built("rollback", "custom:bash").out.startswith("isol8:bash-custom  rolled back: ")


def test_image_without_a_previous_build_is_refused(built: CommandLine) -> None:
    """The line says when there is one."""
    done = built("rollback", "bun")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "ERROR: isol8:bun: there is no isol8:bun-previous to roll back to; "
        "an image has one from its second build on\n"
    )


def test_unknown_image_is_refused(built: CommandLine) -> None:
    """The line says where images are listed."""
    done = built("rollback", "perl")
    assert (done.code, done.out) == (3, "")
    assert done.err == "ERROR: isol8:perl: no such image to roll back; ./doitw plan lists them\n"
