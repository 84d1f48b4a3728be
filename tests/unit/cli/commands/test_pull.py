"""The command pull: the images of a manifest, by digest."""

import json

import pytest

from isol8_tasks.lifecycle import transfer
from tests.command_line import CommandLine

DEPS = '[dependencies]\nbash = ["jq"]\n[registry]\nrepository = "registry.example/isol8"\n'
MISSING = (
    "can't be read as a manifest (No such file or directory); copy resolved-images.json from the machine that pushed, "
    "or name it: ./doitw pull FILE\n"
)


@pytest.fixture
def pushed(built: CommandLine) -> CommandLine:
    """Give the command line of a checkout whose images were pushed and then removed here."""
    built.declare(DEPS)
    assert built("--quiet").code == 0
    (built.folder / "resolved-images.json").rename(built.folder / "theirs.json")
    built.declare('[dependencies]\nbash = ["jq"]\n')
    assert built("clean", "custom", "base").code == 0
    assert built.tags() == set()
    return built


def test_images_of_a_manifest_are_pulled_once(pushed: CommandLine) -> None:
    """They are in use then, as if they had been built here."""
    done = pushed("pull", "theirs.json")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("6 pulled · ")
    assert pushed("plan", "--check").code == 0
    changes = json.loads(pushed("log", "--json", "--limit", "6").out)["changes"]
    assert [(each["how"], each["bytes"]) for each in changes] == [("pulled", {"pulled": 1000})] * 6
    again = pushed("pull", "theirs.json")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("6 images up to date · ")


def test_own_manifest_is_the_default(pushed: CommandLine) -> None:
    """It lies beside deps.toml."""
    (pushed.folder / "theirs.json").rename(pushed.folder / "resolved-images.json")
    assert pushed("pull").out.splitlines()[-1].startswith("6 pulled · ")


def split(pushed: CommandLine) -> tuple[str, str]:
    """Make two manifests of one: the base images, and bash with what is based on it."""
    whole = json.loads((pushed.folder / "theirs.json").read_text())
    parts = {
        "bases.json": {name: each for name, each in whole["images"].items() if each["kind"] == "base"},
        "bash.json": {name: each for name, each in whole["images"].items() if "bash" in name},
    }
    for name, images in parts.items():
        (pushed.folder / name).write_text(json.dumps({**whole, "images": images}))
    return "bash.json", "bases.json"


def test_manifests_are_merged(pushed: CommandLine) -> None:
    """An image that both list is pulled once, and the manifest that is written lists them all."""
    done = pushed("pull", *split(pushed))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("6 pulled · ")
    written = json.loads((pushed.folder / "resolved-images.json").read_text())["images"]
    assert written.keys() == json.loads((pushed.folder / "theirs.json").read_text())["images"].keys()
    assert all(each["pushed"] for each in written.values())
    assert pushed("plan", "--check").code == 0


def test_different_builds_of_an_image_are_refused(pushed: CommandLine) -> None:
    """In one line, before the engine is asked anything."""
    names = split(pushed)
    file = pushed.folder / names[0]
    whole = json.loads(file.read_text())
    whole["images"]["isol8:bash"]["pushed"]["digest"] = f"sha256:{'0' * 64}"
    file.write_text(json.dumps(whole))
    pushed.engine.asked.clear()
    done = pushed("pull", *names)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(
        "ERROR: bases.json: expected the image bash of bash.json (sha256:000000000000…), "
    )
    assert done.err.endswith("pull one after the other: ./doitw pull bash.json && ./doitw pull bases.json\n")
    assert done.err.count("\n") == 1
    assert pushed.engine.asked == []


def test_image_that_cannot_be_pulled_is_1(pushed: CommandLine) -> None:
    """The others are, and the manifest goes on to list what is missing."""
    manifest = pushed.folder / "theirs.json"
    manifest.rename(pushed.folder / "resolved-images.json")
    before = (pushed.folder / "resolved-images.json").read_text()
    where = json.loads(before)["images"]["isol8:bun"]["pushed"]
    del pushed.engine.registry[f"{where['repository']}@{where['digest']}"]
    pushed.patch.setattr(transfer, "PAUSES", (0, 0))
    done = pushed("pull")
    assert (done.code, done.err) == (1, "")
    assert "isol8:bun           failed      the pull of registry.example/isol8@sha256:" in done.out
    assert "  Images in use on this engine are untouched.\n" in done.out
    assert done.out.splitlines()[-1].startswith("5 pulled · 1 failed · ")
    (failed,) = json.loads(pushed("log", "bun", "--json", "--limit", "1").out)["changes"]
    assert (failed["how"], failed["problem"][:8]) == ("failed", "the pull")
    assert (pushed.folder / "resolved-images.json").read_text() == before
    assert "bun" not in pushed.tags()


def test_held_image_is_left_untouched(pushed: CommandLine) -> None:
    """The line says how to end the hold."""
    pushed.build()
    assert pushed("base:bun", "--force").code == 0
    assert pushed("rollback", "bun").code == 0
    held = pushed.open().view.observed.public("bun")
    done = pushed("pull", "theirs.json")
    assert done.code == 0
    assert "isol8:bun           held        left untouched; end the hold: ./doitw release bun\n" in done.out
    assert " · 1 held · " in done.out.splitlines()[-1]
    assert pushed.open().view.observed.public("bun") == held


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("none.json",),
            f"none.json: {MISSING}",
        ),
        ((".",), ".: can't be read (not a regular file); expected a UTF-8 text file\n"),
        (("deps.toml",), "deps.toml: "),
        ((), "resolved-images.json: " + MISSING),
    ],
)
def test_what_is_no_manifest_is_refused(cli: CommandLine, words: tuple[str, ...], said: str) -> None:
    """Before the engine is asked anything."""
    done = cli("pull", *words)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"ERROR: {said}")
    assert done.err.count("\n") == 1
    assert cli.engine.asked == []
