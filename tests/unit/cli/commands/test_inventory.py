"""The command inventory: the packages in images, as they were recorded."""

import json

import pytest

from tests.command_line import DIGEST, CommandLine
from tests.fake_engine import FakeImage


def test_packages_of_all_images(built: CommandLine) -> None:
    """One on a line below its image."""
    done = built("inventory")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("isol8:python  Alpine 3.99 · 1 packages\n  apk     musl 1.2.5-r9\nisol8:node ")
    assert done.out.endswith(
        "isol8:bash-custom  Alpine 3.99 · 2 packages\n  apk     jq 1.7.1-r0\n  apk     musl 1.2.5-r9\n"
    )


@pytest.mark.parametrize("word", ["bash-custom", "isol8:bash-custom"])
def test_named_images_only_in_their_order(built: CommandLine, word: str) -> None:
    """By name or tag."""
    lines = built("inventory", word, "bun").out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("isol8:")] == [
        "isol8:bash-custom",
        "isol8:bun",
    ]


def test_json_has_each_package_in_parts(built: CommandLine) -> None:
    """For programs."""
    done = built("inventory", "bash-custom", "--json")
    assert done.code == 0
    assert json.loads(done.out) == {
        "images": [
            {
                "image": "isol8:bash-custom",
                "alpine": "3.99",
                "packages": [
                    {"ecosystem": "apk", "name": "jq", "version": "1.7.1-r0"},
                    {"ecosystem": "apk", "name": "musl", "version": "1.2.5-r9"},
                ],
            }
        ]
    }


def test_image_without_an_inventory_is_1(built: CommandLine) -> None:
    """As something else made it; the line says how to have one."""
    built.engine.put("isol8:bun", FakeImage(id=DIGEST))
    done = built("inventory", "bun", "--json")
    assert done.code == 1
    assert done.err == (
        "ERROR: isol8:bun: no inventory; only images that this project built and verified have one: "
        "./doitw base:bun --force\n"
    )
    assert json.loads(done.out) == {"error": done.err.removeprefix("ERROR: ").rstrip()}
