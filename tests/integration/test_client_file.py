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
    assert built.doit("plan").out.splitlines()[-1].startswith(f"{built.repository}:bash-custom")

    file.write_text(json.dumps({"prebuiltImages": [IMAGE]}, indent=1))
    assert built.plan()["ready"] == ("missing", ["declared in isol8.config.json:3, never built"])
    assert built.built() == {"ready"}
    assert built.built() == set()
    assert built.doit("plan").out.splitlines()[-1] == f"isol8.config.json:3 asks for {built.repository}:ready"

    (tmp_path / ".isol8").mkdir()
    file.rename(tmp_path / ".isol8" / "config.json")
    done = built.doit("plan", HOME=str(tmp_path))
    assert done.out.splitlines()[-2:] == [
        f"~/.isol8/config.json:3 asks for {built.repository}:ready",
        "ISOL8_CONFIG= leaves ~/.isol8/config.json out",
    ]
    left = built.doit("plan", HOME=str(tmp_path), ISOL8_CONFIG="").out
    assert left.splitlines()[-1].split() == [f"{built.repository}:ready", "undeclared"]


def test_a_mistake_builds_nothing(built: Checkout) -> None:
    """It is told in a line, with the place, and the exit code is that of deps.toml's mistakes."""
    (built.folder / "isol8.config.json").write_text('{"dependencies":\n {"bash": ["--root=/"]}}')
    for words in (("plan",), ("setup",), ("list",)):
        done = built.doit(*words)
        assert done.code == 3
        assert "isol8.config.json:2: dependencies.bash[0]: '--root=/': an option, not a package" in done.err
