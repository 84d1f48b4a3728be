"""The table [build.secrets]: what package tools and steps of a Dockerfile are given in a build, and no image keeps."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Final, NamedTuple

from isol8_tasks.config.strict import InvalidError, Problem, string, table, unknown, unless
from isol8_tasks.ecosystems.runtimes import ECOSYSTEMS


class Secret(NamedTuple):
    """Where a secret is on this machine; never what it is."""

    name: str
    """What the steps of a build ask for it by."""
    variable: str = ""
    """The variable of the environment that has it; empty for a file's."""
    file: str = ""
    """As deps.toml names it: `~/.netrc`, or relative to deps.toml."""

    @property
    def known_as(self) -> str:
        """What package tools know it by: `$PIP_INDEX_URL`, `netrc`, `npmrc`, `pip.conf`; others know no such thing."""
        return f"${self.variable}" if self.variable else PurePath(self.file).name.lstrip("._")


def read_secrets(value: object) -> Mapping[str, Secret]:
    """Read the table; the secrets come sorted by their names."""
    entries = table(value, _FORM)
    found: dict[str, Secret] = {}
    problems: list[Problem] = []
    for name, entry in sorted(entries.items()):
        try:
            found[name] = _read(name, entry)
        except InvalidError as error:
            problems += error.at(name)
    problems += [((name,), what) for name, what in _twice(found)]
    return unless(problems, found)


def secrets_for(ecosystem: str, secrets: Mapping[str, Secret]) -> tuple[Secret, ...]:
    """Return the secrets that the package tools of an ecosystem know."""
    pattern = ECOSYSTEMS[ecosystem].secrets
    return tuple(each for each in secrets.values() if re.fullmatch(pattern, each.known_as))


def _read(name: str, entry: object) -> Secret:
    if not re.fullmatch(_NAME, name):
        raise InvalidError("not a name for a secret (letters, digits, . _ and -, at most 64)")
    keys = table(entry, _FORM)
    for key in keys:
        if key not in _KEYS:
            raise InvalidError(below=[((key,), unknown("not a setting of a secret", key, _KEYS))])
    if len(keys) != 1:
        raise InvalidError(f"takes either env or file{_FORM}")
    ((key, given),) = keys.items()
    try:
        text = string(given, _EXAMPLES[key])
    except InvalidError as error:
        raise InvalidError(below=error.at(key)) from None
    if text in _OF_PATHS:
        raise InvalidError(
            below=[((key,), f"{text} names a file that no build has; declare that by its path")]
        )
    if not re.fullmatch(_FORMS[key][0], text):
        # It may be the secret itself, which is not to be printed.
        raise InvalidError(below=[((key,), _FORMS[key][1])])
    return Secret(name, variable=text) if key == "env" else Secret(name, file=text)


def _twice(found: Mapping[str, Secret]) -> Iterator[tuple[str, str]]:
    """Tell of secrets that the same tools would be given in the same place; a Dockerfile's steps go by names."""
    first: dict[str, str] = {}
    for secret in {each.name: each for kind in ECOSYSTEMS for each in secrets_for(kind, found)}.values():
        other = first.setdefault(secret.known_as, secret.name)
        if other != secret.name:
            yield secret.name, f"{secret.known_as} is {other} already; remove one of both"


_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_FORMS: Final = {
    "env": (
        r"[A-Za-z_][A-Za-z0-9_]*",
        "not the name of an environment variable; write that, without its value",
    ),
    "file": (r"[^\0\r\n]*[^\0\r\n/]", "not the path of a file"),
}
_OF_PATHS: Final = ("PIP_CONFIG_FILE", "NPM_CONFIG_USERCONFIG", "npm_config_userconfig")
_KEYS: Final = ("env", "file")
_EXAMPLES: Final = {"env": '"PIP_INDEX_URL"', "file": '"~/.netrc"'}
_FORM: Final = '; write pip = { env = "PIP_INDEX_URL" } or netrc = { file = "~/.netrc" }'
