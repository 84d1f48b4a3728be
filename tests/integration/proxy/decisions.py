"""Requests, what the filter has to make of each, and a way to ask for many of them at once."""

import json
from collections.abc import Iterable, Mapping

from attrs import field, frozen

from tests.integration.proxy.filters import Answer, Filters
from tests.integration.proxy.world import PUBLIC

TUNNEL = "HTTP/1.1 200 Connection Established\r\n\r\n"


@frozen(kw_only=True)
class Case:
    """A request, and its outcome."""

    name: str
    request: str
    status: int
    rule: str
    """As the log has it."""
    dials: tuple[tuple[str, int], ...] = ()
    settings: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Outcome:
    """What a filter made of a case."""

    answer: Answer
    line: Mapping[str, object]
    """What it wrote down."""


def outcomes(filters: Filters, cases: Iterable[Case]) -> dict[str, Outcome]:
    """Ask every case of a filter with its settings; the outcomes by the names of the cases."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(json.dumps(sorted(case.settings.items())), []).append(case)
    found: dict[str, Outcome] = {}
    for group in groups.values():
        proxy = filters.shared(group[0].settings)
        answers = proxy.ask([case.request for case in group])
        lines = proxy.log(len(group))
        for case, answer, line in zip(group, answers, lines, strict=True):
            found[case.name] = Outcome(answer=answer, line=line)
    return found


def get(host: str, rest: str = "/", *more: str, method: str = "GET") -> str:
    """Return a request for a host, with its Host."""
    return "\r\n".join([f"{method} http://{host}{rest} HTTP/1.1", f"Host: {host}", *more, "", ""])


def connect(authority: str) -> str:
    """Return a request for a tunnel."""
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"


def both(
    host: str, *, dial: str, kind: str | None = None, settings: Mapping[str, str] | None = None
) -> list[Case]:
    """Return a request and a tunnel to a host: let through to an address, or refused for its kind."""
    rule = f"address: {kind}" if kind else "whitelist: empty"
    name = f"{host} with {'+'.join(settings)}" if settings else host
    return [
        Case(
            name=f"GET {name}",
            request=get(host),
            status=403 if kind else 201,
            rule=rule,
            dials=() if kind else ((dial, 80),),
            settings=settings or {},
        ),
        Case(
            name=f"CONNECT {name}",
            request=connect(f"{host}:443"),
            status=403 if kind else 200,
            rule=rule,
            dials=() if kind else ((dial, 443),),
            settings=settings or {},
        ),
    ]


def refused(name: str, request: str, rule: str, *, status: int = 400) -> Case:
    """Return a request that is refused for what it looks like, and dials nothing."""
    return Case(name=name, request=request, status=status, rule=rule)


def allowed(name: str, request: str, *, status: int = 201, dial: tuple[str, int] = (PUBLIC, 80)) -> Case:
    """Return a request that is let through by a filter without lists."""
    return Case(name=name, request=request, status=status, rule="whitelist: empty", dials=(dial,))


def check(case: Case, outcome: Outcome) -> None:
    """Assert that what the client, the servers and the log saw is what the case says."""
    told = (outcome.answer.status, outcome.line["rule"], outcome.answer.dials)
    assert told == (case.status, case.rule, case.dials), outcome.answer.text
    passed = "allow" if case.rule.startswith("whitelist: ") and case.dials else "refuse"
    assert outcome.line["decision"] == ("fail" if case.status == 502 else passed)
