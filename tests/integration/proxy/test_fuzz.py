"""Mutated requests: nothing ends a filter, nothing hangs, and nothing is dialled that was not vetted."""

import json
import os
from collections.abc import Callable

import pytest

from tests.integration.proxy.filters import Filters

SECONDS = os.environ.get("ISOL8_FUZZ_SECONDS", "20")
SEED = os.environ.get("ISOL8_FUZZ_SEED", "1")
SETTINGS = {
    "ISOL8_BLACKLIST": json.dumps([r"^blocked\.test$", r"^9\.9\.9\.9$"]),
    "ISOL8_PROXY_HEADER_SECONDS": "3",
    "ISOL8_PROXY_IDLE_SECONDS": "3",
}
GOOD = "GET http://public.test/ HTTP/1.1\r\nHost: public.test\r\n\r\n"


@pytest.mark.thorough
def test_mutated_requests_do_no_harm(filters: Filters, in_world: Callable[..., str]) -> None:
    """A filter takes what is sent for a while, and then answers as before."""
    proxy = filters.start(SETTINGS)
    told = json.loads(in_world("fuzz.py", SECONDS, SEED, str(proxy.port)))
    print(told)  # noqa: T201 - shown with -s, for the long runs
    assert told["failures"] == []
    assert told["unvetted"] == []
    assert sum(told["dials"].values()) > 0
    assert set(told["counts"][str(proxy.port)]) > {"201", "400", "403", "aborted"}
    assert proxy.failures() == []
    assert proxy.is_running()
    assert proxy.ask([GOOD])[0].status == 201
    proxy.stop()
