"""Breaking off what is under way."""

import pytest

from isol8_tasks.engine.jobs import JobList
from isol8_tasks.errors import EngineError


def test_only_what_is_under_way_is_cancelled() -> None:
    """A job that ended is left alone, and one that begins later is not touched."""
    running = JobList()
    closed: list[str] = []
    with running.job() as ended:
        ended.closes_with(lambda: closed.append("ended"))
    with running.job() as job:
        job.closes_with(lambda: closed.append("job"))
        running.cancel()
    with running.job() as later:
        later.closes_with(lambda: closed.append("later"))
    assert closed == ["job"]
    assert (ended.cancelled, job.cancelled, later.cancelled) == (False, True, False)


def test_a_job_cancelled_before_it_could_be_closed_is_closed_at_once() -> None:
    """A connection that is made after the order came is of no use."""
    running = JobList()
    closed: list[str] = []
    with running.job() as job:
        running.cancel()
        job.closes_with(lambda: closed.append("job"))
    assert closed == ["job"]


def test_nothing_begins_after_an_interruption() -> None:
    """What is aborted for good is aborted, and what would begin later fails with a line."""
    running = JobList()
    closed: list[str] = []
    with running.job() as job:
        job.closes_with(lambda: closed.append("job"))
        running.cancel(for_good=True)
    assert closed == ["job"]
    with pytest.raises(EngineError, match=r"^not begun, as the run was interrupted$"), running.job():
        pass
