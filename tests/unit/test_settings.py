"""The tables [hold], [prune], [refresh], [push] and [verify]: what they mean, and what is said of mistakes in them."""

import datetime as dt

import pytest

from isol8_tasks.checks import UserCheck
from isol8_tasks.config import parse_config
from isol8_tasks.errors import ConfigError
from isol8_tasks.settings import HoldSettings, PruneSettings, RefreshSettings


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
    assert not config.push.repository
    assert not config.push.standins


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
        'notify = ["mail", "me"]\n[push]\nrepository = "registry.example:5000/isol8"\nstandins = true\n',
        "deps.toml",
    )
    assert config.refresh == RefreshSettings(
        max_age=dt.timedelta(days=14),
        min_age=dt.timedelta(),
        min_ages={"numpy": dt.timedelta(days=3), "@types/node": dt.timedelta()},
        notify=("mail", "me"),
    )
    assert config.push.repository == "registry.example:5000/isol8"
    assert config.push.standins


OLDEST_HINT = 'write oldest_client = "0.7.0", or leave it out for all'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[refresh]\nnotify = []",
            (
                '2: refresh.notify: no words; write notify = ["mail", "-s", "isol8", '
                '"me@example.org"], or leave it out'
            ),
        ),
        (
            '[refresh]\nmin_ages = { numpy = "soon" }',
            "2: refresh.min_ages.numpy: 'soon' is not a duration (a number and ms, s, m, h, d or w, as 10s, 12h or 7d)",
        ),
        (
            '[push]\nrepository = "isol8"',
            (
                "2: push.repository: 'isol8' names no registry, where one is expected before the first slash: "
                "registry.example/isol8"
            ),
        ),
        ('[push]\nstandins = "yes"', "2: push.standins: a string, where a boolean is expected"),
        ('[push]\nto = "x"', "2: push.to: not a setting of [push] (allowed: repository, standins)"),
        ("hold = 3", "1: hold: an integer, where a table is expected"),
        ("[hold]\nmax_age = 3", "2: hold.max_age: an integer, where a string is expected"),
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
            "1: verify: an array, where a table is expected; write [verify.python], and command = … below it",
        ),
        (
            '[verify]\noldest_client = "newest"',
            "2: verify.oldest_client: 'newest' is no release of isol8; " + OLDEST_HINT,
        ),
        ("[verify.bash]\nexit = 1", "1: verify.bash: command is missing"),
        (
            "[verify.bash]\ncommand = []",
            '2: verify.bash.command: no words; write command = ["bash", "-c", "jq --version"]',
        ),
        (
            '[verify.bash]\ncommand = "jq"',
            '2: verify.bash.command: a string, where an array of strings is expected; write command = ["…", "…"]',
        ),
        (
            '[verify.bash]\ncommand = ["a"]\nexit = 256',
            "3: verify.bash.exit: 256, where an exit code from 0 to 255 is expected",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\nexit = true',
            "3: verify.bash.exit: a boolean, where an integer is expected",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\noutput = "("',
            "3: verify.bash.output: '(' is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            '[verify.bash]\ncommand = ["a"]\ntimeout = "2h"',
            "3: verify.bash.timeout: '2h' is more than an hour, and nothing is checked for longer",
        ),
        (
            '[[verify.bash]]\ncommand = ["a"]\n[[verify.bash]]\ncommand = ["b", 3]',
            "4: verify.bash[1].command[1]: an integer, where a string is expected",
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


@pytest.mark.parametrize(("written", "read"), [("0.7.0", "0.7.0"), ("v0.12", "0.12"), ("1", "1")])
def test_the_oldest_client(written: str, read: str) -> None:
    """It is a release, with or without its letter, beside checks of images."""
    text = f'[verify]\noldest_client = "{written}"\n[verify.bash]\ncommand = ["true"]\n'
    found = parse_config(text, "deps.toml").verify
    assert (found.oldest_client, set(found.checks)) == (read, {"bash"})
