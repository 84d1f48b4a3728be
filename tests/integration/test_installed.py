"""The wheel and the sdist, and the command of an installation in a folder that has nothing but a deps.toml."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from attrs import frozen

from isol8_tasks import __version__
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine.endpoint import Endpoint
from tests.integration.checkouts import Checkout, Result

ROOT = Path(__file__).parents[2]
LOCKED = (
    "--no-deps",
    "--require-hashes",
    "--only-binary",
    ":all:",
    "--requirement",
    str(ROOT / "requirements.lock"),
)


def run(*words: str | Path, folder: Path = ROOT, host: str = "") -> Result:
    """Run a program that has no file of isol8's own to read, on an engine where one is named."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("ISOL8_", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**given, "NO_COLOR": "1", "ISOL8_CONFIG": "", **({"DOCKER_HOST": host} if host else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def succeed(*words: str | Path, folder: Path = ROOT, host: str = "") -> str:
    done = run(*words, folder=folder, host=host)
    assert done.code == 0, done
    return done.out


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the sdist and the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("distributions")
    succeed(sys.executable, "-m", "hatchling", "build", "-d", folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@frozen
class Installed:
    """An environment of its own with the wheel, and the engine that its command uses."""

    environment: Path
    host: str

    def __call__(self, folder: Path, *words: str, host: str = "") -> Result:
        """Run the command in a folder."""
        command = self.environment / "bin/isol8-tasks"
        return run(command, *words, folder=folder, host=host or self.host)


@pytest.fixture(scope="module")
def installed(
    distributions: tuple[Path, Path], endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """Install the wheel into a new environment, which has only the versions that are locked."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    install(Path(sys.executable), distributions[1], environment)
    return Installed(environment, endpoint.url)


def install(python: Path, wheel: Path, environment: Path) -> None:
    """Make an environment of a Python's with the wheel and what is locked."""
    uv = Path(sys.executable).with_name("uv")
    succeed(uv, "venv", "--python", python, environment)
    into = ("--python", environment)
    succeed(uv, "pip", "install", *into, *LOCKED, *index())
    succeed(uv, "pip", "install", *into, "--no-deps", "--offline", wheel)
    succeed(uv, "pip", "check", *into)


def another_python(version: str) -> Path:
    """Return a Python of that version, from PATH or of pyenv's; skip the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for place in (shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python{version}")):
        # What pyenv puts on PATH runs only if its version is the chosen one.
        if place and run(place, "-c", "").code == 0:
            return Path(place)
    pytest.skip(f"there is no Python {version} here")


def index() -> tuple[str, ...]:
    """Return the option that tells uv of the package index that pip is configured for."""
    found = run(sys.executable, "-m", "pip", "config", "get", "global.index-url")
    return () if found.code else ("--default-index", found.out.strip())


def contents(wheel: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and bytes of every file."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: (each.external_attr >> 16, archive.read(each)) for each in archive.infolist()}


@pytest.mark.thorough
def test_distributions_are_sound(distributions: tuple[Path, Path], tmp_path: Path) -> None:
    """As the tools of the package index judge them; the sdist gives the same wheel, and the wheel has its copies."""
    sdist, wheel = distributions
    succeed(sys.executable, "-m", "twine", "check", "--strict", *distributions)
    succeed(Path(sys.executable).with_name("check-wheel-contents"), wheel)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"isol8_tasks-{__version__}"
    assert (source / "doitw").stat().st_mode & 0o111
    succeed(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, folder=source)
    found = contents(wheel)
    assert contents(next(tmp_path.glob("*.whl"))) == found
    listed = succeed("git", "ls-files", "docker", "lab", "isol8_tasks").splitlines()
    for path in listed:
        copied = path if path.startswith("isol8_tasks/") else f"isol8_tasks/checkout/{path}"
        assert found[copied][1] == (ROOT / path).read_bytes(), path
        assert found[copied][0] & 0o111 == (ROOT / path).stat().st_mode & 0o111, path
    known = {path.removeprefix("isol8_tasks/") for path in listed} | {"checkout/pyproject.toml"}
    others = {
        name for name in found if name.removeprefix("isol8_tasks/").removeprefix("checkout/") not in known
    }
    assert {name.partition("/")[0] for name in others} <= {
        f"isol8_tasks-{__version__}.dist-info",
        "isol8_tasks",
    }


def test_a_folder_with_nothing_but_deps_toml(installed: Installed, tmp_path: Path) -> None:
    """It is written by init; the tasks and commands are those of a checkout, and what is kept lies beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    done = installed(folder, "plan")
    assert (done.code, done.out) == (3, "")
    assert "no deps.toml in this folder or one above it; isol8-tasks init writes one here" in done.err
    assert installed(folder, "init").code == 0
    assert (folder / "deps.schema.json").is_file()
    assert {path.name for path in folder.iterdir()} == {"deps.toml", "deps.schema.json"}
    tasks = installed(folder, "list", "--quiet").out.split()
    assert tasks == run(sys.executable, "-m", "doit", "list", "--quiet").out.split()
    (folder / "deps.toml").write_text('[build]\nrepository = "isol8test-installed"\n')
    (folder / "below").mkdir()
    done = installed(folder / "below", "plan", "--check", "--json")
    assert done.code == 2, done
    assert {each["state"] for each in json.loads(done.out)["images"]} == {"not-built"}
    done = installed(folder, "freshness", host="unix:///no/engine")
    assert done.code == 4
    assert "isol8-tasks up --lab" in done.err
    assert {path.name for path in folder.iterdir()} <= {"deps.toml", "deps.schema.json", "below", ".isol8"}


def test_the_same_images_as_a_checkout(installed: Installed, built: Checkout, tmp_path: Path) -> None:
    """What a checkout built is up to date for an installation, whose docker/ has the same files, and the other way."""
    folder = tmp_path / "mine"
    folder.mkdir()
    assert built.built() == set()
    (folder / "deps.toml").write_bytes((built.folder / "deps.toml").read_bytes())
    done = installed(folder)
    assert done.code == 0, done
    assert f"{len(RUNTIMES) + 2} images up to date" in done.out
    assert (folder / "resolved-images.json").read_bytes() == (
        built.folder / "resolved-images.json"
    ).read_bytes()
    (folder / "below").mkdir()
    done = installed(folder / "below", "sbom", "bash", "--output", "bills")
    assert done == Result(0, f"{folder}/below/bills/bash.cdx.json\n", "")
    assert (folder / "below/bills/bash.cdx.json").is_file()
    (folder / "docker").mkdir()
    (folder / "docker/Dockerfile").write_text("FROM alpine:3.21 AS python\n")
    done = installed(folder, "plan")
    assert done.code == 3
    assert "docker/Dockerfile" in done.err


@pytest.mark.thorough
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_python(
    distributions: tuple[Path, Path], endpoint: Endpoint, tmp_path: Path, version: str
) -> None:
    """It is installed with what is locked, and its commands work, with every Python that it is for."""
    python = another_python(version)
    install(python, distributions[1], tmp_path / "environment")
    installed = Installed(tmp_path / "environment", endpoint.url)
    folder = tmp_path / "mine"
    folder.mkdir()
    for words in (("init",), ("list",), ("completion", "bash"), ("plan", "--json"), ("inventory",)):
        done = installed(folder, *words)
        assert done.code == 0 or "there is no image yet" in done.err, done
    said = succeed(tmp_path / "environment/bin/python", "-c", "import sys; print(sys.version)")
    assert said.startswith(f"{version}.")


def test_the_lab_comes_with_it(installed: Installed, tmp_path: Path) -> None:
    """An engine of the folder's own can be started and stopped."""
    (tmp_path / "deps.toml").touch()
    done = installed(tmp_path, "down")
    assert (done.code, done.out) == (0, "no private engine of this checkout is running\n")


def test_it_is_typed(installed: Installed, tmp_path: Path) -> None:
    """Who uses it as a library has its types, as mypy finds them in the environment."""
    (tmp_path / "use.py").write_text("import isol8_tasks\nreveal_type(isol8_tasks.resolve_image('python'))\n")
    mypy = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache")
    said = succeed(
        *mypy, "--python-executable", installed.environment / "bin/python", "use.py", folder=tmp_path
    )
    assert 'Revealed type is "str"' in said.replace("builtins.", "")


def test_the_example_of_a_library(installed: Installed, built: Checkout, tmp_path: Path) -> None:
    """The program of docs/library.md prints what stands there, in a folder with the deps.toml of there."""
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    deps, program, printed = (
        text.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("toml", "python", "text")
    )
    (tmp_path / "deps.toml").write_text(f'{deps}[build]\nrepository = "{built.repository}"\n')
    (tmp_path / "program.py").write_text(program)
    python = installed.environment / "bin/python"
    said = succeed(python, "program.py", folder=tmp_path, host=installed.host)
    assert said == printed.replace("isol8:", f"{built.repository}:")
    (tmp_path / "deps.toml").write_text("[dependencys]\n")
    done = run(python, "program.py", folder=tmp_path, host=installed.host)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("deps.toml:1: ")
