"""Builds images with packages of the corpus as any run does, and uses what passes as isol8's newest clients do."""

import json
import re
import shlex
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Final

from attrs import Factory, define, evolve, frozen

from isol8_tasks.config.shipped import FOLDER
from isol8_tasks.ecosystems.runtimes import RUNTIMES
from isol8_tasks.engine.containers import RunRequest, SandboxEngine
from isol8_tasks.errors import Isol8Error
from isol8_tasks.run.session import Session, open_session
from isol8_tasks.verify.conditions import conditions, profile, writes
from tests.corpus_packages.sorting import mentions, sort
from tests.corpus_packages.table import Row

SECONDS: Final = 120
"""How long a line of code may take."""
OLDEST_CLIENT: Final = "0.20.0"
LARGEST: Final = 27
"""How many packages are put into one image, about."""


@frozen(kw_only=True)
class Result:
    """What became of a package."""

    row: Row
    accepted: bool
    said: str = ""
    """Of one that was refused: why; of one that was accepted and does not work: what it printed."""
    used: bool | None = None
    """Whether its line of code ran to its end; None where it has none."""
    notes: tuple[str, ...] = ()
    """What the run says of it although it passes."""

    @property
    def wrong(self) -> str:
        """Name the kind of a wrong verdict; empty for a right one."""
        if self.row.accepted and not self.accepted:
            return "false refusal"
        if self.accepted and (not self.row.accepted or self.used is False):
            return "false acceptance"
        return ""


@define(kw_only=True)
class Maker:
    """Makes images in a folder and a repository of its own."""

    folder: Path
    repository: str
    environ: Mapping[str, str]
    args: Mapping[str, str]
    """Build arguments."""
    tell: Callable[[str], None]
    jobs: int = 2
    download_cache: bool = False
    images: int = 0
    """How many were tried."""
    results: dict[Row, Result] = Factory(dict)

    def judge(self, groups: Iterable[Sequence[Row]]) -> None:
        """Give each package its verdict; a group shares an image, unless that is refused."""
        waiting = [list(group) for group in groups]
        while waiting:
            names = {f"c{self.images + number}": group for number, group in enumerate(waiting)}
            self.images += len(names)
            with self._session(names) as session:
                waiting = self._round(session, names)

    def _round(self, session: Session, names: Mapping[str, list[Row]]) -> list[list[Row]]:
        """Make images side by side, and remove them; return what is to be made next."""
        for runtime in dict.fromkeys(group[0].runtime for group in names.values()):
            session.make(runtime)
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                again = list(pool.map(lambda name: self._made(session, name, names[name]), names))
            except BaseException:
                # The pool waits for what is under way, which ends at once by this.
                session.expire()
                raise
        for name in names:
            session.remove(name)
        return [group for groups in again for group in groups]

    def adopt(self, repository: str) -> None:
        """Let the base images of another repository be this one's too, where it has none."""
        with self._session({}) as session:
            for runtime, suffix in product(RUNTIMES, ("", "_build")):
                source, target = (f"{name}{suffix}:{runtime}" for name in (repository, self.repository))
                if session.view.engine.inspect(source) and not session.view.engine.inspect(target):
                    session.view.engine.tag(source, target)

    def in_repository(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of which the package repository has all that is Alpine's."""
        if not rows:
            return []
        with self._session({}) as session:
            session.make("bash")
            request = RunRequest(
                image=f"{self.repository}:bash",
                command=(
                    "sh",
                    "-c",
                    'apk update -q 2>/dev/null; apk search -x "$@"',
                    "sh",
                    *sorted({name for row in rows for name in row.alpine}),
                ),
                user="root",
                seconds=SECONDS,
                online=True,
            )
            found = session.view.engine.run(request).stdout.decode().split()
        return [
            row
            for row in rows
            if all(
                any(re.fullmatch(rf"{re.escape(name)}-\d.*", each) for each in found) for name in row.alpine
            )
        ]

    def remove(self) -> None:
        """Take away the base images."""
        with self._session({}) as session:
            for runtime in RUNTIMES:
                session.remove(runtime)

    def _made(self, session: Session, name: str, group: list[Row]) -> list[list[Row]]:
        """Make one image; return what is to be made next."""
        image = f"{self.repository}:{name}"
        self.tell(
            f"{name}: {group[0].runtime}, {len(group)} packages: {' '.join(row.package for row in group)}"
        )
        try:
            session.make(name)
        except Isol8Error as error:
            hint = next((failure.hint for failure in session.failures if failure.image == name), "")
            outcome = sort(group, error, hint)
            self.tell(
                f"{name}: refused; {len(outcome.refused)} to blame, {len(outcome.again)} images more\n{error}"
            )
            for row, said in outcome.refused.items():
                self._note(Result(row=row, accepted=False, said=said))
            return outcome.again
        notes = next(outcome.notes for outcome in session.outcomes if outcome.image == name)
        for row in group:
            own = tuple(note for note in notes if mentions(row, note))
            self._note(evolve(used(session.view.engine, image, row), notes=own))
        return []

    def _note(self, result: Result) -> None:
        self.results[result.row] = result
        if result.wrong:
            self.tell(f"{result.wrong}: {result.row}")

    @contextmanager
    def _session(self, names: Mapping[str, Sequence[Row]]) -> Iterator[Session]:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "docker").exists():
            shutil.copytree(FOLDER / "docker", self.folder / "docker")
        (self.folder / "isol8.config.json").write_text("{}", encoding="utf-8")
        (self.folder / "deps.toml").write_text(self._deps(names), encoding="utf-8")
        session = open_session(self.folder, self.environ)
        try:
            yield session
        finally:
            session.close()

    def _deps(self, names: Mapping[str, Sequence[Row]]) -> str:
        lines = [
            "[build]",
            f"repository = {json.dumps(self.repository)}",
            f"jobs = {self.jobs}",
            f"download_cache = {json.dumps(self.download_cache)}",
            "[build.args]",
        ]
        lines += [f"{name} = {json.dumps(value)}" for name, value in sorted(self.args.items())]
        # What a package needs is the same with every client, and each kind of them would load all packages again.
        lines += ["[verify]", f'oldest_client = "{OLDEST_CLIENT}"']
        for name, group in names.items():
            lines += [f"[images.{name}]", f'runtime = "{group[0].runtime}"']
            lines.append(f"packages = {json.dumps([row.package for row in group])}")
            if system := dict.fromkeys(each for row in group for each in row.system):
                lines.append(f"system = {json.dumps([*system])}")
        return "\n".join([*lines, ""])


def used(engine: SandboxEngine, image: str, row: Row) -> Result:
    """Run the line of a package's that was accepted: as user sandbox, with a read-only root, without a network."""
    if not row.use:
        return Result(row=row, accepted=True)
    kind = conditions(row.runtime)[0]
    request = RunRequest(
        image=image,
        command=_command(row),
        user=kind.user,
        environment=kind.environment,
        tmpfs=kind.tmpfs,
        seccomp=profile(kind.denied_system_calls),
        capabilities=(),
        seconds=SECONDS,
    )
    done = engine.run(request)
    if done.exit == 0:
        return Result(row=row, accepted=True, used=True)
    printed = done.output.decode("utf-8", "replace").strip()
    how = f"exit code {done.exit}" if done.exit is not None else f"did not end within {SECONDS} s"
    return Result(row=row, accepted=True, used=False, said=f"{how}\n{printed[-2000:]}")


def _command(row: Row) -> tuple[str, ...]:
    if row.use.startswith("$ "):
        return ("sh", "-c", row.use.removeprefix("$ "))
    start = conditions(row.runtime)[0].starts[0]
    if not start.file:
        return tuple(word.format(code=row.use) if word == "{code}" else word for word in start.command)
    return ("sh", "-c", f"{writes(start, row.use)} && exec {shlex.join(start.command)}")


def batches(rows: Iterable[Row]) -> list[list[Row]]:
    """Return which packages share an image: those of one runtime, and of those whose build is to fail each alone.

    Those come last, as each may take as long as all others of an image.
    """
    alone: list[list[Row]] = []
    by: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.kind == "broken" and not row.own:
            alone.append([row])
        else:
            kind = "with system" if row.system else "accepted" if row.accepted else row.kind
            by.setdefault((row.runtime, kind), []).append(row)
    found = []
    for alike in by.values():
        count = -(-len(alike) // LARGEST)
        # By name, so that a row that comes or goes changes one image, and the builder has the others.
        shares = [
            [row for row in alike if zlib.crc32(row.package.encode()) % count == part]
            for part in range(count)
        ]
        found += [share for share in shares if share]
    return [*found, *alone]
