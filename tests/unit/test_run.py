"""What the whole run of the tests does with those that fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import run

Codes = list[int]


@pytest.fixture
def codes() -> Codes:
    """Give how each run of pytest is to end; 1 where nothing is said."""
    return []


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codes: Codes) -> list[list[str]]:
    """Give the words of each run of pytest, which has no engine here, and ends as it is told."""
    made: list[list[str]] = []

    def answer(words: list[str], _environment: dict[str, str]) -> int:
        made.append(words)
        return codes.pop(0) if codes else 1

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(run, "_pytest", answer)
    return made


@pytest.mark.parametrize(
    ("failed", "ends", "again"),
    [
        (["a.py::one"], [1, 0], True),
        (["a.py::one", "b.py::two"], [1, 1], True),
        ([f"a.py::{number}" for number in range(6)], [1], False),
        (["a.py"], [1], False),
        ([], [0], False),
        (["a.py::one"], [2], False),
    ],
    ids=["passes alone", "fails alone", "many", "not collected", "nothing failed", "interrupted"],
)
def test_what_failed_is_run_once_more_alone(
    runs: list[list[str]], codes: Codes, failed: list[str], ends: Codes, *, again: bool
) -> None:
    """A few tests are, and decide; a run that was interrupted, or that did not read its tests, is over."""
    kept = Path(".pytest_cache/v/cache/lastfailed")
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(dict.fromkeys(failed, True)))
    codes.extend(ends)
    assert run.main([]) == ends[-1]
    assert [words == failed for words in runs] == ([False, True] if again else [False])


def test_what_somebody_named_is_run_once(runs: list[list[str]]) -> None:
    """Who runs a test wants to see it fail."""
    assert run.main(["tests/unit"]) == 1
    assert runs == [["tests/unit"]]


def test_only_what_is_marked_is_left_out(runs: list[list[str]], request: pytest.FixtureRequest) -> None:
    """The usual run is the short one, which keeps every Nth variation; all is run when it is asked for."""
    run.main([])
    run.main(["--thorough"])
    run.main(["tests/unit/cli/test_fuzz.py"])
    assert ["--short" in words for words in runs] == [True, False, False]
    collected = {
        option: subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--collect-only", *option, "tests/unit/cli/test_fuzz.py"],
            cwd=request.config.rootpath,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.count("::test_whatever_comes_ends_in_words[")
        for option in ((), ("--short",))
    }
    assert collected == {(): 3, ("--short",): 1}
