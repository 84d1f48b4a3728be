"""Commands as a user types them, run in this process on a fake engine."""

import io
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from attrs import define, field, frozen

from isol8_tasks.cli import tasks
from isol8_tasks.cli.__main__ import main
from isol8_tasks.ecosystems.inventory import Package, encode
from isol8_tasks.ecosystems.updates import PackageNews
from isol8_tasks.errors import Isol8Error
from isol8_tasks.images.observed import Observed
from isol8_tasks.plan.model import ImageSpec
from isol8_tasks.run import refresh
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.verify.verifications import Verify
from tests.fake_engine import DOCKERFILE, FakeEngine, FakeImage
from tests.json_schemas import checked

ROOT = Path(__file__).parents[1]

ALPINE = "3.99"
"""A release of which nobody knows yet when its support ends."""
DIGEST = "sha256:" + "1" * 64
CHECKSUM = "Q1" + "a" * 27 + "="
MUSL = Package(ecosystem="apk", name="musl", version="1.2.5-r9", checksum=CHECKSUM)
JQ = Package(ecosystem="apk", name="jq", version="1.7.1-r0", checksum=CHECKSUM)


@frozen
class Ended:
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def accept(spec: ImageSpec, _candidate: str) -> str:
    """Accept every image, and find musl in it, and jq where that was asked for."""
    return encode(ALPINE, [MUSL, *([JQ] if "jq" in spec.packages else [])])


@define(eq=False)
class CommandLine:
    """A checkout, an engine, and what runs commands there, each with a session of its own as in a new process."""

    folder: Path
    engine: FakeEngine
    patch: pytest.MonkeyPatch
    check: Verify = field(default=accept)
    news: dict[str, PackageNews | Isol8Error] = field(factory=dict)
    """What the package sources say of an image, by its name; nothing new by default."""

    def __call__(self, *words: str, answer: str | None = None, at_terminal: bool = False) -> Ended:
        """Run a command; with an answer for what it asks, standard input is a terminal."""
        out, err = io.StringIO(), io.StringIO()
        lines = "" if answer is None else f"{answer}\n"
        typed = Terminal(lines) if at_terminal or lines else io.StringIO()
        tasks.session.cache_clear()
        with self.patch.context() as here, redirect_stdout(out), redirect_stderr(err):
            here.setattr(sys, "argv", ["doit", *words])
            here.setattr(sys, "stdin", typed)
            code = main()
        checked(words, out.getvalue())
        return Ended(code, out.getvalue(), err.getvalue())

    def open(self, *_: object) -> Session:
        """Return a session of the checkout."""
        return open_session(self.folder, {}, engine=self.engine, verify=self.check)

    def declare(self, text: str) -> None:
        """Give deps.toml another text."""
        (self.folder / "deps.toml").write_text(text)

    def ask_packages(self, spec: ImageSpec, _observed: Observed, _engine: object, **_: object) -> PackageNews:
        """Answer for the package sources, which a run asks in a container."""
        found = self.news.get(spec.name, PackageNews())
        if isinstance(found, Isol8Error):
            raise found
        return found

    def build(self) -> None:
        """Build what is not up to date, as another process does."""
        session = self.open()
        for spec in session.view.graph.images:
            session.make(spec.name)
        session.close()

    def tags(self) -> set[str]:
        """Return the public tags of the engine's images."""
        found = {tag for image in self.engine.images() for tag in image.tags}
        return {tag.removeprefix("isol8:") for tag in found if tag.startswith("isol8:")}


def engine_with_upstream() -> FakeEngine:
    """Return an engine whose registry has both upstream images."""
    deno = FakeImage(id="sha256:deno1", digests=(f"denoland/deno@{DIGEST}",))
    alpine = FakeImage(id="sha256:alpine1", digests=(f"alpine@{DIGEST}",))
    return FakeEngine(registry={"alpine:3.21": alpine, "denoland/deno:alpine": deno})


def command_line(folder: Path, engine: FakeEngine, patch: pytest.MonkeyPatch) -> CommandLine:
    """Return the command line of a checkout, made in an empty folder, with jq for bash, of which nothing is built."""
    shutil.copy(ROOT / "dodo.py", folder)
    settings = (ROOT / "pyproject.toml").read_text()
    # All that doit reads of it, once for each command.
    of_doit = settings[settings.index("[tool.doit]") : settings.index("[tool.ruff]")]
    (folder / "pyproject.toml").write_text(of_doit)
    (folder / "docker").mkdir()
    (folder / "docker" / "Dockerfile").write_text(DOCKERFILE)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "ISOL8_DEPS", "ISOL8_CONFIG"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(folder / "home"))
    made = CommandLine(folder, engine, patch)
    made.declare('[dependencies]\nbash = ["jq"]\n')
    patch.setattr(
        tasks,
        "open_session",
        lambda root, environ: open_session(root, environ, engine=made.engine, verify=made.check),
    )
    patch.setattr(refresh, "package_news", made.ask_packages)
    return made
