"""Runs the suite on the engines that were asked for, one after the other."""

import argparse
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import docker
import pytest
from attrs import evolve

from isol8_tasks.errors import Isol8Error
from lab.updown import Lab
from tests.engines.kinds import KINDS, Kind
from tests.engines.steps import STEPS
from tests.engines.suite import LONGEST, NotRunError, Suite
from tests.engines.table import Column, table
from tests.integration.checkouts import new_checkout, remove_tags
from tests.integration.registries import Registry

ROOT: Final = Path(__file__).parents[2]
_FOLDER: Final = ROOT / ".isol8/engines"
_WIDEST: Final = 300
"""Characters of a reason."""


def main(arguments: Sequence[str]) -> int:
    """Run it, print the table and what could not be run, and return 0 if every step that ran was ok, else 1."""
    chosen = _parsed(arguments)
    columns, absent = [], []
    # Its registry is asked for before any engine is there.
    Lab.of(ROOT).provide_programs()
    shutil.rmtree(_FOLDER / "steps", ignore_errors=True)
    (_FOLDER / "steps").mkdir(parents=True)
    with closing_registry(_FOLDER / "steps/registry") as registry:
        for kind in chosen.engines:
            began = time.monotonic()
            try:
                with kind.start(ROOT, registry=registry.address, say=_say) as host:
                    folder = _FOLDER / "steps" / kind.name
                    columns.append(on_engine(kind, host, registry, folder, smoke=chosen.smoke))
                _say(f"{kind.name}: {time.monotonic() - began:.0f} s")
            except (Isol8Error, OSError, subprocess.SubprocessError, pytest.skip.Exception) as error:
                absent.append(f"{kind.name} was not run: {_line(error)}")
                _say(absent[-1])
    _say("\n" + table(columns))
    if absent:
        _say("\n".join(["", *absent]))
    failed = sum(result.startswith("failed") for column in columns for result in column.results.values())
    return 1 if failed or not columns else 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    names = ", ".join(kind.name for kind in KINDS)
    parser = argparse.ArgumentParser(prog="./doitw test", description=f"The engines: {names}.")
    parser.add_argument(
        "--engines", required=True, help="all, or names with commas between them", type=_kinds
    )
    parser.add_argument("--smoke", action="store_true", help="bash alone, and fewer steps: a minute or two")
    return parser.parse_args(arguments)


def _kinds(text: str) -> tuple[Kind, ...]:
    if text == "all":
        return KINDS
    wanted = text.split(",")
    if unknown := set(wanted) - {kind.name for kind in KINDS}:
        known = ", ".join(kind.name for kind in KINDS)
        raise argparse.ArgumentTypeError(f"no engine {', '.join(sorted(unknown))}: all, or of {known}")
    return tuple(kind for kind in KINDS if kind.name in wanted)


@contextmanager
def closing_registry(folder: Path) -> Iterator[Registry]:
    """Start a registry for engines to push to, empty at first, in a new folder."""
    registry = Registry(folder)
    try:
        yield registry.start()
    finally:
        registry.kill()


def on_engine(kind: Kind, host: str, registry: Registry, folder: Path, *, smoke: bool) -> Column:
    """Run the steps on an engine, and remove what they made there; the checkout is made in a new folder."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, closing(docker.APIClient(host, "auto", 300)) as api:
        patch.setenv("DOCKER_HOST", host)
        patch.delenv("DOCKER_CONTEXT", raising=False)
        checkout = evolve(new_checkout(folder / "checkout"), longest=LONGEST)
        suite = Suite(checkout, api, registry, folder.parent / "overlay2.json", whole=not smoke)
        column = Column(
            " ".join(filter(None, (kind.what, api.version()["Version"].partition("+")[0], kind.after)))
        )
        _say(f"== {column.title}")
        try:
            for step in STEPS:
                if step.smoke or not smoke:
                    began = time.monotonic()
                    column.results[step.name] = _step(step.act, suite)
                    took = time.monotonic() - began
                    _say(f"{took:5.0f} s  {step.name}: {column.results[step.name]}")
        finally:
            remove_tags(api, checkout.repository)
    return column


def _step(act: Callable[[Suite], None], suite: Suite) -> str:
    try:
        act(suite)
    except NotRunError as error:
        return f"not run: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps follow
        with (suite.checkout.folder.parent / "failed.log").open("a") as log:
            log.write(f"{suite.output}\n{traceback.format_exc()}\n")
        return f"failed: {_line(error)}"
    return "ok"


def _line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return " ".join(text.splitlines()[0].split())[:_WIDEST]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - people watch it run
