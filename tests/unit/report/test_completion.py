"""What a shell completes."""

import os
import select
import shutil
import subprocess
import time
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


ZSH = """\
PROMPT=
autoload -Uz compinit
compinit -D -u
source $1/program
compadd() {
    # What asks which of its words match, before it offers them.
    if [[ " ${@[1,(i)(-|--)]} " != *' -'[OAD]' '* ]]; then
        local -a matching
        builtin compadd -O matching "$@"
        (( ! $#matching )) || print -rl -- $matching >> $1/offered
    fi
    builtin compadd "$@"
}
tried() { zle complete-word; touch $1/tried }
zle -N tried
bindkey '^I' tried
touch $1/ready
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "expected"), COMPLETED, ids=lambda each: each if isinstance(each, str) else ""
)
def test_zsh(program: Path, tmp_path: Path, line: str, expected: list[str]) -> None:
    """Completes the same at a real prompt, where the tab key is pressed."""
    place = tmp_path / "zsh"
    place.mkdir()
    (place / "program").write_text(script("zsh", "isol8-tasks", PROGRAMS))
    (place / "set-up").write_text(ZSH.replace("$1", str(place)))
    terminal, other = os.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"],
        cwd=program.parent.parent,
        env={
            "PATH": f"{program.parent}:/usr/bin:/bin",
            "HOME": str(place),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        },
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    try:
        os.write(terminal, f"source {place}/set-up\n".encode())
        wait_for(place / "ready", terminal)
        os.write(terminal, f"isol8-tasks {line}\t".encode())
        wait_for(place / "tried", terminal)
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
    offered = place / "offered"
    found = {*offered.read_text().split("\n")} - {""} if offered.exists() else set()
    assert found >= {*expected}


def wait_for(file: Path, terminal: int) -> None:
    """Return once a file is there; what the terminal prints is read, so that nobody waits for that."""
    shown, end = b"", time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end, shown
        if select.select([terminal], [], [], 0.02)[0]:
            shown += os.read(terminal, 4096)


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
