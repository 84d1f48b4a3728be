"""doitw: which environment it makes, when, and what it says where it can't."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

DOITW = Path(__file__).parents[2] / "doitw"
TOOLS = ("cmp", "cp", "env", "grep", "mkdir", "mv", "readlink", "rm", "sed", "sh", "sleep", "tail")
NEEDED = (
    "pyproject.toml",
    "dodo.py",
    "isol8_tasks/__init__.py",
    "isol8_tasks/cli/__init__.py",
    "isol8_tasks/cli/__main__.py",
)
ECHO = '#!/bin/sh\nprintf "%s\\n" "$PWD" "$0" "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose path has a blank, with environments that are up to date and only echo."""
    folder = tmp_path / "check out"
    folder.mkdir()
    shutil.copy(DOITW, folder)
    (folder / "isol8_tasks" / "cli").mkdir(parents=True)
    for name in NEEDED:
        (folder / name).touch()
    for venv, lock in ((".venv", "requirements.lock"), (".venv-dev", "requirements-dev.lock")):
        (folder / lock).write_text(f"# {venv}\n")
        (folder / venv / "bin").mkdir(parents=True)
        shutil.copy(folder / lock, folder / venv / lock)
        (folder / venv / "checkout").write_text(f"{folder}\n")
        python = folder / venv / "bin" / "python"
        python.write_text(ECHO)
        python.chmod(0o755)
    return folder


def path_of(folder: Path, **scripts: str) -> Mapping[str, str]:
    """Return an environment whose PATH has the tools that doitw may count on, and these scripts."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    for name, text in scripts.items():
        file = folder / name.replace("_", ".")
        file.write_text(text)
        file.chmod(0o755)
    return {"PATH": str(folder)}


def run(
    command: list[str], cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with both its outputs."""
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False, text=True)


class TestUpToDate:
    """With an environment that fits the lock, doitw only starts doit."""

    @pytest.mark.parametrize(
        ("word", "venv"),
        [
            ("up", ".venv"),
            ("plan", ".venv"),
            ("test", ".venv-dev"),
            ("lint", ".venv-dev"),
            ("check", ".venv-dev"),
            ("docs", ".venv-dev"),
        ],
    )
    def test_first_word_chooses_the_environment(self, checkout: Path, word: str, venv: str) -> None:
        """Commands that need tools get the environment that has them."""
        result = run([str(checkout / "doitw"), word, "a b"], checkout)
        assert result.stdout.splitlines() == [
            str(checkout),
            f"{checkout}/{venv}/bin/python",
            "-E",
            "-m",
            "isol8_tasks.cli",
            word,
            "a b",
        ]
        assert result.stderr == ""

    def test_works_from_elsewhere_through_links(self, checkout: Path, tmp_path: Path) -> None:
        """It is found by absolute and relative links, and works in the checkout."""
        (tmp_path / "first").symlink_to("check out/doitw")
        (tmp_path / "second").symlink_to(tmp_path / "first")
        result = run([str(tmp_path / "second")], Path("/"))
        assert result.stdout.splitlines() == [
            str(checkout),
            f"{checkout}/.venv/bin/python",
            "-E",
            "-m",
            "isol8_tasks.cli",
        ]

    def test_works_as_an_argument_of_sh(self, checkout: Path) -> None:
        """A name without a folder is one in the current folder."""
        assert run(["sh", "doitw"], checkout).stdout.splitlines()[0] == str(checkout)

    def test_hands_on_the_exit_code(self, checkout: Path) -> None:
        """What doit ends with is what doitw ends with."""
        (checkout / ".venv/bin/python").write_text("#!/bin/sh\nexit 3\n")
        assert run([str(checkout / "doitw")], checkout).returncode == 3


class TestNotWhole:
    """What a checkout lacks is named before anything is made."""

    @pytest.mark.parametrize("gone", ["requirements.lock", *NEEDED, "isol8_tasks", "isol8_tasks/cli"])
    def test_what_is_typed_restores_it(self, checkout: Path, gone: str) -> None:
        """Whether it was removed from the folder, or from the next commit too."""
        for words in (
            ("init", "-q"),
            ("add", "-Af"),
            ("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "a"),
        ):
            run(["git", *words], checkout).check_returncode()
        run(["git", "rm", "-rq", gone], checkout).check_returncode()
        result = run([str(checkout / "doitw"), "list"], checkout)
        assert (result.returncode, result.stdout) == (3, "")
        said, _, typed = result.stderr.partition(" To restore it: ")
        assert said == f"doitw: {gone} is not there: the checkout {checkout} is not whole."
        run(["sh", "-c", typed], checkout).check_returncode()
        assert run([str(checkout / "doitw"), "list"], checkout).returncode == 0

    def test_a_sparse_checkout(self, checkout: Path) -> None:
        """Of one, git restores no single file."""
        for words in (
            ("init", "-q"),
            ("add", "-Af"),
            ("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "a"),
            ("sparse-checkout", "set", "--no-cone", "/*", "!dodo.py"),
        ):
            run(["git", *words], checkout).check_returncode()
        result = run([str(checkout / "doitw"), "list"], checkout)
        assert result.stderr.endswith(" is not whole. To get it all: git sparse-checkout disable\n")
        run(["git", "sparse-checkout", "disable"], checkout).check_returncode()
        assert run([str(checkout / "doitw"), "list"], checkout).returncode == 0

    def test_without_git(self, checkout: Path) -> None:
        """Of a copy without its history nothing can be restored."""
        (checkout / "dodo.py").unlink()
        result = run([str(checkout / "doitw"), "list"], checkout)
        assert result.stderr.endswith(" is not whole. Copy or clone it again, with all its files\n")
        (checkout / "dodo.py").mkdir()
        result = run([str(checkout / "doitw"), "list"], checkout)
        assert result.returncode == 3
        assert result.stderr == (
            "doitw: dodo.py is a folder in the place of a file. Move it away. "
            "Copy or clone it again, with all its files\n"
        )


class TestNotUpToDate:
    """Whatever makes an environment unfit leads to a set-up."""

    @pytest.mark.parametrize("unfit", ["lock changed", "half made", "moved", "python gone"])
    def test_is_noticed(self, checkout: Path, tmp_path: Path, unfit: str) -> None:
        """A set-up begins with the search for Python, which finds none here."""
        if unfit == "lock changed":
            (checkout / "requirements.lock").write_text("# another\n")
        elif unfit == "half made":
            (checkout / ".venv/requirements.lock").unlink()
        elif unfit == "moved":
            (checkout / ".venv/checkout").write_text("/elsewhere\n")
        else:
            (checkout / ".venv/bin/python").unlink()
        (tmp_path / "bin").mkdir()
        result = run([str(checkout / "doitw")], checkout, path_of(tmp_path / "bin"))
        assert result.stdout == ""
        assert result.stderr == (
            "doitw: needs Python 3.11 or newer, and none of python3.14 python3.13 python3.12 python3.11 python3 on "
            "PATH is. On Debian 12, Ubuntu 24.04 or newer: apt install python3 python3-venv\n"
        )
        assert result.returncode == 3

    def test_says_how_to_get_venv(self, checkout: Path, tmp_path: Path) -> None:
        """A Python without venv is named, with the package that has it; a shim that fails is passed over."""
        (checkout / ".venv/checkout").unlink()
        (tmp_path / "bin").mkdir()
        environment = path_of(
            tmp_path / "bin",
            python3_13="#!/bin/sh\necho not installed >&2\nexit 127\n",
            python3=f'#!/bin/sh\ncase $2 in *venv*) exit 1 ;; esac\necho "{tmp_path}/bin/python3"\n',
        )
        result = run([str(checkout / "doitw")], checkout, environment)
        assert result.stderr == (
            f"doitw: {tmp_path}/bin/python3 cannot make a virtual environment (its module venv or ensurepip "
            "is missing). On Debian and Ubuntu: apt install python3-venv\n"
        )
        assert result.returncode == 3

    def test_keeps_the_old_environment_when_packages_are_out_of_reach(
        self, checkout: Path, tmp_path: Path
    ) -> None:
        """A lock that can't be installed costs one line, and going back to the old lock needs no network."""
        shutil.rmtree(checkout / "isol8_tasks")
        shutil.copytree(DOITW.with_name("isol8_tasks"), checkout / "isol8_tasks")
        old = (checkout / "requirements.lock").read_text()
        (checkout / "requirements.lock").write_text(f"isol8-no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
        (tmp_path / "bin").mkdir()
        environment = {
            **path_of(tmp_path / "bin", python3=f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
        }
        result = run([str(checkout / "doitw")], checkout, environment)
        # A slow machine is told every five seconds that pip still works.
        assert result.stderr.splitlines()[-1] == (
            "doitw: could not install requirements.lock: "
            "ERROR: Could not find a version that satisfies the requirement isol8-no-such-package==1.0 "
            "(from versions: none). Check pip's index (pip config list). "
            f"Whole log: {checkout}/.isol8/.venv.log"
        )
        assert result.returncode == 1
        (checkout / "requirements.lock").write_text(old)
        assert run([str(checkout / "doitw")], checkout).stdout.splitlines()[0] == str(checkout)

    def test_restores_what_a_killed_set_up_had_set_aside(self, checkout: Path) -> None:
        """A complete environment that was set aside is better than a half-made one."""
        shutil.copytree(checkout / ".venv", checkout / ".venv.old")
        (checkout / ".venv/requirements.lock").unlink()
        result = run([str(checkout / "doitw")], checkout)
        assert (result.stdout.splitlines()[0], result.stderr) == (str(checkout), "")
        assert not (checkout / ".venv.old").exists()

    def test_says_why_its_log_cannot_be_written(self, checkout: Path) -> None:
        """A log that can't be written has no cause in it; the old environment stays."""
        (checkout / ".isol8").mkdir()
        (checkout / ".isol8" / ".venv.log").symlink_to(checkout / "gone" / "log")
        (checkout / "requirements.lock").write_text("# newer\n")
        shadow = checkout / "tools"
        shadow.mkdir()
        # It leaves what it should remove, as a file system does that refuses it.
        (shadow / "rm").write_text("#!/bin/sh\nexit 0\n")
        (shadow / "rm").chmod(0o755)
        environment = {"PATH": f"{shadow}{os.pathsep}{os.environ['PATH']}"}
        result = run([str(checkout / "doitw")], checkout, environment)
        said = ".isol8/.venv.log can't be written (File exists); make room there, or move away what is in the way\n"
        assert (result.returncode, result.stderr.endswith(said)) == (1, True), result.stderr
        assert (checkout / ".venv" / "bin" / "python").read_text() == ECHO
