"""doit's commands that have nothing to work on here."""

import pytest

from tests.command_line import CommandLine, Ended


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("forget", "./doitw base:bun --force"),
        ("forget base:node custom:bash", "./doitw base:node --force custom:bash --force"),
        ("forget -s --all base:node", "./doitw base:node --force"),
    ],
)
def test_forget_says_what_rebuilds(built: CommandLine, words: str, hint: str) -> None:
    """There is nothing to forget, which is no failure."""
    said = "nothing to forget: build state lives in image labels; there is no database; to rebuild: "
    assert built(*words.split()) == Ended(0, f"{said}{hint}\n", "")
    assert built.engine.asked == []


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("ignore", "./doitw setup --only python,node, or name the tasks to run"),
        ("reset-dep", "./doitw plan prints the state of each image"),
        ("dumpdb", "docker image inspect isol8:bun shows them"),
        ("strace", "./doitw plan prints why each would be built"),
    ],
)
@pytest.mark.parametrize("words", [(), ("base:bun",), ("--bogus", "x")])
def test_others_are_refused_with_what_to_do_instead(
    cli: CommandLine, command: str, hint: str, words: tuple[str, ...]
) -> None:
    """Whatever the words."""
    done = cli(command, *words)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"ERROR: {command}: ")
    assert done.err.endswith(f"{hint}\n")
    assert done.err.count("\n") == 1
