"""Two hundred tunnels and ten thousand requests at once lose nothing, and cost no more memory in the end."""

import json
from collections.abc import Callable

from tests.integration.proxy.filters import Filters

TUNNELS = 200
REQUESTS = 10_000
MOST = 60_000
"""Kilobytes. The sandbox's own limit counts them."""
WARM_UP = 10_000
"""As many as are measured, so that what the program keeps for later is not taken for a leak."""


def test_nothing_is_lost_and_memory_stays(filters: Filters, in_world: Callable[..., str]) -> None:
    """Each answer belongs to its request, each tunnel echoes, and a second load takes hardly more than the first."""
    proxy = filters.start({})
    in_world("load.py", str(proxy.port), str(WARM_UP), str(TUNNELS))
    before = proxy.kilobytes()
    told = json.loads(in_world("load.py", str(proxy.port), str(REQUESTS), str(TUNNELS)))
    assert told == {"answered": REQUESTS, "tunnels": TUNNELS}
    after = proxy.kilobytes()
    print(f"{before} kB before, {after} kB after")  # noqa: T201 - shown when it fails
    assert after - before < 16_000
    assert after < MOST
    lines = proxy.log(REQUESTS + WARM_UP + 2 * TUNNELS)
    assert {line["decision"] for line in lines} == {"allow"}
    proxy.stop()
