"""The commands up and down: every image up to date, on a private engine where asked for."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import lab
from isol8_tasks.errors import LabError
from tests.command_line import CommandLine, Ended

LAB = "unix:///run/isol8-lab/docker.sock"


@pytest.fixture
def started(cli: CommandLine) -> list[Path]:
    """Give the checkouts whose private engine was started; none is."""
    found: list[Path] = []

    def up(checkout: Path, say: Callable[[str], None], tell: Callable[[str, int], None]) -> str:
        found.append(checkout)
        say("Starting a private engine for this checkout …")
        tell("downloading docker.io", 0)
        tell("downloading docker.io", 12_000_000)
        return LAB

    cli.patch.setattr(lab, "up", up)
    cli.patch.setenv("DOCKER_HOST", LAB)
    cli.patch.delenv("DOCKER_HOST")
    return found


class TestUp:
    """The command up."""

    def test_everything_is_built_then_nothing(self, cli: CommandLine, started: list[Path]) -> None:
        """As by `setup`, on the engine that answers."""
        done = cli("up")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[-1].startswith("6 built · ")
        assert cli("up").out.startswith("6 images up to date · ")
        assert cli("up", "-q") == Ended(0, "", "")
        assert started == []

    def test_flags_of_setup_count(self, cli: CommandLine) -> None:
        """All of them, spelled again for doit."""
        assert cli("up", "--only", "node", "--node=lodash,zod@3", "--node", "left-pad").code == 0
        assert "custom:node   node with left-pad lodash zod@3\n" in cli("list").out
        assert cli("up", "--force", "--only=node").out.splitlines()[-1].startswith("2 built · ")
        assert cli("up", "--only-file").code == 0
        assert "custom:node" not in cli("list").out

    def test_failure_is_1(self, cli: CommandLine) -> None:
        """As of a run."""
        with (cli.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN false\n")
        assert cli("up").code == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("--only perl", "--only: 'perl' is not a runtime (allowed: python, node, bun, deno, bash)"),
            ("--bash=-x", "--bash: '-x': an option, not a package; "),
            (
                "--builder=far*",
                "--builder: 'far*' is not the name of a builder; docker buildx ls lists them\n",
            ),
            ("--bogus", "up has no flag --bogus; did you mean --bun? ./doitw up --help lists those it has\n"),
            ("--locked", "deps.lock.toml: not found, but --locked needs it; write it: ./doitw lock\n"),
        ],
    )
    def test_wrong_flags_start_no_engine(
        self, cli: CommandLine, started: list[Path], words: str, said: str
    ) -> None:
        """They are refused first."""
        done = cli("up", "--lab", *words.split())
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"ERROR: {said}")
        assert started == []

    @pytest.mark.parametrize(
        ("file", "text", "said"),
        [
            ("deps.toml", "[dependencies]\nbash = 1\n", "deps.toml:2: dependencies.bash: "),
            ("docker/Dockerfile", "FROM alpine\nRUM a\n", "docker/Dockerfile:2: "),
            ("docker/Dockerfile", "FROM alpine:3.21 AS base\n", "docker/Dockerfile: "),
        ],
        ids=["deps.toml", "Dockerfile", "stages"],
    )
    def test_wrong_files_start_no_engine(
        self, cli: CommandLine, started: list[Path], file: str, text: str, said: str
    ) -> None:
        """It would take half a minute, and the run end with the same line."""
        (cli.folder / file).write_text(text)
        done = cli("up", "--lab")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"ERROR: {said}")
        assert started == []

    def test_lab_is_the_engine_of_the_run(self, cli: CommandLine, started: list[Path]) -> None:
        """What it has to tell is printed, unless the run is quiet."""
        done = cli("up", "--lab")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(
            "Starting a private engine for this checkout …\nlab  downloading docker.io\nisol8:python "
        )
        assert started == [cli.folder]
        assert os.environ["DOCKER_HOST"] == LAB
        assert cli("up", "--lab", "--quiet").out == ""
        events = [json.loads(line) for line in cli("up", "--lab", "--progress=json").out.splitlines()]
        assert [each["event"] for each in events] == ["begun", "note", "waiting", "pulled", "summary"]
        assert (events[3]["image"], events[3]["bytes"], events[3]["of"]) == ("lab", 12_000_000, 0)

    @pytest.mark.parametrize(
        ("environ", "named"),
        [
            ({}, ""),
            ({"DOCKER_HOST": LAB}, ""),
            ({"DOCKER_HOST": "unix:///other"}, "DOCKER_HOST"),
            ({"DOCKER_CONTEXT": "other"}, "DOCKER_CONTEXT"),
            ({"DOCKER_HOST": LAB, "DOCKER_CONTEXT": "other"}, ""),
        ],
    )
    @pytest.mark.usefixtures("started")
    def test_variable_that_names_another_engine_is_told(
        self, cli: CommandLine, environ: dict[str, str], named: str
    ) -> None:
        """Later commands heed it; this run does not."""
        for name, value in environ.items():
            cli.patch.setenv(name, value)
        out = cli("up", "--lab").out
        said = f"{named} is set and names another engine; later commands use that one until you unset it\n"
        assert (said in out) == bool(named)
        assert ("another engine" in out) == bool(named)

    def test_lab_that_cannot_be_started_is_1(self, cli: CommandLine) -> None:
        """Nothing is built then."""

        def up(*_: object) -> str:
            raise LabError("the lab needs root")

        cli.patch.setattr(lab, "up", up)
        assert cli("up", "--lab") == Ended(1, "", "ERROR: the lab needs root\n")
        assert cli.engine.requests == []


class TestDown:
    """The command down."""

    def test_engine_is_stopped(self, cli: CommandLine) -> None:
        """And what it takes is told."""

        def down(checkout: Path, tell: Callable[[str], None]) -> bool:
            tell(f"stopped in {checkout.name}")
            return True

        cli.patch.setattr(lab, "down", down)
        assert cli("down") == Ended(0, f"stopped in {cli.folder.name}\n", "")

    def test_no_engine_is_no_failure(self, cli: CommandLine) -> None:
        """It is as one wants it."""
        cli.patch.setattr(lab, "down", lambda *_: False)
        assert cli("down") == Ended(0, "no private engine of this checkout is running\n", "")
