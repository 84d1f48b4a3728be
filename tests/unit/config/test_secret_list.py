"""The table [build.secrets]: what it may say, and each mistake in a line of its own that prints no secret."""

import pytest

from isol8_tasks.config.deps import parse_config
from isol8_tasks.config.secret_list import Secret, secrets_for
from isol8_tasks.errors import ConfigError

FORM = '; write pip = { env = "PIP_INDEX_URL" } or netrc = { file = "~/.netrc" }'


def test_secrets_and_whose_tools_know_them() -> None:
    """A variable goes by its name, and a file by its kind, wherever it is."""
    config = parse_config(
        '[build.secrets]\npip = { env = "PIP_INDEX_URL" }\nmine = { file = "~/private/.netrc" }\n'
        'npm = { file = "npmrc" }\ntoken = { env = "NPM_TOKEN" }\nconf = { file = "/etc/pip.conf" }\n'
        'corp.file = "corp.pem"\n',
        "deps.toml",
    )
    found = config.build.secrets
    assert found["pip"] == Secret("pip", variable="PIP_INDEX_URL")
    assert found["corp"] == Secret("corp", file="corp.pem")
    assert [*found] == sorted(found)
    known = {
        name: {each.name for each in secrets_for(name, found)} for name in ("pypi", "npm", "deno", "apk")
    }
    assert known == {
        "pypi": {"conf", "mine", "pip"},
        "npm": {"npm", "token"},
        "deno": {"npm", "token"},
        "apk": {"mine"},
    }
    assert config.place_of("python-custom", "secrets", "pip") == "deps.toml:2"


def test_secrets_that_only_steps_ask_for() -> None:
    """They go by their names, so that files of one name may be several."""
    config = parse_config(
        '[build.secrets]\na = { file = "a/token" }\nb = { file = "b/token" }\nc = { env = "C" }\nd = { env = "C" }\n',
        "deps.toml",
    )
    assert [*config.build.secrets] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("secrets = 1", f"build.secrets: expected a table, found an integer{FORM}"),
        ('secrets.a = "x"', f"build.secrets.a: expected a table, found a string{FORM}"),
        ("secrets.a = {}", f"build.secrets.a: takes either env or file{FORM}"),
        ('secrets.a = { env = "A", file = "b" }', f"build.secrets.a: takes either env or file{FORM}"),
        (
            "secrets.a.env = 1",
            'build.secrets.a.env: expected a string, found an integer; write env = "PIP_INDEX_URL"',
        ),
        (
            'secrets.a.value = "hidden"',
            "build.secrets.a.value: not a setting of a secret (allowed: env, file)",
        ),
        (
            'secrets.a.env = "https://me:hidden@x/"',
            "build.secrets.a.env: not the name of an environment variable; write that, without its value",
        ),
        ('secrets.a.file = ""', "build.secrets.a.file: not the path of a file"),
        ('secrets.a.file = "secrets/"', "build.secrets.a.file: not the path of a file"),
        ('secrets.a.file = "a\\nb"', "build.secrets.a.file: not the path of a file"),
        (
            'secrets."a b,c".env = "A"',
            "build.secrets.'a b,c': not a name for a secret (letters, digits, . _ and -, at most 64)",
        ),
        (
            f'secrets.{"x" * 65}.env = "A"',
            f"build.secrets.{'x' * 65}: not a name for a secret (letters, digits, . _ and -, at most 64)",
        ),
        (
            'secrets = { a = { file = "~/.netrc" }, b = { file = "netrc" } }',
            "build.secrets.b: netrc is a already; remove one of both",
        ),
        (
            'secrets = { a = { env = "NPM_TOKEN" }, b = { env = "NPM_TOKEN" } }',
            "build.secrets.b: $NPM_TOKEN is a already; remove one of both",
        ),
        (
            'secrets.a.env = "PIP_CONFIG_FILE"',
            "build.secrets.a.env: PIP_CONFIG_FILE names a file that no build has; declare that by its path",
        ),
        (
            'secrets.pip.env = "PIP_INDEX_URL"\nargs.PIP_INDEX_URL = "https://me:hidden@x/"',
            "build.secrets.pip: PIP_INDEX_URL is under [build] args as well; remove it there",
        ),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    """One line, with where it is; what may be the secret itself is not repeated."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"[build]\n{line}\n", "deps.toml")
    assert str(caught.value) == f"deps.toml:2: {said}"
    assert "hidden" not in str(caught.value)
