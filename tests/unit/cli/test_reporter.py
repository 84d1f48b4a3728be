"""What a run tells: the reason before the work, failures, what is remembered of flags, and figures at the end."""

import io
import signal
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from isol8_tasks.cli.reporter import Reporter, open_screen
from isol8_tasks.errors import EngineError, InternalError, VerifyFailedError
from isol8_tasks.plan.model import ImageSpec
from tests.command_line import CommandLine, Terminal


class TestRun:
    """A run as it is shown."""

    def test_reason_comes_before_the_work(self, built: CommandLine) -> None:
        """Of what the run is about only."""
        built.declare('[dependencies]\nbash = ["jq", "zip"]\nnode = ["zod"]\n')
        lines = built("custom:bash").out.splitlines()
        assert lines[0] == "isol8:bash-custom   stale       + zip"
        assert lines[1].startswith("isol8:bash-custom   built ")
        assert lines[-1].startswith("1 built · 1 up to date · ")
        assert "node-custom" not in "".join(lines)

    def test_remembered_flags_and_undeclared_images_are_noted(self, built: CommandLine) -> None:
        """With what to type; not in a quiet run."""
        built.declare("")
        assert built("setup", "--node", "zod").code == 0
        lines = built().out.splitlines()
        assert any(line.startswith("zod: from --node on ") for line in lines)
        assert (
            "isol8:bash-custom   undeclared  no longer declared, but clients still prefer it; "
            "remove it with: ./doitw clean custom:bash"
        ) in lines
        assert built("-q").out == ""

    def test_variables_of_docker_without_effect(self, built: CommandLine) -> None:
        """Where something is built, it is told what names a builder or a platform here."""
        built.patch.setenv("BUILDX_BUILDER", "far")
        built.patch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
        assert "no effect" not in built().out
        said = built("base:bash", "--force").out
        assert (
            'BUILDX_BUILDER=far has no effect; name a builder by --builder=far, or by buildx = "far"' in said
        )
        assert "DOCKER_DEFAULT_PLATFORM=linux/arm64 has no effect; images are built for the engine's" in said
        built.patch.setenv("DOCKER_DEFAULT_PLATFORM", built.engine.platform())
        assert "DOCKER_DEFAULT_PLATFORM" not in built("base:bash", "--force").out
        assert "BUILDX_BUILDER" not in built("setup", "--builder=far", "--force").out

    @pytest.mark.parametrize("at", [105, 285])
    def test_lines_with_a_secret_that_are_shortened(self, built: CommandLine, at: int) -> None:
        """Nothing is shown of it where the end is cut off: not of its beginning, on the screen nor in the history."""
        secret = "c4nary-" + "b" * 12 + "-secret"
        built.patch.setenv("CORP", secret)
        built.declare('[dependencies]\nbash = ["jq"]\n[build.secrets]\ncorp = { env = "CORP" }\n')
        built.engine.fail = {"isol8_build:bash-candidate"}
        built.engine.failure = f"ERROR: {'x' * (at - 7)} {secret} is wrong {'y' * 300}"
        for words in ((), ("--progress=json",), ("--verbose",)):
            done = built(*words, "base:bash", "--force")
            assert done.code == 1
            assert "***" in done.out
            assert "c4nary" not in done.out
        assert "failed" in built("log").out
        assert not [
            path for path in built.folder.rglob("*") if path.is_file() and b"c4nary" in path.read_bytes()
        ]

    def test_missing_deps_toml_is_a_warning(self, built: CommandLine) -> None:
        """A run goes on."""
        (built.folder / "deps.toml").unlink()
        done = built()
        assert done.code == 0
        assert "warning: deps.toml is missing, so isol8:bash-custom " in done.out

    def test_failure_has_its_output_and_what_is_still_in_use(self, built: CommandLine) -> None:
        """And the children that were not begun count as skipped."""
        with (built.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN echo no such thing; false\n")
        lines = built().out.splitlines()
        at = lines.index("isol8:bash          failed      step 3/3: echo no such thing; false")
        assert lines[at + 1] == "    no such thing"
        assert lines[at + 2].startswith("  Still using the image built ")
        assert lines[-1].startswith("1 failed · 1 skipped · 4 up to date · ")

    def test_undetermined_image_is_a_failure(self, built: CommandLine) -> None:
        """By code 4; the others are built."""
        docker = built.folder / "docker"
        (docker / "Dockerfile").write_text((docker / "Dockerfile").read_text() + "COPY loop /loop\n")
        (docker / "loop").symlink_to("loop")
        done = built()
        assert done.code == 4
        assert "isol8:bash          failed " in done.out
        assert "4 up to date" in done.out.splitlines()[-1]

    def test_image_that_fails_verification_is_kept_for_inspection(self, built: CommandLine) -> None:
        """And the one in use stays."""

        def refuse(*_: object) -> str:
            raise VerifyFailedError("isol8:bun failed verification: no tini")

        before = built.open().view.observed.public("bun")
        built.check = refuse
        done = built("base:bun", "--force")
        assert done.code == 1
        assert "  The failed build is kept as isol8:bun-rejected for inspection. " in done.out
        after = built.open().view.observed.public("bun")
        assert before is not None
        assert after is not None
        assert after.id == before.id

    def test_interruption_tells_what_failed_before(self, cli: CommandLine) -> None:
        """With its cause, for which it would have to be built again; what is aborted is no failure."""

        def check(spec: ImageSpec, _image: str) -> str:
            if spec.name == "bash":
                raise VerifyFailedError("it does not start")
            # As the terminal sends it, while an image is on its way.
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.5)
            raise EngineError("aborted")

        signal.signal(signal.SIGINT, signal.default_int_handler)
        cli.check = check
        done = cli("-n", "1", "base:bash", "base:bun")
        assert (done.code, done.err) == (130, "")
        told = done.out[done.out.index("it does not start") :]
        assert "isol8:bun" not in told
        assert (
            told.splitlines()[-1]
            == "interrupted; finished builds are kept, and every image in use is untouched"
        )

    def test_interruption_is_130_and_finishes_nothing_more(self, cli: CommandLine) -> None:
        """In one line; what was built is kept."""

        def interrupt(*_: object) -> str:
            raise KeyboardInterrupt

        cli.check = interrupt
        done = cli("-n", "1", "base:bun")
        assert (done.code, done.err) == (130, "")
        assert done.out.splitlines()[-1] == (
            "interrupted; finished builds are kept, and every image in use is untouched"
        )


class TestFaults:
    """What doit finds wrong itself, and has a traceback for."""

    @pytest.fixture
    def reporter(self, built: CommandLine) -> Reporter:
        """Give a reporter."""
        session = built.open()
        return Reporter(session, open_screen(session.view, quiet=False))

    def test_it_is_a_failure_of_the_run(self, reporter: Reporter) -> None:
        """With the task, or doit, in front."""
        task: Any = SimpleNamespace(name="base:bun")
        reporter.add_failure(task, SimpleNamespace(report=True, message="no such file"))
        reporter.add_failure(task, SimpleNamespace(report=False, message="told already"))
        reporter.runtime_error("a cycle")
        reporter.cleanup_error(SimpleNamespace(message="a teardown"))
        failures = reporter.session.failures
        assert [(each.subject, str(each.error)) for each in failures] == [
            ("base:bun", "no such file"),
            ("doit", "a cycle"),
            ("doit", "a teardown"),
        ]
        assert {type(each.error) for each in failures} == {InternalError}

    def test_what_was_not_begun_is_no_failure(self, reporter: Reporter) -> None:
        """It is skipped."""

        class UnmetDependency:
            report = True
            message = "base:bash"

        reporter.add_failure(SimpleNamespace(name="custom:bash"), UnmetDependency())
        assert reporter.unmet == ["custom:bash"]
        assert reporter.session.failures == []


@pytest.mark.parametrize(
    ("stream", "term", "ci", "quiet", "live"),
    [
        (Terminal(), "xterm", "", False, True),
        (Terminal(), "xterm", "", True, False),
        (Terminal(), "xterm", "true", False, False),
        (Terminal(), "dumb", "", False, False),
        (io.StringIO(), "xterm", "", False, False),
    ],
)
def test_live_lines_are_for_terminals(  # noqa: PLR0913 - one for each thing that decides
    built: CommandLine, stream: io.StringIO, term: str, ci: str, *, quiet: bool, live: bool
) -> None:
    """That can move the cursor, and for whoever wants to see them."""
    built.patch.setattr(sys, "stdout", stream)
    built.patch.setenv("TERM", term)
    built.patch.setenv("CI", ci)
    screen = open_screen(built.open().view, quiet=quiet)
    assert screen.live == live
    assert screen.quiet == quiet


def test_columns_are_as_wide_as_the_longest_tag(built: CommandLine) -> None:
    """Undeclared images count."""
    built.declare("")
    assert open_screen(built.open().view, quiet=False).width == 18
    built.declare('[images.a-rather-long-name]\nruntime = "bash"\npackages = ["jq"]\n')
    assert open_screen(built.open().view, quiet=False).width == len("isol8:a-rather-long-name")
