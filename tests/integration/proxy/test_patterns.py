"""The filter's own regular expressions: they agree with the engines', and take linear time."""

import json
from collections.abc import Callable, Mapping

import docker
import pytest

from tests.executed import read
from tests.integration.proxy.conftest import archive
from tests.integration.proxy.filters import Filters

GENERATE = """
for start in node bun 'deno run'; do
    command -v ${start%% *} > /dev/null && exec $start /world/patterns.mjs
done
"""
CHECK = """
sed -i 's/^func main()/func filterMain()/' main.go
cp /world/patterns_check.go . && CGO_ENABLED=0 go run . < /world/rows
"""

TAKEN = [
    ("", "example.com", True),
    ("example", "www.example.com", True),
    ("Example", "www.example.com", True),
    ("^[A-Z]+$", "abc", True),
    ("^[^A-Z]+$", "abc", True),
    (r"^(?<label>[a-z]+)\.com$", "example.com", True),
    (r"^\x65xampl\u0065\.com$", "example.com", True),
    (r"^a{2,3}$", "aaaa", False),
    (r"^[[:alnum:]]+$", "ab1", True),
    (r"^[[:alpha:]_-]+$", "ab1", False),
    (r"^a{0}b$", "a", False),
    (r"^::1$", "example.com", False),
    (r"^2606:", "example.com", False),
    (r"^10\.", "example.com", False),
    (r"^[0-9]+\.example", "1.example", True),
    (r"e\Bx\Ba", "example.com", True),
    (r"\bcom\b$", "example.com", True),
    (r"^_dmarc\.", "example.com", False),
    (r"0xf$", "example.com", False),
    (r"(https://|^)example", "example.com", True),
    (r"^(a{2}){2}$", "aaaa", True),
    (r"a{63}", "a" * 63, True),
    (r"a{1000}", "a" * 63, False),
]
REFUSED = {
    "(": "unmatched ( at 2",
    ")": "unmatched ) at 1",
    "a)": "unmatched ) at 2",
    "[a": "unmatched [ at 3",
    "]": "unmatched ] at 1",
    "a{": "unmatched { at 2",
    "a{,2}": "unmatched { at 2",
    "}": "unmatched } at 1",
    "*a": "nothing to repeat at 1",
    "*.a.test": r"nothing to repeat at 1; for all hosts of a domain write ^([a-z0-9-]+\\.)*a\\.test$ (in JSON)",
    "a**": "nothing to repeat at 4",
    "^*": "nothing to repeat at 3",
    r"\b+": "nothing to repeat at 4",
    "a{2,1}": "numbers out of order in {} at 2",
    "a{1001}": "more than 1000 repeats at 2",
    "[b-a]": "range out of order at 5",
    r"(a)\1": "back-references are not taken at 5",
    r"(?<x>a)\k<x>": "back-references are not taken at 9",
    "(?=a)": "look-around is not taken at 3",
    "(?!a)": "look-around is not taken at 3",
    "(?<=a)": "look-around is not taken at 3",
    "(?<!a)": "look-around is not taken at 3",
    "(?i:a)": "unknown kind of group at 3",
    "(?>a)": "unknown kind of group at 3",
    r"\p{L}": r"unknown escape \p at 2",
    r"\cA": r"unknown escape \c at 2",
    r"\0": r"unknown escape \0 at 2",
    r"\A": r"unknown escape \A at 2",
    r"\<ads": r"unknown escape \< at 2",
    "[[:word:]]": "unmatched ] at 10",
    r"[\b]": r"unknown escape \b at 3",
    r"\u{61}": r"unknown escape \u at 2",
    r"\xff": "only ASCII is taken at 2",
    "bücher": "only ASCII is taken: hosts are matched as xn-- names",
    "a\\": "a lone backslash at 3",
    "(a{1000}){3}": "it needs more than 2000 states",
    "((?:(?:){1000}){1000}){1000}": "it needs more than 2000 states",
    "(" * 51 + ")" * 51: "more than 50 nested groups at 52",
}
IMPOSSIBLE = [
    r"^evil\.test:443$",
    "https://evil.test",
    "/evil/i",
    " evil.test",
    "evil.test ",
    "evil@test",
    "^$",
    r"^\.evil\.test$",
    r"evil\.$",
    r"^evil\.\.test$",
    r"^\[::1\]$",
    "^dead:beef$",
    r"^127\.1$",
    "^2130706433$",
    r"^1\.2\.3\.4\.5$",
    r"a\bb",
    r"a\B$",
    "a^b",
    "a$b",
    "[^\\w.:-]",
]
"""What no host can match: it is a name whose labels have letters, digits, - and _, or an address in its normal form."""


@pytest.fixture(scope="module")
def compare(
    docker_api: docker.APIClient,
    build_stage: Callable[..., str],
    build_args: Mapping[str, str],
    start_container: Callable[..., str],
) -> Callable[[str], str]:
    """Give `compare(rows)`: what patterns_check.go says of them, in the stage that compiles the filter."""
    image = build_stage("filter", "filter", build_args)
    container = start_container(image, ["sleep", "3600"], user="root", network_mode="none")

    def run(rows: str) -> str:
        docker_api.put_archive(container, "/", archive({"rows": rows.encode()}))
        made = docker_api.exec_create(container, ["sh", "-c", CHECK], workdir="/filter")
        return "".join(read(docker_api, made))

    return run


@pytest.mark.thorough
@pytest.mark.parametrize("runtime", ["node", "bun", "deno"])
def test_agrees_with_the_engines(
    filters_of: Callable[[str], Filters], compare: Callable[[str], str], runtime: str
) -> None:
    """Thousands of generated expressions match the same hosts as a runtime's own; the hard ones take no time.

    None that matches a host is said to match none, and some are.
    """
    filters = filters_of(runtime)
    generated = filters.execute(filters.container, "sh", "-c", GENERATE)
    assert generated.returncode == 0, generated.stderr
    assert compare(generated.stdout) == f"{6000 * 8 * 2} true true\n"


@pytest.mark.parametrize(("text", "host", "matches"), TAKEN)
def test_takes_what_it_says(filters: Filters, text: str, host: str, *, matches: bool) -> None:
    """A capital stands for its small letter too, but a negated class keeps to the letter."""
    policy = {"ISOL8_WHITELIST": json.dumps([text])}
    done = filters.execute(filters.container, "isol8-proxy", "--check", host, environment=policy)
    rule = f"allow whitelist: {text}" if matches else "refuse whitelist: no match"
    assert (done.stdout, done.returncode) == (f"{host} {rule.strip()}\n", 0 if matches else 1)


def test_refuses_the_rest(filters: Filters) -> None:
    """Whatever is not taken stops the filter with status 2 and one line, and nothing listens."""
    settings = [f"ISOL8_BLACKLIST={json.dumps(['ok', text])}" for text in REFUSED]
    expected = [
        f"2 0 isol8 proxy: ISOL8_BLACKLIST: {json.dumps(text, ensure_ascii=False)}: {message}"
        for text, message in REFUSED.items()
    ]
    assert filters.refusals(settings) == expected


@pytest.mark.parametrize("name", ["ISOL8_BLACKLIST", "ISOL8_WHITELIST"])
def test_what_no_host_can_match_stops_it(filters: Filters, name: str) -> None:
    """On a blacklist it would allow everything."""
    told = filters.refusals([f"{name}={json.dumps([text])}" for text in IMPOSSIBLE])
    expected = [
        f"2 0 isol8 proxy: {name}: {json.dumps(text)}: no host can match it: hosts are" for text in IMPOSSIBLE
    ]
    assert [line[: len(start)] for line, start in zip(told, expected, strict=True)] == expected


def test_what_strictness_keeps_from_matching_stops_it(filters: Filters) -> None:
    """An expression for the beginning of a host matches none if it has to match the whole; one for all of it does."""
    policy = {"ISOL8_BLACKLIST": json.dumps([r"^169\.254\."]), "ISOL8_PROXY_STRICT": "1"}
    done = filters.execute(filters.container, "isol8-proxy", "--check", "a.test", environment=policy)
    assert done.returncode == 2
    assert done.stderr.endswith(", and ISOL8_PROXY_STRICT has it match all of one\n")
    policy["ISOL8_PROXY_STRICT"] = "0"
    done = filters.execute(filters.container, "isol8-proxy", "--check", "169.254.1.1", environment=policy)
    assert (done.returncode, done.stdout) == (1, "169.254.1.1 refuse blacklist: ^169\\.254\\.\n")


def test_a_variable_that_is_nearly_known_stops_it(filters: Filters) -> None:
    """A list under another name would allow everything; variables that are not the filter's are nothing to it."""
    assert filters.refusals(["ISOL8_WHITLIST=[]", "isol8_blacklist=[]", "ISLO8_WHITELIST=[]"]) == [
        "2 0 isol8 proxy: ISOL8_WHITLIST: unknown variable; did you mean ISOL8_WHITELIST?",
        "2 0 isol8 proxy: isol8_blacklist: unknown variable; did you mean ISOL8_BLACKLIST?",
        "2 0 isol8 proxy: ISLO8_WHITELIST: unknown variable; did you mean ISOL8_WHITELIST?",
    ]
    (line,) = filters.refusals(["ISOL8_DENYLIST=[]"])
    assert line.startswith("2 0 isol8 proxy: ISOL8_DENYLIST: unknown variable; the filter knows ")
    clients = [
        "API_KEY",
        "AUDIT_DIR",
        "BLACKLIST_FILE",
        "MASTER_KEY",
        "PORT",
        "TEST_VERSION",
        "VERSION",
        "WHITELIST_FILE",
    ]
    environment = {f"ISOL8_{name}": "x" for name in clients}
    done = filters.execute(filters.container, "isol8-proxy", "--check", "a.test", environment=environment)
    assert done.stdout == "a.test allow whitelist: empty\n"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ISOL8_WHITELIST={}", "not a JSON array of strings"),
        ("ISOL8_WHITELIST=null", "not a JSON array of strings"),
        ('ISOL8_WHITELIST=["a", ["b"]]', "not a JSON array of strings"),
        ("ISOL8_ALLOW_NETS=10.0.0.0", '"10.0.0.0" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_NETS=10.0.0.0/33", '"10.0.0.0/33" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_NETS=10.1/16", '"10.1/16" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_NETS=10.0.0.1/8", '"10.0.0.1/8" has bits set behind its prefix'),
        ("ISOL8_ALLOW_NETS=::1/129", '"::1/129" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_NETS=fe80::%eth0/10", '"fe80::%eth0/10" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_NETS=10.0.0.0/8,", '"" is not a network like 10.0.0.0/8'),
        ("ISOL8_ALLOW_PORTS=80-90", '"80-90" is not a port'),
        ("ISOL8_ALLOW_PORTS=0", '"0" is not a port'),
        ("ISOL8_PROXY_PORT=", '"" is not a port'),
        ("ISOL8_PROXY_PORT=65536", '"65536" is not a port'),
        ("ISOL8_PROXY_HOST=localhost", '"localhost" is not an address to listen on'),
        ("ISOL8_PROXY_STRICT=yes", '"yes" is neither 0 nor 1'),
        ("ISOL8_PROXY_LOG=proxy.log", '"proxy.log" is not an absolute path'),
        ("ISOL8_PROXY_CONNECTIONS=0", '"0" is not a number from 1 to 999999'),
        ("ISOL8_PROXY_IDLE_SECONDS=0", '"0" is not a number of seconds'),
        ("ISOL8_PROXY_DIAL_SECONDS=1e3", '"1e3" is not a number of seconds'),
        ("ISOL8_PROXY_HEADER_SECONDS=-1", '"-1" is not a number of seconds'),
        ("ISOL8_PROXY_DRAIN_SECONDS=", '"" is not a number of seconds'),
    ],
)
def test_a_bad_setting_stops_it(filters: Filters, setting: str, message: str) -> None:
    """A variable that can't be read ends the filter with status 2, before it listens, in one line that names it."""
    expected = f"2 0 isol8 proxy: {setting.partition('=')[0]}: {message}"
    assert filters.refusals([setting]) == [expected]


@pytest.mark.parametrize(
    "setting", ["ISOL8_WHITELIST=", "ISOL8_WHITELIST=[", "ISOL8_PROXY_LOG=/nowhere/proxy.log"]
)
def test_a_bad_text_or_file_stops_it(filters: Filters, setting: str) -> None:
    """What the runtime words itself is one line with status 2 as well."""
    (line,) = filters.refusals([setting])
    assert line.startswith(f"2 0 isol8 proxy: {setting.partition('=')[0]}: ")
