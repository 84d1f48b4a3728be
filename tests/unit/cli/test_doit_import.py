"""doit, imported without what a run does not use of it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SELDOM = ("configparser", "importlib.metadata", "multiprocessing", "pdb", "pickle")


def ended(program: str, *path: Path) -> str:
    """Return what a program prints in a process of its own that has imported doit."""
    code = f"import sys\nfrom isol8_tasks.cli.doit_import import import_doit\nimport_doit()\n{program}"
    environ = {"PYTHONPATH": ":".join(map(str, (ROOT, *path)))}
    return subprocess.run(
        (sys.executable, "-c", code), env=environ, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_what_is_seldom_used_is_not_there() -> None:
    """Neither the modules nor what stood in for them."""
    assert ended(f"print([each for each in {SELDOM!r} if each in sys.modules])") == "[]\n"


def test_what_is_called_is_imported() -> None:
    """A class of such a module does what it always does, and the module itself can be imported."""
    program = """
from doit import doit_cmd, runner
parser = doit_cmd.DoitConfig.load_config_ini("nothing.cfg")
import configparser, pickle
print(type(parser) is configparser.ConfigParser, pickle.loads(runner.pickle_dumps([1])))
"""
    assert ended(program) == "True [1]\n"


def test_a_plugin_of_another_distribution_is_found(tmp_path: Path) -> None:
    """As doit finds it: by the entry points of what is installed."""
    folder = tmp_path / "greeting-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    program = "from doit.doit_cmd import DoitMain; print('greet' in DoitMain(config_filenames=()).get_cmds())"
    (folder / "entry_points.txt").write_text("[console_scripts]\ngreet = greeting:main\n")
    assert ended(program, tmp_path) == "False\n"
    (folder / "entry_points.txt").write_text("[doit.COMMAND]\ngreet = greeting:Greet\n")
    assert ended(program, tmp_path) == "True\n"


def test_an_archive_on_the_path_may_have_plugins(tmp_path: Path) -> None:
    """What can't be looked through at once is left to importlib.metadata."""
    archive = tmp_path / "a.zip"
    archive.touch()
    program = "from doit.plugin import entry_points; print(len(entry_points(group='doit.COMMAND')), "
    program += "'importlib.metadata' in sys.modules)"
    assert ended(program, archive) == "0 True\n"
    assert ended(program) == "0 False\n"
