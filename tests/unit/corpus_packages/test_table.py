"""The corpus' tables can be read, are as large as is claimed, and a tenth of them leaves nothing out for good."""

import datetime as dt
from collections import Counter

from isol8_tasks.ecosystems.runtimes import RUNTIMES
from tests.corpus_packages import own
from tests.corpus_packages.making import LARGEST, batches
from tests.corpus_packages.table import ACCEPTED, groups, of_group, rows, tenth


def test_three_hundred_packages_of_five_ecosystems() -> None:
    """Each runtime has packages, every package is named once, and its name can be read."""
    table = [row for row in rows() if row.kind != "mirror"]
    assert len(table) >= 300
    assert {row.runtime for row in table} == set(RUNTIMES)
    assert [row for row, count in Counter(map(str, (*rows(), *own.rows()))).items() if count > 1] == []
    assert all(row.name for row in table)


def test_what_is_accepted_is_used() -> None:
    """Every package that is to be accepted has a line of code, and no other has one."""
    assert [str(row) for row in (*rows(), *own.rows()) if bool(row.use) != (row.kind in ACCEPTED)] == []


def test_ten_days_have_all_of_it() -> None:
    """Ten days in a row, whichever, have every package once."""
    table = rows()
    days = [dt.date(2026, 12, 28) + dt.timedelta(days=day) for day in range(10)]
    chosen = [row for day in days for row in tenth(table, day)]
    assert sorted(map(str, chosen)) == sorted(map(str, table))
    assert all(len(tenth(table, day)) < len(table) / 5 for day in days)


def test_batches_have_all_of_it_and_one_runtime_each() -> None:
    """No package is left out of the images, none of them is too large, and each is of one runtime."""
    found = batches(rows())
    assert sorted(str(row) for group in found for row in group) == sorted(map(str, rows()))
    assert all(len(group) <= 2 * LARGEST and len({row.runtime for row in group}) == 1 for group in found)


def test_lists_of_others_have_rows() -> None:
    """A list has all its names, and takes from the table what is known of them."""
    assert {"isol8", "e2b", "librechat"} == set(groups())
    found = of_group("isol8", rows())
    assert [(row.package, row.kind) for row in found] == [
        ("numpy", "works"),
        ("pandas", "works"),
        ("scikit-learn", "no-musl"),
    ]
