"""`docker buildx build`, played by a small program in its place."""

import base64
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from isol8_tasks.engine import BuildEvent, BuildRequest
from isol8_tasks.engine.builders import buildx
from isol8_tasks.engine.builders.buildx import BuildxRun
from isol8_tasks.engine.jobs import Job
from isol8_tasks.errors import BuildFailedError, ConfigError, EngineError, EngineUnreachableError

NEEDED = 'builder = "buildx" in [build] needs it; install docker\'s plugin buildx, or write builder = "auto"'
REQUEST = BuildRequest(
    tag="a:b",
    dockerfile="FROM x\n",
    target="t",
    args={"GIVEN": "https://me:secret@host/", "HOME": "1", "DOCKER_X": "2"},
    labels={"l": "3"},
    no_cache=True,
)


def play(place: Path, script: str) -> dict[str, str]:
    """Put a program in docker's place, and return the environment in which it is found."""
    program = place / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{place}{os.pathsep}{os.defpath}", "HOME": str(place)}


def run_in(environ: Mapping[str, str], *options: str) -> BuildxRun:
    """Return how the builder `near` is asked."""
    return BuildxRun(builder="near", environ=environ, options=options)


def vertex(**more: object) -> dict[str, object]:
    """Return a line of buildx's progress."""
    return {"vertexes": [{"digest": "d", "name": "[1/1] RUN a", "started": "2026-11-22T00:00:00Z", **more}]}


class TestBuild:
    """A build by another program."""

    def test_the_command_is_complete_and_shows_no_argument(self, tmp_path: Path) -> None:
        """Values go through the environment, where no list of processes shows them, unless docker would heed them."""
        environ = play(
            tmp_path,
            f'for word; do echo "$word"; done > {tmp_path}/words; cat > {tmp_path}/sent; '
            f'echo "$GIVEN" > {tmp_path}/given',
        )
        buildx.build(REQUEST, run_in(environ, "--load", "--platform=linux/amd64"), Job(), lambda _event: None)
        assert (tmp_path / "words").read_text().split() == [
            *("buildx", "build", "--builder=near", "--load", "--platform=linux/amd64", "--progress=rawjson"),
            *("--provenance=false", "--sbom=false", "--tag=a:b", "--file=.isol8.Dockerfile"),
            *("--target=t", "--no-cache", "--label=l=3"),
            *("--build-arg=GIVEN", "--build-arg=HOME=1", "--build-arg=DOCKER_X=2", "-"),
        ]
        assert (tmp_path / "given").read_text() == "https://me:secret@host/\n"
        assert b"FROM x\n" in (tmp_path / "sent").read_bytes()

    def test_progress_becomes_events(self, tmp_path: Path) -> None:
        """Its JSON is read as the engine's own trace is."""
        lines = [
            vertex(),
            {"logs": [{"vertex": "d", "data": base64.b64encode(b"hello\n").decode()}]},
            {"statuses": [{"id": "x"}]},
            vertex(completed="2026-11-22T00:00:01Z", cached=True),
        ]
        (tmp_path / "progress").write_text("\n".join(map(json.dumps, lines)))
        events: list[BuildEvent] = []
        buildx.build(REQUEST, run_in(play(tmp_path, f"cat {tmp_path}/progress >&2")), Job(), events.append)
        assert events == [
            BuildEvent(kind="step", step="RUN a", number=1, total=1),
            BuildEvent(kind="log", step="RUN a", number=1, total=1, line="hello"),
            BuildEvent(kind="cached", step="RUN a", number=1, total=1),
        ]

    def test_a_failure_has_its_step_and_reason(self, tmp_path: Path) -> None:
        """The line that begins with ERROR is the reason, whatever follows."""
        lines = [
            json.dumps(vertex(completed="x", error="exit code: 1")),
            "ERROR: failed to build: exit code: 1",
            "[]",
        ]
        (tmp_path / "progress").write_text("\n".join(lines))
        environ = play(tmp_path, f"cat {tmp_path}/progress >&2; echo hint >&2; exit 1")
        with pytest.raises(BuildFailedError) as caught:
            buildx.build(REQUEST, run_in(environ), Job(), lambda _event: None)
        assert str(caught.value) == "a:b could not be built: [1/1] RUN a: exit code 1"

    @pytest.mark.parametrize(
        ("script", "reason"),
        [("echo unknown flag >&2; exit 125", "unknown flag"), ("exit 1", "no reason was given")],
    )
    def test_a_failure_without_such_a_line(self, tmp_path: Path, script: str, reason: str) -> None:
        """What it said last is the next best reason."""
        with pytest.raises(BuildFailedError) as caught:
            buildx.build(REQUEST, run_in(play(tmp_path, script)), Job(), lambda _event: None)
        assert str(caught.value) == f"a:b could not be built: {reason}"

    def test_a_builder_that_is_lost(self, tmp_path: Path) -> None:
        """It is no fault of a step."""
        reason = (
            "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
        )
        script = f"echo 'ERROR: {reason}' >&2; exit 1"
        with pytest.raises(EngineUnreachableError) as caught:
            buildx.build(REQUEST, run_in(play(tmp_path, script)), Job(), lambda _event: None)
        assert str(caught.value).startswith(
            f"the builder 'near' was lost during the build of a:b: {reason}\n"
        )

    def test_a_missing_program_is_an_error(self, tmp_path: Path) -> None:
        """Where docker does not exist, that is said."""
        with pytest.raises(ConfigError) as caught:
            buildx.build(REQUEST, run_in({"PATH": str(tmp_path)}), Job(), lambda _event: None)
        assert str(caught.value) == (
            f"the docker command can't be started (No such file or directory), but {NEEDED}"
        )

    @pytest.mark.parametrize(
        "said",
        [
            "docker: 'buildx' is not a docker command.\nSee 'docker --help'",
            "unknown command: docker buildx\n\nRun 'docker --help' for more information",
            "unknown flag: --builder\nSee 'docker --help'.",
        ],
    )
    def test_a_missing_plugin_is_an_error(self, tmp_path: Path, said: str) -> None:
        """It is the setting that is wrong, not the Dockerfile."""
        (tmp_path / "said").write_text(said)
        with pytest.raises(ConfigError) as caught:
            buildx.build(
                REQUEST,
                run_in(play(tmp_path, f"cat {tmp_path}/said >&2; exit 1")),
                Job(),
                lambda _event: None,
            )
        assert str(caught.value) == f"docker has no plugin buildx here, but {NEEDED}"

    def test_cancelling_ends_the_program(self, tmp_path: Path) -> None:
        """A build that is aborted does not go on behind one's back."""
        environ = play(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
        job = Job()
        timer = threading.Timer(0.3, job.cancel)
        timer.start()
        start = time.monotonic()
        with pytest.raises(EngineError) as caught:
            buildx.build(REQUEST, run_in(environ), job, lambda _event: None)
        assert str(caught.value) == "the build of a:b was aborted"
        assert time.monotonic() - start < 10
        assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
