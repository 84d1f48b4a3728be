"""Commands of a package in which a module is broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isol8_tasks.cli.main import Main
from isol8_tasks.safety import crash as crashes
from tests.command_line import CommandLine, Ended

ROOT = Path(__file__).parents[3]


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        (sys.executable, "-m", "isol8_tasks.cli", *words),
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the package and of what doit reads."""
    shutil.copytree(ROOT / "isol8_tasks", tmp_path / "isol8_tasks")
    for name in ("dodo.py", "doitw", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docker", tmp_path / "docker")
    return tmp_path


@pytest.mark.parametrize(
    ("module", "broken"),
    [
        ("cli/main", "raise KeyError('x')"),
        ("cli/tasks", "import nothing_of_that_name"),
        ("run/session", "def"),
        ("config/deps", "raise MemoryError"),
        ("safety/redact", "raise KeyError('x')"),
    ],
)
def test_a_module_that_cannot_be_imported(copy: Path, module: str, broken: str) -> None:
    """Any command ends with one line and 1, and keeps the traceback where it still can."""
    with (copy / "isol8_tasks" / f"{module}.py").open("a") as file:
        file.write(f"\n{broken}\n")
    done = run(copy, "plan")
    assert done.returncode == 70, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: internal error in ")
    kept = [each.read_text() for each in (copy / ".isol8/logs").glob("crash-*.txt")]
    assert bool(kept) == (module != "safety/redact")
    assert all(broken in each or "SyntaxError" in each for each in kept)


def test_a_package_that_is_whole(copy: Path) -> None:
    """Nothing is said, and doit's exit codes are doit's."""
    assert run(copy, "list").returncode == 0
    done = run(copy, "no-such-task")
    assert done.returncode == 3
    assert "no-such-task" in done.stderr
    assert "Traceback" not in done.stderr


def test_empty_word_is_refused(cli: CommandLine) -> None:
    """As of a variable that is not set; nothing is guessed about what it was for."""
    said = "ERROR: '' is not understood; leave the empty word out, or check the variable in it\n"
    for words in (("",), ("setup", "--python", ""), ("clean", "")):
        assert cli(*words) == Ended(3, "", said)
    assert cli.engine.asked == []


@pytest.mark.parametrize(
    "words",
    [
        ("setup", "--builder="),
        ("bake", "--output="),
        ("page", "--output="),
        ("refresh", "--report="),
        ("--wait=",),
    ],
)
def test_flag_without_its_value_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    """As of a variable that is not set: neither the default nor anything else is taken for it."""
    said = f"ERROR: {words[-1]} has no value; leave the flag out, or check the variable in it\n"
    assert cli(*words) == Ended(3, "", said)
    assert cli.engine.asked == []


def test_value_that_ends_with_an_equals_sign_is_one(cli: CommandLine) -> None:
    """It is looked into as any other."""
    assert "--bash: 'jq=': '' is not a version" in cli("setup", "--bash=jq=").err


def test_exception_before_a_command_is_one_line(cli: CommandLine) -> None:
    """With the traceback in a file, and in a line all the same where that is broken, too."""

    def crash(*_: object) -> int:
        raise KeyError("x")

    cli.patch.setattr(Main, "run", crash)
    done = cli("plan")
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith("ERROR: internal error in the start: KeyError: 'x' (this is a bug; ")
    assert len([*(cli.folder / ".isol8/logs").glob("crash-*.txt")]) == 1
    cli.patch.setattr(crashes, "internal_error", crash)
    said = "ERROR: internal error in the start: KeyError: 'x' (this is a bug; please report it)\n"
    assert cli("plan") == Ended(70, "", said)


def test_tasks_are_made_in_the_order_of_their_lines(tmp_path: Path) -> None:
    """Whatever a file with tasks calls them; `setup` hands its flags to those below it."""
    (tmp_path / "dodo.py").write_text(
        "def task_z():\n    return {'actions': None}\n\n\ndef task_a():\n    return {'actions': None}\n"
    )
    (tmp_path / "pyproject.toml").write_text("")
    done = run(tmp_path, "list", "--sort=definition")
    assert done.stdout.split() == ["z", "a"], done
