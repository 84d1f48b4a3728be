"""The command of an installation, run as its script runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = "import sys; from isol8_tasks.cli.installed import main; sys.exit(main())"
FOREIGN = '[tool.doit.plugins.command]\nplan = "nothing:Here"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of somebody's own project, in which nothing is of ours."""
    (tmp_path / "pyproject.toml").write_text(FOREIGN)
    (tmp_path / "dodo.py").write_text("raise KeyError('of another project')\n")
    return tmp_path


def run(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    given = {name: value for name, value in os.environ.items() if not name.startswith(("ISOL8_", "DOCKER_"))}
    return subprocess.run(
        (sys.executable, "-c", SCRIPT, *words),
        cwd=folder,
        env={**given, "DOCKER_HOST": "unix:///no/engine", "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_folder_without_deps_toml(folder: Path) -> None:
    """Is named, with what to type; help needs none."""
    for words in (["plan"], []):
        done = run(folder, *words)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == (
            f"ERROR: {folder}: no deps.toml in this folder or one above it; isol8-tasks init writes one here\n"
        )
    assert {path.name for path in folder.iterdir()} == {"pyproject.toml", "dodo.py"}
    for words in (["--help"], ["help", "plan"], ["plan", "--help"]):
        assert run(folder, *words).stderr != done.stderr


def test_init_writes_what_the_package_has(folder: Path) -> None:
    """Once, where it was typed, and nothing is overwritten; it declares nothing until it is edited."""
    below = folder / "below"
    below.mkdir()
    (folder / "deps.toml").write_text("# of the folder above\n")
    done = run(below, "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "deps.toml written; declare packages in it, then build them: isol8-tasks up\n"
    begun = (ROOT / "deps.toml").read_text("utf-8")
    assert (below / "deps.toml").read_text("utf-8") == begun.replace("docs/schemas/", "")
    assert "#:schema deps.schema.json\n" in (below / "deps.toml").read_text("utf-8")
    assert (below / "deps.schema.json").read_bytes() == (ROOT / "docs/schemas/deps.schema.json").read_bytes()
    (below / "deps.toml").write_text("# edited\n")
    done = run(below, "init")
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        done.stderr
        == "ERROR: deps.toml: exists already, and was left untouched; edit it, or remove it first\n"
    )
    assert (below / "deps.toml").read_text() == "# edited\n"


def test_the_nearest_deps_toml_is_where_it_works(folder: Path) -> None:
    """From any folder below it; what is kept lies beside it, and hints name the installed command."""
    (folder / "deps.toml").write_text('[dependencies]\nbash = ["jq"]\n')
    (folder / "a/b").mkdir(parents=True)
    done = run(folder / "a/b", "list")
    assert done.returncode == 0, done
    assert "custom:bash " in done.stdout
    done = run(folder / "a/b", "plan")
    assert done.returncode == 4
    assert "ERROR: no Docker Engine answers at unix:///no/engine" in done.stderr
    assert "isol8-tasks up --lab" in done.stderr
    assert "doitw" not in done.stderr
    assert not any((folder / "a/b").iterdir())
    assert "custom:python" in run(Path("/"), "list", ISOL8_DEPS=str(ROOT / "examples/deps.toml")).stdout


def test_names_in_the_environment_are_relative_to_where_it_was_typed(folder: Path) -> None:
    """As the shell that wrote them completes them."""
    (folder / "deps.toml").touch()
    (folder / "a").mkdir()
    shutil.copy(ROOT / "examples/deps.toml", folder / "a/other.toml")
    assert "custom:python" in run(folder / "a", "list", ISOL8_DEPS="other.toml").stdout
    (folder / "a/client.json").write_text('{"dependencies": {"node": ["lodash"]}}')
    assert "custom:node" in run(folder / "a", "list", ISOL8_CONFIG="client.json").stdout
    done = run(folder / "a", "list", ISOL8_DEPS="none.toml")
    assert done.returncode == 3
    assert "not found, though ISOL8_DEPS names it" in done.stderr


def test_work_on_this_project_needs_a_checkout(folder: Path) -> None:
    """Whatever lies in the folder."""
    (folder / "deps.toml").touch()
    (folder / "tests").mkdir()
    for command in ("test", "lint", "check", "docs", "bench", "corpus"):
        done = run(folder, command)
        assert (done.returncode, done.stdout) == (3, "")
        assert (
            done.stderr == f"ERROR: {command}: it works on isol8-tasks itself, and needs a checkout of it\n"
        )
