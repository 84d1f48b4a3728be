"""What rollback and release share."""

import json

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


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [("--wait=0", "bun"), ("bun", "--wait", "0")])
def test_other_run_on_the_engine_is_1(built: CommandLine, command: str, words: tuple[str, ...]) -> None:
    """Where this one is told not to wait."""
    with engine_lock(built.engine.info().id, holder="another", since="now", wait=0):
        done = built(command, *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ERROR: another run is using this engine: ")


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
