"""What secrets are, and one line for each that can't be had."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from isol8_tasks.config.deps import parse_config
from isol8_tasks.errors import ConfigError
from isol8_tasks.run.secret_values import SecretValues

DEPS = """[build.secrets]
pip = { env = "PIP_INDEX_URL" }
net = { file = "~/.netrc" }
npm = { file = "private/npmrc" }
odd = { file = "a,b" }
"""
PLACE = "deps.toml:{}: build.secrets.{}: "


def values(folder: Path, environ: Mapping[str, str]) -> SecretValues:
    return SecretValues(config=parse_config(DEPS, "deps.toml"), environ=environ, folder=folder)


def test_values_and_where_buildx_finds_them(tmp_path: Path) -> None:
    """A file's name is relative to deps.toml, or to the home of the user; a variable's value goes as it is."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private/npmrc").write_bytes(b"//x/:_authToken=t0k\n")
    (tmp_path / ".netrc").write_bytes(b"machine x login me password pw\n")
    found = values(tmp_path, {"HOME": str(tmp_path), "PIP_INDEX_URL": "https://me:p\udcffw@x/"})
    assert found.value("pip") == b"https://me:p\xffw@x/"
    assert found.value("net") == b"machine x login me password pw\n"
    assert found.value("npm") == b"//x/:_authToken=t0k\n"
    assert [found.option(name) for name in ("pip", "net", "npm", "odd")] == [
        "id=pip,env=PIP_INDEX_URL",
        f"id=net,src={tmp_path}/.netrc",
        f"id=npm,src={tmp_path}/private/npmrc",
        f'id=odd,"src={tmp_path}/a,b"',
    ]
    assert len([*found.known()]) == 3


def test_variables_with_several_lines(tmp_path: Path) -> None:
    """Lists have them, and a line end behind the last word is no mistake."""
    deps = '[build.secrets]\nmore = { env = "PIP_EXTRA_INDEX_URL" }\ntoken = { env = "NPM_TOKEN" }\n'
    environ = {"PIP_EXTRA_INDEX_URL": "https://a/\nhttps://b/", "NPM_TOKEN": "t0k\n"}
    found = SecretValues(config=parse_config(deps, "deps.toml"), environ=environ, folder=tmp_path)
    assert [found.value(name) for name in ("more", "token")] == [b"https://a/\nhttps://b/", b"t0k\n"]


def _missing(_path: Path) -> None: ...


def _folder(path: Path) -> None:
    path.mkdir(parents=True)


def _pipe(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)


def _sized(size: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"x" * size)

    return write


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_missing, "private/npmrc: not found; make it, or correct the path"),
        (_folder, "private/npmrc: not a regular file; name one"),
        (_pipe, "private/npmrc: not a regular file; name one"),
        (_sized(0), "private/npmrc: is empty; write the secret into it"),
        (_sized(512_001), "it has more than 512,000 bytes, and builders take no more"),
    ],
)
def test_files_that_cannot_be_had(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    """One line, with its place; who only hides secrets goes without."""
    make(tmp_path / "private/npmrc")
    found = values(tmp_path, {})
    with pytest.raises(ConfigError) as caught:
        found.value("npm")
    assert str(caught.value) == PLACE.format(4, "npm") + said
    assert [*found.known()] == []


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says who needs the right."""
    _sized(9)(tmp_path / "private/npmrc")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        ConfigError, match=r"npmrc: can't be read \(Permission denied\); user \w+ needs the right"
    ):
        values(tmp_path, {}).value("npm")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "is not set; export it"),
        ({"PIP_INDEX_URL": ""}, "is empty; export it"),
        (
            {"PIP_INDEX_URL": "https://me:pw\n@x/simple"},
            "has several lines, and is to be one; export it as one",
        ),
        (
            {"PIP_INDEX_URL": "https://me:pw@x/simple\r\n"},
            "ends with a carriage return, as lines of Windows do; export it without",
        ),
    ],
)
def test_variables_that_cannot_be_had(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """As files."""
    with pytest.raises(ConfigError) as caught:
        values(tmp_path, environ).value("pip")
    assert str(caught.value) == f"{PLACE.format(2, 'pip')}the variable PIP_INDEX_URL {said}"


def test_the_largest(tmp_path: Path) -> None:
    """Builders take it."""
    _sized(512_000)(tmp_path / "private/npmrc")
    assert len(values(tmp_path, {}).value("npm")) == 512_000


def test_a_run_has_one_value(tmp_path: Path) -> None:
    """What is hidden is what was given, should the file change meanwhile."""
    (tmp_path / "private").mkdir()
    file = tmp_path / "private/npmrc"
    file.write_bytes(b"first\n")
    found = values(tmp_path, {})
    assert [*found.known()] == ["first\n"]
    file.write_bytes(b"second\n")
    assert found.value("npm") == b"first\n"


def test_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of cron's may have none in its environment; then the system knows it."""
    monkeypatch.setattr("os.path.expanduser", lambda _: str(tmp_path))
    (tmp_path / ".netrc").write_bytes(b"machine x login me password pw\n")
    assert values(tmp_path / "elsewhere", {}).value("net") == b"machine x login me password pw\n"
