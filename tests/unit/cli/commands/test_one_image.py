"""What rollback and release share."""

import json
import re

import pytest

from isol8_tasks.run.engine_lock import engine_lock
from tests.command_line import CommandLine, Ended

COMMANDS = ("rollback", "release")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [(), ("bun", "deno")])
def test_one_image_is_expected(built: CommandLine, command: str, words: tuple[str, ...]) -> None:
    """No more and no less."""
    said = f"ERROR: {command}: expected one image, for example: ./doitw {command} python-custom\n"
    assert built(command, *words) == Ended(3, "", said)
    assert built.engine.asked == []


@pytest.mark.parametrize("command", [*COMMANDS, "log", "diff", "verify", "inventory", "sbom", "bake"])
@pytest.mark.parametrize("word", ["other:bun", "alpine:3.21", "base:bash-custom", "image:bun"])
def test_words_that_name_no_image_are_3(built: CommandLine, command: str, word: str) -> None:
    """Of whatever command; an upstream image is told to be one."""
    done = built(command, word)
    assert (done.code, done.out) == (3, "")
    if word == "alpine:3.21":
        assert done.err == (
            "ERROR: alpine:3.21: an upstream image, and none of isol8 "
            "(there are python, node, bun, deno, bash, bash-custom)\n"
        )
    else:
        assert done.err.startswith(f"ERROR: {word}: no such image (did you mean b")


@pytest.mark.parametrize("word", ["other:bun", "base:bash-custom"])
def test_graph_knows_no_other_words(built: CommandLine, word: str) -> None:
    """But the references of upstream images."""
    done = built("graph", word)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"ERROR: {word}: no such image (")
    assert built("graph", "alpine:3.21").code == 0


@pytest.mark.parametrize("word", ["bash-custom", "isol8:bash-custom", "custom:bash"])
@pytest.mark.parametrize("command", ["log", "inventory", "sbom", "bake"])
def test_names_tags_and_tasks_are_known_everywhere(built: CommandLine, command: str, word: str) -> None:
    """As plan prints them."""
    assert built(command, word).code == 0


@pytest.fixture
def held(built: CommandLine) -> CommandLine:
    """Give the command line of a checkout whose bun was rolled back, and can be again."""
    assert built("base:bun", "--force").code == 0
    assert built("rollback", "bun").code == 0
    return built


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [("--wait=0", "bun"), ("bun", "--wait", "0")])
def test_other_run_on_the_engine_is_1(held: CommandLine, command: str, words: tuple[str, ...]) -> None:
    """Where this one is told not to wait."""
    with engine_lock(held.engine.info().id, holder="another", since="now", wait=0):
        done = held(command, *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ERROR: another run is using this engine: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_told_for_whom_it_waits(held: CommandLine, command: str) -> None:
    """A command that says nothing for ten minutes looks as if it hung."""
    with engine_lock(held.engine.info().id, holder="another", since="now", wait=0):
        done = held(command, "bun", "--wait=0.1")
    assert done.code == 1
    assert re.match(
        r"waiting for another run on this engine: process \d+ in another, since now\nERROR: ", done.err
    )


@pytest.mark.parametrize(
    "words", [("rollback", "nope"), ("release", "nope"), ("rollback", "deno"), ("release", "deno")]
)
def test_what_is_not_there_is_told_without_waiting(held: CommandLine, words: tuple[str, ...]) -> None:
    """Another run on the engine can't change that."""
    with engine_lock(held.engine.info().id, holder="another", since="now", wait=0):
        done = held(*words)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"ERROR: isol8:{words[1]}")


def test_manifest_is_of_what_is_there_then(built: CommandLine) -> None:
    """With the hold, and without it again."""
    assert built("base:bun", "--force").code == 0
    file = built.folder / "resolved-images.json"
    new = json.loads(file.read_text())["images"]["isol8:bun"]
    assert built("rollback", "bun").code == 0
    old = json.loads(file.read_text())["images"]["isol8:bun"]
    assert old["id"] != new["id"]
    assert built("release", "bun").code == 0
    assert json.loads(file.read_text())["images"]["isol8:bun"] != old
