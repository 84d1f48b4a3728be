"""The lines that tell a cause (outputs/*.cause) of what Node, npm, Bun, Deno, pip and apk printed (outputs/*.txt)."""

from pathlib import Path

import pytest

from isol8_tasks.safety.causes import MOST, built, cause_lines

OUTPUTS = Path(__file__).with_name("outputs")
NAMES = sorted(file.stem for file in OUTPUTS.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_tells_the_cause(name: str) -> None:
    """Whether it comes first, last or in between; without advertisements, progress and steps of the runtime's own."""
    printed, cause = ((OUTPUTS / f"{name}.{end}").read_text(encoding="utf-8") for end in ("txt", "cause"))
    assert cause_lines(printed.splitlines()) == tuple(cause.splitlines())


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 500])
def test_other_words_stay(count: int) -> None:
    """A program's own words are shown as they are, the last of many."""
    lines = [f"line {number}" for number in range(count)]
    assert cause_lines(lines) == tuple(lines[-MOST:])


def test_nothing_but_progress_is_better_than_nothing() -> None:
    """An installer that was killed has said nothing else."""
    assert cause_lines(["Collecting six", "  Downloading six.whl"]) == (
        "Collecting six",
        "  Downloading six.whl",
    )


def test_an_error_in_the_middle_of_much() -> None:
    """A compiler's error is followed by all that make says."""
    error = "a.c:1:10: fatal error: Python.h: No such file or directory"
    lines = [*(f"cc -c {number}.c" for number in range(300)), error]
    shown = cause_lines(
        [*lines, "compilation terminated.", *(f"make: leaving {number}" for number in range(100))]
    )
    assert error in shown
    assert len(shown) <= MOST


def test_pythons_error_is_the_last_line() -> None:
    """However long its trace is."""
    frames = [line for number in range(20) for line in (f'  File "/a.py", line {number}, in a', "    a()")]
    shown = cause_lines(
        ["Traceback (most recent call last):", *frames, "ImportError: libsndfile.so.1 is missing"]
    )
    assert shown[-1] == "ImportError: libsndfile.so.1 is missing"


FAILED = "urllib.error.URLError: <urlopen error [Errno -2] Name does not resolve>"
OF_PIP = f"""Collecting pynput
Collecting evdev>=1.3 (from pynput)
  Getting requirements to build wheel did not run successfully.
  ╰─> [2 lines of output]
      {FAILED}
      [end of output]
ERROR: Failed to build 'evdev' when getting requirements to build wheel
"""
OF_NPM = f"""npm error code 1
npm error path /usr/lib/node_modules/@scope/browser/node_modules/x
npm error command failed
npm error command sh -c node install.mjs
npm error {FAILED}
"""


@pytest.mark.parametrize(
    ("output", "line", "package"),
    [
        (OF_PIP, FAILED, "evdev>=1.3, needed by pynput"),
        (OF_PIP.replace("evdev>=1.3 (from pynput)", "evdev@ https://host/evdev.tgz"), FAILED, "evdev"),
        (OF_PIP, "Collecting pynput", ""),
        (OF_PIP.replace("Getting requirements to build wheel did", "Installing build dependencies did"), FAILED, ""),
        (OF_NPM, f"npm error {FAILED}", "x"),
        (OF_NPM.replace("command sh", "command git"), f"npm error {FAILED}", ""),
        ("npm error network", "npm error network", ""),
    ],
    ids=["pip", "pip's URL", "pip itself", "pip at work in a build", "npm", "npm's git", "npm itself"],
)  # fmt: skip
def test_whose_build_printed_a_line(output: str, line: str, package: str) -> None:
    """That of a package, with the one that needs it, or nobody's but the installer's."""
    assert built(output.splitlines(), line) == package
