"""The tables of settings in deps.toml: what they mean, and mistakes in them."""

import datetime as dt

import pytest

from isol8_tasks.config.deps import parse_config
from isol8_tasks.config.settings import (
    FilterSettings,
    HoldSettings,
    PruneSettings,
    RefreshSettings,
    UserCheck,
)
from isol8_tasks.errors import ConfigError


def test_nothing_given() -> None:
    """A week for both, as large a cache as it likes, no checks but our own; a day of age for what is new."""
    config = parse_config("", "deps.toml")
    week = dt.timedelta(days=7)
    assert config.hold == HoldSettings(max_age=week)
    assert config.prune == PruneSettings(previous_age=week, keep=None)
    assert config.verify.checks == {}
    assert config.refresh == RefreshSettings(
        max_age=None, min_age=dt.timedelta(days=1), min_ages={}, notify=()
    )
    assert not config.registry.repository
    assert not config.registry.standins


def test_everything_given() -> None:
    """Every key is read; a check is a table, or an array of tables."""
    config = parse_config(
        '[hold]\nmax_age = "12h"\n[prune]\nprevious_age = "2d"\nkeep = "1.5GB"\n'
        '[verify.bash]\ncommand = ["jq", "--version"]\noutput = "^jq-1"\nexit = 3\ntimeout = "2m"\n'
        '[[verify.python-custom]]\ncommand = ["one"]\n[[verify.python-custom]]\ncommand = ["two"]\n',
        "deps.toml",
    )
    assert config.hold.max_age == dt.timedelta(hours=12)
    assert config.prune == PruneSettings(previous_age=dt.timedelta(days=2), keep=1_500_000_000)
    assert config.verify.checks == {
        "bash": (UserCheck(command=("jq", "--version"), exit=3, output="^jq-1", timeout=120),),
        "python-custom": (UserCheck(command=("one",)), UserCheck(command=("two",))),
    }


def test_a_refresh_as_somebody_wants_it() -> None:
    """An age of nothing is one, for all packages or for one."""
    config = parse_config(
        '[refresh]\nmax_age = "2w"\nmin_age = "0"\nmin_ages = { numpy = "3d", "@types/node" = "0s" }\n'
        'notify = ["mail", "me"]\n[registry]\nrepository = "registry.example:5000/isol8"\nstandins = true\n',
        "deps.toml",
    )
    assert config.refresh == RefreshSettings(
        max_age=dt.timedelta(days=14),
        min_age=dt.timedelta(),
        min_ages={"numpy": dt.timedelta(days=3), "@types/node": dt.timedelta()},
        is_written=True,
        notify=("mail", "me"),
    )
    assert config.registry.repository == "registry.example:5000/isol8"
    assert config.registry.standins


OLDEST_HINT = 'write oldest_client = "0.7.0", or omit it for all'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[refresh]\nnotify = []",
            (
                '2: refresh.notify: is empty; write notify = ["mail", "-s", "isol8", '
                '"me@example.org"], or omit it'
            ),
        ),
        (
            '[refresh]\nmin_ages = { numpy = "soon" }',
            "2: refresh.min_ages.numpy: 'soon' is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)",
        ),
        (
            '[registry]\nrepository = "isol8"',
            (
                "2: registry.repository: 'isol8' has no registry before the first slash; write for example "
                "registry.example/isol8"
            ),
        ),
        (
            '[registry]\nstandins = "yes"',
            "2: registry.standins: expected a boolean, found a string; write standins = true",
        ),
        (
            '[registry]\nto = "x"',
            "2: registry.to: not a setting of [registry] (allowed: repository, keep, push, standins, credentials)",
        ),
        ("hold = 3", "1: hold: expected a table, found an integer; write [hold], and its keys below it"),
        ("[hold]\nmax_age = 3", '2: hold.max_age: expected a string, found an integer; write max_age = "7d"'),
        (
            '[hold]\nmax_age = "soon"',
            "2: hold.max_age: 'soon' is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)",
        ),
        (
            '[hold]\nage = "1d"',
            "2: hold.age: not a setting of this table (did you mean max_age? allowed: max_age)",
        ),
        (
            '[prune]\nkeep = "much"',
            "2: prune.keep: 'much' is not a size (a number and B, kB, MB, GB or TB, as 500MB or 2.5GB)",
        ),
        (
            "verify = []",
            "1: verify: expected a table, found an array; write [verify.python], and command = … below it",
        ),
        (
            '[verify]\noldest_client = "newest"',
            "2: verify.oldest_client: 'newest' is not a release of isol8; " + OLDEST_HINT,
        ),
        (
            '[verify]\nload_timeout = "2h"',
            "2: verify.load_timeout: '2h' exceeds the maximum of 1h",
        ),
        (
            "[verify]\nload_timeout = 5",
            '2: verify.load_timeout: expected a string, found an integer; write load_timeout = "30s"',
        ),
        (
            '[verify]\nskip = ["requests==2"]',
            (
                "2: verify.skip[0]: 'requests==2' is not the name of a package; write it alone, without a version: "
                '"requests"'
            ),
        ),
        (
            '[verify]\nskip = "requests"',
            '2: verify.skip: expected an array of strings, found a string; write skip = ["…", "…"]',
        ),
        ("[verify.bash]\nexit = 1", "1: verify.bash: command is missing"),
        (
            "[verify.bash]\ncommand = []",
            '2: verify.bash.command: is empty; write command = ["bash", "-c", "jq --version"]',
        ),
        (
            '[verify.bash]\ncommand = "jq"',
            '2: verify.bash.command: expected an array of strings, found a string; write command = ["…", "…"]',
        ),
        (
            '[verify.bash]\ncommand = ["a"]\nexit = 256',
            "3: verify.bash.exit: expected an exit code from 0 to 255, found 256",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\nexit = true',
            "3: verify.bash.exit: expected an integer, found a boolean; write exit = 0",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\noutput = "("',
            "3: verify.bash.output: '(' is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\ntimeout = "2h"',
            "3: verify.bash.timeout: '2h' exceeds the maximum of 1h",
        ),
        (
            '[[verify.bash]]\ncommand = ["a"]\n[[verify.bash]]\ncommand = ["b", 3]',
            '4: verify.bash[1].command[1]: expected a string, found an integer; write "…"',
        ),
    ],
    ids=lambda value: value.replace("\n", " ")[:40],
)
def test_mistakes(text: str, problem: str) -> None:
    """Each is told with its line, its key, and what is expected."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "deps.toml")
    assert str(caught.value) == f"deps.toml:{problem}"


def test_two_at_once() -> None:
    """Every problem of a check is told."""
    with pytest.raises(ConfigError) as caught:
        parse_config('[verify.bash]\ncommand = ["a"]\nexit = -1\ntimout = "1s"\n', "deps.toml")
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "verify.bash.exit",
        "verify.bash.timout",
    ]


def test_an_empty_command_is_told_with_the_rest() -> None:
    """It hides no other problem of the check."""
    with pytest.raises(ConfigError) as caught:
        parse_config("[verify.bash]\ncommand = []\nexit = -1\n", "deps.toml")
    assert str(caught.value).splitlines() == [
        'deps.toml:2: verify.bash.command: is empty; write command = ["bash", "-c", "jq --version"]',
        "deps.toml:3: verify.bash.exit: expected an exit code from 0 to 255, found -1",
    ]


@pytest.mark.parametrize(
    ("text", "build_hash"),
    [
        ("", "e5278e60414dd434559e9f97a140d5f1d92b81d424925989acfb0dda10774a5c"),
        (
            '[clients]\nrelease = "v0.14.7"',
            "35162b6d959a7f71bc4d7d1d776913b1f2e0791f132910bd87fd0a2c25431a78",
        ),
        (f'[clients]\nrelease = "{"a1" * 32}"', "a1" * 32),
    ],
)
def test_the_release_of_clients(text: str, build_hash: str) -> None:
    """It is the newest, one that is known, or one that somebody knows the hash of."""
    assert parse_config(text, "deps.toml").clients.build_hash == build_hash


@pytest.mark.parametrize("release", ["0.10.3", "0.14.8", "latest", "", "A1" * 32])
def test_a_release_that_is_not_known(release: str) -> None:
    """It is told which are, and what to write for another."""
    with pytest.raises(ConfigError) as error:
        parse_config(f'[clients]\nrelease = "{release}"', "deps.toml")
    assert str(error.value) == (
        f"deps.toml:2: clients.release: '{release}' is not a known release of isol8 ("
        "0.11.0 to 0.20.0); for a later one, write the 64 digits of the label org.isol8.build.hash that its own setup "
        "gives a base image"
    )


def test_what_the_filter_allows() -> None:
    """The same networks and ports in another order are the same; what says nothing sets no variable."""
    config = parse_config(
        '[filter]\nallow_nets = ["fd00::/8", "10.0.0.0/8", "10.0.0.0/8"]\n'
        "allow_ports = [8443, 443, 8080]\nstrict = true\n",
        "deps.toml",
    )
    assert config.filter == FilterSettings(
        allow_nets=("10.0.0.0/8", "fd00::/8"), allow_ports=(8080, 8443), strict=True
    )
    assert config.filter.environment == {
        "ISOL8_ALLOW_NETS": "10.0.0.0/8,fd00::/8",
        "ISOL8_ALLOW_PORTS": "8080,8443",
        "ISOL8_PROXY_STRICT": "1",
    }
    assert config.setting("filter.allow_ports") == "deps.toml:3"
    nothing = parse_config(
        "[filter]\nallow_nets = []\nallow_ports = [443, 80]\nstrict = false\n", "deps.toml"
    )
    assert nothing.filter == FilterSettings()
    assert nothing.filter.environment == {}


def test_what_the_filter_would_refuse() -> None:
    """Every problem is told at once, as the filter itself would see it."""
    with pytest.raises(ConfigError) as error:
        parse_config(
            '[filter]\nallow_nets = ["10.0.0.0", "10.0.0.0/33", "10.1/16", "10.0.0.1/8", "::1/129",\n'
            ' "fe80::%eth0/10", "10.0.0.0/255.0.0.0", "fd00::1/64", 10]\nallow_ports = [0, 65536, "80", true]\n'
            'strict = "yes"\nallow_hosts = []\n',
            "deps.toml",
        )
    network = "is not a network like 10.0.0.0/8 or fd00::/8"
    port = "expected a port from 1 to 65535, found"
    assert str(error.value).splitlines() == [
        f"deps.toml:2: filter.allow_nets[0]: '10.0.0.0' {network}",
        f"deps.toml:2: filter.allow_nets[1]: '10.0.0.0/33' {network}",
        f"deps.toml:2: filter.allow_nets[2]: '10.1/16' {network}",
        "deps.toml:2: filter.allow_nets[3]: '10.0.0.1/8' has host bits set; the network is 10.0.0.0/8",
        f"deps.toml:2: filter.allow_nets[4]: '::1/129' {network}",
        f"deps.toml:3: filter.allow_nets[5]: 'fe80::%eth0/10' {network}",
        f"deps.toml:3: filter.allow_nets[6]: '10.0.0.0/255.0.0.0' {network}",
        "deps.toml:3: filter.allow_nets[7]: 'fd00::1/64' has host bits set; the network is fd00::/64",
        'deps.toml:3: filter.allow_nets[8]: expected a string, found an integer; write "10.0.0.0/8"',
        f"deps.toml:4: filter.allow_ports[0]: {port} 0",
        f"deps.toml:4: filter.allow_ports[1]: {port} 65536",
        "deps.toml:4: filter.allow_ports[2]: expected an integer, found a string; write 8080",
        "deps.toml:4: filter.allow_ports[3]: expected an integer, found a boolean; write 8080",
        "deps.toml:5: filter.strict: expected a boolean, found a string; write strict = true",
        (
            "deps.toml:6: filter.allow_hosts: not a setting of this table "
            "(did you mean allow_ports? allowed: allow_nets, allow_ports, strict)"
        ),
    ]
    with pytest.raises(
        ConfigError, match=r"expected an array of integers, found an integer; write allow_ports = \[8080\]"
    ):
        parse_config("[filter]\nallow_ports = 8080\n", "deps.toml")


def test_the_order_of_problems_on_one_line() -> None:
    """It is that of the elements, as numbers."""
    with pytest.raises(ConfigError) as error:
        parse_config(f"[filter]\nallow_ports = {[0] * 12}\n", "deps.toml")
    found = [line.partition("[")[2].partition("]")[0] for line in str(error.value).splitlines()]
    assert found == [str(number) for number in range(12)]


@pytest.mark.parametrize(("written", "read"), [("0.7.0", "0.7.0"), ("v0.12", "0.12"), ("1", "1")])
def test_the_oldest_client(written: str, read: str) -> None:
    """It is a release, with or without its letter, beside checks of images."""
    text = f'[verify]\noldest_client = "{written}"\n[verify.bash]\ncommand = ["true"]\n'
    found = parse_config(text, "deps.toml").verify
    assert (found.oldest_client, set(found.checks)) == (read, {"bash"})


def test_what_was_verified_elsewhere() -> None:
    """It is verified again only where that is asked for."""
    assert parse_config("[verify]\nagain = true\n", "deps.toml").verify.again
    assert not parse_config("", "deps.toml").verify.again


def test_packages_that_are_not_verified() -> None:
    """They are names of any ecosystem; an image called skip has its checks in tables."""
    names = ["graphene-django", "@jest/globals", "npm:zod", "so:libz.so.1"]
    assert parse_config(f"[verify]\nskip = {names}\n", "deps.toml").verify.skip == tuple(names)
    image = '[images.skip]\nruntime = "bash"\nsetup = "true"\n'
    for head in ("[verify.skip]", "[[verify.skip]]"):
        found = parse_config(f'{image}{head}\ncommand = ["true"]\n', "deps.toml").verify
        assert (found.skip, set(found.checks)) == ((), {"skip"})


def test_the_time_to_load_a_package() -> None:
    """It is a duration beside checks of images, half a minute where nothing is said."""
    text = '[verify]\nload_timeout = "1m"\n[verify.bash]\ncommand = ["true"]\n'
    found = parse_config(text, "deps.toml").verify
    assert (found.load_timeout, set(found.checks)) == (60, {"bash"})
    assert parse_config("", "deps.toml").verify.load_timeout == 30


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", False),
        ('[refresh]\nmax_age = "30d"', False),
        ('[refresh]\nmin_age = "0"', False),
        ('[refresh]\nmin_age = "1d"', True),
        ('[refresh]\nmin_ages = { numpy = "3d" }', True),
        ('[refresh]\nmin_age = "0"\nmin_ages = { numpy = "0s" }', False),
    ],
)
def test_every_build_keeps_to_ages_that_are_written(text: str, limits: object) -> None:
    """Where nobody asks for it, no build asks package sources first."""
    assert parse_config(text, "deps.toml").refresh.limits_every_build is limits
