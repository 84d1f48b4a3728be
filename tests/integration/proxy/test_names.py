"""Names are looked up as they were judged: complete, or as /etc/hosts has them."""

from collections.abc import Mapping

import pytest

from tests.integration.proxy.decisions import Case, Outcome, both, check, connect, get, outcomes, refused
from tests.integration.proxy.filters import Filters
from tests.integration.proxy.world import PUBLIC, PUBLIC_6

CASES = [
    *(
        case
        for name in ("public", "PUBLIC.", "blocked", "www.public")
        for case in (
            refused(f"GET {name}", get(name), "dns", status=403),
            refused(f"CONNECT {name}", connect(f"{name}:443"), "dns", status=403),
        )
    ),
    *both("known.test", dial=PUBLIC),
    *both("Known.Test.", dial=PUBLIC),
    *both("known", dial=PUBLIC_6),
    *both("known-private.test", dial="", kind="private"),
    *both("www.public.test", dial=PUBLIC),
]


@pytest.fixture(scope="module")
def found(filters: Filters) -> Mapping[str, Outcome]:
    """Give what one runtime's filters make of all cases."""
    return outcomes(filters, CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_search_domains_complete_nothing(found: Mapping[str, Outcome], case: Case) -> None:
    """A name that only exists with the resolver's search domain does not exist; one in /etc/hosts does."""
    check(case, found[case.name])
