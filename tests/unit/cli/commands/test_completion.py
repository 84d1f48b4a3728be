"""The command completion."""

import pytest

from tests.command_line import CommandLine, Ended


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_that_works_is_completed(cli: CommandLine, shell: str) -> None:
    """With its flags; none that is refused, whatever it is called with, and nothing is asked for it."""
    done = cli("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"# Completes doitw in {shell}.")
    for word in (
        "plan",
        "rollback",
        "lint",
        "completion",
        "locked",
        "only-file",
        "dry-run",
        "version",
        "sbom",
    ):
        assert word in done.out
    for word in ("strace", "dumpdb", "db-file", "reset-dep"):
        assert word not in done.out
    assert cli.engine.asked == []


def test_what_stands_for_operands(cli: CommandLine) -> None:
    """Is taken from the usage of each command."""
    cases = dict(
        line.strip().split(") ", 1) for line in cli("completion", "bash").out.splitlines() if ";;" in line
    )
    assert cases["clean"] == "flags=--dry-run of=@tasks ;;"
    assert cases["verify"] == "flags='--json --quiet --verbose --progress' of=@images ;;"
    assert cases["pull"] == "flags='--quiet --verbose --progress --wait' of=@files ;;"
    assert cases["which"] == "flags='--packages --json' offered='python node bun deno bash' ;;"
    assert cases["completion"] == "offered='bash zsh fish' ;;"
    assert cases["lock"] == "flags='--quiet --verbose --progress' ;;"
    assert cases["*"] == "flags=--force of=@tasks ;;"


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_another_shell_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    """With those that there are."""
    said = "ERROR: completion: expected one shell (bash, zsh, fish): ./doitw completion bash\n"
    assert cli("completion", *words) == Ended(3, "", said)
