"""The command which: the image that a request gets, and why."""

import json

import pytest

from tests.command_line import CommandLine, Ended


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bun", "isol8:bun  is the base image, as there is no custom one"),
        ("bash", "isol8:bash-custom  is the custom image, which is preferred wherever it exists"),
        ("bash --packages jq", "isol8:bash-custom  has exactly jq"),
        ("--packages=jq bash", "isol8:bash-custom  has exactly jq"),
        ("bash --packages jq,jq", "isol8:bash-custom  has exactly jq"),
    ],
)
def test_image_and_why_it_is_chosen(built: CommandLine, words: str, said: str) -> None:
    """Wherever the options stand."""
    done = built("which", *words.split())
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == said


def test_image_with_more_packages_will_do(built: CommandLine) -> None:
    """And what else it has is told."""
    built.declare('[dependencies]\nbash = ["jq", "zip"]\n')
    built.build()
    done = built("which", "bash", "--packages", "zip")
    assert done.code == 0
    assert done.out.startswith("isol8:bash-custom  ")
    assert "jq" in done.out.splitlines()[0]


def test_request_that_no_image_fits_is_1(built: CommandLine) -> None:
    """The line says how to have one, and what clients do meanwhile."""
    done = built("which", "bash", "--packages", "zip")
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "no image for bash has zip: build one with ./doitw setup --bash=zip, or add them to deps.toml\n"
        "  isol8 v0.1 to v0.11.0, v0.11.1 to v0.17 would use isol8:bash-custom, and install the missing packages at "
        "each start\n"
        "  isol8 v0.18 and later would use isol8:bash, and install the missing packages at each start\n"
    )


def test_json_says_what_each_generation_of_clients_takes(built: CommandLine) -> None:
    """In a document of its own, with the same exit code."""
    done = built("which", "bash", "--packages", "jq", "--json")
    document = json.loads(done.out)
    assert done.code == 0
    assert (document["image"], document["why"], document["packages"]) == (
        "isol8:bash-custom",
        "exact",
        ["jq"],
    )
    assert [each["client"] for each in document["clients"]] == [
        "v0.1 to v0.11.0", "v0.11.1 to v0.17", "v0.18 and later",
    ]  # fmt: skip
    nothing = built("which", "node", "--packages", "zod", "--json")
    assert nothing.code == 1
    assert json.loads(nothing.out)["image"] is None


@pytest.mark.parametrize("words", [(), ("bash", "node"), ("--json",)])
def test_one_runtime_is_expected(built: CommandLine, words: tuple[str, ...]) -> None:
    """No more and no less."""
    done = built("which", *words)
    said = "which: expected one runtime (python, node, bun, deno, bash), for example: ./doitw which python"
    assert (done.code, done.err) == (3, f"ERROR: {said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("python", "numpy"), "./doitw which python --packages numpy"),
        (("python", "numpy", "a>1"), "./doitw which python --packages 'numpy,a>1'"),
        (("python", "--packages", ","), "--packages: no package is named; omit the flag for none"),
    ],
)
def test_packages_go_with_their_flag(built: CommandLine, words: tuple[str, ...], said: str) -> None:
    """The line has the flag, or says that nothing is named by it."""
    done = built("which", *words)
    assert done.code == 3
    assert done.err.endswith(f"{said}\n")


def test_what_is_no_runtime_or_package_is_refused(built: CommandLine) -> None:
    """Each word that is wrong is named."""
    said = "ERROR: 'pyton' is not a runtime (did you mean python? allowed: python, node, bun, deno, bash)\n"
    assert built("which", "pyton") == Ended(3, "", said)
    done = built("which", "bash", "--packages", "-x,jq,-y")
    assert done.code == 3
    assert "'-x'" in done.err
    assert "'-y'" in done.err
    assert "'jq'" not in done.err
