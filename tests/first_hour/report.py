"""Prints how many of the table's rows are answered well, and which are not: python -m tests.first_hour.report.

Further words are pytest's: `-k proxy`, or tests/first_hour/test_without_engine.py for the rows that need no engine.
With --record it also keeps what was answered in answers.json, of which tests/first_hour/when.py makes docs/when.md;
with --missing it plays only rows of that page of which nothing is kept yet.
"""

import os
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.first_hour.when import recorded, shown, write


class Collector:
    """Collects what came of each row."""

    def __init__(self, only: Collection[str] | None) -> None:
        self.only = only
        """Names of the rows that are played; None for all."""
        self.good = 0
        self.others: list[str] = []
        self.answers: dict[str, str] = {}
        """What was said, by the row's name."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the rows that are played."""
        if self.only is not None:
            items[:] = [each for each in items if _row(each.nodeid) in self.only]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what came of a row."""
        if (report.when != "call" and report.passed) or "NOTSET" in report.nodeid:
            return
        name = _row(report.nodeid)
        if report.passed:
            self.good += 1
            self.answers[name] = str(dict(report.user_properties).get("said", ""))
        elif why := getattr(report, "wasxfail", ""):
            self.others.append(f"{name}\n    open: {why}")
        else:
            self.others.append(f"{name}\n{report.longreprtext}".replace("\n", "\n    "))


def _row(test: str) -> str:
    return test.partition("[")[2].rpartition("]")[0] or test


def main(words: list[str]) -> int:
    """Run the rows, and print the figures."""
    records = "--record" in words
    missing = {row.name for row in shown()} - {*recorded()} if "--missing" in words else None
    collector = Collector(missing)
    words = [word for word in words if word not in {"--record", "--missing"}]
    places = [] if any(Path(word).exists() for word in words) else [str(Path(__file__).parent)]
    # pytest's own lines go to standard error: what is printed here is the report.
    printed = os.dup(1)
    os.dup2(2, 1)
    pytest.main(["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", *places, *words], [collector])
    sys.stdout.flush()
    os.dup2(printed, 1)
    if records:
        write(collector.answers)
    count = collector.good + len(collector.others)
    print(f"{collector.good} of {count} rows good ({collector.good / max(count, 1):.1%})")  # noqa: T201 - its purpose
    for each in collector.others:
        print(f"- {each}")  # noqa: T201 - as above
    return 0 if not collector.others else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
