"""The flags of setup, and what they ask for."""

from typing import Any

import pytest

from isol8_tasks.cli.tasks import SETUP_FLAGS, flag_request
from isol8_tasks.errors import ConfigError
from isol8_tasks.plan.model import FlagRequest

NONE = tuple((name, ()) for name in ("python", "node", "bun", "deno", "bash"))


def flags(**given: object) -> dict[str, Any]:
    return {**{flag["name"]: flag["default"] for flag in SETUP_FLAGS}, **given}


class TestOnly:
    """`--only`, which leaves runtimes out."""

    def test_runtimes_of_several_words(self) -> None:
        """Lists and repeated flags come to one list, each runtime once."""
        assert flag_request(flags(only=["python,node", "python, bash"])) == FlagRequest(
            packages=NONE, only=("python", "node", "bash")
        )
        assert flag_request(flags()) == FlagRequest(packages=NONE)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            pytest.param(
                {"only": ["pyton,node"]},
                "--only: 'pyton' is not a runtime (did you mean python? allowed: python, node, bun, deno, bash)",
                id="near-miss",
            ),
            pytest.param(
                {"only": [","]},
                "--only: no runtime is named; there are python, node, bun, deno, bash",
                id="empty",
            ),
            pytest.param(
                {"python": [","]}, "--python: no package is named; omit the flag for none", id="no-package"
            ),
            pytest.param(
                {"only": ["node"], "bash": ["jq"]},
                "--bash: --only does not name bash; add it, or drop the packages",
                id="packages-of-another",
            ),
        ],
    )
    def test_what_cannot_be_meant(self, given: dict[str, object], message: str) -> None:
        """A runtime that is none, and packages for one that is left out, are told in a line."""
        with pytest.raises(ConfigError) as caught:
            flag_request(flags(**given))
        assert str(caught.value) == message
