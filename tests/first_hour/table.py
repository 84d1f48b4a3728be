"""The faults of a first hour, a row each, and what makes an answer to one good."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pytest
from attrs import Factory, frozen

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

Where = Literal["unit", "shell", "engine"]
Recorded = Callable[[str, object], None]
"""pytest's record_property."""
FOLDER = Path(__file__).parent


@frozen(kw_only=True)
class Fault:
    """A fault, what is typed then, and what is to be answered."""

    kind: str
    fault: str
    """In words; with `kind` and `typed` the row's name."""
    where: Where
    """`unit`: in this process on a fake engine; `shell`: a real ./doitw without an engine; `engine`: on a real one."""
    typed: tuple[str, ...] = ()
    """The words after ./doitw; `{name}` stands for what a preparation put into `Scene.words`."""
    line: str = ""
    """A line for bash in the place of `typed`, with `./doitw` in it."""
    answer: str | None = None
    """What is typed at a question."""
    prepare: tuple[str, ...] = ()
    """Functions of preparations.py that bring the fault about; `module:function` is one of another module here."""
    deps: str | None = None
    """The text of deps.toml."""
    edits: tuple[tuple[str, str, str], ...] = ()
    """A file, a text in it, and what it is replaced by."""
    environ: Mapping[str, str] = Factory(dict)
    cause: str
    """A pattern that the output must have: the true cause."""
    next: str
    """The same of the next step; empty where there is none to name."""
    absent: str = ""
    """A pattern that the output must not have."""
    exit: int
    seconds: float = 10
    """Within which all of the answer must be there."""
    open: str = ""
    """Why it is not answered well yet."""

    @property
    def name(self) -> str:
        """Return what tells the row from others."""
        return f"{self.kind}: {self.fault}: {self.line or ' '.join(self.typed) or './doitw'}"


@frozen(kw_only=True)
class Answer:
    """What a command left."""

    code: int
    said: str
    """Both outputs."""
    seconds: float


def read(where: tuple[Where, ...] = get_args(Where)) -> list[Fault]:
    """Return the rows of all tables that are of one of these kinds."""
    rows = [
        _fault(row)
        for file in sorted(FOLDER.glob("*.toml"))
        for row in tomllib.loads(file.read_text(encoding="utf-8"))["fault"]
    ]
    return [row for row in rows if row.where in where]


def parameters(where: Where) -> "list[ParameterSet]":
    """Return the rows of a kind as a test's parameters; those that are open are expected to fail."""
    return [
        pytest.param(row, id=row.name, marks=[pytest.mark.xfail(reason=row.open)] if row.open else [])
        for row in read((where,))
    ]


def problems(fault: Fault, answer: Answer) -> list[str]:
    """Return what an answer lacks to be good."""
    found = []
    if not re.search(fault.cause, answer.said, re.DOTALL):
        found.append(f"the cause is not named: {fault.cause}")
    if not re.search(fault.next, answer.said, re.DOTALL):
        found.append(f"the next step is not named: {fault.next}")
    if fault.absent and re.search(fault.absent, answer.said, re.DOTALL):
        found.append(f"it says {fault.absent}")
    if answer.code != fault.exit:
        found.append(f"exit code {answer.code}, not {fault.exit}")
    if "Traceback (most recent call last)" in answer.said:
        found.append("a traceback")
    if answer.seconds > fault.seconds * _slowness():
        found.append(f"{answer.seconds:.1f} s, longer than {fault.seconds:g} s")
    return found


def _slowness() -> float:
    """Return how many times longer all takes, since other programs are at work on this machine."""
    return max(1, os.getloadavg()[0] / (os.cpu_count() or 1))


def judge(fault: Fault, answer: Answer) -> None:
    """Fail, with what was said, where an answer is not good."""
    if found := problems(fault, answer):
        pytest.fail("\n".join([*found, f"it said after {answer.seconds:.1f} s:", answer.said]), pytrace=False)


def _fault(row: Mapping[str, object]) -> Fault:
    """Return a row of the table; TypeError for a key that no row has."""
    lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    given = {**row, **lists}
    if isinstance(given.get("prepare"), str):
        given["prepare"] = (given["prepare"],)
    return Fault(**given)  # type: ignore[arg-type]  # the keys are checked by the call
