"""The suite of steps on many engines: what is asked for, and how the table tells of it."""

import pytest

from tests.engines.run import main
from tests.engines.steps import STEPS
from tests.engines.table import Column, table


def test_table() -> None:
    """A reason stands once below it, however often it is met."""
    first, second, third = (step.name for step in STEPS[:3])
    columns = [
        Column("A 1", {first: "ok", second: "failed: it broke"}),
        Column("B 2", {first: "failed: it broke", second: "not run: nothing is there"}),
    ]
    assert table(columns).splitlines() == [
        "| step | A 1 | B 2 |",
        "| --- | --- | --- |",
        f"| {first} | ok | failed (1) |",
        f"| {second} | failed (1) | not run (2) |",
        "",
        "1. it broke",
        "2. nothing is there",
    ]
    assert third not in table(columns)


def test_unknown_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """What there is stands in the same line."""
    with pytest.raises(SystemExit):
        main(["--engines", "podman-5.4,podman-9"])
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "./doitw test: error: argument --engines: no engine podman-9: all, or of docker-28.5-"
    )


def test_names_of_steps_differ() -> None:
    """What came of each is kept by its name."""
    assert len({step.name for step in STEPS}) == len(STEPS)
