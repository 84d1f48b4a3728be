"""The commands for work on this project: what they start, with which words, and their exit codes."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest

from tests.command_line import CommandLine, Ended

_MODULES = ("tests.run", "bench.run", "tests.corpus_packages.run", "docs.site.build")


@pytest.fixture
def ran(cli: CommandLine) -> dict[str, Any]:
    """Give what is started in place of the real things, each with its words, and the codes that they end with."""
    ends: dict[str, Any] = {
        **dict.fromkeys((*_MODULES, ".ci/lint"), 0),
        "words": [],
    }

    def main_of(name: str) -> Callable[[Sequence[str]], int]:
        def main(words: Sequence[str]) -> int:
            ends["words"].append((name, *words))
            if isinstance(ends[name], BaseException):
                raise ends[name]
            return int(ends[name])

        return main

    for name in _MODULES:
        module = ModuleType(name)
        module.main = main_of(name)  # type: ignore[attr-defined]
        cli.patch.setitem(sys.modules, name, module)

    def run(command: Sequence[str], *, check: bool) -> "subprocess.CompletedProcess[str]":
        assert not check
        ends["words"].append(tuple(command))
        return subprocess.CompletedProcess(command, ends[command[0]])

    cli.patch.setattr(subprocess, "run", run)
    return ends


@pytest.mark.parametrize(
    ("command", "module"),
    [("test", "tests.run"), ("bench", "bench.run"), ("corpus", "tests.corpus_packages.run")],
)
def test_every_word_is_handed_on(cli: CommandLine, ran: dict[str, Any], command: str, module: str) -> None:
    """Options included, whoever understands them."""
    for words in (("-k", "some", "--help", "x"), ("", "a=b"), ("-k", "--version")):
        ran["words"].clear()
        assert cli(command, *words) == Ended(0, "", "")
        assert ran["words"] == [(module, *words)]


@pytest.mark.parametrize(
    ("command", "started"), [("test", "tests.run"), ("bench", "bench.run"), ("lint", ".ci/lint")]
)
def test_failure_is_1(cli: CommandLine, ran: dict[str, Any], command: str, started: str) -> None:
    """Whatever the code of what fails: pytest's and ruff's mean something else."""
    for code in (1, 2, 5, -11):
        ran[started] = code
        assert cli(command).code == 1
    ran[started] = 0
    assert cli(command).code == 0


@pytest.mark.parametrize(("lint", "test", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 1), (1, 1, 1)])
def test_check_runs_both_and_fails_if_one_does(
    cli: CommandLine, ran: dict[str, Any], lint: int, test: int, code: int
) -> None:
    """The tests run even if lint failed."""
    ran |= {".ci/lint": lint, "tests.run": test}
    assert cli("check").code == code
    assert ran["words"] == [(".ci/lint",), ("tests.run",)]


@pytest.mark.parametrize(("end", "code"), [(SystemExit(0), 0), (SystemExit(2), 3)])
def test_usage_of_a_parser_is_0_asked_for_and_3_for_wrong_words(
    cli: CommandLine, ran: dict[str, Any], end: SystemExit, code: int
) -> None:
    """As argparse ends the process."""
    for command, module in (("bench", "bench.run"), ("corpus", "tests.corpus_packages.run")):
        ran[module] = end
        assert cli(command, "--bogus").code == code


def test_corpus_ends_with_its_own_code(cli: CommandLine, ran: dict[str, Any]) -> None:
    """Which tells wrong verdicts from what could not be found out."""
    for code in (0, 1, 3, 4):
        ran["tests.corpus_packages.run"] = code
        assert cli("corpus").code == code


def test_docs_builds_into_a_folder(cli: CommandLine, ran: dict[str, Any]) -> None:
    """Its code is the build's."""
    assert cli("docs").code == 0
    ran["docs.site.build"] = 1
    assert cli("docs", "folder").code == 1
    assert ran["words"] == [("docs.site.build",), ("docs.site.build", "folder")]
