"""The command env: the engine in use, as a shell command."""

import shlex

from tests.command_line import CommandLine


def test_line_is_for_a_shell(cli: CommandLine) -> None:
    """An address of any kind comes out of it as it is."""
    for address in ("unix:///run/engine.sock", "ssh://user@host", "unix:///a folder/$x'y.sock"):
        cli.patch.setenv("DOCKER_HOST", address)
        done = cli("env")
        assert (done.code, done.err) == (0, "")
        assert shlex.split(done.out) == ["export", f"DOCKER_HOST={address}"]


def test_name_and_password_in_the_address_stay(cli: CommandLine) -> None:
    """They are what the other program needs; in a refusal they are hidden."""
    cli.patch.setenv("DOCKER_HOST", "tcp://me:secret@host:2375")
    assert cli("env").out == "export DOCKER_HOST=tcp://me:secret@host:2375\n"


def test_dead_engine_is_not_named(dead: CommandLine) -> None:
    """So that `eval` of nothing leaves everything as it is."""
    done = dead("env")
    assert (done.code, done.out) == (4, "")
