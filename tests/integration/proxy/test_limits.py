"""What the filter does when there is too much, too little or nobody left, and what it writes down."""

import json
from collections.abc import Callable
from time import monotonic, sleep

import pytest

from tests.integration.proxy.decisions import get
from tests.integration.proxy.filters import Execute, Filters

EXPECTED: dict[str, tuple[dict[str, str], list[object]]] = {
    "turned_away": ({"ISOL8_PROXY_CONNECTIONS": "3"}, [[200, 200, 200], 503, 201]),
    "slow_head": ({"ISOL8_PROXY_HEADER_SECONDS": "1"}, [[503, 503, 503], True]),
    "silence": ({"ISOL8_PROXY_IDLE_SECONDS": "1"}, [[503, 503], [0, 0], "helloxxxxxxxxy"]),
    "slow_dial": ({"ISOL8_PROXY_DIAL_SECONDS": "1", "ISOL8_ALLOW_PORTS": "8002"}, [[503, 503], True]),
    "blanks": ({}, [True]),
}


@pytest.mark.parametrize("talk", EXPECTED)
def test_past_a_limit_a_client_gets_503(filters: Filters, in_world: Callable[..., str], talk: str) -> None:
    """Each conversation of talks.py goes as its docstring says, and nobody is kept waiting."""
    settings, expected = EXPECTED[talk]
    proxy = filters.start(settings)
    first, *others = [json.loads(line) for line in in_world("talks.py", str(proxy.port), talk).splitlines()]
    assert first == expected
    assert others in ([], [[True]])
    proxy.stop()


def test_lookups_do_not_pile_up(filters: Filters, in_world: Callable[..., str]) -> None:
    """What waits for one that was given up on is let go, so that others find room."""
    proxy = filters.start({"ISOL8_PROXY_CONNECTIONS": "4", "ISOL8_PROXY_DIAL_SECONDS": "0.5"})
    told = in_world("talks.py", str(proxy.port), "many_lookups").splitlines()
    assert [json.loads(line) for line in told] == [[503] * 6, [201]]
    rules = [line["rule"] for line in proxy.log(7)]
    assert rules == ["limit: dial"] * 6 + ["whitelist: empty"]
    proxy.stop()


def test_it_drains(filters: Filters, execute: Execute, world: str) -> None:
    """SIGTERM lets what has begun end, for as long as it may, and the filter is gone after that."""
    proxy = filters.start({"ISOL8_PROXY_DRAIN_SECONDS": "2"})
    script = f"""
python3 /world/talks.py {proxy.port} drained > /tmp/drained 2>&1 &
timeout 20 sh -c 'until grep -q ready /tmp/drained; do sleep 0.05; done'
"""
    assert execute(world, "sh", "-c", script).returncode == 0
    proxy.stop()
    proxy.wait_for_end()
    sleep(0.5)
    told = execute(world, "cat", "/tmp/drained").stdout.splitlines()
    assert json.loads(told[-1]) == [0, True, False, 0, True]
    rules = [line["rule"] for line in proxy.log(3)]
    assert rules == ["whitelist: empty", "whitelist: empty", "limit: drain"]


def test_no_log_no_request(filters: Filters, execute: Execute, in_world: Callable[..., str]) -> None:
    """A log that was asked for and that nobody reads any more makes the filter refuse, and keeps nobody waiting."""
    script = "rm -f /tmp/deaf; mkfifo /tmp/deaf; sleep 600 < /tmp/deaf > /dev/null 2>&1 & sleep 0.2"
    execute(filters.container, "sh", "-c", script)
    proxy = filters.start({"ISOL8_PROXY_LOG": "/tmp/deaf"}, has_log=False)
    assert json.loads(in_world("talks.py", str(proxy.port), "deaf_log")) == [503]
    proxy.stop("KILL")


def test_refusals_push_nothing_out_of_the_log(
    filters: Filters, execute: Execute, in_world: Callable[..., str]
) -> None:
    """What was let through is on record although the log is full of refusals; of those it says how many are not."""
    script = "rm -f /tmp/slow; mkfifo /tmp/slow; sleep 600 < /tmp/slow > /dev/null 2>&1 & sleep 0.2"
    execute(filters.container, "sh", "-c", script)
    proxy = filters.start({"ISOL8_PROXY_LOG": "/tmp/slow"}, has_log=False)
    assert json.loads(in_world("talks.py", str(proxy.port), "flooded_log")) == [200, [403, 503], 0]
    execute(filters.container, "sh", "-c", "cat /tmp/slow > /tmp/heard & sleep 1")
    proxy.stop()
    proxy.wait_for_end()
    lines = [json.loads(line) for line in execute(filters.container, "cat", "/tmp/heard").stdout.splitlines()]
    assert [line["decision"] for line in lines if line.get("method") == "CONNECT"] == ["allow"]
    (lost,) = [int(str(line["warning"]).split(" ")[0]) for line in lines if line.get("event") == "warning"]
    assert lost > 0
    assert lost + sum(line.get("port") == 81 for line in lines) == 2_500


def test_no_file_no_request(filters: Filters) -> None:
    """A log that can't be written makes the filter refuse as well."""
    proxy = filters.start({"ISOL8_PROXY_LOG": "/dev/full"}, has_log=False)
    deadline = monotonic() + 10
    while (answer := proxy.ask([get("public.test")])[0]).status != 503:
        assert monotonic() < deadline
        sleep(0.1)
    assert answer.body == "isol8: the log cannot be written: ENOSPC\n"
    assert answer.dials == ()
    proxy.stop()


def test_what_it_writes_down(filters: Filters) -> None:
    """The start, a warning for each expression that is not tied to both ends, and a line for each request."""
    lists = {
        "ISOL8_WHITELIST": json.dumps(["^public[.]test$", "^b", "(a|^c)[.]d$"]),
        "ISOL8_BLACKLIST": '["x"]',
    }
    proxy = filters.start(lists)
    start, *warnings = proxy.events()
    assert (start["event"], start["blacklist"], start["whitelist"], start["strict"]) == ("start", 1, 3, False)
    assert [(line["list"], line["pattern"], line["warning"]) for line in warnings] == [
        ("blacklist", "x", "unanchored: a host may have more before and after what matches"),
        ("whitelist", "^b", "unanchored: a host may have more after what matches"),
        ("whitelist", "(a|^c)[.]d$", "unanchored: a host may have more before what matches"),
    ]
    hostile = 'GET http://public.test/"\\u000a{} HTTP/1.1\r\nHost: public.test\r\nX: \x85"}\r\n\r\n'
    (answer,) = proxy.ask([hostile])
    (line,) = proxy.log(1)
    assert set(line) == {"time", "method", "host", "port", "address", "decision", "rule", "bytes", "duration"}
    assert {name: line[name] for name in ("method", "host", "port", "address", "decision", "rule")} == {
        "method": "GET",
        "host": "public.test",
        "port": 80,
        "address": "93.184.216.34",
        "decision": "allow",
        "rule": "whitelist: ^public[.]test$",
    }
    assert line["bytes"] == {"up": 0, "down": len(answer.body)}
    proxy.stop()


def test_strict_patterns_need_no_warning(filters: Filters) -> None:
    """ISOL8_PROXY_STRICT ties them, and there is nothing to warn of."""
    proxy = filters.start({"ISOL8_WHITELIST": '["public"]', "ISOL8_PROXY_STRICT": "1"})
    assert [line["event"] for line in proxy.events()] == ["start"]
    proxy.stop()


def test_its_own_address_is_always_refused(filters: Filters) -> None:
    """Nobody reaches the filter through itself, whatever the networks and ports that are allowed."""
    everything = {"ISOL8_ALLOW_NETS": "0.0.0.0/0,::/0", "ISOL8_PROXY_HOST": "0.0.0.0"}
    ports = ",".join(str(port) for port in range(8100, 8600))
    proxy = filters.start({**everything, "ISOL8_ALLOW_PORTS": ports})
    hosts = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "loopback.test"]
    answers = proxy.ask([get(f"{host}:{proxy.port}") for host in hosts])
    assert [(answer.status, answer.dials) for answer in answers] == [(403, ())] * len(hosts)
    assert [line["rule"] for line in proxy.log(len(hosts))] == ["address: own"] * len(hosts)
    proxy.stop()


def test_its_own_address_has_one_form(filters: Filters) -> None:
    """An address to listen on that is written as a mapped one is refused as the one it stands for."""
    own = "20.20.20.21"
    settings = {"ISOL8_ALLOW_NETS": "0.0.0.0/0,::/0", "ISOL8_PROXY_HOST": f"::ffff:{own}"}
    ports = ",".join(str(port) for port in range(8100, 8600))
    proxy = filters.start({**settings, "ISOL8_ALLOW_PORTS": ports}, host=own)
    request = get(f"{own}:{proxy.port}").replace("\r\n", "\\r\\n")
    filters.execute(filters.world, "sh", "-c", f"printf '{request}' | nc {own} {proxy.port}")
    assert [line["rule"] for line in proxy.log(1)] == ["address: own"]
    proxy.stop()
