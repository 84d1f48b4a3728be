"""isol8.config.json beside deps.toml, and in the home folder, on a real engine."""

import json
from pathlib import Path

from tests.integration.checkouts import Checkout

IMAGE = {"tag": "isol8:ready", "runtime": "bash", "installPackages": [], "setupScript": "true"}


def test_what_it_asks_for_is_built(built: Checkout, tmp_path: Path) -> None:
    """What deps.toml has too changes nothing; what it has not is built, and the plan says which line asks for it."""
    file = built.folder / "isol8.config.json"
    file.write_text('{"dependencies": {"bash": ["jq"]}}')
    assert built.stale() == set()
    assert built.doit("plan").out.splitlines()[-2].startswith(f"{built.repository}:bash-custom")

    file.write_text(json.dumps({"prebuiltImages": [IMAGE]}, indent=1))
    assert built.plan()["ready"] == ("not-built", ["declared in isol8.config.json:3, never built"])
    assert built.built() == {"ready"}
    assert built.built() == set()
    assert built.doit("plan").out.splitlines()[-1] == f"isol8.config.json:3 declares {built.repository}:ready"

    (tmp_path / ".isol8").mkdir()
    file.rename(tmp_path / ".isol8" / "config.json")
    done = built.doit("plan", HOME=str(tmp_path))
    assert done.out.splitlines()[-2:] == [
        f"~/.isol8/config.json:3 declares {built.repository}:ready",
        "set ISOL8_CONFIG= to ignore ~/.isol8/config.json; ./doitw import copies it into deps.toml",
    ]
    left = built.doit("plan", HOME=str(tmp_path), ISOL8_CONFIG="").out
    assert left.splitlines()[-2].split() == [f"{built.repository}:ready", "undeclared"]


def test_what_is_not_built_stops_nothing(built: Checkout) -> None:
    """isol8 builds images under names that are kept here; the plan tells of each, and the others are built."""
    custom = {"tag": "isol8:python-custom", "runtime": "python", "installPackages": ["six"]}
    (built.folder / "isol8.config.json").write_text(json.dumps({"prebuiltImages": [custom, IMAGE]}, indent=1))
    assert built.doit("plan").out.splitlines()[-1] == (
        "isol8.config.json:3: 'isol8:python-custom' is not built here: the name of a custom image; "
        "write its packages under [dependencies] python in deps.toml"
    )
    assert built.built() == {"ready"}


def test_import(built: Checkout, tmp_path: Path) -> None:
    """deps.toml takes it over; the plan then shows the same images, and a second import writes nothing."""
    (built.folder / "isol8.config.json").unlink()
    (tmp_path / ".isol8").mkdir()
    asked = {"dependencies": {"node": ["lodash"], "bash": ["jq=1.7"]}, "prebuiltImages": [IMAGE]}
    (tmp_path / ".isol8" / "config.json").write_text(json.dumps(asked, indent=1))
    home = {"HOME": str(tmp_path)}
    before = built.doit("plan", **home).out.splitlines()
    first = built.doit("import", **home)
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        f"~/.isol8/config.json:3 adds lodash to {built.repository}:node-custom",
        f"~/.isol8/config.json:11 declares {built.repository}:ready",
        "written to deps.toml",
    ]
    text = (built.folder / "deps.toml").read_text()
    again = built.doit("import", **home)
    assert again.out == "deps.toml has everything that ~/.isol8/config.json declares; nothing to write\n"
    assert (built.folder / "deps.toml").read_text() == text
    after = built.doit("plan", HOME="/dev/null").out.splitlines()
    assert [line.split()[:2] for line in after] == [line.split()[:2] for line in before[:-3]]
    alone = built.doit("import", HOME="/dev/null")
    assert (alone.code, alone.out) == (
        0,
        "no isol8.config.json and no ~/.isol8/config.json here; nothing to write\n",
    )


def test_a_mistake_builds_nothing(built: Checkout) -> None:
    """It is told in a line, with the place, and the exit code is that of deps.toml's mistakes."""
    (built.folder / "isol8.config.json").write_text('{"dependencies":\n {"bash": ["--root=/"]}}')
    for words in (("plan",), ("setup",), ("list",)):
        done = built.doit(*words)
        assert done.code == 3
        assert "isol8.config.json:2: dependencies.bash[0]: '--root=/': an option, not a package" in done.err
