"""What push and pull report, a line for each image."""

import io

import pytest

from isol8_tasks.cli.commands.transfers import Teller
from isol8_tasks.cli.screen import Screen
from isol8_tasks.errors import RegistryError
from isol8_tasks.images.pushed import Listed, Pushed
from tests.command_line import DIGEST, CommandLine

WHERE = Pushed(repository="registry.example/isol8", tag="bun-20261129-0123456789ab", digest=DIGEST)


@pytest.fixture
def out() -> io.StringIO:
    """Give what is written to."""
    return io.StringIO()


@pytest.fixture
def teller(built: CommandLine, out: io.StringIO) -> Teller:
    """Give what reports on two images."""
    return Teller(built.open(), Screen(stream=out, live=False, width=18, repository="isol8"))


def listed(*, standin: str = "", pushed: Pushed | None = WHERE) -> Listed:
    return Listed(name="bun", id="sha256:1", kind="base", key="k", standin=standin, pushed=pushed)


def test_lines_are_as_wide_as_the_longest_name(teller: Teller, out: io.StringIO) -> None:
    """So that they are columns."""
    teller.left("bun", "held", "a")
    teller.left("bash-custom", "left out", "b")
    first, second = out.getvalue().splitlines()
    assert first.index("held") == second.index("left out")
    assert first.index(" a") == second.index(" b")


def test_pulled_image_is_told_with_its_place(teller: Teller, out: io.StringIO) -> None:
    """And with a stand-in that it is based on."""
    teller.pulled(listed(), 1.26)
    teller.pulled(listed(standin="recipe"), 2)
    teller.pulled(listed(pushed=None), 3)
    place = "registry.example/isol8:bun-20261129-0123456789ab"
    lines = out.getvalue().splitlines()
    assert lines[0].endswith(f"  pulled      {place}  1.3 s")
    assert lines[1].endswith(f"  pulled      {place}  2.0 s; based on a stand-in of the lab")
    assert lines[2].split() == ["isol8:bun", "pulled"]


def test_failure_says_that_images_in_use_stay(teller: Teller, out: io.StringIO) -> None:
    """Below all that the registry had to say."""
    teller.failed("bun", RegistryError("the pull failed: denied\nlog in first"))
    first, *more = out.getvalue().splitlines()
    assert first.endswith("  failed      the pull failed: denied")
    assert more == ["  log in first", "  Images in use on this engine are untouched."]
