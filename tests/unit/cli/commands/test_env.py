"""The command env: the engine in use, as a shell command."""

import hashlib
import json
import shlex
from pathlib import Path

import pytest

from isol8_tasks.cli.commands.env import shell_lines
from isol8_tasks.engine.endpoint import find
from tests.command_line import CommandLine


def write_context(config: Path, *, trusting: bool, certificates: bool) -> Path:
    """Write a context as docker's client does, without a config.json; return the folder of its certificates."""
    digest = hashlib.sha256(b"far").hexdigest()
    meta = config / "contexts/meta" / digest
    meta.mkdir(parents=True)
    endpoint = {"Host": "tcp://far:2376", "SkipTLSVerify": trusting}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": endpoint}}))
    folder = config / "contexts/tls" / digest / "docker"
    if certificates:
        folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("trusting", "certificates", "expected"),
    [
        (False, False, ["export DOCKER_HOST=tcp://far:2376"]),
        (
            False,
            True,
            [
                "export DOCKER_HOST=tcp://far:2376",
                "export DOCKER_TLS_VERIFY=1",
                "export DOCKER_CERT_PATH={folder}",
            ],
        ),
        (
            True,
            True,
            ["unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH", "export DOCKER_CONTEXT=far"],
        ),
    ],
)
def test_context(tmp_path: Path, *, trusting: bool, certificates: bool, expected: list[str]) -> None:
    """What its engine wants of TLS is said in variables, which clients without docker's contexts know, too."""
    folder = write_context(tmp_path, trusting=trusting, certificates=certificates)
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}
    lines = shell_lines(find(tmp_path, environ), environ)
    assert lines == [line.format(folder=folder) for line in expected]


def test_variables_of_tls(tmp_path: Path) -> None:
    """They belong to DOCKER_HOST, and are in the way of any other engine."""
    tls = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/a place"}
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "tcp://far:2376", **tls}
    assert shell_lines(find(tmp_path, environ), environ) == [
        "export DOCKER_HOST=tcp://far:2376",
        "export DOCKER_TLS_VERIFY=1",
        "export DOCKER_CERT_PATH='/a place'",
    ]
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "default", **tls}
    assert shell_lines(find(tmp_path, environ), environ) == [
        "unset DOCKER_TLS_VERIFY DOCKER_CERT_PATH",
        "export DOCKER_HOST=unix:///var/run/docker.sock",
    ]


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
