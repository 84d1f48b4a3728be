"""What a shell completes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from isol8_tasks.report.completion import COMMANDS, FILES, IMAGES, OTHERS, SHELLS, TASKS, Completed, script

LISTED = ("base:python   ", "custom:python", "image:web", "setup")
PROGRAMS = (
    Completed(name="plan", purpose="print what it's for", flags={"--json": "print JSON", "--only": "some"}),
    Completed(name="clean", purpose="remove some", operands=(TASKS,)),
    Completed(name="verify", purpose="verify some", operands=(IMAGES,)),
    Completed(name="pull", purpose="pull some", operands=(FILES,)),
    Completed(name="help", purpose="help", operands=(COMMANDS, TASKS)),
    Completed(name="which", purpose="print one", operands=("python", "node")),
    Completed(name="setup", flags={"--force": "build again"}),
    Completed(name="", flags={"--help": "help"}, operands=(TASKS,)),
    Completed(name=OTHERS, flags={"--force": "build again"}, operands=(TASKS,)),
)
COMPLETED = [
    (
        "",
        [
            "clean",
            "help",
            "plan",
            "pull",
            "verify",
            "which",
            "base:python",
            "custom:python",
            "image:web",
            "setup",
        ],
    ),
    ("pl", ["plan"]),
    ("--", ["--help"]),
    ("plan --", ["--json", "--only"]),
    ("plan -- --o", ["--only"]),
    ("plan x", []),
    ("clean base:py", ["base:python"]),
    ("base:", ["base:python"]),
    ("base:python --", ["--force"]),
    ("base:python im", ["image:web"]),
    ("verify ", ["python", "python-custom", "web"]),
    ("verify web py", ["python", "python-custom"]),
    ("pull de", ["deps.toml"]),
    ("help cl", ["clean"]),
    ("help im", ["image:web"]),
    ("which n", ["node"]),
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Give a program that lists tasks, in a folder with one file that can be named."""
    path = tmp_path / "bin/isol8-tasks"
    path.parent.mkdir()
    lines = "\\n".join(LISTED)
    path.write_text(f'#!/bin/sh\n[ "$*" = "list --quiet" ] && printf \'{lines}\\n\'\n')
    path.chmod(0o755)
    (tmp_path / "deps.toml").touch()
    return path


def said(program: Path, *words: str) -> list[str]:
    done = subprocess.run(
        words,
        cwd=program.parent.parent,
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(program.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("command", ["isol8-tasks", "bin/isol8-tasks"])
@pytest.mark.parametrize(
    ("line", "expected"), COMPLETED, ids=lambda each: each if isinstance(each, str) else ""
)
def test_bash(program: Path, command: str, line: str, expected: list[str]) -> None:
    """Completes commands, tasks, images, files and flags, of what was typed; a colon begins a word there."""
    typed = f"{command} {line}"
    run = (
        f"{script('bash', command, PROGRAMS)}\n"
        "COMP_LINE=$1 COMP_POINT=${#1}; complete -p isol8-tasks >&9; _isol8_tasks; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    found = said(program, "bash", "-c", f"exec 9>/dev/null; {run}", "bash", typed)
    behind = line.rpartition(" ")[2].rpartition(":")
    assert sorted(filter(None, found)) == sorted(
        each.removeprefix(behind[0] + behind[1]) for each in expected
    )


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "expected"), COMPLETED, ids=lambda each: each if isinstance(each, str) else ""
)
def test_fish(program: Path, line: str, expected: list[str]) -> None:
    """Completes the same, each with what it is for."""
    text = script("fish", "isol8-tasks", PROGRAMS)
    found = said(program, "fish", "--private", "-c", f"{text}\ncomplete -C $argv[1]", f"isol8-tasks {line}")
    plain = {each.partition("\t")[0] for each in found}
    # Behind -- it offers no flags, and below a flag's first letters none of its own.
    assert plain >= {*expected} or " -- " in line
    assert "plan\tprint what it's for" in found or line not in {"", "pl"}


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_program_names(shell: str) -> None:
    """Its first line says how it is used, by the path or the name that people type; nothing is left to fill in."""
    text = script(shell, "./doitw", PROGRAMS)
    first, *lines = text.splitlines()
    assert first.startswith(f"# Completes doitw in {shell}.")
    assert f"./doitw completion {shell}" in first
    assert "_doitw" in text
    assert "./doitw" not in "\n".join(lines)
    assert not {"@COMMAND@", "@NAME@", "@FUNCTION@", "@CASES@", COMMANDS} & {*text.replace("(", " ").split()}


def test_zsh_quotes_what_a_command_is_for() -> None:
    """An apostrophe ends no word, and the flags of a command have their purposes."""
    text = script("zsh", "isol8-tasks", PROGRAMS)
    assert "described=('plan:print what it'\"'\"'s for' 'clean:remove some' " in text
    assert "    plan) flags=('--json:print JSON' --only:some) ;;\n" in text
    assert "    which) offered='python node' ;;\n" in text
    assert text.endswith("compdef _isol8_tasks isol8-tasks\n")
