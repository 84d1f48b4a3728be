"""What pip leaves uncompiled is compiled as pip does it: the same files, whoever compiled them, and when."""

import importlib.util
import marshal
import os
import stat
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.lifecycle.programs.compiling import CHECKED

CODE = 'import os\n\ndef answer() -> int:\n    """Say it."""\n    return len(os.sep) + 41\n'
FILES = {f"thing/part{number}.py": f"{CODE}NUMBER = {number}\n" for number in range(5)}
FILES |= {"thing/__init__.py": "", "thing/broken.py": "def (:\n", "thing-1.0.data/scripts/tool.py": CODE}


def wheel(folder: Path) -> Path:
    """Make the wheel of a package with a module that does not compile, and a script."""
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files = FILES | {f"thing-1.0.dist-info/{name}": text for name, text in about.items()}
    files["thing-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


class Place:
    """Where pip installs, and what an image's step says of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.wheel = wheel(tmp_path)
        self.prefix = tmp_path / "prefix"
        self.kept = tmp_path / "kept"
        paths = sysconfig.get_paths("posix_prefix", vars={"base": str(self.prefix), "platbase": ""})
        self.modules = Path(paths["purelib"])

    def install(self, kept: str, *more: str) -> dict[str, tuple[int, bytes]]:
        """Install by the program, with nothing else there; return the files, each with its mode."""
        return self._run(kept, *more, "--no-compile")

    def by_pip(self) -> dict[str, tuple[int, bytes]]:
        """Install by pip alone."""
        return self._run(None)

    def kept_of(self, module: str) -> Path:
        """Return where it is kept what was compiled of a module."""
        return Path(f"{self.kept}{importlib.util.cache_from_source(str(self.modules / module))}")

    def _run(self, kept: str | None, *more: str) -> dict[str, tuple[int, bytes]]:
        subprocess.run(["rm", "-rf", self.prefix], check=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-warn-script-location"]
        words = [*pip, "--prefix", str(self.prefix), *more, str(self.wheel)]
        if kept is not None:
            cache = RUNTIMES["python"].download_cache
            assert cache
            assert cache.program
            code = f"import sys; sys.path.append({str(self.modules)!r}); exec({cache.program.text()!r})"
            words = [sys.executable, "-I", "-c", code, kept, *words]
        environ = {**os.environ, "SOURCE_DATE_EPOCH": "315532800", "PIP_ROOT_USER_ACTION": "ignore"}
        self.code = subprocess.run(words, check=False, env=environ).returncode
        return {
            str(path.relative_to(self.prefix)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
            for path in sorted(self.prefix.rglob("*"))
            if path.is_file()
        }

    def forge(self, module: str) -> bytes:
        """Keep something else for a module, under the hash of its source."""
        forged = CHECKED + importlib.util.source_hash((self.modules / module).read_bytes())
        forged += marshal.dumps(compile("FORGED = True", "x", "exec"))
        self.kept_of(module).write_bytes(forged + importlib.util.source_hash(forged))
        return forged

    def compiled(self, module: str) -> str:
        """Return the name of what is compiled of a module among the files."""
        path = importlib.util.cache_from_source(str(self.modules / module))
        return str(Path(path).relative_to(self.prefix))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_files_are_those_of_pip_and_what_is_kept_is_used_for_the_very_source(place: Place) -> None:
    """Not for another one, not where it is not whole, and not where a build has no folder for it."""
    whole = place.by_pip()
    assert len([name for name in whole if name.endswith(".pyc")]) == len(FILES) - 1
    assert place.install(str(place.kept)) == whole
    names = [f"thing/part{number}.py" for number in range(5)]
    forged = [place.forge(name) for name in names[:3]]
    place.kept_of(names[1]).write_bytes(forged[1][:-3])
    other = forged[2][:8] + b"another!" + forged[2][16:]
    place.kept_of(names[2]).write_bytes(other + importlib.util.source_hash(other))
    again = place.install(str(place.kept))
    assert again[place.compiled(names[0])][1] == forged[0]
    assert {name for name in whole if again[name] != whole[name]} == {place.compiled(names[0])}
    assert again.keys() == whole.keys()
    # Both that could not be used are kept again.
    assert place.kept_of(names[1]).read_bytes()[:-8] == whole[place.compiled(names[1])][1]
    assert place.kept_of(names[2]).read_bytes()[:-8] == whole[place.compiled(names[2])][1]
    assert place.install("") == whole
    assert place.code == 0


def test_a_folder_that_takes_nothing_costs_nothing_else(place: Place) -> None:
    """As pip's own cache."""
    place.kept.write_text("a file")
    files = place.install(str(place.kept))
    assert place.code == 0
    assert len([name for name in files if name.endswith(".pyc")]) == len(FILES) - 1


def test_pips_failure_is_the_programs(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    """With pip's own words and exit code."""
    place.install("", "no-such-thing")
    assert place.code == 1
    assert "No matching distribution found for no-such-thing" in capfd.readouterr().err
