"""The answers of the programs that ask package sources, read."""

import datetime as dt
import json

import pytest

from isol8_tasks.ecosystems.inventory import Package
from isol8_tasks.ecosystems.updates import Pin
from isol8_tasks.engine.containers import Finished
from isol8_tasks.errors import SourceUnavailableError
from isol8_tasks.freshness.answers import Answer, ApkChange, Solution, read_answer, read_apk_answer


def finished(stdout: object, stderr: str = "", code: int | None = 0) -> Finished:
    text = stdout if isinstance(stdout, str) else json.dumps(stdout)
    return Finished(exit=code, stdout=text.encode(), stderr=stderr.encode(), output=b"")


class TestAnswer:
    """Of an index or a registry."""

    def test_pins_and_dates(self) -> None:
        """A date that can't be read is none."""
        found = {
            "pins": [
                ["npm", "b", "2.0.0", "sha512-x", "2026-11-25T10:00:00.000Z"],
                ["npm", "a", "1.0.0", "", None],
                ["npm", "c", "1.0.0", "", "yesterday"],
            ],
            "gone": [["npm", "d", "1.0.0"]],
            "lockfile": "lock",
        }
        held = [["npm", "b", "3.0.0", None], ["npm", "b", "4.0.0", "2026-11-25"]]
        answer = read_answer(finished({"found": found, "newest": None, "held": held}), "isol8:node")
        b = Pin(ecosystem="npm", name="b", version="2.0.0", integrity="sha512-x")
        others = [Pin(ecosystem="npm", name=name, version="1.0.0") for name in ("a", "c")]
        assert answer == Answer(
            found=Solution(
                pins=(others[0], b, others[1]),
                published={
                    Package(ecosystem="npm", name="b", version="2.0.0"): dt.datetime(
                        2026, 11, 25, 10, tzinfo=dt.UTC
                    )
                },
                gone=(Package(ecosystem="npm", name="d", version="1.0.0"),),
                lockfile="lock",
            ),
            untold=frozenset({Package(ecosystem="npm", name="b", version="3.0.0")}),
        )

    def test_settled(self) -> None:
        """Nothing else was asked."""
        assert read_answer(finished({"settled": True}), "x") == Answer(settled=True)

    @pytest.mark.parametrize(
        ("output", "line"),
        [
            ("npm error code ETARGET\nnpm error notarget No match\n", "npm error code ETARGET"),
            ("\x1b[31merror\x1b[0m: no https://me:pw@x/\n", "error: no https://***@x/"),
            ("Collecting a\nERROR: No matching distribution\nnotice\n", "ERROR: No matching distribution"),
            ("one\ntwo\n", "two"),
            ("", "it printed nothing"),
        ],
    )
    def test_failure_is_the_line_that_says_why(self, output: str, line: str) -> None:
        """Without colours and credentials."""
        failed = {"status": 1, "output": output}
        answer = read_answer(finished({"found": failed, "newest": None, "held": []}), "x")
        assert (answer.found, answer.failure) == (None, line)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (finished({"problem": "https://me:pw@x/a: ECONNREFUSED"}), "https://***@x/a: ECONNREFUSED"),
            (finished("", code=None), "isol8:node: its package sources did not answer in time"),
            (
                finished("", "sh: node: not found\n", 127),
                "isol8:node: its package sources can't be asked (exit code 127): sh: node: not found",
            ),
        ],
    )
    def test_source_that_can_not_be_asked_is_named(self, answer: Finished, words: str) -> None:
        """In one line."""
        with pytest.raises(SourceUnavailableError) as caught:
            read_answer(answer, "isol8:node")
        assert str(caught.value) == words


APK = """
m update

m updated 0
fetch http://x/APKINDEX.tar.gz
OK: 41 distinct packages available

m upgrade

m upgraded 0
( 1/11) Upgrading musl (1.2.5-r8 -> 1.2.5-r9)
( 2/11) Installing libnew (1-r0)
( 3/11) Purging old (2-r0)
( 4/11) Downgrading jq (1.8-r0 -> 1.7-r0)
( 5/11) Reinstalling zlib (1-r0)
OK: 16 MiB in 28 packages

m index
{index}

m end
"""
TEXT = "P:musl\nV:1.2.5-r9\nt:86400\n\nP:musl\nV:1.2.5-r8\nt:1\n\nP:jq\nV:1.7-r0\n\n"
DATA = json.dumps(
    [{"name": "musl", "version": "1.2.5-r9", "build-time": 86400}, {"name": "jq", "version": "1.7-r0"}]
)


class TestApk:
    """Of apk."""

    @pytest.mark.parametrize("index", [TEXT, DATA], ids=["apk 2", "apk 3"])
    def test_steps_and_build_times(self, index: str) -> None:
        """What stays as it is is no step."""
        found = read_apk_answer(finished(APK.replace("{index}", index)), "m", "isol8:bash").changes
        assert found == (
            ApkChange(
                name="musl", old="1.2.5-r8", new="1.2.5-r9", built=dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
            ),
            ApkChange(name="libnew", old="", new="1-r0"),
            ApkChange(name="old", old="2-r0", new=""),
            ApkChange(name="jq", old="1.8-r0", new="1.7-r0"),
        )

    def test_a_step_that_can_not_be_read(self) -> None:
        """It is an answer that could not be had, and not one step less."""
        text = APK.replace("{index}", DATA).replace("Upgrading musl (1", "Upgrading musl [1")
        with pytest.raises(SourceUnavailableError, match="apk's answer can't be read"):
            read_apk_answer(finished(text), "m", "isol8:bash")

    def test_nothing_to_do(self) -> None:
        """There is no index then."""
        text = "\nm update\n\nm updated 0\n\nm upgrade\n\nm upgraded 0\nOK: 16 MiB\n\nm index\n\nm end\n"
        assert read_apk_answer(finished(text), "m", "x").changes == ()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (
                "\nm update\n\nm updated 1\nERROR: x: DNS\n\nm upgraded 0\n\nm index\n\nm end\n",
                "apk: ERROR: x: DNS",
            ),
            ("\nm update\n\nm updated 0\n\nm upgraded 1\nERROR: y\n\nm index\n\nm end\n", "apk: ERROR: y"),
            ("\nm update\n", "x: its package sources can't be asked (exit code 0): it printed nothing"),
        ],
    )
    def test_repository_that_can_not_be_asked_is_said(self, text: str, words: str) -> None:
        """With apk's own words."""
        with pytest.raises(SourceUnavailableError) as caught:
            read_apk_answer(finished(text), "m", "x")
        assert str(caught.value) == words
