"""The command clean: removes the images of the named tasks, with all their tags."""

import json

import pytest

from tests.command_line import CommandLine, Ended

TASKS = "base:bash, base:bun, base:deno, base:node, base:python, custom:bash"


@pytest.mark.parametrize(
    ("words", "removed"),
    [
        (("base:bun",), ["bun"]),
        (("custom:*",), ["bash-custom"]),
        (("base:b*", "custom"), ["bash-custom", "bash", "bun"]),
        (("base:b?n", "base:bun"), ["bun"]),
    ],
)
def test_images_of_the_named_tasks_go(built: CommandLine, words: tuple[str, ...], removed: list[str]) -> None:
    """Children before what they are based on, each once, with all their tags; the others stay."""
    before = built.tags()
    done = built("clean", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [f"isol8:{name}".ljust(18) + "  removed" for name in removed]
    gone = before - built.tags()
    assert {name for name in before if name in removed} <= gone
    assert all(name.startswith(tuple(removed)) for name in gone)
    images = json.loads((built.folder / "resolved-images.json").read_text())["images"]
    assert not {f"isol8:{name}" for name in removed} & set(images)


def test_image_that_others_are_based_on_goes_alone(built: CommandLine) -> None:
    """The others keep its layers."""
    assert built("clean", "base:bash").code == 0
    assert "bash" not in built.tags()
    assert "bash-custom" in built.tags()


@pytest.mark.parametrize("word", ["image:*", "image"])
def test_kind_without_images_is_no_mistake(built: CommandLine, word: str) -> None:
    """As a script has it that removes all; a run of them has nothing to do."""
    assert built("clean", word) == Ended(0, f"no image matches {word}; nothing to remove\n", "")
    done = built("clean", word, "base:bun")
    assert (done.code, done.out.splitlines()[1]) == (0, "isol8:bun           removed")
    assert (built(word).code, built("imag:*").code, built("clean", "imag:*").code) == (0, 3, 3)


def test_dry_run_removes_nothing(built: CommandLine) -> None:
    """And writes no manifest."""
    before = built.tags()
    done = built("clean", "--dry-run", "custom", "base:bun")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "isol8:bash-custom   would be removed",
        "isol8:bun           would be removed",
    ]
    assert built.tags() == before
    assert not (built.folder / "resolved-images.json").exists()


def test_dry_run_tells_what_does_not_exist(cli: CommandLine) -> None:
    """As the run does: nothing would be removed."""
    for words in (("base:bun",), ("-n", "base:bun")):
        done = cli("clean", *words)
        assert (done.code, done.out) == (0, "isol8:bun           does not exist\n")
    assert not (cli.folder / "resolved-images.json").exists()


def test_undeclared_image_can_be_named(built: CommandLine) -> None:
    """It is what clients would still prefer."""
    built.declare("")
    done = built("clean", "custom:bash")
    assert (done.code, done.out) == (0, "isol8:bash-custom   removed\n")
    assert not {tag for tag in built.tags() if tag.startswith("bash-custom")}


def test_without_a_name_nothing_is_removed(built: CommandLine) -> None:
    """Nobody should lose all images by one word."""
    before = built.tags()
    for words in ((), ("-n",)):
        done = built("clean", *words)
        assert (done.code, done.out) == (3, "")
        assert done.err == (
            "ERROR: clean needs to know which images to remove: ./doitw clean base:bun (or 'base:*', 'custom:*')\n"
        )
    assert built.tags() == before


def test_unknown_image_is_refused_before_any_is_removed(built: CommandLine) -> None:
    """The line lists what can be named."""
    before = built.tags()
    done = built("clean", "base:bun", "base:perl")
    assert (done.code, done.out) == (3, "")
    assert done.err == f"ERROR: clean: no image matches base:perl; there are {TASKS}\n"
    assert built.tags() == before


def test_image_that_the_engine_keeps_is_1(built: CommandLine) -> None:
    """With the engine's reason."""
    image = built.open().view.observed.public("bun")
    assert image is not None
    built.engine.containers.add(image.id)
    done = built("clean", "base:bun")
    assert done.code == 1
    assert "a container uses it" in done.err
    assert done.err.count("\n") == 1
