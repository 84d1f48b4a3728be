"""The command refresh: rebuilds what is behind, reports, and its exit codes."""

import functools
import json
import signal
import sys
import time
from pathlib import Path

import pytest

from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews, Update
from isol8_tasks.errors import EngineError, SourceUnavailableError
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run.engine_lock import engine_lock
from tests.command_line import CommandLine

NEWER = PackageNews(updates=(Update(ecosystem="apk", name="jq", old="1.7.1-r0", new="1.8"),))
SILENT = SourceUnavailableError("apk: no answer")


@pytest.fixture
def behind(built: CommandLine) -> CommandLine:
    """Give the command line of a checkout whose custom image is behind, and the manifest written."""
    assert built("--quiet").code == 0
    built.news["bash-custom"] = NEWER
    built.engine.requests.clear()
    return built


class TestNight:
    """What it does, and what it says of it."""

    def test_image_that_is_behind_is_rebuilt(self, behind: CommandLine) -> None:
        """And no other."""
        done = behind("refresh")
        assert (done.code, done.err) == (0, "")
        assert [each.tag.rpartition(":")[2] for each in behind.engine.candidates()] == [
            "bash-custom-candidate"
        ]
        assert " · 1 changed · 6 fresh · " in done.out.splitlines()[0]
        assert "\nchanged\n  isol8:bash-custom " in done.out

    def test_nothing_to_do_is_told_unless_quiet(self, behind: CommandLine) -> None:
        """A quiet night says nothing."""
        behind.news.clear()
        done = behind("refresh")
        assert (done.code, done.err) == (0, "")
        assert " · 6 images fresh · " in done.out
        assert behind("refresh", "--quiet").out == ""
        assert behind.engine.requests == []

    def test_quiet_prints_news_all_the_same(self, behind: CommandLine) -> None:
        """They are what it is for."""
        assert " · 1 changed · " in behind("refresh", "-q").out

    def test_only_rebuilds_the_named_runtimes(self, behind: CommandLine) -> None:
        """What is behind elsewhere stays so."""
        done = behind("refresh", "--only", "bun")
        assert done.code == 0
        assert behind.engine.requests == []
        assert " · 1 image fresh · " in done.out

    def test_images_that_are_not_built_are_built(self, cli: CommandLine) -> None:
        """As a run would."""
        done = cli("refresh")
        assert done.code == 0
        assert " · 6 changed · 6 fresh · " in done.out
        assert "bash-custom" in cli.tags()

    def test_json_is_all_that_is_printed(self, behind: CommandLine) -> None:
        """One document, of a night with work and of one without."""
        for count in (1, 0):
            done = behind("refresh", "--json")
            assert (done.code, done.err) == (0, "")
            assert len(json.loads(done.out)["changed"]) == count
            behind.news.clear()


class TestFailures:
    """What goes wrong, by exit code."""

    def test_failed_build_is_1(self, behind: CommandLine) -> None:
        """Told first; the image in use stays."""
        with (behind.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN false\n")
        before = behind.open().view.observed.public("bash-custom")
        done = behind("refresh")
        assert (done.code, done.err) == (1, "")
        assert " · 1 failed · " in done.out.splitlines()[0]
        assert done.out.splitlines()[1] == "failed"
        assert behind.open().view.observed.public("bash-custom") == before

    def test_source_that_does_not_answer_is_4(self, behind: CommandLine) -> None:
        """The others are refreshed."""
        behind.news |= {"bash-custom": SILENT, "bun": NEWER}
        done = behind("refresh")
        assert (done.code, done.err) == (4, "")
        assert "apk: no answer" in done.out
        assert "\n  isol8:bun " in done.out

    def test_missing_deps_toml_is_1(self, behind: CommandLine) -> None:
        """Its images are no longer refreshed, which nobody would notice."""
        (behind.folder / "deps.toml").unlink()
        done = behind("refresh")
        assert done.code == 1
        assert "\n  deps.toml           is missing, so isol8:bash-custom " in done.out

    def test_internal_error_is_70(self, behind: CommandLine) -> None:
        """As of every other command, and the report names it."""

        def bug(*_: object) -> str:
            raise KeyError("x")

        behind.check = bug
        done = behind("refresh")
        assert done.code == 70
        assert "internal error in custom:bash: KeyError: 'x' (this is a bug; " in done.out

    def test_time_that_is_over_is_1(self, behind: CommandLine) -> None:
        """The build under way is aborted, and told as failed."""
        with (behind.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN sleep 9\n")
        done = behind("refresh", "--timeout", "300ms")
        assert (done.code, done.err) == (1, "")
        assert "isol8:bash          the build of " in done.out
        assert "was aborted" in done.out

    def test_other_run_on_the_engine_is_1(self, behind: CommandLine) -> None:
        """Where this one is told not to wait."""
        with engine_lock(behind.engine.info().id, holder="another", since="now", wait=0):
            done = behind("refresh", "--wait=0")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("ERROR: another run is using this engine: ")
        assert behind.engine.requests == []

    def test_interruption_is_130(self, behind: CommandLine, request: pytest.FixtureRequest) -> None:
        """It is told in one line, and there is no report."""
        # Whatever runs the tests may ignore it, as a shell does for what it starts in the background.
        request.addfinalizer(functools.partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupt(*_: object) -> str:
            # As the terminal sends it: to the process, while an image is on its way.
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.5)
            raise EngineError("aborted")

        behind.check = interrupt
        done = behind("refresh", "--report", "report.md")
        assert done.code == 130
        assert "interrupted; finished builds are kept" in done.out
        assert not (behind.folder / "report.md").exists()

    def test_manifest_that_cannot_be_written_is_1(self, behind: CommandLine) -> None:
        """In a night without work, too."""
        behind.news.clear()
        (behind.folder / "resolved-images.json").unlink()
        (behind.folder / "resolved-images.json").mkdir()
        done = behind("refresh")
        assert (done.code, done.err) == (1, "")
        assert "\n  resolve             resolved-images.json: can't be written (Is a directory)" in done.out

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                "--timeout soon",
                "--timeout: 'soon' is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)",
            ),
            ("--only perl", "--only: 'perl' is not a runtime (allowed: python, node, bun, deno, bash)"),
            ("--wait 5m", "--wait: '5m' is not a number of seconds (as 60; 0: do not wait, -1: no limit)"),
            (
                "--report",
                "--report needs a value: --report=…",
            ),
        ],
    )
    def test_wrong_words_are_refused(self, behind: CommandLine, words: str, said: str) -> None:
        """Before anything is asked."""
        behind.engine.asked.clear()
        done = behind("refresh", *words.split())
        assert (done.code, done.out, done.err) == (3, "", f"ERROR: {said}\n")
        assert behind.engine.asked == []


class TestReport:
    """`--report`, and the command of [refresh] notify."""

    @pytest.mark.parametrize(
        ("name", "begins"), [("a.md", "# "), ("a.json", '{\n  "'), ("a.txt", "20"), ("a", "20")]
    )
    def test_file_is_written_in_the_form_of_its_name(
        self, behind: CommandLine, name: str, begins: str
    ) -> None:
        """Beside what is printed."""
        done = behind("refresh", "--report", name)
        assert done.code == 0
        assert " · 1 changed · " in done.out
        text = (behind.folder / name).read_text()
        assert text.startswith(begins)
        assert "isol8:bash-custom" in text

    @pytest.mark.parametrize(
        ("name", "why"),
        [("folder.md", "Is a directory"), ("file/a.md", "{folder}/file is not a folder")],
        ids=["folder", "below a file"],
    )
    def test_file_that_cannot_be_written_is_3(self, behind: CommandLine, name: str, why: str) -> None:
        """Before a night's work, and not after it."""
        (behind.folder / "folder.md").mkdir()
        (behind.folder / "file").write_text("")
        behind.engine.asked.clear()
        done = behind("refresh", "--report", name)
        why = why.format(folder=behind.folder)
        said = f"ERROR: --report: {name}: can't be written ({why}); name another file\n"
        assert (done.code, done.out, done.err) == (3, "", said)
        assert behind.engine.asked == []

    def test_file_that_can_no_longer_be_written_is_1(self, behind: CommandLine) -> None:
        """The images are as was reported."""
        check = behind.check

        def fill(spec: ImageSpec, candidate: str) -> str:
            (behind.folder / "report.md").mkdir(exist_ok=True)
            return check(spec, candidate)

        behind.check = fill
        done = behind("refresh", "--report", "report.md")
        assert done.code == 1
        assert " · 1 changed · " in done.out
        assert done.err == (
            "ERROR: report.md: the report can't be written (Is a directory); "
            "the images are as reported above\n"
        )

    def test_notification_gets_the_report_when_there_is_news(self, behind: CommandLine) -> None:
        """And is not run in a quiet night."""
        self.notify(behind, "import sys, pathlib; pathlib.Path('told').write_text(sys.stdin.read())")
        behind.news.clear()
        assert behind("refresh").code == 0
        assert not Path("told").exists()
        behind.news["bash-custom"] = NEWER
        assert behind("refresh").code == 0
        assert "isol8:bash-custom" in Path("told").read_text()

    @pytest.mark.parametrize(
        ("program", "said"),
        [
            (
                "import sys; sys.exit('no mail today')",
                f"{sys.executable} failed (exit code 1): no mail today",
            ),
            (
                None,
                "/no/such/program: can't be run (No such file or directory); the images are as reported above",
            ),
        ],
    )
    def test_notification_that_fails_is_1(self, behind: CommandLine, program: str | None, said: str) -> None:
        """The images are refreshed all the same."""
        self.notify(behind, program)
        done = behind("refresh")
        assert done.code == 1
        assert " · 1 changed · " in done.out
        assert done.err == f"ERROR: [refresh] notify: {said}\n"

    @staticmethod
    def notify(cli: CommandLine, program: str | None) -> None:
        command = [sys.executable, "-c", program] if program else ["/no/such/program"]
        cli.declare(f'[dependencies]\nbash = ["jq"]\n[refresh]\nnotify = {json.dumps(command)}\n')


class TestLock:
    """deps.lock.toml, which is of all images or stays as it was."""

    def test_existing_lock_is_brought_up_to_date(self, behind: CommandLine) -> None:
        """None is written that nobody asked for."""
        file = behind.folder / "deps.lock.toml"
        assert behind("refresh").code == 0
        assert not file.exists()
        file.write_text("")
        assert behind("refresh").code == 0
        assert "[images.bash-custom]" in file.read_text()

    def test_lock_stays_when_an_image_could_not_be_refreshed(self, behind: CommandLine) -> None:
        """And the report says so."""
        assert behind("lock").code == 0
        before = (behind.folder / "deps.lock.toml").read_text()
        with (behind.folder / "docker" / "Dockerfile").open("a") as file:
            file.write("RUN false\n")
        done = behind("refresh")
        assert done.code == 1
        assert "deps.lock.toml" in done.out
        assert "is unchanged, because not every image could be refreshed" in done.out
        assert (behind.folder / "deps.lock.toml").read_text() == before

    def test_lock_that_cannot_be_written_is_1(self, behind: CommandLine) -> None:
        """With the reason, in the report."""
        (behind.folder / "deps.lock.toml").write_text("")
        behind.check = lambda *_: encode("3.99", [Package(ecosystem="apk", name="musl", version="1")])
        done = behind("refresh")
        assert (done.code, done.err) == (1, "")
        assert "\n  deps.lock.toml      the images were built before checksums " in done.out
        assert (behind.folder / "deps.lock.toml").read_text() == ""
