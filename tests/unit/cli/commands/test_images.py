"""What verify, inventory and sbom share: which images are meant."""

import json

import pytest

from tests.command_line import CommandLine, Ended

COMMANDS = ("verify", "inventory", "sbom")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_any_image_it_is_1(cli: CommandLine, command: str) -> None:
    """Named or not; the line says what builds them."""
    for words in ((), ("bash-custom",)):
        assert cli(command, *words) == Ended(1, "", "ERROR: there is no image yet; ./doitw up builds them\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_image_is_refused(built: CommandLine, command: str) -> None:
    """Before anything is printed of the others; the line lists what there is."""
    said = "ERROR: isol8:nothing: no such image (there are bash, bash-custom, bun, deno, node, python)\n"
    assert built(command, "bun", "nothing") == Ended(3, "", said)


@pytest.mark.parametrize("command", COMMANDS)
def test_images_by_their_tasks_and_tags(built: CommandLine, command: str) -> None:
    """As all commands about images take them."""
    for word in ("custom:bash", "isol8:bash-custom"):
        assert built(command, word) == built(command, "bash-custom")


@pytest.mark.parametrize("command", COMMANDS)
def test_image_that_is_not_built_is_1(built: CommandLine, command: str) -> None:
    """It is no mistake to name it; the line says what builds it."""
    built.declare('[dependencies]\nbash = ["jq"]\nnode = ["zod"]\n')
    said = "ERROR: isol8:node-custom: not built; ./doitw custom:node builds it\n"
    assert built(command, "node-custom") == Ended(1, "", said)


@pytest.mark.parametrize("command", ["verify", "inventory"])
def test_problem_is_the_error_of_a_document(built: CommandLine, command: str) -> None:
    """Where JSON was asked for."""
    done = built(command, "nothing", "--json")
    assert done.code == 3
    assert json.loads(done.out)["error"].startswith("isol8:nothing: no such image")


def test_previous_and_candidates_are_no_images_of_these(built: CommandLine) -> None:
    """They are not in use."""
    assert built("base:bun", "--force").code == 0
    assert "bun-previous" in built.tags()
    assert built("inventory", "bun-previous").code == 3
    assert "previous" not in built("inventory").out
