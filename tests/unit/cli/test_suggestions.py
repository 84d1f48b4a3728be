"""What was meant by words that mean nothing where they stand."""

import pytest

from isol8_tasks.cli.suggestions import Typed, another_package, meant, misread, unknown_word

COMMANDS = ("run", "plan", "rollback", "release", "clean", "list", "up")
TASKS = ("setup", "base", "base:bun", "base:bash", "custom", "custom:bash", "image", "image:web", "ping")
WHOLE = "it is for the whole run, and must come before the tasks:"
FLAGS = {
    "run": {"--wait": "--wait=…", "--quiet": "--quiet", "-q": "-q", "--db-file": "--db-file=…"},
    "setup": {
        "--force": "--force",
        "--python": "--python=…",
        "--only": "--only=…",
        "--only-file": "--only-file",
    },
    "base": {"--force": "--force"},
    "up": {"--lab": "--lab", "--force": "--force"},
    "plan": {"--check": "--check"},
}


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("rol-back", "rollback"),
        ("PLAN", "plan"),
        ("bun", "base:bun"),
        ("isol8:bun", "base:bun"),
        ("registry.example/isol8:bash-custom", "custom:bash"),
        ("isol8:web", "image:web"),
        ("base:bnu", "base:bun"),
        ("build", "setup"),
        ("version", "--version"),
        # What all tasks of a kind have in common is no likeness.
        ("base:perl", ""),
        # It is not there.
        ("gc", ""),
        ("", ""),
        (":", ""),
    ],
)
def test_what_was_probably_meant(word: str, what: str) -> None:
    """By the name of a command, a task, an image or another tool's command."""
    assert meant(word, COMMANDS, TASKS) == what


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("plan", "plan is a command, and must be the first word: ./doitw plan"),
        ("--force", "--force follows no task; write it after the task that it is for: ./doitw base:bun --force"),
        ("custom:bun", "'custom:bun': no packages are declared for bun; write them to deps.toml"),
        ("isol8:bun-custom", "'isol8:bun-custom': no packages are declared for bun; write them to deps.toml"),
    ],
)  # fmt: skip
def test_word_that_is_no_task(word: str, said: str) -> None:
    """Its place is named where it has one."""
    assert unknown_word(word, COMMANDS, TASKS) == said


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("six", "'six' is not a task; for a package write ./doitw setup --python six, or --node and so on"),
        ("@a/b", "'@a/b' is not a task; for a package write ./doitw setup --node @a/b, or --bun"),
        ("python", "'python' is not a task; write ./doitw setup --only python"),
        (
            "instal",
            "'instal' is no command here: write packages to deps.toml, or name them: ./doitw setup --python ",
        ),
        ("base:bnu", "'base:bnu' is neither a command nor a task; did you mean base:bun?"),
        ("six;", "'six;' is neither a command nor a task; ./doitw help lists"),
    ],
)
def test_word_behind_a_task(word: str, said: str) -> None:
    """It may be a package, or a runtime; what looks like a task is one that is misspelt."""
    for before in (["setup"], ["setup", "--force"], ["base:bash"]):
        assert unknown_word(word, COMMANDS, TASKS, before).startswith(said)


@pytest.mark.parametrize(
    ("words", "of_task", "message", "said"),
    [
        ("setup --pip x", True, "option --pip not recognized", "setup has no flag --pip; write --python"),
        (
            "setup --lab",
            True,
            "option --lab not recognized (parsing options: []). Got: []",
            "setup has no flag --lab; it is one of up: ./doitw up --lab",
        ),
        (
            "base:bun --force setup -q",
            True,
            "option -q not recognized",
            f"setup has no flag -q; {WHOLE} ./doitw -q setup",
        ),
        (
            "base:bun --wait=5",
            True,
            "option --wait not recognized",
            f"base:bun has no flag --wait; {WHOLE} ./doitw --wait=… base:bun",
        ),
        (
            "--only bun",
            False,
            "option --only not recognized",
            "a run has no flag --only; it is one of setup: ./doitw setup --only=…",
        ),
        (
            "base:bun -force",
            True,
            "option -f not recognized",
            "base:bun has no flag -force; did you mean --force? ./doitw base:bun --help lists those it has",
        ),
        (
            "--lba",
            False,
            "option --lba not recognized",
            "a run has no flag --lba; did you mean ./doitw up --lab? ./doitw run --help lists those it has",
        ),
        ("--zz", False, "option --zz not recognized", "a run has no flag --zz; ./doitw run --help lists those it has"),
        (
            "setup --on",
            True,
            "option --on not a unique prefix",
            "--on is short for --only and --only-file; write one of them",
        ),
        ("setup --only", True, "option --only requires argument", "--only needs a value: --only=…"),
        (
            "setup --force=1",
            True,
            "option --force must not have an argument",
            "--force takes no value; write --force alone",
        ),
        (
            "-r x",
            False,
            "Error parsing parameter 'reporter'. Provided 'x' but available choices are: 'a', 'b'.",
            "--reporter: 'x' is not one of 'a', 'b'",
        ),
        ("", False, "whatever else\n it may say. (parsing options: [", "whatever else it may say"),
    ],
)  # fmt: skip
def test_flag_that_is_misread(words: str, of_task: object, message: str, said: str) -> None:
    """The insides of the parser are left out, and where the flag has a place, that is named."""
    typed = Typed(command="run", words=words.split(), flags=FLAGS, of_task=bool(of_task))
    assert misread(message, typed) == said


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            ["setup", "--bash", "jq"],
            "'curl' follows --bash jq; write all its packages as one word: --bash jq,curl",
        ),
        (["--bash=jq"], "'curl' follows --bash jq; write all its packages as one word: --bash jq,curl"),
        (["setup", "--only", "bash"], ""),
        (["setup", "bash", "jq"], ""),
        (["setup"], ""),
        ([], ""),
    ],
)
def test_packages_as_several_words(before: list[str], said: str) -> None:
    """They are shown as they are written; what follows something else is no package."""
    assert another_package("curl", before) == said
    assert not another_package("--force", before)
