"""doit import: deps.toml takes over what isol8.config.json asks for, and nothing else in it changes."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from isol8_tasks.cli.commands import importing
from isol8_tasks.cli.commands.importing import with_added
from isol8_tasks.config.client_file import parse_client_file
from isol8_tasks.config.deps import Config, parse_config
from isol8_tasks.errors import Isol8Error
from isol8_tasks.run.workspace import Workspace
from tests.command_line import CommandLine, Ended

ROOT = Path(__file__).parents[4]
SCRIPT = "mkdir -p /sandbox/plots\\n\n\"quoted\" '''triple'''\n"
THEIRS = parse_client_file(
    json.dumps(
        {
            "dependencies": {"python": ["numpy", "pandas>=2"], "node": ["lodash"]},
            "prebuiltImages": [
                {"tag": "isol8:ml.1", "runtime": "bash", "setupScript": SCRIPT},
                {"tag": "isol8:two", "runtime": "node", "installPackages": ["zod"], "setupScript": "true"},
            ],
        }
    ),
    "isol8.config.json",
)
TEXTS = {
    "nothing": "",
    "comments": "# only\n\n# comments",
    "as shipped": (ROOT / "deps.toml").read_text("utf-8"),
    "no last line end": "[build]\njobs = 2 # two",
    "a list on several lines": (
        '[dependencies]\npython = [\n  "requests", # why\n  # what else\n]  # behind\n# node = []\n\n# more\n'
        "[build]\njobs = 1\n"
    ),
    "an empty list": "[dependencies]\nnode = []\n[hold]\n",
    "dotted keys": (
        'dependencies.python = ["six"]\nimages.a.runtime = "bash"\nimages.a.packages = ["jq"]\n[build]\n'
    ),
    "inline tables": (
        'dependencies = { python = ["six"] } # d\nimages = { a = { runtime = "bash", packages = ["jq"] } } # i\n'
    ),
    "tables here and there": (
        '[images.a]\nruntime = "bash"\npackages = ["jq"]\n[build]\n# b\n'
        '[images.b]\nextends = "a"\npackages = ["curl"]\n'
    ),
    "an image of that name": '[images.two]\nruntime = "bash"\npackages = ["jq"]\n',
    "Windows": '\ufeff[dependencies]\r\npython = ["six"]\r\n# end\r\n',
}
LOOK = '''\
[dependencies] # d
python = [
  "requests",
  "numpy",
  "pandas>=2",
]
node = ["lodash"]
# About builds.
[build]
jobs = 1

[images."ml.1"]
runtime = "bash"
setup = """mkdir -p /sandbox/plots\\\\n
"quoted" \'\'\'triple\'\'\'
"""

[images.two]
runtime = "node"
packages = ["zod"]
setup = "true"
'''


def joined(text: str) -> Config:
    return parse_config(text, "deps.toml", client_file=THEIRS)


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_same_is_asked_for_and_the_rest_stays(text: str) -> None:
    """deps.toml alone then means what both meant, no line and no comment of it is lost, and once is enough."""
    new = with_added(text, joined(text))
    assert parse_config(new, "deps.toml") == joined(text)
    again = joined(new)
    assert again.added is not None
    assert not again.added.dependencies
    assert not again.added.images
    assert with_added(new, again) == new
    touched = ("python", "node", "dependencies", "images =")
    left = iter(new.splitlines())
    assert all(line in left for line in text.splitlines() if not line.startswith(touched))
    assert comments(new) == comments(text)
    assert new.count("\r\n") == (new.count("\n") if "\r\n" in text else 0)


def test_how_it_looks() -> None:
    """A new list comes behind those that are there, a list on several lines goes on as it was, images come last."""
    text = '[dependencies] # d\npython = [\n  "requests",\n]\n# About builds.\n[build]\njobs = 1\n'
    assert with_added(text, joined(text)) == LOOK


def test_what_would_come_to_mean_something_else() -> None:
    """It is refused rather than written."""
    other = parse_config("[build]\njobs = 2\n", "deps.toml", client_file=THEIRS)
    with pytest.raises(
        Isol8Error, match=r"^deps\.toml: can't be changed without side effects on other settings"
    ):
        with_added("[build]\njobs = 1\n", other)


def test_what_is_left_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image that deps.toml has under the same name is none that it has."""
    (tmp_path / "deps.toml").write_text('[images.x]\nruntime = "python"\npackages = ["six"]\n')
    entry = {"tag": "isol8:x", "runtime": "bash", "installPackages": ["jq"]}
    (tmp_path / "isol8.config.json").write_text(json.dumps({"prebuiltImages": [entry]}))
    config = Workspace.here(tmp_path, {}).read_config()
    view = SimpleNamespace(config=config, workspace=Workspace.here(tmp_path, {}))
    monkeypatch.setattr(importing, "session", lambda: SimpleNamespace(view=view))
    assert importing.ImportCommand().act({}, []) == 0
    assert capsys.readouterr().out.splitlines() == [
        "isol8.config.json:1: isol8:x is ignored: deps.toml:1 declares an image of that name and takes precedence",
        "deps.toml has everything else that isol8.config.json declares; nothing to write",
    ]


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    """Through a link, with its mode, and not at all where it can't be written beside it."""
    (tmp_path / "real.toml").write_text("# old\n")
    (tmp_path / "real.toml").chmod(0o600)
    (tmp_path / "deps.toml").symlink_to("real.toml")
    workspace = Workspace.here(tmp_path, {})
    assert workspace.read_deps() == "# old\n"
    workspace.write_deps("# new\r\n")
    assert (tmp_path / "deps.toml").is_symlink()
    assert (tmp_path / "real.toml").read_bytes() == b"# new\r\n"
    assert (tmp_path / "real.toml").stat().st_mode & 0o777 == 0o600
    (tmp_path / "deps.toml").unlink()
    (tmp_path / "deps.toml").symlink_to(tmp_path / "no" / "folder.toml")
    with pytest.raises(Isol8Error, match=r"folder\.toml: can't be written"):
        workspace.write_deps("# lost\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deps.toml", "real.toml"]


class TestCommand:
    """The command import."""

    def test_what_was_copied_is_told(self, cli: CommandLine) -> None:
        """And once is enough; isol8.config.json stays as it is."""
        theirs = cli.folder / "isol8.config.json"
        theirs.write_text('{"dependencies": {"node": ["zod"], "bash": ["jq"]}}')
        done = cli("import")
        assert done == Ended(
            0, "isol8.config.json:1 adds zod to isol8:node-custom\nwritten to deps.toml\n", ""
        )
        assert (cli.folder / "deps.toml").read_text() == '[dependencies]\nbash = ["jq"]\nnode = ["zod"]\n'
        said = "deps.toml has everything that isol8.config.json declares; nothing to write\n"
        assert cli("import") == Ended(0, said, "")
        assert "zod" in theirs.read_text()
        assert cli.engine.asked == []

    def test_without_a_file_there_is_nothing_to_write(self, cli: CommandLine) -> None:
        """The line says where it was looked for."""
        said = "no isol8.config.json and no ~/.isol8/config.json here; nothing to write\n"
        assert cli("import") == Ended(0, said, "")
        cli.patch.setenv("ISOL8_CONFIG", "")
        assert cli("import") == Ended(0, "no isol8.config.json here; nothing to write\n", "")

    @pytest.mark.parametrize("text", ["{", "[]"])
    def test_file_that_is_wrong_is_refused(self, cli: CommandLine, text: str) -> None:
        """And deps.toml stays as it was."""
        before = (cli.folder / "deps.toml").read_text()
        (cli.folder / "isol8.config.json").write_text(text)
        done = cli("import")
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("ERROR: isol8.config.json")
        assert (cli.folder / "deps.toml").read_text() == before
