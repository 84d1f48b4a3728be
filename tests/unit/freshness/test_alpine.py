"""Alpine's branches: which are out of support, and where to go."""

import datetime as dt

import pytest

from isol8_tasks.freshness.alpine import CHECKED, ENDS, Unsupported, unsupported


def test_a_branch_is_supported_to_its_last_day() -> None:
    """On its last day it still is, on the next one no more, and the newest that is supported is named."""
    assert unsupported("3.21.4", dt.date(2026, 11, 1)) is None
    assert unsupported("3.21.4", dt.date(2026, 11, 2)) == Unsupported(
        branch="3.21", ended=dt.date(2026, 11, 1), newer="3.23", until=dt.date(2027, 11, 1)
    )


def test_the_newest_is_the_highest_number() -> None:
    """Numbers are compared, not letters."""
    found = unsupported("3.18", dt.date(2025, 12, 1))
    assert found is not None
    assert found.newer == "3.23"


def test_where_the_table_knows_no_newer_one() -> None:
    """Past the last line of the table nothing is made up."""
    found = unsupported("3.23.1", dt.date(2030, 1, 1))
    assert found is not None
    assert (found.newer, found.until) == ("", None)


@pytest.mark.parametrize("release", ["", "edge", "4.0.1", "20260127"])
def test_what_is_not_known_is_not_called_unsupported(release: str) -> None:
    """A release that the table does not have is left alone."""
    assert unsupported(release, dt.date(2030, 1, 1)) is None


def test_the_table_is_in_order_and_dated() -> None:
    """A later branch is supported longer, and somebody said when he last looked."""
    assert list(ENDS.values()) == sorted(ENDS.values())
    assert max(ENDS.values()) > CHECKED
