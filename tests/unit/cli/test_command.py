"""What the commands of our own share: where they run, and how their words are read."""

import pytest

from tests.command_line import CommandLine

NO_SECONDS = "--wait: {!r} is not a number of seconds (as 60; 0: do not wait, -1: no limit)"
WITHOUT_NAMES = (
    "check", "down", "env", "freshness", "import", "lint", "lock", "plan", "prune", "push", "refresh", "up",
)  # fmt: skip


@pytest.mark.parametrize("command", WITHOUT_NAMES)
def test_command_without_names_refuses_a_word(cli: CommandLine, command: str) -> None:
    """And says which, and where its options are listed."""
    done = cli(command, "base:bun")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"ERROR: {command}: 'base:bun' is not understood; this command takes options only (./doitw help {command})\n"
    )
    assert cli.engine.asked == []


@pytest.mark.parametrize("command", ["plan", "env", "prune", "verify", "forget", "strace"])
def test_folder_without_dodo_py_is_refused(cli: CommandLine, command: str) -> None:
    """It is no checkout, whatever else is there."""
    (cli.folder / "dodo.py").unlink()
    done = cli(command)
    assert (done.code, done.out) == (3, "")
    assert done.err == f"ERROR: {cli.folder}: no dodo.py in this folder; run it in the checkout\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--dry-run", "base:bun"),
        ("base:bun", "--dry-run"),
        ("base:bun", "-n"),
        ("-n", "--", "base:bun"),
    ],
)
def test_options_may_stand_behind_names(built: CommandLine, words: tuple[str, ...]) -> None:
    """As people type them."""
    done = built("clean", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out == "isol8:bun           would be removed\n"


def test_value_of_an_option_behind_a_name_is_its_own(built: CommandLine) -> None:
    """As one word or two, and even if it names nothing."""
    assert built("sbom", "bun", "-o", "one").out == "one/bun.cdx.json\n"
    assert built("sbom", "bun", "--output=two").out == "two/bun.cdx.json\n"
    assert built("freshness", "--only=,").err.startswith("ERROR: --only: no runtime is named; there are ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--bogus"), "plan has no flag --bogus; did you mean --bun? ./doitw plan --help lists those it has"),
        (("which", "bash", "--packages"), "--packages needs a value: --packages=…"),
        (
            ("clean", "--bash", "jq"),
            "clean has no flag --bash; it is one of setup, plan or up: ./doitw setup --bash=…",
        ),
        (("rollback", "bun", "--wait", "x"), NO_SECONDS.format("x")),
        (("prune", "--wait=5m"), NO_SECONDS.format("5m")),
    ],
)  # fmt: skip
def test_wrong_option_is_said_in_one_line(built: CommandLine, words: tuple[str, ...], said: str) -> None:
    """Wherever it stands, before anything is asked or done."""
    done = built(*words)
    assert (done.code, done.out, done.err) == (3, "", f"ERROR: {said}\n")
    assert built.engine.asked == []


@pytest.mark.parametrize(
    "words",
    [
        "plan", "plan --json", "which bash", "env", "clean base:bun", "inventory", "sbom bun", "verify", "freshness",
        "freshness --json", "refresh", "lock", "rollback bun", "release bun", "prune --yes",
    ],
)  # fmt: skip
def test_engine_that_does_not_answer_is_4(dead: CommandLine, words: str) -> None:
    """Not a failure: nobody could find out. Reason and remedy are said once."""
    done = dead(*words.split())
    assert done.code == 4
    assert done.err == (
        "ERROR: no Docker Engine answers at fake:// (it is a fake): it was stopped\nStart it again.\n"
    )
    assert done.out == "" or "--json" in words


@pytest.mark.parametrize("words", ["clean base:bun", "sbom", "rollback bun", "prune --yes", "lock", "push"])
def test_broken_deps_toml_is_3_and_changes_nothing(built: CommandLine, words: str) -> None:
    """The line says where."""
    built.declare("[dependencies]\nperl = []\n")
    tags = built.tags()
    done = built(*words.split())
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("ERROR: deps.toml:2: dependencies.perl: ")
    assert built.tags() == tags
