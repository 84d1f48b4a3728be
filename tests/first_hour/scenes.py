"""Where a row takes place: a checkout of its own, an environment, and what runs a command there."""

import atexit
import compileall
import os
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

from attrs import Factory, define

from isol8_tasks.engine.endpoint import private_note, private_run_dir
from tests.command_line import CommandLine
from tests.first_hour.table import Answer, Fault

ROOT = Path(__file__).parents[2]
_COPIED = (
    "doitw",
    "dodo.py",
    "pyproject.toml",
    "requirements.lock",
    "deps.toml",
    "docker",
    "isol8_tasks",
    "lab",
)
_KEPT = ("PATH", "LANG", "TERM", "USER", "ISOL8_LAB_CACHE")
_LONGEST = 300


@define(kw_only=True, eq=False)
class Scene:
    """A checkout with a fault in it; a preparation changes whatever it has to."""

    folder: Path
    """The checkout."""
    stack: ExitStack
    """Ends what a preparation began."""
    environ: dict[str, str] = Factory(dict)
    words: dict[str, str] = Factory(dict)
    """What `{name}` stands for in typed words, edits, deps.toml and the environment's values."""
    user: int | None = None
    """Who types it; None for who runs the tests."""
    cli: CommandLine | None = None
    """The command line on the fake engine, of a row of `unit`."""

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.folder.parent / "home"

    def fill(self, text: str) -> str:
        """Return a text with the words in it."""
        for name, word in self.words.items():
            text = text.replace(f"{{{name}}}", word)
        return text

    def write(self, path: str, text: str) -> Path:
        """Write a file of the checkout."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def declare(self, text: str) -> None:
        """Give deps.toml another text; on an engine the repository is the row's own."""
        own = f'[build]\nrepository = "{self.words["repository"]}"\n' if "repository" in self.words else ""
        if own and "repository" not in text:
            text = text.replace("[build]\n", own) if "[build]\n" in text else f"{text}\n{own}"
        self.write("deps.toml", text)

    def run(self, *words: str, line: str = "") -> subprocess.CompletedProcess[str]:
        """Run ./doitw there, or a line of bash."""
        command = ["bash", "-o", "pipefail", "-c", line] if line else ["./doitw", *words]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_LONGEST,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )

    def shown(self, said: str) -> str:
        """Return an output as one would read it in a checkout of one's own, without what differs from run to run."""
        said = said.replace(str(self.folder), "/home/me/isol8-tasks").replace(str(self.home), "/home/me")
        said = said.replace(self.words.get("repository", "isol8"), "isol8")
        said = re.sub(r"/tmp/first-hour-\w+", "/home/me", said)
        said = re.sub(r"(lookup \S+) on \S+:53", r"\1", said)
        return re.sub(r"\b127\.0\.0\.1:\d{4,}", "127.0.0.1:8080", said)

    def _declare_for(self, fault: Fault) -> None:
        # Again, as each preparation may bring words for it.
        if fault.deps is not None:
            self.declare(self.fill(fault.deps))

    def play(self, fault: Fault) -> Answer:
        """Bring the fault about, type what is typed, and return the answer."""
        for name in fault.prepare:
            self._declare_for(fault)
            module, _, function = name.rpartition(":")
            getattr(import_module(f"tests.first_hour.{module or 'preparations'}"), function)(self)
        self._declare_for(fault)
        for path, old, new in fault.edits:
            text = (self.folder / path).read_text(encoding="utf-8")
            assert self.fill(old) in text, f"{path} has no {old}"
            self.write(path, text.replace(self.fill(old), self.fill(new), 1))
        self.environ |= {name: self.fill(value) for name, value in fault.environ.items()}
        typed = [self.fill(word) for word in fault.typed]
        began = time.monotonic()
        if self.cli is not None:
            for name, value in self.environ.items():
                self.cli.patch.setenv(name, value)
            ended = self.cli(*typed, answer=fault.answer)
            return Answer(code=ended.code, said=ended.out + ended.err, seconds=time.monotonic() - began)
        done = self.run(*typed, line=self.fill(fault.line))
        return Answer(code=done.returncode, said=done.stdout, seconds=time.monotonic() - began)


@contextmanager
def checkout(**environment: str) -> Iterator[Scene]:
    """Give a copy of this checkout, ready to run, in the environment of a user who has set nothing."""
    with ExitStack() as stack:
        place = Path(mkdtemp(prefix="first-hour-"))
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        place.chmod(0o755)
        folder = Path(shutil.copytree(_original(), place / "checkout"))
        stack.callback(end_engine, folder)
        (place / "home").mkdir()
        make_ready(folder)
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environ |= {"HOME": str(place / "home"), "NO_COLOR": "1", **environment}
        yield Scene(
            folder=folder, stack=stack, environ=environ, words={"folder": str(folder), "place": str(place)}
        )


def end_engine(folder: Path) -> None:
    """Stop the private engine of a checkout if it has one, whatever the row did to its commands and environment."""
    if private_run_dir(folder).exists() or private_note(folder).exists():
        from lab.updown import Lab, down  # noqa: PLC0415 - few rows start one

        down(folder, lambda _: None)
        assert not Lab.of(folder).is_up(), f"the private engine of {folder} is left"


@cache
def _original() -> Path:
    """Return a copy of this checkout that is compiled already, as any is from its second run on."""
    folder = Path(mkdtemp(prefix="first-hour-original-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            compileall.compile_dir(folder / name, quiet=2)
        else:
            shutil.copy(source, folder / name)
    folder.chmod(0o755)
    return folder


def make_ready(folder: Path) -> None:
    """Give a checkout a complete .venv: this Python, with the packages that the tests run with."""
    venv = folder / ".venv"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = venv / "lib" / python / "site-packages"
    packages.parent.mkdir(parents=True)
    # checkout.pth leads from where it is called, so that the commands are those of the copy.
    packages.symlink_to(sysconfig.get_path("purelib"))
    (venv / "bin").mkdir()
    base = Path(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001 - as venv itself does
    (venv / "bin" / "python").symlink_to(base)
    (venv / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    (venv / "blocks").touch()
    (venv / "checkout").write_text(f"{folder.resolve()}\n")
    shutil.copy(folder / "requirements.lock", venv)


@contextmanager
def on_engine(host: str) -> Iterator[Scene]:
    """Give such a checkout with a repository of its own on an engine; its tags are removed in the end."""
    import docker  # noqa: PLC0415 - for rows on an engine

    from tests.integration.checkouts import remove_tags  # noqa: PLC0415 - as above

    repository = f"isol8test{secrets.token_hex(4)}"
    with checkout(DOCKER_HOST=host) as scene:
        scene.words["repository"] = repository
        scene.words["host"] = host
        scene.declare("")
        client = docker.APIClient(base_url=host, version="1.41", timeout=300)
        try:
            yield scene
        finally:
            scene.stack.close()
            remove_tags(client, repository)
            client.close()
